"""Measuring one model on one evaluation set."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.crops import Crop
from model.humanvlm import HumanVLM
from trainer.errors import EvaluationError, PhotosError
from trainer.evaluation.captions import score_captions
from trainer.evaluation.conversations import Conversations, read_conversations
from trainer.evaluation.dialogue import measure_dialogue
from trainer.evaluation.judge import Judge
from trainer.evaluation.looks import LabelledLook, labelled_looks
from trainer.evaluation.questions import measure_answers
from trainer.evaluation.report import PhotoScores, Report, Revisions, Speed
from trainer.evaluation.retrieval import measure_retrieval
from trainer.photos import fingerprint, labelled_photos
from trainer.texts import QUESTIONS

_TIMED_CROPS = 256  # enough for a rate


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What models are measured on: labelled people, conversations, or both."""

    looks: tuple[LabelledLook, ...]
    fingerprint: str
    conversations: Conversations | None

    @classmethod
    def read(cls, path: Path) -> "EvaluationSet":
        """The set at a path.

        Args:
            path: A folder with `images/` and `labels/`, with one LLaVA JSON file, or with both; or that file alone.

        Raises:
            PhotosError: there is neither, or a photo cannot be read.
            EvaluationError: the JSON file cannot be read, or there are several.
        """
        texts = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.suffix == ".json" else []
        if len(texts) > 1:
            raise EvaluationError(path, f"it holds {len(texts)} JSON files; name the one that is meant")
        has_photos = (path / "labels").is_dir()
        if not texts and not has_photos:
            raise PhotosError(path, "no images/ with labels/ in it, and no LLaVA JSON file")
        looks = tuple(labelled_looks(labelled_photos(path))) if has_photos else ()
        if has_photos and not looks:
            raise PhotosError(path, "nobody in its photos is labelled and tall enough to be asked about")
        return cls(looks, fingerprint(path) if has_photos else "", read_conversations(texts[0]) if texts else None)


def measure(name: str, model: HumanVLM, examples: EvaluationSet, judge: Judge | None = None) -> Report:
    """Every figure of a model, under a name.

    Raises:
        JudgeError: the judge's server cannot be asked.
    """
    return Report(
        model=name,
        revisions=Revisions(model.answer_revision, model.caption_revision, model.embedding_space),
        photos=_photos(model, examples.looks, examples.fingerprint) if examples.looks else None,
        dialogue=measure_dialogue(model, examples.conversations, judge) if examples.conversations else None,
    )


def _photos(model: HumanVLM, looks: Sequence[LabelledLook], photos_fingerprint: str) -> PhotoScores:
    crops = [look.crop for look in looks]
    seen = model.see(crops)
    return PhotoScores(
        people=len(looks),
        fingerprint=photos_fingerprint,
        answering=measure_answers(model, looks, seen),
        captions=score_captions(model.describe(seen), looks),
        retrieval=measure_retrieval(model, looks, seen),
        speed=_speed(model, crops[:_TIMED_CROPS]),
    )


def _speed(model: HumanVLM, crops: Sequence[Crop]) -> Speed:
    seen = model.see(crops)
    return Speed(
        looks_per_s=_rate(len(crops), lambda: model.read(model.see(crops), QUESTIONS)),
        captions_per_s=_rate(len(crops), lambda: model.describe(seen)),
    )


def _rate(count: int, work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - started_s)
