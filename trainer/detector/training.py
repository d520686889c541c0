"""Adapting a person detector by a recipe, from a COCO checkpoint and labelled photos to a detector's folder."""

import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from model.detector_network import DetectorCard, keep_person, person_network, save_detector
from trainer.detector.photos import PersonPhotos, collate, training_photos
from trainer.detector.task import Adaptation, DetectorTask
from trainer.errors import RecipeError
from trainer.photos import fingerprint
from trainer.resumable import LAST

logger = logging.getLogger(__name__)


class DetectorRecipe(BaseModel):
    """What `trainer/configs/detector.yaml` holds. Paths are relative to the working folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    photos: Path = Field(description="Holds train/ and val/, each with images/ and labels/.")
    starting_weights: Path = Field(description="An Ultralytics checkpoint with COCO's classes: student and teacher.")
    seed: int = 0
    image_size: PositiveInt = 640
    photos_a_batch: PositiveInt = 8
    held_out_share: float = Field(0.1, ge=0, lt=1, description="Of the original photos, kept apart for tuning.")
    save_every_steps: PositiveInt = 100
    confidence: PositiveFloat = Field(0.25, description="The threshold the weights are shipped with.")
    adaptation: dict[str, float] = Field(default_factory=dict, description="Fields of `Adaptation`.")

    @classmethod
    def read(cls, path: Path) -> "DetectorRecipe":
        """A recipe from a YAML file.

        Raises:
            RecipeError: The file is missing, is no YAML, or says something that no recipe says.
        """
        try:
            recipe = cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
            recipe.settings()
        except OSError as error:
            raise RecipeError(path, error.strerror or str(error)) from error
        except yaml.YAMLError as error:
            raise RecipeError(path, f"no YAML: {str(error).splitlines()[0]}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise RecipeError(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except TypeError as error:
            raise RecipeError(path, f"adaptation: {error}") from error
        return recipe

    def settings(self) -> Adaptation:
        """How far the student may go."""
        whole = {
            name: int(n) if name in ("steps", "warmup_steps", "frozen_layers") else n
            for name, n in self.adaptation.items()
        }
        return Adaptation(**whole)  # type: ignore[arg-type]


def starting_network(checkpoint: Path) -> nn.Module:
    """The person network of an Ultralytics COCO checkpoint, float32.

    Raises:
        RecipeError: The checkpoint is missing.
    """
    if not checkpoint.is_file():
        raise RecipeError(checkpoint, "starting_weights: there is no such file")
    stored: Any = torch.load(checkpoint, map_location="cpu", weights_only=False)["model"]
    # Loaded into layers made here, so that no attribute of an older release of Ultralytics comes along.
    network = person_network("yolo11n.yaml")
    network.load_state_dict(keep_person(stored.float()).state_dict())
    return network.eval()


def train_detector(recipe: DetectorRecipe, *, out: Path, work: Path, resume: bool = False) -> None:
    """Train by a recipe and write the detector's folder `out`; the run's own files go to `work`.

    Raises:
        PhotosError: The photos cannot be read.
        RecipeError: The starting weights are missing.
    """
    pl.seed_everything(recipe.seed, verbose=False)
    settings = recipe.settings()
    task = DetectorTask(
        starting_network(recipe.starting_weights).to(memory_format=torch.channels_last),
        starting_network(recipe.starting_weights).to(memory_format=torch.channels_last),
        settings,
    )
    photos, _ = training_photos(recipe.photos / "train", held_out_share=recipe.held_out_share)
    logger.info("photos read", extra={"photos": len(photos)})
    views = PersonPhotos(
        photos, image_size=recipe.image_size, views=settings.steps * recipe.photos_a_batch, seed=recipe.seed
    )
    _fit(task, DataLoader(views, recipe.photos_a_batch, collate_fn=collate), recipe, work, resume=resume)
    save_detector(task.network, _card(recipe, steps=settings.steps), out)


def _fit(task: DetectorTask, views: DataLoader[Any], recipe: DetectorRecipe, work: Path, *, resume: bool) -> None:
    keep = ModelCheckpoint(
        dirpath=work,
        every_n_train_steps=recipe.save_every_steps,
        save_top_k=-1,
        save_last=True,
        enable_version_counter=False,  # or a second `last-v1.ckpt` is written, and the first one resumed from
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # two cores: none to spare
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="auto",
            devices=1,
            precision="bf16-mixed",
            gradient_clip_val=10.0,
            logger=CSVLogger(work, name="curves", flush_logs_every_n_steps=10),
            callbacks=[keep],
            log_every_n_steps=10,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        last = work / LAST
        if not resume:
            trainer.strategy.remove_checkpoint(last)  # of an earlier run, which a later `--resume` must not go on with
        trainer.fit(task, views, ckpt_path=str(last) if last.exists() else None)


def _card(recipe: DetectorRecipe, *, steps: int) -> DetectorCard:
    training = {
        "photos": recipe.photos.name,
        "photos_fingerprint": fingerprint(recipe.photos / "train"),
        "starting_weights": recipe.starting_weights.name,
        "seed": recipe.seed,
        "image_size": recipe.image_size,
        "photos_a_batch": recipe.photos_a_batch,
        "steps_taken": steps,
        "adaptation": asdict(recipe.settings()),
    }
    return DetectorCard(confidence=recipe.confidence, training=training)
