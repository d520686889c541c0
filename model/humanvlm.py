"""HumanVLM: what one look at a person says. One class over vision tower, connector and language model.

A crop is looked at once (`see`); questions, captions and search vectors are then read from its image tokens. What is
decided here holds for every layout a checkpoint may have (`model.layouts`): who is too small to be asked about, which
questions are answered, how sure an answer is, and how many crops go through the network at once.

Legend: B crops, E width of the search space.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.batches import Batches
from model.crops import Crop
from model.decisions import decided, refused
from model.devices import chosen_device
from model.folders import LLAVA, checkpoint_folder, layout_of
from model.layouts.layout import ImageTokens, Layout, TextEmbedding, TextLayout
from model.questions import CANNOT_TELL, NOT_TRAINED, TOO_SMALL, Decision, Question

__all__ = ["FAR_AWAY", "SMALLEST_PERSON_PX", "HumanVLM", "ImageTokens", "Reading", "TextEmbedding", "TextTower"]

SMALLEST_PERSON_PX = 64  # below it nothing was measured, and a hat is some ten pixels wide
FAR_AWAY = "person too far away to describe."


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass reads from some crops: decisions [crop][question], unit vectors (B, E) float32."""

    decisions: list[list[Decision]]
    vectors: NDArray[np.float32]


