"""HumanVLM behind a model server: the calls of `model.humanvlm.HumanVLM`, answered over HTTP.

Questions and captions are the server's; where a crop lies in the search space is said by a tower in this process. A
served model without a decision sheet is open to any question, and all it answers is marked as unmeasured.

Legend: B crops, E width of the search space.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from model.crops import Crop
from model.decisions import DecisionSheet, decided, refused
from model.errors import DecisionSheetError, ModelServerError
from model.humanvlm import (
    FAR_AWAY,
    SMALLEST_PERSON_PX,
    HumanVLM,
    ImageTokens,
    Reading,
    TextEmbedding,
    asked_of_each,
)
from model.layouts.settings import CAPTION_REQUEST, CAPTION_TOKENS_AT_MOST
from model.questions import CANNOT_TELL, TOO_SMALL, Decision, Question
from model.served.address import ServedModel
from model.served.answers import Answer, Refusal, offering_cannot_tell
from model.served.chat import chat_ask
from model.served.forms import question_form
from model.served.picture import Picture
from model.served.server import Ask, IsStopping, ModelServer, never

QUESTIONS_AT_ONCE = 32  # servers take 64 and more; a refused request is asked again question by question
UNDESCRIBED = "person whom the model server did not describe."
PROBE = Question("predicate", "Is this picture all of one colour?")


@dataclass(frozen=True, slots=True)
class SeenCrops:
    """Some crops as they are sent, and what the tower in this process made of them."""

    pictures: tuple[Picture, ...]
    person_heights_px: tuple[int, ...]
    tokens: ImageTokens

    def __len__(self) -> int:
        return len(self.pictures)

    def of(self, crops: Sequence[int]) -> "SeenCrops":
        """Those of some of the crops, by position."""
        return SeenCrops(
            tuple(self.pictures[crop] for crop in crops),
            tuple(self.person_heights_px[crop] for crop in crops),
            self.tokens.of(crops),
        )

    def tall(self) -> list[int]:
        """The positions of those in which a person stands tall enough to be asked about."""
        return [crop for crop, height_px in enumerate(self.person_heights_px) if height_px >= SMALLEST_PERSON_PX]


class ServedHumanVLM:
    """Describes people and decides questions about them by asking a server; places them in the search space itself.

    Raises (`check`, `read`, `decide`, `describe`): `ModelServerError` when the server is set up otherwise than it is
    asked, `WaitAbandonedError` when told to stop while the server is away.
    """

    def __init__(self, served: ServedModel, tower: HumanVLM, sheet: DecisionSheet | None) -> None:
        self._served, self._tower = served, tower
        self._sheet = sheet or DecisionSheet(open_to_any_question=True)
        self._form = question_form(served.route, served.pictures)
        self._answering = ModelServer(served.questions)
        self._writing = self._answering if served.captions == served.questions else ModelServer(served.captions)
        self._is_stopping: IsStopping = never
        self.questions: tuple[Question, ...] = tuple(m.question for m in self._sheet.questions) or tower.questions
        self.answer_revision = _revision(
            served.questions.model,
            self._form.path,
            repr(sorted(self._form.body("", Picture(""), [offering_cannot_tell(PROBE)]).items())),
            self._sheet.model_dump_json(),
            str(served.offers_cannot_tell),
        )
        self.caption_revision = _revision(served.captions.model, CAPTION_REQUEST, str(CAPTION_TOKENS_AT_MOST))
        self.embedding_space = tower.embedding_space

    @classmethod
    def open(cls, served: ServedModel, *, device: str | None = None) -> "ServedHumanVLM":
        """The served model; nothing is asked of the server yet.

        Args:
            served: Which model, and how it is asked.
            device: Where the tower runs; None takes CUDA where there is one.

        Raises:
            ModelFolderError: The tower's folder holds no checkpoint.
            DecisionSheetError: The decision sheet cannot be read.
            ModelServerError: An address is no URL.
        """
        sheet = read_sheet(served.sheet) if served.sheet is not None else None
        return cls(served, HumanVLM.load(served.tower, device=device), sheet)

    def check(self) -> None:
        """Find out whether the server answers, writes, and sees: wait until it does anything at all.

        A server that takes pictures in another form may leave them out without a word, and answer all the same. Two
        different pictures must not get exactly the same answer.

        Raises:
            ModelServerError: It refuses a plain question or caption, or does not see the pictures.
        """
        grey = Picture.of(np.full((128, 64, 3), 128, dtype=np.uint8))
        noise = Picture.of(np.random.default_rng(0).integers(0, 256, (160, 80, 3), dtype=np.uint8))
        about_grey, about_noise = (answers[0] for answers in self._answers([grey, noise], [PROBE]))
        for said in (about_grey, about_noise, *self._chats([(grey, CAPTION_REQUEST)])):
            if isinstance(said, Refusal):
                raise ModelServerError(self._served.questions.url, f"it refuses a plain request: {said.reason}")
        if about_grey == about_noise:
            raise ModelServerError(
                self._served.questions.url,
                f"it answers {self._form.path} the same whatever the picture shows, so it does not see it; "
                "serve a model that takes pictures, or set vlm.server.route or vlm.server.pictures as it expects",
            )

    @contextmanager
    def heeding(self, is_stopping: IsStopping) -> Iterator[None]:
        """For the time of the block, stop waiting for a server when told to."""
        before, self._is_stopping = self._is_stopping, is_stopping
        try:
            yield
        finally:
            self._is_stopping = before

    def see(self, crops: Sequence[Crop]) -> SeenCrops:
        """Make some crops ready to be asked about; nothing is sent yet."""
        return SeenCrops(
            tuple(Picture.of(crop.pixels) for crop in crops),
            tuple(crop.person_height_px for crop in crops),
            self._tower.see(crops),
        )

    def read(self, seen: SeenCrops | Sequence[Crop], questions: Sequence[Question]) -> Reading:
        """Answer every question about every crop, and place each crop in the search space.

        A question about a person under 64 px tall is *cannot tell* (too small) and is not sent, nor is one that the
        sheet forbids (not trained, or measured and failed); one that the server refuses is *cannot tell* with its
        reason.
        """
        looked = self._seen(seen)
        tall = looked.tall()
        asked = [question for question in questions if self._may_be_asked(question)]
        said = dict(zip(tall, self._answers([looked.pictures[crop] for crop in tall], asked), strict=True))
        decisions = [self._decisions(questions, asked, said.get(crop)) for crop in range(len(looked))]
        return Reading(decisions, self._tower.embed(looked.tokens))

    def decide(self, seen: SeenCrops | Sequence[Crop], questions: Sequence[Question]) -> list[list[Decision]]:
        """The decisions of `read`, as [crop][question]."""
        return self.read(seen, questions).decisions

    def describe(self, seen: SeenCrops | Sequence[Crop]) -> list[str]:
        """A caption of each crop: head, body, surroundings; of a person under 64 px tall, only that."""
        looked = self._seen(seen)
        said = self._said(looked, [CAPTION_REQUEST] * len(looked))
        captions = [said.get(crop, FAR_AWAY) for crop in range(len(looked))]
        return [UNDESCRIBED if isinstance(caption, Refusal) else caption for caption in captions]

    def answer(self, seen: SeenCrops | Sequence[Crop], question: str | Sequence[str]) -> list[str]:
        """What the server says to an open question about each crop, in its own words.

        Of a person under 64 px tall, and where the server declines, *cannot tell* is said, with its reason.

        Args:
            seen: The crops.
            question: One for all of them, or one a crop.

        Raises:
            ValueError: there are not as many questions as crops.
        """
        looked = self._seen(seen)
        said = self._said(looked, asked_of_each(question, len(looked)))
        answers = [said.get(crop, CANNOT_TELL) for crop in range(len(looked))]
        return [f"{CANNOT_TELL} ({text})" if isinstance(text, Refusal) else text for text in answers]

    def embed(self, seen: SeenCrops | Sequence[Crop]) -> NDArray[np.float32]:
        """Where each crop lies in the tower's search space, (B, E) float32 of unit length."""
        return self._tower.embed(self._seen(seen).tokens)

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the tower's search space."""
        return self._tower.embed_text(text)

    def _seen(self, seen: SeenCrops | Sequence[Crop]) -> SeenCrops:
        return seen if isinstance(seen, SeenCrops) else self.see(seen)

    def _answers(self, pictures: Sequence[Picture], questions: Sequence[Question]) -> list[list[Answer]]:
        """What the server says, as [picture][question]; what it refuses together is asked apart."""
        said: list[list[Answer]] = [[] for _ in pictures]
        for start in range(0, len(questions), QUESTIONS_AT_ONCE):
            some = questions[start : start + QUESTIONS_AT_ONCE]
            replies = self._answering.ask([self._ask(p, some) for p in pictures], is_stopping=self._is_stopping)
            for picture, (reply, into) in zip(pictures, zip(replies, said, strict=True), strict=True):
                into.extend(self._apart(picture, some, reply) if isinstance(reply, Refusal) else reply)
        return said

    def _apart(self, picture: Picture, questions: Sequence[Question], refusal: Refusal) -> list[Answer]:
        """Each question asked alone, as one of them may be why a server refused them all."""
        if len(questions) == 1:
            return [refusal]
        replies = self._answering.ask(
            [self._ask(picture, [question]) for question in questions], is_stopping=self._is_stopping
        )
        return [reply if isinstance(reply, Refusal) else reply[0] for reply in replies]

    def _ask(self, picture: Picture, questions: Sequence[Question]) -> Ask[list[Answer]]:
        put = (
            [offering_cannot_tell(question) for question in questions] if self._served.offers_cannot_tell else questions
        )
        return Ask(
            self._form.path,
            lambda: self._form.body(self._served.questions.model, picture, put),
            lambda reply: self._form.answers(reply, put),
        )

    def _said(self, looked: SeenCrops, requests: Sequence[str]) -> dict[int, str | Refusal]:
        """What is said to a request about each crop in which a person stands tall enough, by position."""
        tall = looked.tall()
        said = self._chats([(looked.pictures[crop], requests[crop]) for crop in tall])
        return dict(zip(tall, said, strict=True))

    def _chats(self, asked: Sequence[tuple[Picture, str]]) -> list[str | Refusal]:
        model = self._served.captions.model
        asks = [chat_ask(model, text, picture, tokens_at_most=CAPTION_TOKENS_AT_MOST) for picture, text in asked]
        return list(self._writing.ask(asks, is_stopping=self._is_stopping))

    def _may_be_asked(self, question: Question) -> bool:
        return self._sheet.why_not(question) is None

    def _decisions(
        self, questions: Sequence[Question], asked: Sequence[Question], said: Sequence[Answer] | None
    ) -> list[Decision]:
        """The decisions about one crop: what was `said` of what was `asked`, or None of somebody too small."""
        answers = dict(zip((question.question_id for question in asked), said or (), strict=said is not None))
        return [
            self._decision(question, answers[question.question_id])
            if question.question_id in answers
            else refused(question, self._sheet.why_not(question) or TOO_SMALL)
            for question in questions
        ]

    def _decision(self, question: Question, said: Answer) -> Decision:
        if isinstance(said, Refusal):
            return refused(question, str(said))
        stated = [said[answer] for answer in question.answers] + [said.get(CANNOT_TELL, 0.0)]
        probabilities = self._sheet.calibrated(question, torch.tensor([stated]).log())[0].tolist()
        return decided(question, probabilities, is_measured=self._sheet.measured(question) is not None)


def read_sheet(path: Path) -> DecisionSheet:
    """The decision sheet in a file.

    Raises:
        DecisionSheetError: The file cannot be read, or is no decision sheet.
    """
    try:
        return DecisionSheet.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DecisionSheetError(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")) from error
    except OSError as error:
        raise DecisionSheetError(path, error.strerror or str(error)) from error


def _revision(model: str, *decisive: str) -> str:
    """The name of a served model and of all that decides, beside it, what it says."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-")[-60:]
    return f"served-{name}-{hashlib.sha256(chr(0).join((model, *decisive)).encode()).hexdigest()[:12]}"
