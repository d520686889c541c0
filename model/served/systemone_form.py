"""`POST /v1/systemone`, TypeSafe's form, which transformers, llama.cpp and SGLang serve too. Pure.

https://docs.typesafe.ai/api; `transformers.cli.serving.systemone`. Servers differ in where the picture goes: TypeSafe
and transformers replace a placeholder in the state by one of the `assets`, the others take a list of `images`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from model.questions import Question
from model.served.address import PictureForm
from model.served.answers import Answer, Probability, Refusal, shares
from model.served.picture import Picture

PLACEHOLDER = "person-crop-1"
STATE = "A picture of one person, cut out of a camera's frame."


class _Noul(BaseModel):
    type: Literal["noul"]
    noul: Probability


class _Choice(BaseModel):
    type: Literal["choice"]
    probabilities: dict[str, Probability]


class _Score(BaseModel):
    type: Literal["score"]
    probabilities: dict[str, Probability]  # by level, "0" the lowest


class _Refused(BaseModel):
    type: Literal["refusal"]


_Said = Annotated[_Noul | _Choice | _Score | _Refused, Field(discriminator="type")]


class _Reply(BaseModel):
    answers: dict[str, _Said]


class SystemOneForm:
    """Questions and answers by name; a state that may be nothing but the picture."""

    path = "/v1/systemone"

    def __init__(self, pictures: PictureForm = "assets") -> None:
        self._pictures = pictures

    def body(self, model: str, picture: Picture, questions: Sequence[Question]) -> dict[str, object]:
        """What a request says."""
        asked = {f"q{number}": _question(question) for number, question in enumerate(questions, 1)}
        if self._pictures == "images":
            return {"model": model, "state": STATE, "images": [picture.data_url], "questions": asked}
        asset = {"type": "image", "format": "png", "data_base64": picture.png_base64}
        return {"model": model, "state": PLACEHOLDER, "assets": {PLACEHOLDER: asset}, "questions": asked}

    def answers(self, reply: bytes, questions: Sequence[Question]) -> list[Answer]:
        """What a reply answers, in the questions' order.

        Raises:
            ValueError: it is no reply of this form, or leaves a question out.
        """
        said = _Reply.model_validate_json(reply).answers
        return [_answer(f"q{number}", question, said) for number, question in enumerate(questions, 1)]


def _question(question: Question) -> dict[str, object]:
    if question.kind == "predicate":
        return {"type": "noul", "instructions": question.text}
    if question.kind == "choice":
        return {"type": "choice", "instructions": question.text, "criteria": dict.fromkeys(question.answers)}
    return {"type": "score", "instructions": question.text, "criteria": list(question.answers)}


def _answer(name: str, question: Question, answers: dict[str, _Said]) -> Answer:
    if name not in answers:
        raise ValueError(f"no answer to {name}")
    said = answers[name]
    if isinstance(said, _Refused):
        return Refusal("the model declined to answer")
    if isinstance(said, _Noul) and question.kind == "predicate":
        yes, no = question.answers
        return {yes: said.noul, no: 1.0 - said.noul}
    if isinstance(said, _Choice) and question.kind == "choice":
        return shares(said.probabilities, question.answers)
    if isinstance(said, _Score) and question.kind == "score":
        levels = shares(said.probabilities, [str(level) for level in range(len(question.answers))])
        return dict(zip(question.answers, levels.values(), strict=True))
    raise ValueError(f"a {question.kind} question was answered as a {said.type}")
