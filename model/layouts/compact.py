"""Our own layout: a convolutional vision tower, a connector and a Llama of a few layers that knows a few words.

Legend: B crops, P image tokens, D width, E width of the search space.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model.checkpoint import Checkpoint, read_checkpoint
from model.crops import Crop
from model.errors import ModelFolderError, OpenQuestionError
from model.layouts.layout import ImageTokens, TextEmbedding
from model.layouts.scoring import AskedTokens, Block, answer_scores, ended_where_needed
from model.network import HumanNetwork, TextReader
from model.questions import Question
from model.reading_engine import OpenVinoReader
from model.tokens import BEGIN, CANNOT_TELL_WORD, CAPTION, END, SPECIAL_WORDS, SUMMARY, UNKNOWN, WordTokens
from model.tracing import traced
from model.vision_engine import OpenVinoEyes
from model.vision_tower import resized

CAPTION_WORDS_AT_MOST = 40
CROPS_AT_ONCE = 64  # bounds the memory of a pass; more would not be faster on a CPU


class CompactText:
    """The half of the compact layout that places texts in the search space."""

    def __init__(self, reader: TextReader, words: WordTokens, embedding_space: str) -> None:
        self._reader = reader.eval()
        self._words = words
        self.embedding_space = embedding_space

    @classmethod
    def load(cls, folder: Path) -> "CompactText":
        """What a checkpoint folder holds, on the CPU.

        Raises:
            ModelFolderError: It holds no checkpoint of this layout.
        """
        checkpoint = read_checkpoint(folder)
        reader = TextReader(checkpoint.sizes)
        _fill(reader, checkpoint, folder)
        return cls(reader, checkpoint.words, _embedding_space(checkpoint))

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the search space; words that the model never learnt are named."""
        positions = self._reader.language_model.sizes.positions
        known = [token for token in self._words.ids(text) if token != self._words.id_of(UNKNOWN)]
        ids = [self._words.id_of(BEGIN), *known[: positions - 2], self._words.id_of(SUMMARY)]
        device = self._reader.text_head.weight.device
        vectors = self._placing(torch.tensor([ids], device=device), torch.tensor([len(ids) - 1], device=device))
        return TextEmbedding(vectors[0].float().cpu().numpy(), self._words.unknown(text))

    @cached_property
    def _placing(self) -> Callable[[Tensor, Tensor], Tensor]:
        """`TextReader.embed_texts`, traced when first used: half its time is the Python of transformers."""
        device = self._reader.text_head.weight.device
        example = torch.zeros((1, 3), dtype=torch.int64, device=device), torch.tensor([2], device=device)
        return traced(_Placing(self._reader), example)


class _Placing(nn.Module):
    """`TextReader.embed_texts` as the forward pass that a tracer follows."""

    def __init__(self, reader: TextReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, ids: Tensor, last: Tensor) -> Tensor:
        """Unit vectors (B, E) of texts (B, T) whose summary tokens stand at `last` (B,)."""
        return self.reader.embed_texts(ids, last)


