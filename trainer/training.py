"""Training a compact HumanVLM, from labelled photos to a checkpoint folder."""

import json
import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from model.backbone import fused_weights
from model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from model.decisions import DecisionSheet, MeasuredQuestion
from model.language_model import LanguageSizes
from model.network import HumanNetwork, NetworkSizes
from model.questions import Question
from model.tokens import WordTokens
from trainer.augment import View
from trainer.calibration import Answered, answered, held_out_views
from trainer.errors import RecipeError
from trainer.holdout import split_people
from trainer.looks import PeopleData
from trainer.people import Person, people_in
from trainer.photos import fingerprint, labelled_photos
from trainer.recipe import Recipe, SizesRecipe
from trainer.task import HumanVLMTask
from trainer.texts import QUESTIONS, all_texts

logger = logging.getLogger(__name__)


def train_humanvlm(recipe: Recipe, *, recipe_path: Path, out: Path, work: Path, resume: bool = False) -> None:
    """Train by a recipe and write the checkpoint folder `out`; the run's own files go to `work`.

    Raises:
        PhotosError: the photos cannot be read.
        RecipeError: the backbone's checkpoint is missing.
    """
    lightning.seed_everything(recipe.seed, verbose=False)
    words = WordTokens.of(all_texts())
    network = HumanNetwork(_sizes(recipe.sizes, words))
    if recipe.backbone is not None:
        _start_from(network, recipe.backbone, recipe_path)
    network.to(memory_format=torch.channels_last)
    learnt, held_out = _people(recipe, network)
    if recipe.start is not None:  # only now: the people are split by the looks of the original backbone
        network.load_state_dict(dict(read_checkpoint(recipe.start).weights))
    logger.info("people cut out", extra={"learnt": len(learnt), "held_out": len(held_out)})
    _fit(recipe, network, words, learnt, held_out, work, resume=resume)
    network.eval()
    answers = answered(network, words, QUESTIONS, held_out_views(held_out)) if held_out else []
    write_checkpoint(out, Checkpoint(network_sizes(network), words, _sheet(answers), network.state_dict()))
    _write_origin(out, recipe, recipe_path, learnt=len(learnt), held_out=len(held_out))


def network_sizes(network: HumanNetwork) -> NetworkSizes:
    """The sizes that a network was built with."""
    return NetworkSizes(network.vision_tower.sizes, network.language_model.sizes, network.text_head.out_features)


class HeldOutProgress(Callback):
    """Logs balanced accuracy on the held-out people after each epoch."""

    def __init__(self, views: Sequence[View], words: WordTokens) -> None:
        self._views, self._words = views, words

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure and log."""
        assert isinstance(pl_module, HumanVLMTask)
        pl_module.network.eval()
        measured = answered(pl_module.network, self._words, QUESTIONS, self._views)
        pl_module.network.train()
        names = ("hat", "vest", "mask", "hat_colour", "vest_colour")
        scores = {name: found.balanced_accuracy() for name, found in zip(names, measured, strict=True)}
        pl_module.log_dict({f"held_out/{name}_balanced_accuracy": score for name, score in scores.items()})
        rounded = {name: round(score, 3) for name, score in scores.items()}
        logger.info("epoch %d: held-out balanced accuracy %s", trainer.current_epoch, rounded)


def _fit(
    recipe: Recipe,
    network: HumanNetwork,
    words: WordTokens,
    learnt: Sequence[Person],
    held_out: Sequence[Person],
    work: Path,
    *,
    resume: bool,
) -> None:
    steps = recipe.steps
    people = PeopleData(learnt, words, network.vision_tower.sizes, batch=steps.crops_a_batch, seed=recipe.seed)
    task = HumanVLMTask(network, words, QUESTIONS, steps, steps.epochs * (len(learnt) // steps.crops_a_batch))
    saver = ModelCheckpoint(dirpath=work, save_last=True, save_top_k=0)
    progress: list[Callback] = [saver]
    if held_out:
        progress.append(HeldOutProgress(held_out_views(held_out), words))
    trainer = lightning.Trainer(
        max_epochs=steps.epochs,
        accelerator="auto",
        logger=CSVLogger(work, name="curves"),
        callbacks=progress,
        precision=steps.precision,
        gradient_clip_val=1.0,
        reload_dataloaders_every_n_epochs=1,
        enable_model_summary=False,
        log_every_n_steps=10,
    )
    last = work / "last.ckpt"
    trainer.fit(task, people, ckpt_path=str(last) if resume and last.exists() else None)


def _sizes(sizes: SizesRecipe, words: WordTokens) -> NetworkSizes:
    language = LanguageSizes(len(words), sizes.width, sizes.layers, sizes.heads, sizes.feed_forward, positions=128)
    return NetworkSizes(sizes.vision(), language, sizes.embedding_width)


def _start_from(network: HumanNetwork, backbone: Path, recipe_path: Path) -> None:
    if not backbone.is_file():
        raise RecipeError(recipe_path, f"backbone: there is no file {backbone}")
    from ultralytics import YOLO

    fused = YOLO(backbone).model.float().eval().fuse(verbose=False)
    network.vision_tower.backbone.load_state_dict(fused_weights(fused))


def _people(recipe: Recipe, network: HumanNetwork) -> tuple[list[Person], list[Person]]:
    photos = recipe.photos
    smallest_px = photos.smallest_person_px
    everyone = [
        person
        for photo in labelled_photos(photos.folder / "train")
        for person in people_in(photo, smallest_px=smallest_px)
    ]
    backbone = network.vision_tower.backbone.eval()
    return split_people(everyone, backbone, percent=photos.held_out_percent, alike=photos.alike)


def _sheet(answers: Sequence[Answered]) -> DecisionSheet:
    """The trained questions with their temperatures; figures measured on held-out people where there are any."""
    found = {answer.question.question_id: answer for answer in answers}
    return DecisionSheet(
        questions=tuple(_measured(question, found.get(question.question_id)) for question in QUESTIONS)
    )


def _measured(question: Question, found: Answered | None) -> MeasuredQuestion:
    stated = MeasuredQuestion(kind=question.kind, text=question.text, answers=question.answers)
    if found is None:
        return stated
    figures = {"held_out_balanced_accuracy": round(found.balanced_accuracy(), 4)}
    temperature, leaning = found.calibration()
    return stated.model_copy(update={"temperature": temperature, "leaning": leaning, "figures": figures})


def _write_origin(out: Path, recipe: Recipe, recipe_path: Path, *, learnt: int, held_out: int) -> None:
    """Where the weights come from, for whoever finds them."""
    origin = {
        "recipe": recipe_path.name,
        "photos_fingerprint": fingerprint(recipe.photos.folder / "train"),
        "git_revision": _git_revision(),
        "people_learnt": learnt,
        "people_held_out": held_out,
        "steps": recipe.steps.model_dump(),
        "seed": recipe.seed,
    }
    (out / "training.json").write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")


def _git_revision() -> str:
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
