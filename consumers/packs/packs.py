"""A question pack: typed questions that belong together, and which of them a model can answer.

A pack is a YAML file; `safety`, `retail` and `media` lie beside this one. Choosing a pack has its questions asked about
everyone who is seen from then on. It raises no alert: for that there are rules, which `drafts` gives a start.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from consumers.alerts.measured import MeasuredModels
from consumers.alerts.rule_questions import Part, Words, may_be_asked
from consumers.alerts.rules import Name
from consumers.alerts.rules_file import parse_as, read_whole, written
from consumers.errors import PackError
from model.questions import CANNOT_TELL, Question, QuestionKind

FOLDER = Path(__file__).parent
ENDING = ".yaml"
MOST_QUESTIONS = 50
YES_NO = ("yes", "no")


class PackQuestion(Part):
    """One typed question about a person."""

    kind: QuestionKind = Field("predicate", description="`predicate`: yes or no; `choice`; `score`: levels, low first.")
    text: Words = Field(description="The question in plain words.")
    answers: Annotated[tuple[Words, ...], Field(max_length=20)] = Field(
        (), description="Every allowed answer of a choice or score, without *cannot tell*, which is always allowed."
    )
    complying: Annotated[tuple[Words, ...], Field(max_length=20)] = Field(
        (), description="Answers that are as they should be, where that makes sense: a draft of a rule is made of it."
    )

    @field_validator("text")
    @classmethod
    def _may_be_asked(cls, text: str) -> str:
        return may_be_asked(text)

    @model_validator(mode="after")
    def _answers_fit(self) -> Self:
        if self.kind == "predicate" and self.answers not in ((), YES_NO):
            raise ValueError("a predicate is answered yes or no; leave `answers` out, or make it a choice")
        allowed = self.asked.answers
        if len(set(allowed)) < max(2, len(allowed)):
            raise ValueError("it needs two or more different `answers`")
        if CANNOT_TELL in allowed:
            raise ValueError(f"{CANNOT_TELL!r} is always allowed; leave it out")
        if unknown := [answer for answer in self.complying if answer not in allowed]:
            raise ValueError(f"{unknown[0]!r} complies but is not among the answers: {', '.join(allowed)}")
        return self

    @property
    def asked(self) -> Question:
        """The question as the model is asked."""
        return Question(self.kind, self.text, YES_NO if self.kind == "predicate" else self.answers)


class Pack(Part):
    """Questions that belong together."""

    name: Name = Field(description="What the pack is called.")
    title: Words = Field(description="What it is for, in a sentence.")
    questions: Annotated[tuple[PackQuestion, ...], Field(min_length=1, max_length=MOST_QUESTIONS)] = Field(
        description="What is asked about everyone."
    )


def packaged() -> list[str]:
    """The names of the packs that come with the package."""
    return sorted(path.stem for path in FOLDER.glob(f"*{ENDING}"))


def read_pack(name: str) -> Pack:
    """The pack of that name, or in that file.

    Raises:
        PackError: There is none, or it does not fit; says in which line.

    >>> read_pack("retail").questions[0].text
    'Is this person carrying a shopping basket?'
    """
    path = FOLDER / f"{name}{ENDING}" if name in packaged() else Path(name)
    if not path.is_file():
        raise PackError(Path(name), None, f"is not there; there are {', '.join(packaged())}, or give a file's path")
    return parse_as(Pack, read_whole(path, PackError), path, PackError)


def read_packs(names: Sequence[str]) -> list[Pack]:
    """The packs of these names, each once, in order.

    Raises:
        PackError: One of them cannot be read.
    """
    return [read_pack(name) for name in dict.fromkeys(names)]


def coverage(pack: Pack, models: MeasuredModels) -> str:
    """How much of a pack the answering model can be relied on for, in one line."""
    untold = [question.asked for question in pack.questions if models.why_not(question.asked)]
    count, told = len(pack.questions), len(pack.questions) - len(untold)
    if not untold:
        return f"Question pack {pack.name}: all {count} questions can be answered by {models.answering.name}."
    return (
        f"Question pack {pack.name}: {told} of {count} questions can be answered by {models.answering.name}; the rest "
        f"are {models.without_measure}. `crewsight questions show {pack.name}` says which, and what could answer."
    )


def drafts(pack: Pack) -> str:
    """A rules file with a draft for every question of a pack that says which answers comply."""
    rules = [
        {
            "id": f"{pack.name}-{number}",
            "title": question.text,
            "question": {
                "kind": question.kind,
                "text": question.text,
                **({"answers": list(question.answers)} if question.kind != "predicate" else {}),
                "complying": list(question.complying),
            },
            "status": "draft",
        }
        for number, question in enumerate(pack.questions, 1)
        if question.complying and question.kind != "score"
    ]
    return written({"rules": rules})
