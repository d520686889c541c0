"""HumanVLM: what one look at a person says. One class over vision tower, connector and language model.

A crop is looked at once (`see`); questions, captions and search vectors are then read from its image tokens.

Legend: B crops, P image tokens, D width, E width of the search space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint, read_checkpoint
from model.crops import Crop
from model.decisions import DecisionSheet, decided, refused
from model.errors import ModelFolderError
from model.folders import checkpoint_folder
from model.network import HumanNetwork, TextReader
from model.questions import NOT_TRAINED, TOO_SMALL, Decision, Question
from model.tokens import BEGIN, CANNOT_TELL_WORD, CAPTION, END, SPECIAL_WORDS, SUMMARY, WordTokens
from model.vision_tower import resized

SMALLEST_PERSON_PX = 64  # below it nothing was measured, and a hat is some ten pixels wide
FAR_AWAY = "person too far away to describe."
CAPTION_WORDS_AT_MOST = 40
CROPS_AT_ONCE = 64  # bounds the memory of a pass; more would not be faster on a CPU


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """What the vision tower and the connector made of some crops: (B, P, D), and how tall each person stands."""

    tokens: Tensor
    person_heights_px: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.person_heights_px)

    def of(self, crops: Sequence[int]) -> "ImageTokens":
        """Those of some of the crops, by position."""
        return ImageTokens(self.tokens[list(crops)], tuple(self.person_heights_px[crop] for crop in crops))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass reads from some crops: decisions [crop][question], unit vectors (B, E) float32."""

    decisions: list[list[Decision]]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """A text's place in the search space: a unit vector (E,) float32, and the words that had no say in it."""

    vector: NDArray[np.float32]
    unknown_words: tuple[str, ...]


