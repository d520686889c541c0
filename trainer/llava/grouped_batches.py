"""Batches of conversations of like length, the same ones every time, each device its own.

Padding is computed for nothing, so rows are gathered in windows, sorted by length and cut into batches, which are then
shuffled. Rows come in the order of the source; a window is large against a batch and small against memory.

Legend: B rows, T tokens, H and W pixels.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainer.llava.conversation_tokens import NOT_LEARNT, TokenRow

WINDOW_BATCHES = 32


class Spoken(NamedTuple):
    """One batch.

    Shapes: `ids`, `mask` and `labels` (B, T) int64, padded on the right; `pixels` (B, 3, H, W) float32;
    `step_tokens` () how many tokens are learnt on this device in the optimizer step that the batch is a part of.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    pixels: Tensor
    step_tokens: Tensor


@dataclass(frozen=True, slots=True)
class Grouping:
    """How rows become batches."""

    rows_a_batch: int
    batches_a_step: int
    pad_id: int


class GroupedBatches:
    """The batches of one epoch."""

    def __init__(
        self,
        rows: Callable[[], Iterable[TokenRow]],
        batches: int,
        grouping: Grouping,
        pixels_of: Callable[[Image.Image], Tensor],
        *,
        seed: Sequence[int],
        on_broken: Callable[[], Any] = lambda: None,
    ) -> None:
        """The batches of some rows.

        Args:
            rows: Begins the epoch's rows anew; always the same ones.
            batches: How many to make of them.
            grouping: How.
            pixels_of: Makes (3, H, W) float32 of a picture.
            seed: What the order of batches follows from.
            on_broken: Called for a picture that cannot be read after all: its row then teaches nothing.
        """
        self._rows, self._batches, self._grouping = rows, batches, grouping
        self._pixels_of, self._seed, self._on_broken = pixels_of, tuple(seed), on_broken

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Spoken]:
        return self.from_batch(0)

    def from_batch(self, first: int) -> Iterator[Spoken]:
        """The batches from one on; pictures of the ones before are not opened."""
        step: list[list[TokenRow]] = []
        given = 0
        for index, batch in enumerate(islice(self._groups(), self._batches)):
            step.append(batch)
            if len(step) < self._grouping.batches_a_step and index + 1 < self._batches:
                continue
            step_tokens = sum(row.answer_tokens for group in step for row in group)
            for group in step:
                if given >= first:
                    yield self._collated(group, step_tokens)
                given += 1
            step = []

    def _groups(self) -> Iterator[list[TokenRow]]:
        """Rows of like length; when all are given and batches are still owed, from the first row again."""
        size = self._grouping.rows_a_batch
        rows, chance = _again_and_again(self._rows), np.random.default_rng(self._seed)
        while window := list(islice(rows, size * min(WINDOW_BATCHES, self._batches))):
            window.sort(key=lambda row: len(row.ids))
            groups = [window[start : start + size] for start in range(0, len(window), size)]
            for index in chance.permutation(len(groups)):
                yield groups[int(index)]

    def _collated(self, rows: Sequence[TokenRow], step_tokens: int) -> Spoken:
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), self._grouping.pad_id)
        labels = torch.full((len(rows), longest), NOT_LEARNT)
        pixels = []
        for index, row in enumerate(rows):
            ids[index, : len(row.ids)] = torch.tensor(row.ids)
            picture = row.conversation.open_picture()
            if picture is not None:
                labels[index, : len(row.ids)] = torch.tensor(row.labels)
            else:
                self._on_broken()
            pixels.append(self._pixels_of(picture or Image.new("RGB", (64, 64))))
        mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
        return Spoken(ids, mask, labels, torch.stack(pixels), torch.tensor(step_tokens))


def _again_and_again(rows: Callable[[], Iterable[TokenRow]]) -> Iterator[TokenRow]:
    is_empty = False
    while not is_empty:
        is_empty = True
        for row in rows():
            is_empty = False
            yield row
