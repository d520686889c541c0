"""Open questions and captions with a written reference: answered, matched, and judged where a judge is named."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.humanvlm import HumanVLM, ImageTokens
from trainer.evaluation.conversations import Conversations, Example
from trainer.evaluation.estimates import NOTHING, Estimate, mean_estimate
from trainer.evaluation.judge import Judge, Marked
from trainer.evaluation.matching import is_match, word_f1

Way = Literal["written", "decided", "described"]


@dataclass(frozen=True, slots=True)
class WrittenScore:
    """How written answers agree with their references.

    Attributes:
        examples: How many.
        matched: Share that gives the reference's answer, both normalised.
        word_f1: Mean F1 of the words of answer and reference.
        judged: Share that the judge calls right, of those that it judged; NaN without a judge.
        unjudged: Answers of which the judge said neither.
        ways: How many were written to the question, decided as a closed question that the model knows, or taken from
            its description, which is all that a model without words of its own for a question has.
    """

    examples: int
    matched: Estimate
    word_f1: Estimate
    judged: Estimate
    unjudged: int
    ways: dict[str, int]


@dataclass(frozen=True, slots=True)
class DialogueScore:
    """Open questions and captions of one file; None where it has none. `unreadable_rows` were left out."""

    questions: WrittenScore | None
    captions: WrittenScore | None
    unreadable_rows: int


def measure_dialogue(model: HumanVLM, conversations: Conversations, judge: Judge | None = None) -> DialogueScore:
    """Let a model answer every example.

    Raises:
        JudgeError: the judge's server cannot be asked.
    """
    captions = [example for example in conversations.examples if example.is_caption]
    questions = [example for example in conversations.examples if not example.is_caption]
    return DialogueScore(
        _score(model, questions, judge) if questions else None,
        _score(model, captions, judge) if captions else None,
        conversations.unreadable_rows,
    )


def answers_to(model: HumanVLM, examples: Sequence[Example]) -> list[tuple[str, Way]]:
    """The model's answer to each example and how it came about.

    A model with words of its own answers each question in them, side by side; any other is asked once for each distinct
    question.
    """
    seen = model.see([example.crop for example in examples])
    asked: dict[str, list[int]] = defaultdict(list)
    answers: dict[int, tuple[str, Way]] = {}
    for index, example in enumerate(examples):
        asked["" if example.is_caption else example.question].append(index)
    if model.answers_open_questions:
        open_ones = [index for question, indices in asked.items() if question for index in indices]
        said = model.answer(seen.of(open_ones), [examples[index].question for index in open_ones])
        answers |= {index: (text, "written") for index, text in zip(open_ones, said, strict=True)}
        asked = {"": asked[""]} if "" in asked else {}
    for question, indices in asked.items():
        said, way = _chosen(model, seen.of(indices), question)
        answers |= {index: (text, way) for index, text in zip(indices, said, strict=True)}
    return [answers[index] for index in range(len(examples))]


def _chosen(model: HumanVLM, seen: ImageTokens, question: str) -> tuple[list[str], Way]:
    """A decision where the model knows the question, else its description."""
    known = [stated for stated in model.questions if stated.text.lower() == question.lower()]
    if known:
        return [row[0].answer for row in model.decide(seen, known[:1])], "decided"
    return model.describe(seen), "described"


def _score(model: HumanVLM, examples: Sequence[Example], judge: Judge | None) -> WrittenScore:
    answered = answers_to(model, examples)
    matched = [is_match(text, example.answer) for (text, _), example in zip(answered, examples, strict=True)]
    shared = [word_f1(text, example.answer) for (text, _), example in zip(answered, examples, strict=True)]
    verdicts: list[bool | None] = []
    if judge is not None:
        pairs = zip(answered, examples, strict=True)
        verdicts = judge.verdicts([Marked(example.question, example.answer, text) for (text, _), example in pairs])
    said = [float(verdict) for verdict in verdicts if verdict is not None]
    return WrittenScore(
        examples=len(examples),
        matched=mean_estimate(np.array(matched, dtype=np.float64)),
        word_f1=mean_estimate(np.array(shared)),
        judged=mean_estimate(np.array(said)) if said else NOTHING,
        unjudged=verdicts.count(None),
        ways=dict(Counter(way for _, way in answered)),
    )
