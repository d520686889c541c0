"""The forms in which servers take typed questions about a picture. Pure.

A form says where a request goes, what is in it, and what its reply answers. Questions are called `q1`, `q2`, … in a
request: some servers show a question's name to the model, and these say nothing.
"""

from collections.abc import Sequence
from typing import Protocol

from model.questions import Question
from model.served.address import PictureForm, Route
from model.served.answers import Answer
from model.served.decisions_form import DecisionsForm
from model.served.picture import Picture
from model.served.sglang_form import SGLangForm
from model.served.systemone_form import SystemOneForm


class QuestionForm(Protocol):
    """One of them."""

    @property
    def path(self) -> str:
        """Where requests go, from the server's root."""

    def body(self, model: str, picture: Picture, questions: Sequence[Question]) -> dict[str, object]:
        """What a request says."""

    def answers(self, reply: bytes, questions: Sequence[Question]) -> list[Answer]:
        """What a reply answers, in the questions' order.

        Raises:
            ValueError: it is no reply of this form, or leaves a question out.
        """


def question_form(route: Route, pictures: PictureForm) -> QuestionForm:
    """The form of a route."""
    if route == "decisions":
        return DecisionsForm()
    if route == "sglang":
        return SGLangForm()
    return SystemOneForm(pictures)
