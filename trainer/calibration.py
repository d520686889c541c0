"""How sure a network may be: its answers on people that it did not learn from.

A temperature per question, and for predicates how far the network leans to yes, found by search on the held-out people,
seen whole and in halves that hide a part. Yes and no weigh the same there: a model that meets few masks in training
must not lean to "no mask" at work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.network import HumanNetwork
from model.questions import Question
from model.tokens import CANNOT_TELL_WORD, WordTokens
from model.vision_tower import VisionSizes, resized
from trainer.augment import View, hidden_view, plain_view
from trainer.people import Person
from trainer.texts import answers_of

_TEMPERATURES = np.geomspace(0.5, 6.0, 60)
_LEANINGS = np.arange(-2.0, 2.05, 0.1)


@dataclass(frozen=True, slots=True)
class Answered:
    """Logits (n, answers) of one question, *cannot tell* last, and the index (n,) of the right answer of each."""

    question: Question
    logits: Tensor
    right: Tensor

    def balanced_accuracy(self) -> float:
        """Mean recall over the right answers that occur, *cannot tell* neither asked nor allowed."""
        forced, asked = self.logits[:, :-1].argmax(dim=1), self.right < len(self.question.answers)
        recalls = [
            float((forced[self.right == index] == index).float().mean())
            for index in sorted(set(self.right[asked].tolist()))
        ]
        return float(np.mean(recalls)) if recalls else float("nan")

    def calibration(self) -> tuple[float, float]:
        """The temperature, and the leaning to the first answer, under which the right answers are most probable."""
        if not len(self.right):
            return 1.0, 0.0
        leanings = _LEANINGS if self.question.kind == "predicate" else [0.0]
        weights = self._weights()
        first = functional.one_hot(torch.tensor(0), self.logits.shape[1])
        losses = {
            (float(t), float(b)): float(functional.cross_entropy((self.logits - b * first) / t, self.right, weights))
            for t in _TEMPERATURES
            for b in leanings
        }
        temperature, leaning = min(losses, key=lambda pair: losses[pair])
        return round(temperature, 3), round(leaning, 3)

    def _weights(self) -> torch.Tensor:
        """Weights by answer: those of a predicate weigh the same, *cannot tell* keeps its share."""
        weights = torch.ones(self.logits.shape[1])
        if self.question.kind == "predicate":
            counts = torch.bincount(self.right, minlength=3)[:2].clamp(min=1)
            weights[:2] = counts.sum() / 2 / counts
        return weights


def held_out_views(people: Sequence[Person]) -> list[View]:
    """Every person whole, and in the halves that hide the head or the torso."""
    whole = [plain_view(person) for person in people]
    halves = [hidden_view(person, part) for person in people for part in ("head", "torso")]
    return [*whole, *[view for view in halves if view is not None][::2]]


def answered(
    network: HumanNetwork, words: WordTokens, questions: Sequence[Question], views: Sequence[View]
) -> list[Answered]:
    """What a network answers to each question about the views of which the answer is known."""
    logits = _logits(network, words, questions, [view.pixels for view in views])
    known = [answers_of(view.attributes) for view in views]
    found = []
    for column, question in enumerate(questions):
        spoken = {**{answer: i for i, answer in enumerate(question.answers)}, "hidden": len(question.answers)}
        rows = [(i, spoken[str(answers[column])]) for i, answers in enumerate(known) if answers[column] is not None]
        picked = torch.tensor([i for i, _ in rows], dtype=torch.int64)
        found.append(Answered(question, logits[column][picked], torch.tensor([r for _, r in rows], dtype=torch.int64)))
    return found


@torch.inference_mode()
def _logits(
    network: HumanNetwork, words: WordTokens, questions: Sequence[Question], crops: Sequence[NDArray[np.uint8]]
) -> list[Tensor]:
    device = network.connector.position.device
    asked = [torch.tensor([words.ids(question.text)], device=device) for question in questions]
    allowed = [[words.id_of(w) for w in (*q.answers, CANNOT_TELL_WORD)] for q in questions]
    sizes: VisionSizes = network.vision_tower.sizes
    batches: list[list[Tensor]] = [[] for _ in questions]
    for start in range(0, len(crops), 64):
        pixels = torch.from_numpy(np.stack([resized(crop, sizes) for crop in crops[start : start + 64]])).to(device)
        read = network.language_model.read_about(network.see(pixels), asked)
        for into, hidden, ids in zip(batches, read, allowed, strict=True):
            into.append(network.language_model.logits(hidden[:, -1])[:, ids].float().cpu())
    return [torch.cat(batch) for batch in batches]
