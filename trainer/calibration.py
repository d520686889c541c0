"""How sure a network may be: its answers on people that it did not learn from.

A temperature per question, and how far the network leans to each answer, found on the held-out people: seen whole,
from far away, and in halves that hide a part. Answers weigh the same there: a model that meets few masks in training
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
from trainer.augment import View, barely_hidden_view, hidden_view, plain_view
from trainer.cameras import compressed, shrunk
from trainer.people import Person
from trainer.texts import answers_of

_TEMPERATURES = (0.5, 6.0)
_FEWEST = 8  # right answers of a kind, below which nothing is learnt of how the network leans to it
_STRONGEST = 4.0


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

    def calibration(self) -> tuple[float, tuple[float, ...]]:
        """The temperature, and the leaning to each answer, under which the right answers are most probable.

        Answers weigh the same however often they are right here. Those that are hardly ever right here stay as they
        are, and so do the answers of a choice, of which each is seldom right: only *cannot tell* is moved there.
        """
        counts = torch.bincount(self.right, minlength=self.logits.shape[1])
        if not len(self.right):
            return 1.0, (0.0,) * len(counts)
        moved = counts >= _FEWEST
        if self.question.kind == "choice":
            moved[:-1] = False
        weights = (counts.sum() / counts.clamp(min=1) / len(counts)).clamp(max=_STRONGEST)
        log_temperature = torch.zeros((), requires_grad=True)
        leaning = torch.zeros(len(counts), requires_grad=True)
        low, high = _TEMPERATURES
        search = torch.optim.LBFGS([log_temperature, leaning], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            # Bounded here too: where every answer is right, colder is better without end.
            logits = (self.logits - leaning * moved) / log_temperature.clamp(np.log(low), np.log(high)).exp()
            # The second term keeps the sum of the leanings, of which the answers know nothing, near 0.
            found = functional.cross_entropy(logits, self.right, weights.float()) + 1e-3 * leaning.square().sum()
            found.backward()  # type: ignore[no-untyped-call]
            return found

        search.step(loss)  # type: ignore[no-untyped-call]
        temperature = float(log_temperature.detach().exp().clamp(low, high))
        return round(temperature, 3), tuple(round(float(b), 3) for b in leaning.detach() * moved)


def held_out_views(people: Sequence[Person]) -> list[View]:
    """Every person whole, as from far away, and in parts that hide the head or the torso; the same ones every time."""
    chance = np.random.default_rng(0)
    whole = [plain_view(person) for person in people]
    far = [View(_from_afar(view.pixels, chance), view.attributes) for view in whole]
    parts = [hidden_view(person, part, chance) for person in people for part in ("head", "torso")]
    # Where cuts are tight it shows how much a network must lean to *cannot tell*: far below the chin anyone can.
    tight = [barely_hidden_view(person, part) for person in people for part in ("head", "face")]
    return [*whole, *far, *[view for view in (*parts, *tight) if view is not None][::2]]


def _from_afar(pixels: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    return compressed(shrunk(pixels, int(chance.integers(64, 128))), int(chance.integers(25, 70)))


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
