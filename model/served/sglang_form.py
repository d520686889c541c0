"""`POST /v1/decisions` in the form of SGLang and Modular MAX: OpenAI's path, but not OpenAI's form. Pure.

https://docs.sglang.io/docs/supported-models/decision_models; `sglang/srt/entrypoints/openai/serving_decisions.py`.
"""

from collections.abc import Sequence

from pydantic import BaseModel

from model.questions import Question
from model.served.answers import Answer, Probability, shares
from model.served.picture import Picture
from model.served.systemone_form import STATE


class _Said(BaseModel):
    type: str
    probabilities: dict[str, Probability]


class _Reply(BaseModel):
    answers: dict[str, _Said]


class SGLangForm:
    """Questions in a list, answers by their ids; what cannot be answered is a 400 for the whole request."""

    path = "/v1/decisions"

    def body(self, model: str, picture: Picture, questions: Sequence[Question]) -> dict[str, object]:
        """What a request says."""
        asked = [_question(f"q{number}", question) for number, question in enumerate(questions, 1)]
        return {"model": model, "input": STATE, "images": [{"url": picture.data_url}], "questions": asked}

    def answers(self, reply: bytes, questions: Sequence[Question]) -> list[Answer]:
        """What a reply answers, in the questions' order.

        Raises:
            ValueError: it is no reply of this form, or leaves a question out.
        """
        said = _Reply.model_validate_json(reply).answers
        return [_answer(f"q{number}", question, said) for number, question in enumerate(questions, 1)]


def _question(name: str, question: Question) -> dict[str, object]:
    if question.kind == "predicate":
        return {"id": name, "type": "yes_no", "question": question.text}
    if question.kind == "choice":
        options = [{"name": answer} for answer in question.answers]
        return {"id": name, "type": "choice", "question": question.text, "options": options}
    return {"id": name, "type": "score", "question": question.text, "levels": list(question.answers)}


def _answer(name: str, question: Question, answers: dict[str, _Said]) -> Answer:
    if name not in answers:
        raise ValueError(f"no answer to {name}")
    said = answers[name].probabilities
    if question.kind == "predicate":
        return dict(zip(question.answers, shares(said, ["yes", "no"]).values(), strict=True))
    if question.kind == "choice":
        return shares(said, question.answers)
    levels = shares(said, [str(level) for level in range(len(question.answers))])
    return dict(zip(question.answers, levels.values(), strict=True))
