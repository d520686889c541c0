"""`POST /v1/decisions` in OpenAI's form, which LiteLLM serves too. Pure.

https://developers.openai.com/api/docs/guides/decisions
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from model.questions import Question
from model.served.answers import Answer, Probability, Refusal, shares
from model.served.picture import Picture


class _Predicate(BaseModel):
    type: Literal["predicate"]
    name: str | None = None
    probability: Probability


class _ChoiceChance(BaseModel):
    value: str | bool
    probability: Probability


class _Choice(BaseModel):
    type: Literal["choice"]
    name: str | None = None
    probabilities: list[_ChoiceChance]


class _ScoreChance(BaseModel):
    label: str
    probability: Probability


class _Score(BaseModel):
    type: Literal["score"]
    name: str | None = None
    probabilities: list[_ScoreChance]


class _Refused(BaseModel):
    type: Literal["refusal"]
    name: str | None = None


_Said = Annotated[_Predicate | _Choice | _Score | _Refused, Field(discriminator="type")]


class _Reply(BaseModel):
    answers: list[_Said]


class DecisionsForm:
    """Questions in a list, answers in the same order; a model may refuse single ones."""

    path = "/v1/decisions"

    def body(self, model: str, picture: Picture, questions: Sequence[Question]) -> dict[str, object]:
        """What a request says."""
        shown = {"type": "input_image", "image_url": picture.data_url, "detail": "auto"}
        return {
            "model": model,
            "input": [{"type": "message", "role": "user", "content": [shown]}],
            "questions": [_question(f"q{number}", question) for number, question in enumerate(questions, 1)],
        }

    def answers(self, reply: bytes, questions: Sequence[Question]) -> list[Answer]:
        """What a reply answers, in the questions' order.

        Raises:
            ValueError: it is no reply of this form, or leaves a question out.
        """
        said = _Reply.model_validate_json(reply).answers
        if len(said) != len(questions):
            raise ValueError(f"{len(said)} answers to {len(questions)} questions")
        names = [f"q{number}" for number in range(1, len(said) + 1)]
        return [_answer(*one) for one in zip(names, questions, said, strict=True)]


def _question(name: str, question: Question) -> dict[str, object]:
    asked: dict[str, object] = {"type": question.kind, "name": name, "instructions": question.text}
    if question.kind == "predicate":
        return asked
    if question.kind == "choice":
        return {**asked, "choices": [{"value": answer} for answer in question.answers]}
    return {**asked, "levels": [{"label": answer} for answer in question.answers]}


def _answer(name: str, question: Question, said: _Predicate | _Choice | _Score | _Refused) -> Answer:
    if said.name not in (None, name):
        raise ValueError(f"the answer to {name} is called {said.name!r}")
    if isinstance(said, _Refused):
        return Refusal("the model declined to answer")
    if said.type != question.kind:
        raise ValueError(f"a {question.kind} question was answered as a {said.type}")
    if isinstance(said, _Predicate):
        yes, no = question.answers
        return {yes: said.probability, no: 1.0 - said.probability}
    if isinstance(said, _Choice):
        return shares({str(chance.value): chance.probability for chance in said.probabilities}, question.answers)
    return shares({chance.label: chance.probability for chance in said.probabilities}, question.answers)
