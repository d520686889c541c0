"""Tiny recipes for tests."""

from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import yaml
from pytorch_lightning.callbacks import Callback

from trainer.recipe import SizesRecipe

TINY_SIZES = SizesRecipe(
    crop_height_px=64,
    crop_width_px=32,
    backbone_width=0.2,
    backbone_depth=0.3,
    width=48,
    layers=2,
    heads=4,
    feed_forward=96,
    embedding_width=16,
)


def tiny_compact_recipe(folder: Path, photos: Path, *, epochs: int = 2) -> Path:
    """A recipe of both stages for a tiny compact HumanVLM; all that it writes goes into `folder`."""
    sizes = TINY_SIZES.model_dump()
    task = "trainer.task.CompactTask"
    trainer = {"max_epochs": epochs, "accelerator": "cpu", "log_every_n_steps": 1, "enable_progress_bar": False}
    data = {
        "class_path": "trainer.photos_data.PhotosData",
        "init_args": {
            "folder": str(photos),
            "crops_a_batch": 4,
            "held_out_percent": 30,
            "alike": 2.0,
            "workers": 0,
        },
    }
    run = {"work": str(folder / "work"), "save_every_steps": 1, "trainer": trainer, "data": data}
    warm_up = {"steps": 6, "people_a_batch": 4}
    steps = {"frozen_backbone_layers": 2, "averaging_decay": 0.5}
    return write_recipe(
        folder / "recipe.yaml",
        align={
            **run,
            "out": str(folder / "aligned"),
            "model": {"class_path": task, "init_args": {"sizes": sizes, "steps": steps, "warm_up": warm_up}},
        },
        instruct={
            **run,
            "start": str(folder / "aligned"),
            "out": str(folder / "instructed"),
            "model": {"class_path": task, "init_args": {"sizes": sizes, "steps": steps}},
        },
    )


def tiny_llava_recipe(folder: Path, base: Path, sources: Path, *, rows_a_batch: int = 4, **more: Any) -> Path:
    """A recipe of both stages for the tiny LLaVA in `base`; `more` is said of the trainer."""
    trainer = {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1, "enable_progress_bar": False, **more}
    run = {"work": str(folder / "work"), "save_every_steps": 1, "trainer": trainer}
    task, data = "trainer.llava.task.LlavaTask", "trainer.llava.conversation_data.ConversationData"
    listed = {"llava_json": [str(sources / "instruct.json")], "images": str(sources / "images")}
    shards = {"caption_shards": str(sources / "shards")}
    lora = {"rank": 4, "alpha": 8, "dropout": 0.1}
    return write_recipe(
        folder / "recipe.yaml",
        align={
            **run,
            "out": str(folder / "aligned"),
            "model": {"class_path": task, "init_args": {"base": str(base), "steps": {"learning_rate": 1e-2}}},
            "data": {"class_path": data, "init_args": {**shards, "rows_a_batch": rows_a_batch}},
        },
        instruct={
            **run,
            "out": str(folder / "instructed"),
            "model": {
                "class_path": task,
                "init_args": {"base": str(base), "lora": lora, "steps": {"learning_rate": 1e-2}},
            },
            "data": {"class_path": data, "init_args": {**listed, "rows_a_batch": rows_a_batch}},
        },
    )


def write_recipe(path: Path, **sections: Any) -> Path:
    """Write a recipe."""
    path.write_text(yaml.safe_dump(sections))
    return path


class PowerCutError(RuntimeError):
    """What ends a run in the middle."""


class PowerCutAfter(Callback):
    """Ends a run behind a step, as nobody planned it."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            raise PowerCutError