class TextTower:
    """The half of HumanVLM that places texts in the search space."""

    def __init__(self, layout: TextLayout) -> None:
        self._text_layout = layout
        self.embedding_space = layout.embedding_space

    @torch.inference_mode()
    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the search space.

        Words that had no say are named: of the compact layout, all that it never learnt. A SigLIP text tower takes in
        every word, was measured on no list of them, and so names none.
        """
        return self._text_layout.embed_text(text)


class HumanVLM(TextTower):
    """Describes people, decides questions about them, and places them in the search space."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._layout = layout
        self._seeing, self._reading, self._writing = (
            Batches(work, layout.crops_at_once) for work in ("see", "read", "write")
        )
        self.questions: tuple[Question, ...] = tuple(m.question for m in layout.sheet.questions)
        self.answers_open_questions = layout.answers_open_questions
        self.answer_revision = layout.answer_revision
        self.caption_revision = layout.caption_revision

    @classmethod
    def load(cls, name: str | Path = "embedded", *, device: str | None = None) -> "HumanVLM":
        """The model of a name, in bfloat16 on CUDA and in float32 elsewhere.

        Args:
            name: `embedded`, the one in this package; a checkpoint folder; or a model's id on the Hugging Face hub.
            device: Where it runs; None takes CUDA where there is one.

        Raises:
            ModelFolderError: there is no such checkpoint, or it cannot be loaded.
            DeviceError: there is no such device.
        """
        folder = checkpoint_folder(name)
        chosen = chosen_device(device)
        dtype = torch.bfloat16 if chosen.type == "cuda" else torch.float32
        if layout_of(folder) == LLAVA:
            from model.layouts.llava import LlavaLayout

            return cls(LlavaLayout.open(folder, chosen, dtype))
        from model.layouts.compact import CompactLayout

        return cls(CompactLayout.open(folder, chosen, dtype))

    @classmethod
    def load_text(cls, name: str | Path = "embedded") -> TextTower:
        """Only what `embed_text` needs, on the CPU in float32.

        Raises:
            ModelFolderError: as `load`.
        """
        folder = checkpoint_folder(name, text_only=True)
        if layout_of(folder) == LLAVA:
            from model.layouts.search_tower import SearchText
            from model.layouts.settings import LlavaSettings

            return TextTower(SearchText.load(LlavaSettings.read(folder).search_tower, beside=folder))
        from model.layouts.compact import CompactText

        return TextTower(CompactText.load(folder))

    @torch.inference_mode()
    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        """Look at some crops: everything else is read from what this returns."""
        seen = self._seeing.run(lambda part: self._layout.see(crops[part]), len(crops))
        if not seen:
            return self._layout.none_seen()
        vectors = [batch.vectors for batch in seen if batch.vectors is not None]
        return ImageTokens(
            torch.cat([batch.tokens for batch in seen]),
            tuple(crop.person_height_px for crop in crops),
            torch.cat(vectors) if vectors else None,
        )

    @torch.inference_mode()
    def read(self, seen: ImageTokens | Sequence[Crop], questions: Sequence[Question]) -> Reading:
        """Answer every question about every crop and place it in the search space, in one pass over its image tokens.

        A question that `decision.json` does not list is *cannot tell* (not trained), unless the checkpoint says that it
        is open to any question: then the answer is marked as not measured. One that it lists as failed is *cannot
        tell* (measured and failed). Every question about a person under 64 px
        tall is *cannot tell* (too small).
        """
        looked = self._seen(seen)
        asked = [question for question in questions if self._answers(question)]
        rows, vectors = self._read(looked, asked)
        probabilities = {question.question_id: row for question, row in zip(asked, rows, strict=True)}
        decisions = [
            [self._decision(question, height_px, probabilities, crop) for question in questions]
            for crop, height_px in enumerate(looked.person_heights_px)
        ]
        return Reading(decisions, vectors)

    def decide(self, seen: ImageTokens | Sequence[Crop], questions: Sequence[Question]) -> list[list[Decision]]:
        """The decisions of `read`, as [crop][question]."""
        return self.read(seen, questions).decisions

    def embed(self, seen: ImageTokens | Sequence[Crop]) -> NDArray[np.float32]:
        """The vectors of `read`: where each crop lies in the search space, (B, E) float32 of unit length."""
        return self.read(seen, ()).vectors

    @torch.inference_mode()
    def describe(self, seen: ImageTokens | Sequence[Crop]) -> list[str]:
        """A caption of each crop, the most probable word at a time; of a person under 64 px tall, only that."""
        return self._written(self._seen(seen), lambda looked, _: self._layout.describe(looked), FAR_AWAY)

    @torch.inference_mode()
    def answer(self, seen: ImageTokens | Sequence[Crop], question: str | Sequence[str]) -> list[str]:
        """What the model says to an open question about each crop, in its own words; nobody measured how true it is.

        Args:
            seen: The crops. Of a person under 64 px tall *cannot tell* is said.
            question: One for all of them, or one a crop.

        Raises:
            OpenQuestionError: the model has no words of its own (`answers_open_questions` says so beforehand).
            ValueError: there are not as many questions as crops.
        """
        looked = self._seen(seen)
        asked = asked_of_each(question, len(looked))

        def of(some: ImageTokens, crops: Sequence[int]) -> list[str]:
            return self._layout.answer(some, [asked[crop] for crop in crops])

        return self._written(looked, of, CANNOT_TELL)

    def _written(
        self, looked: ImageTokens, write: Callable[[ImageTokens, Sequence[int]], list[str]], of_small: str
    ) -> list[str]:
        """A text about each crop, by what writes those of some crops at these positions."""
        tall = [crop for crop, height_px in enumerate(looked.person_heights_px) if height_px >= SMALLEST_PERSON_PX]
        written = self._writing.run(lambda part: write(looked.of(tall[part]), tall[part]), len(tall))
        texts = dict(zip(tall, (text for batch in written for text in batch), strict=True))
        return [texts.get(crop, of_small) for crop in range(len(looked))]

    def _seen(self, seen: ImageTokens | Sequence[Crop]) -> ImageTokens:
        return seen if isinstance(seen, ImageTokens) else self.see(seen)

    def _answers(self, question: Question) -> bool:
        sheet = self._layout.sheet
        is_known = sheet.measured(question) is not None or self._layout.can_ask(question)
        return is_known and sheet.why_not(question) is None

    def _read(
        self, looked: ImageTokens, questions: Sequence[Question]
    ) -> tuple[list[list[list[float]]], NDArray[np.float32]]:
        """Probabilities as [question][crop][answer], *cannot tell* last; vectors (B, E)."""
        crops = range(len(looked))
        read = self._reading.run(lambda part: self._layout.read(looked.of(crops[part]), questions), len(crops))
        rows: list[list[list[float]]] = [[] for _ in questions]
        vectors = [torch.zeros((0, self._layout.embedding_width))]
        for scores, placed in read:
            for question, of_answers, into in zip(questions, scores, rows, strict=True):
                into.extend(self._layout.sheet.calibrated(question, of_answers).tolist())
            vectors.append(placed.float().cpu())
        return rows, torch.cat(vectors).numpy()

    def _decision(
        self, question: Question, height_px: int, probabilities: dict[str, list[list[float]]], crop: int
    ) -> Decision:
        if question.question_id not in probabilities:
            return refused(question, self._layout.sheet.why_not(question) or NOT_TRAINED)
        if height_px < SMALLEST_PERSON_PX:
            return refused(question, TOO_SMALL)
        is_measured = self._layout.sheet.measured(question) is not None
        return decided(question, probabilities[question.question_id][crop], is_measured=is_measured)


def asked_of_each(question: str | Sequence[str], crops: int) -> list[str]:
    """The question about each of some crops: one for all of them, or one a crop.

    Raises:
        ValueError: there are not as many questions as crops.

    >>> asked_of_each("What is carried?", 2)
    ['What is carried?', 'What is carried?']
    """
    asked = [question] * crops if isinstance(question, str) else list(question)
    if len(asked) != crops:
        raise ValueError(f"one question for all crops or one a crop, got {len(asked)} for {crops} crops")
    return asked