class TextTower:
    """The half of HumanVLM that places texts in the search space."""

    def __init__(self, reader: TextReader, words: WordTokens, embedding_space: str) -> None:
        self._reader = reader.eval()
        self._words = words
        self.embedding_space = embedding_space

    @torch.inference_mode()
    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the search space; words that the model never learnt are named."""
        positions = self._reader.language_model.sizes.positions
        known = [token for token in self._words.ids(text) if token != self._words.id_of("<unknown>")]
        ids = [self._words.id_of(BEGIN), *known[: positions - 2], self._words.id_of(SUMMARY)]
        device = self._reader.text_head.weight.device
        vectors = self._reader.embed_texts(
            torch.tensor([ids], device=device), torch.tensor([len(ids) - 1], device=device)
        )
        return TextEmbedding(vectors[0].float().cpu().numpy(), self._words.unknown(text))


class HumanVLM(TextTower):
    """Describes people, decides questions about them, and places them in the search space."""

    def __init__(self, network: HumanNetwork, checkpoint: Checkpoint) -> None:
        super().__init__(network, checkpoint.words, _embedding_space(checkpoint))
        self._network = network.eval().to(memory_format=torch.channels_last)
        self._sheet: DecisionSheet = checkpoint.decisions
        self.questions: tuple[Question, ...] = tuple(m.question for m in self._sheet.questions)
        self.answer_revision = f"humanvlm-compact-{checkpoint.answers_digest}"
        self.caption_revision = f"humanvlm-compact-{checkpoint.weights_digest}"

    @classmethod
    def load(cls, name: str | Path = "embedded", *, device: str | None = None) -> "HumanVLM":
        """The model of a name: `embedded`, the one in this package, or a checkpoint folder.

        Args:
            name: `embedded` or a folder.
            device: Where it runs; None takes CUDA where there is one.

        Raises:
            ModelFolderError: the folder holds no checkpoint that can be loaded.
        """
        folder = checkpoint_folder(name)
        checkpoint = read_checkpoint(folder)
        network = HumanNetwork(checkpoint.sizes)
        _fill(network, checkpoint, folder)
        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(network.to(chosen), checkpoint)

    @classmethod
    def load_text(cls, name: str | Path = "embedded") -> TextTower:
        """Only what `embed_text` needs, on the CPU.

        Raises:
            ModelFolderError: as `load`.
        """
        folder = checkpoint_folder(name)
        checkpoint = read_checkpoint(folder)
        reader = TextReader(checkpoint.sizes)
        _fill(reader, checkpoint, folder)
        return TextTower(reader, checkpoint.words, _embedding_space(checkpoint))

    @torch.inference_mode()
    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        """Look at some crops: everything else is read from what this returns."""
        sizes = self._network.vision_tower.sizes
        seen = []
        for start in range(0, len(crops), CROPS_AT_ONCE):
            pixels = np.stack([resized(crop.pixels, sizes) for crop in crops[start : start + CROPS_AT_ONCE]])
            seen.append(self._network.see(torch.from_numpy(pixels).to(self._device)))
        width = self._network.language_model.sizes.width
        tokens = torch.cat(seen) if seen else torch.zeros((0, sizes.patches, width), device=self._device)
        return ImageTokens(tokens, tuple(crop.person_height_px for crop in crops))

    @torch.inference_mode()
    def read(self, seen: ImageTokens | Sequence[Crop], questions: Sequence[Question]) -> Reading:
        """Answer every question about every crop and place it in the search space, in one pass over its image tokens.

        A question that `decision.json` does not list is *cannot tell* (not trained), and so is every question about a
        person under 64 px tall (too small).
        """
        looked = self._seen(seen)
        known = [q for q in questions if self._sheet.measured(q) is not None]
        rows, vectors = self._read(looked, known)
        probabilities = {q.question_id: row for q, row in zip(known, rows, strict=True)}
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
        looked = self._seen(seen)
        never = torch.tensor([self._words.id_of(w) for w in SPECIAL_WORDS if w != END], device=self._device)
        captions: list[str] = []
        for tokens in _batches(looked.tokens):
            written = self._network.language_model.write_about(
                tokens,
                first_id=self._words.id_of(CAPTION),
                end_id=self._words.id_of(END),
                never=never,
                at_most=CAPTION_WORDS_AT_MOST,
            )
            captions.extend(self._words.text(ids) for ids in written)
        tall = [height_px >= SMALLEST_PERSON_PX for height_px in looked.person_heights_px]
        return [caption if is_tall else FAR_AWAY for caption, is_tall in zip(captions, tall, strict=True)]

    @property
    def _device(self) -> torch.device:
        return self._network.connector.position.device

    def _seen(self, seen: ImageTokens | Sequence[Crop]) -> ImageTokens:
        return seen if isinstance(seen, ImageTokens) else self.see(seen)

    def _read(
        self, looked: ImageTokens, questions: Sequence[Question]
    ) -> tuple[list[list[list[float]]], NDArray[np.float32]]:
        """Probabilities as [question][crop][answer], *cannot tell* last; vectors (B, E)."""
        texts = [self._words.ids(q.text) for q in questions] + [[self._words.id_of(SUMMARY)]]
        asked = [torch.tensor([ids], device=self._device) for ids in texts]
        rows: list[list[list[float]]] = [[] for _ in questions]
        vectors = [np.zeros((0, self._network.image_head.out_features), dtype=np.float32)]
        for tokens in _batches(looked.tokens):
            *read, summary = self._network.language_model.read_about(tokens, asked)
            for question, hidden, into in zip(questions, read, rows, strict=True):
                into.extend(self._answered(question, hidden[:, -1]).tolist())
            vectors.append(self._network.embed_summary(summary[:, -1]).float().cpu().numpy())
        return rows, np.concatenate(vectors)

    def _answered(self, question: Question, hidden: Tensor) -> Tensor:
        answer_ids = [self._words.id_of(word) for word in (*question.answers, CANNOT_TELL_WORD)]
        logits = self._network.language_model.logits(hidden)
        return self._sheet.calibrated(question, logits[:, answer_ids])

    def _decision(
        self, question: Question, height_px: int, probabilities: dict[str, list[list[float]]], crop: int
    ) -> Decision:
        if question.question_id not in probabilities:
            return refused(question, NOT_TRAINED)
        if height_px < SMALLEST_PERSON_PX:
            return refused(question, TOO_SMALL)
        return decided(question, probabilities[question.question_id][crop])


def _batches(tokens: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(tokens), CROPS_AT_ONCE):
        yield tokens[start : start + CROPS_AT_ONCE]


def _embedding_space(checkpoint: Checkpoint) -> str:
    return f"humanvlm-compact-{checkpoint.weights_digest}-{checkpoint.sizes.embedding_width}d"


def _fill(network: TextReader, checkpoint: Checkpoint, folder: Path) -> None:
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in checkpoint.weights]
    wrong = [n for n in wanted if n not in missing and wanted[n].shape != checkpoint.weights[n].shape]
    if missing or wrong:
        raise ModelFolderError(folder, f"the weights do not fit config.json: {(missing + wrong)[0]}")
    network.load_state_dict({name: checkpoint.weights[name] for name in wanted})
