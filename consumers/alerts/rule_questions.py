"""What a rule asks about each person: its own typed question, and its conditions. Pure."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from model.questions import CANNOT_TELL, Question

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Certainty = Annotated[float, Field(gt=0.5, le=1)]  # so no two answers that exclude each other are both certain

# Emotions at work (EU AI Act, Art. 5) and what people are rather than what they wear or do: never asked.
_NEVER_ASKED = re.compile(
    r"\b(?:emotions?|moods?|feels?|feeling|angry|happy|sad|afraid|nervous|gender|sex|male|female|man|men|woman|women"
    r"|boys?|girls?|ages?|aged|how old|elderly|young(?:er)?|ethnic(?:ity)?|races?|racial|skin colou?r|nationality"
    r"|religion|religious|disab(?:led|ility)|pregnant|beautiful|attractive)\b",
    re.IGNORECASE,
)


def may_be_asked(text: str) -> str:
    """The text of a question that may be asked about a person.

    Raises:
        ValueError: It asks for what is never inferred.
    """
    if found := _NEVER_ASKED.search(text):
        raise ValueError(
            f"asks for {found[0]!r}: emotions, gender, age, origin and the like are never inferred; "
            "ask for what a person wears or does, and say “person”"
        )
    return text


class Part(BaseModel):
    """A piece of the rules file: a misspelt key in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PersonQuestion(Part):
    """A typed question about a person, and what may be answered."""

    kind: Literal["predicate", "choice"] = Field(
        "predicate", description="`predicate`: answered yes or no; `choice`: answered by one of `answers`."
    )
    text: Words = Field(description="The question in plain words, such as: Is this person wearing a safety vest?")
    answers: Annotated[tuple[Words, ...], Field(max_length=20)] = Field(
        (), description="Of a choice: every allowed answer, without *cannot tell*, which is always allowed."
    )

    @field_validator("text")
    @classmethod
    def _may_be_asked(cls, text: str) -> str:
        return may_be_asked(text)

    @model_validator(mode="after")
    def _answers_fit(self) -> Self:
        if self.kind == "predicate" and self.answers not in ((), ("yes", "no")):
            raise ValueError("a predicate is answered yes or no; leave `answers` out, or make it a choice")
        allowed = self.allowed
        if self.kind == "choice" and len(allowed) < 2:
            raise ValueError("a choice needs at least two `answers`")
        if len(set(allowed)) < len(allowed):
            raise ValueError("an answer is there twice")
        if CANNOT_TELL in allowed:
            raise ValueError(f"{CANNOT_TELL!r} is always allowed and neither complies nor breaches; leave it out")
        return self

    @property
    def allowed(self) -> tuple[str, ...]:
        """Every allowed answer."""
        return ("yes", "no") if self.kind == "predicate" else self.answers

    @cached_property
    def asked(self) -> Question:
        """The question as the model is asked."""
        return Question(self.kind, self.text, self.allowed)

    @cached_property
    def question_id(self) -> str:
        """The id of `asked`."""
        return self.asked.question_id


class RuleQuestion(PersonQuestion):
    """What is asked about each person, and which answers comply."""

    complying: Annotated[tuple[Words, ...], Field(min_length=1, max_length=20)] = Field(
        description="The answers that are as they should be; every other allowed answer is a breach."
    )

    @model_validator(mode="after")
    def _complying_fit(self) -> Self:
        if CANNOT_TELL in self.complying:
            raise ValueError(f"{CANNOT_TELL!r} is always allowed and neither complies nor breaches; leave it out")
        if unknown := [answer for answer in self.complying if answer not in self.allowed]:
            raise ValueError(f"{unknown[0]!r} complies but is not among the answers: {', '.join(self.allowed)}")
        if not self.breaching:
            raise ValueError("every answer complies, so nothing can be a breach")
        return self

    @cached_property
    def breaching(self) -> tuple[str, ...]:
        """The allowed answers that do not comply."""
        return tuple(answer for answer in self.allowed if answer not in self.complying)


class Condition(PersonQuestion):
    """What else has to be answered of the same person, in the same look, for a breach to be one."""

    given: Annotated[tuple[Words, ...], Field(min_length=1, max_length=20)] = Field(
        description="The answers with which the condition holds; with every other allowed answer it does not."
    )
    certainty: Certainty | None = Field(
        None, description="Probability from which an answer to it counts; left out: the rule's own."
    )

    @model_validator(mode="after")
    def _given_fit(self) -> Self:
        if CANNOT_TELL in self.given:
            raise ValueError(f"a condition cannot rest on {CANNOT_TELL!r}; name answers that tell something")
        if len(set(self.given)) < len(self.given):
            raise ValueError("an answer is given twice")
        if unknown := [answer for answer in self.given if answer not in self.allowed]:
            raise ValueError(f"{unknown[0]!r} is given but is not among the answers: {', '.join(self.allowed)}")
        if not self.denying:
            raise ValueError("it holds with every answer, so it is no condition")
        return self

    @cached_property
    def denying(self) -> tuple[str, ...]:
        """The allowed answers with which it does not hold."""
        return tuple(answer for answer in self.allowed if answer not in self.given)


@dataclass(frozen=True, slots=True)
class Clause:
    """One question by which a rule judges a look: the rule's own, or a condition's.

    A look is a breach when it is one by every clause; it complies when it complies by any.
    """

    asked: Question
    question_id: str
    complying: tuple[str, ...]  # of a condition: the answers with which it does not hold
    breaching: tuple[str, ...]
    certainty: float
