"""Closed questions: how well each is answered, and whether *cannot tell* is said where it should be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from model.crops import Crop
from model.humanvlm import HumanVLM, ImageTokens
from model.questions import CANNOT_TELL, NOT_TRAINED, TOLD_BADLY, Decision, Question
from trainer.evaluation.estimates import NOTHING, Estimate, mean_estimate
from trainer.evaluation.halves import Part, half_without, lower_half_without
from trainer.evaluation.looks import LabelledLook
from trainer.evaluation.scores import QuestionScore, ReliabilityBin, Sureness, score_question
from trainer.people import Person
from trainer.texts import FACE_MASK, HARD_HAT, HAT_COLOUR, QUESTIONS, SAFETY_VEST, VEST_COLOUR

SomePart = TypeVar("SomePart", bound=Part)

_SHOWN_BY: dict[Part, tuple[Question, ...]] = {
    "head": (HARD_HAT, HAT_COLOUR),
    "face": (FACE_MASK,),
    "torso": (SAFETY_VEST, VEST_COLOUR),
}
_OUT_OF_LOWER_HALVES: dict[Literal["head", "face"], tuple[Question, ...]] = {
    "head": _SHOWN_BY["head"],
    "face": _SHOWN_BY["face"],
}
_PREDICATES = frozenset(question.text for question in QUESTIONS if question.kind == "predicate")


@dataclass(frozen=True, slots=True)
class Answering:
    """How a model answers closed questions.

    Attributes:
        scores: By the text of the question; those that the model answers and of which something is labelled.
        unanswered: Questions that the model was not trained on, or failed when it was measured: it does not answer.
        calibration_error: Pooled over the questions.
        reliability: The same, by bin.
        told_when_hidden: Share of crops cut along a part's label, so that it is out of sight, of which *cannot tell* is
            said, over the yes/no questions.
        told_when_hidden_by_question: The same of every question.
        told_of_lower_halves: The same of people's plain lower halves, by every question about heads and faces.
        told_when_labelled: Share of people whose part is labelled of whom *cannot tell* is said, over the same.
    """

    scores: dict[str, QuestionScore]
    unanswered: tuple[str, ...]
    calibration_error: Estimate
    reliability: tuple[ReliabilityBin, ...]
    told_when_hidden: Estimate
    told_when_hidden_by_question: dict[str, Estimate]
    told_of_lower_halves: dict[str, Estimate]
    told_when_labelled: Estimate


def measure_answers(model: HumanVLM, looks: Sequence[LabelledLook], seen: ImageTokens) -> Answering:
    """Ask every question about everyone; `seen` are the looks' image tokens."""
    decided = model.decide(seen, QUESTIONS)
    scores, unanswered, sureness, told = {}, [], [], []
    for column, question in enumerate(QUESTIONS):
        known = [i for i, look in enumerate(looks) if look.right[column] not in (None, "hidden")]
        decisions = [decided[i][column] for i in known]
        right = [str(looks[i].right[column]) for i in known]
        if _refuses(decisions):
            unanswered.append(question.text)
        elif known:
            scores[question.text] = score_question(decisions, right)
            sureness.append(Sureness.of(decisions, right))
            told += _told(decisions) if question.text in _PREDICATES else []
    pooled = Sureness.together(sureness)
    asked = [question for question in QUESTIONS if question.text not in unanswered]
    hidden = _told_when_hidden(model, looks, asked, _SHOWN_BY, half_without)
    halved = _told_when_hidden(model, looks, asked, _OUT_OF_LOWER_HALVES, lower_half_without)
    return Answering(
        scores=scores,
        unanswered=tuple(unanswered),
        calibration_error=pooled.calibration_error(),
        reliability=pooled.bins(),
        told_when_hidden=_share([is_told for text in _PREDICATES & hidden.keys() for is_told in hidden[text]]),
        told_when_hidden_by_question={text: _share(found) for text, found in hidden.items()},
        told_of_lower_halves={text: _share(found) for text, found in halved.items()},
        told_when_labelled=_share(told),
    )


def _told_when_hidden(
    model: HumanVLM,
    looks: Sequence[LabelledLook],
    questions: Sequence[Question],
    shown_by: Mapping[SomePart, Sequence[Question]],
    cut: Callable[[Person, SomePart], Crop | None],
) -> dict[str, list[bool]]:
    """Of every crop that hides what a question is about: whether *cannot tell* is said."""
    told: dict[str, list[bool]] = {}
    for part, shown in shown_by.items():
        halves = [cut(look.person, part) for look in looks]
        crops = [half for half in halves if half is not None]
        asked = [question for question in questions if question in shown]
        for column, decisions in enumerate(zip(*model.decide(crops, asked), strict=True)):
            told[asked[column].text] = _told(decisions)
    return told


def _told(decisions: Sequence[Decision]) -> list[bool]:
    return [decision.answer == CANNOT_TELL for decision in decisions]


def _refuses(decisions: Sequence[Decision]) -> bool:
    return bool(decisions) and all(decision.reason in (NOT_TRAINED, TOLD_BADLY) for decision in decisions)


def _share(told: Sequence[bool]) -> Estimate:
    return mean_estimate(np.array(told, dtype=np.float64)) if told else NOTHING