class CompactLayout(CompactText):
    """The whole of it."""

    crops_at_once = CROPS_AT_ONCE
    answers_open_questions = False

    def __init__(self, network: HumanNetwork, checkpoint: Checkpoint) -> None:
        super().__init__(network, checkpoint.words, _embedding_space(checkpoint))
        self._network = network.eval().to(memory_format=torch.channels_last)
        self._eyes = OpenVinoEyes(self._network) if self._is_on_cpu_in_float32 else None
        patches = network.vision_tower.sizes.patches
        self._engine = OpenVinoReader(network.language_model, patches) if self._is_on_cpu_in_float32 else None
        self.sheet = checkpoint.decisions
        self.embedding_width = checkpoint.sizes.embedding_width
        self.answer_revision = f"humanvlm-compact-{checkpoint.answers_digest}"
        self.caption_revision = f"humanvlm-compact-{checkpoint.weights_digest}"

    @classmethod
    def open(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> "CompactLayout":
        """What a checkpoint folder holds.

        Raises:
            ModelFolderError: It holds no checkpoint of this layout.
        """
        checkpoint = read_checkpoint(folder)
        network = HumanNetwork(checkpoint.sizes)
        _fill(network, checkpoint, folder)
        return cls(network.to(device, dtype), checkpoint)

    def none_seen(self) -> ImageTokens:
        """The image tokens of no crops at all."""
        shape = 0, self._network.vision_tower.sizes.patches, self._network.language_model.sizes.width
        return ImageTokens(torch.zeros(shape, device=self._device, dtype=self._network.connector.position.dtype), ())

    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        """Vision tower and connector."""
        sizes = self._network.vision_tower.sizes
        pixels = np.stack([resized(crop.pixels, sizes) for crop in crops])
        tokens = self._eyes.see(pixels) if self._eyes else self._network.see(torch.from_numpy(pixels).to(self._device))
        return ImageTokens(tokens, tuple(crop.person_height_px for crop in crops))

    def can_ask(self, question: Question) -> bool:
        """Whether all its words, and those of its answers, are among the few that were learnt."""
        is_known = not any(self._words.unknown(text) for text in (question.text, *question.answers))
        return is_known and self._asked(question).has_distinct_answers

    def read(self, seen: ImageTokens, questions: Sequence[Question]) -> tuple[list[Tensor], Tensor]:
        """Scores of the answers and search vectors, all from one pass over the image tokens."""
        model = self._network.language_model
        summaries: list[Tensor] = []

        def read_about(blocks: Sequence[Block]) -> list[Tensor]:
            before = [() if block.parent is None else blocks[block.parent].tokens for block in blocks]
            texts = [(*parent, *block.tokens) for parent, block in zip(before, blocks, strict=True)]
            *read, last = self._read_about(seen.tokens, (*texts, (self._words.id_of(SUMMARY),)))
            summaries.append(last[:, -1])
            return [hidden[:, len(parent) :] for hidden, parent in zip(read, before, strict=True)]

        scores = answer_scores([self._asked(question) for question in questions], read_about, model.logits)
        return scores, self._network.embed_summary(summaries[0])

    def _read_about(self, image_tokens: Tensor, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        if self._engine is not None:
            return self._engine.read_about(image_tokens, texts)
        asked = [torch.tensor([text], device=self._device) for text in texts]
        return self._network.language_model.read_about(image_tokens, asked)

    def describe(self, seen: ImageTokens) -> list[str]:
        """A caption of each crop, in the words that were learnt."""
        never = torch.tensor([self._words.id_of(w) for w in SPECIAL_WORDS if w != END], device=self._device)
        written = self._network.language_model.write_about(
            seen.tokens,
            first_id=self._words.id_of(CAPTION),
            end_id=self._words.id_of(END),
            never=never,
            at_most=CAPTION_WORDS_AT_MOST,
        )
        return [self._words.text(ids) for ids in written]

    def answer(self, seen: ImageTokens, questions: Sequence[str]) -> list[str]:  # noqa: ARG002 (a layout's)
        """Nothing: seventy words that were learnt for captions are none to answer anything with.

        Raises:
            OpenQuestionError: always.
        """
        raise OpenQuestionError(self.caption_revision)

    @property
    def _is_on_cpu_in_float32(self) -> bool:
        return self._device.type == "cpu" and self._network.connector.position.dtype == torch.float32

    @property
    def _device(self) -> torch.device:
        return self._network.connector.position.device

    def _asked(self, question: Question) -> AskedTokens:
        said = [tuple(self._words.ids(answer)) for answer in question.answers]
        answers = ended_where_needed([*said, (self._words.id_of(CANNOT_TELL_WORD),)], self._words.id_of(END))
        return AskedTokens(tuple(self._words.ids(question.text)), answers)


def _embedding_space(checkpoint: Checkpoint) -> str:
    return f"humanvlm-compact-{checkpoint.weights_digest}-{checkpoint.sizes.embedding_width}d"


def _fill(network: TextReader, checkpoint: Checkpoint, folder: Path) -> None:
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in checkpoint.weights]
    wrong = [n for n in wanted if n not in missing and wanted[n].shape != checkpoint.weights[n].shape]
    if missing or wrong:
        raise ModelFolderError(folder, f"the weights do not fit config.json: {(missing + wrong)[0]}")
    network.load_state_dict({name: checkpoint.weights[name] for name in wanted})
