"""Typed decisions of one LLaVA, ours beside transformers' own `pipeline("decision")`; a part of `make bench`.

Both look at the same 8 crops with the same tiny LLaVA of random weights and answer the same 6 questions in
transformers' default wording. The pipeline reads one prompt a question, and with it the picture anew; HumanVLM reads
each picture once, and places it in the search space besides.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from model.crops import Crop
from model.humanvlm import HumanVLM
from model.questions import CANNOT_TELL, Question
from tests.builders_llava import tiny_llava

PEOPLE, ROUNDS = 8, 5
WANTED_RATIO, WANTED_DIFFERENCE = 4.0, 1e-3
ASKED = (
    Question("predicate", "Is this person wearing a hard hat?"),
    Question("predicate", "Is this person wearing a safety vest?"),
    Question("predicate", "Is this person wearing gloves?"),
    Question("predicate", "Is this person wearing a mask?"),
    Question("choice", "What colour is the hard hat?", ("yellow", "white", "orange", "light blue")),
    Question("score", "How cluttered is the floor around this person?", ("clear", "some things lie about", "blocked")),
)
_IT = "[[it]]"

Probabilities = list[list[dict[str, float]]]  # [crop][question] -> answer -> probability


@dataclass(frozen=True, slots=True)
class Comparison:
    """People a second of both, medians over the rounds, and how far their probabilities lie apart at most."""

    ours_per_s: float
    pipeline_per_s: float
    largest_difference: float

    @property
    def holds(self) -> bool:
        """Whether it is as quick and as equal as it must be."""
        is_quick = self.ours_per_s / self.pipeline_per_s >= WANTED_RATIO
        return is_quick and self.largest_difference <= WANTED_DIFFERENCE


def main(rounds: int = ROUNDS) -> bool:
    """Measure, print, and say whether what must hold does."""
    with tempfile.TemporaryDirectory() as folder:
        found = compared(tiny_llava(Path(folder) / "llava"), rounds)
    shown = Table(title=f"{PEOPLE} crops, {len(ASKED)} questions, tiny LLaVA, float32, {rounds} rounds")
    for heading in ("row", "people/s"):
        shown.add_column(heading, justify="left" if heading == "row" else "right")
    shown.add_row("HumanVLM", f"{found.ours_per_s:.1f}")
    shown.add_row('transformers pipeline("decision")', f"{found.pipeline_per_s:.1f}")
    Console(width=110).print(shown)
    verdict = "holds" if found.holds else "MISSED"
    sys.stdout.write(
        f"HumanVLM / pipeline: {found.ours_per_s / found.pipeline_per_s:.1f} (at least {WANTED_RATIO:g}), largest "
        f"difference of a probability {found.largest_difference:.1e} (at most {WANTED_DIFFERENCE:g}): {verdict}\n"
    )
    return found.holds


def compared(folder: Path, rounds: int) -> Comparison:
    """Both on one checkpoint, taking turns."""
    chance = np.random.default_rng(0)
    crops = [Crop(chance.integers(0, 256, (160, 70, 3), dtype=np.uint8), 150) for _ in range(PEOPLE)]
    model, pipe = HumanVLM.load(folder, device="cpu"), _pipeline(folder)
    expected, ours = by_pipeline(pipe, crops), by_humanvlm(model, crops)  # warm before the first round that counts
    difference = max(
        abs(p - told[answer])
        for row, other in zip(expected, ours, strict=True)
        for asked, told in zip(row, other, strict=True)
        for answer, p in asked.items()
    )
    elapsed_s: dict[str, list[float]] = {"ours": [], "pipeline": []}
    for _ in range(rounds):
        started_s = time.perf_counter()
        by_humanvlm(model, crops)
        elapsed_s["ours"].append(time.perf_counter() - started_s)
        started_s = time.perf_counter()
        by_pipeline(pipe, crops)
        elapsed_s["pipeline"].append(time.perf_counter() - started_s)
    ours_s, pipeline_s = (statistics.median(elapsed_s[name]) for name in ("ours", "pipeline"))
    return Comparison(PEOPLE / ours_s, PEOPLE / pipeline_s, difference)


def by_humanvlm(model: HumanVLM, crops: Sequence[Crop]) -> Probabilities:
    """The probabilities of every answer but *cannot tell*, which a checkpoint without such a label never says."""
    rows = model.decide(crops, ASKED)
    return [[{a: p for a, p in d.probabilities.items() if a != CANNOT_TELL} for d in row] for row in rows]


def by_pipeline(pipe: Any, crops: Sequence[Crop]) -> Probabilities:
    """The same from transformers' pipeline."""
    stated = {question.question_id: _stated(question) for question in ASKED}
    rows = []
    for crop in crops:
        said = pipe({"state": _IT, "assets": {_IT: Image.fromarray(crop.pixels)}, "questions": stated})
        rows.append([_told(question, said[question.question_id]) for question in ASKED])
    return rows


def _pipeline(folder: Path) -> Any:
    from transformers import LlavaProcessor, pipeline

    return pipeline("decision", model=str(folder), processor=LlavaProcessor.from_pretrained(folder), device="cpu")


def _stated(question: Question) -> dict[str, Any]:
    if question.kind == "predicate":
        return {"type": "noul", "instructions": question.text}
    criteria: Any = dict.fromkeys(question.answers) if question.kind == "choice" else list(question.answers)
    return {"type": question.kind, "instructions": question.text, "criteria": criteria}


def _told(question: Question, said: dict[str, Any]) -> dict[str, float]:
    if question.kind == "predicate":
        return {"yes": said["noul"], "no": 1 - said["noul"]}
    if question.kind == "choice":
        return dict(said["probabilities"])
    return {level: said["probabilities"][str(place)] for place, level in enumerate(question.answers)}


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
