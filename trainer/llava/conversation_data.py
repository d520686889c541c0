"""Captioned shards, LLaVA JSON and officers' corrections as batches for a LLaVA."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainer import feedback
from trainer.errors import RecipeError
from trainer.llava.caption_shards import captioned, shards_in
from trainer.llava.conversation_tokens import ConversationTokens, TokenRow
from trainer.llava.conversations import CAPTION_REQUESTS, Conversation
from trainer.llava.grouped_batches import GroupedBatches, Grouping, Spoken
from trainer.llava.json_rows import llava_conversations
from trainer.llava.speech import SpokenTo
from trainer.resumable import ResumableEpoch
from trainer.rows import RowCount
from trainer.stages import StageData

logger = logging.getLogger(__name__)


class ConversationData(StageData):
    """Rows of any of the sources, in an order drawn for each epoch, in batches of like length."""

    def __init__(
        self,
        llava_json: list[Path] | None = None,
        images: Path = Path(),
        caption_shards: Path | None = None,
        corrections: Path | None = None,
        rows_a_batch: int = 8,
        longest: int = 3368,
        pictures_checked: int = 4096,
        seed: int = 0,
    ) -> None:
        """Nothing is read before `setup`.

        Args:
            llava_json: Files of instruction data in LLaVA's form.
            images: The folder that their `image` is relative to.
            caption_shards: A folder of WebDataset shards, as img2dataset writes them. Each device reads its share.
            corrections: The file of officers' corrections.
            rows_a_batch: Conversations in a batch of one device.
            longest: Tokens of a conversation at most; what is longer is cut at its end.
            pictures_checked: How many pictures of a source are opened before the run begins.
            seed: What the order follows from, with the number of the epoch.
        """
        super().__init__()
        self._files, self._images = llava_json or [], images
        self._shards_folder, self._corrections = caption_shards, corrections
        self._batch, self._longest, self._checked, self._seed = rows_a_batch, longest, pictures_checked, seed
        self._processor: Any = None
        self._tokens: ConversationTokens | None = None
        self._caption_requests = CAPTION_REQUESTS
        self._listed: list[Conversation] | None = None
        self._shards: list[Path] = []
        self._shard_rows: list[int] = []
        self._counts: dict[str, RowCount] = {}
        self._broken_since = 0
        self._has_told_of_idle_rows = False

    def write_for(self, processor: Any, spoken: SpokenTo, *, image_tokens: int) -> None:
        """Say with which pictures the model reads, and how it will be spoken to.

        Raises:
            RecipeError: nothing can be learnt in that form.
        """
        self._processor = processor
        self._tokens = ConversationTokens(
            processor,
            form=spoken.prompts.form,
            image_tokens=image_tokens,
            longest=self._longest,
            prompts=spoken.prompts,
        )
        self._caption_requests = (spoken.settings.caption_request, *CAPTION_REQUESTS)

    def setup(self, stage: str = "fit") -> None:  # noqa: ARG002 (Lightning's)
        """Count what can be read; once.

        Raises:
            RecipeError: a source is missing, fewer than nine in ten of its rows can be read, or none teaches anything.
        """
        if self._listed is not None:
            return
        if not (self._files or self._shards_folder or self._corrections):
            raise RecipeError(Path("data"), "names no source: llava_json, caption_shards or corrections")
        self._listed = []
        for path in self._files:
            self._list(path, *llava_conversations(path, self._images))
        if self._corrections is not None:
            found, count = feedback.corrections(self._corrections)
            self._list(self._corrections, list(feedback.as_conversations(found, self._corrections.parent)), count)
        if self._shards_folder is not None:
            self._count_shards(self._shards_folder)
        if self._tokens is not None and next(self._rows((self._seed, 0)), None) is None:
            raise RecipeError(Path("data"), f"none of its rows teaches anything within {self._longest} tokens")

    def train_dataloader(self) -> ResumableEpoch[Spoken]:
        """The batches of the epoch at hand."""
        assert self.trainer is not None
        trainer = self.trainer
        return ResumableEpoch(self.batches(trainer.current_epoch, batches_a_step=trainer.accumulate_grad_batches))

    def batches(self, epoch: int, *, batches_a_step: int) -> GroupedBatches:
        """The batches of an epoch."""
        tokenizer = self._processor.tokenizer
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        place = (self._seed, epoch)
        return GroupedBatches(
            lambda: self._rows(place),
            self.batches_an_epoch,
            Grouping(self._batch, batches_a_step, pad_id),
            self._pixels_of,
            seed=(*place, self._rank[0]),
            on_broken=self._note_broken,
        )

    @property
    def batches_an_epoch(self) -> int:
        """Batches of the device that has the fewest rows: all must take part in every step."""
        assert self._listed is not None
        world_size = self._rank[1]
        listed = len(self._listed) // world_size
        of_shards = [sum(self._shard_rows[rank::world_size]) for rank in range(world_size)]
        return max(1, (listed + min(of_shards)) // self._batch)

    def fingerprint(self) -> str:
        """Of the files of rows, and of the names and sizes of the shards."""
        digest = hashlib.sha256()
        for path in [*self._files, *([self._corrections] if self._corrections else [])]:
            digest.update(path.read_bytes())
        for shard in self._shards:
            digest.update(f"{shard.name} {shard.stat().st_size}".encode())
        return digest.hexdigest()[:16]

    def counts(self) -> dict[str, int]:
        """Rows by source, the skipped ones by reason."""
        found = {f"{name}: rows": count.readable for name, count in self._counts.items()}
        for name, count in self._counts.items():
            found.update({f"{name}: skipped, {reason}": skipped for reason, skipped in count.skipped.items()})
        return {**found, "pictures broken in training": self._broken_since}

    @property
    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _list(self, path: Path, found: list[Conversation], count: RowCount) -> None:
        assert self._listed is not None
        kept, broken = self._readable(found)
        count.readable -= broken
        count.skipped.update({"picture not readable": broken} if broken else {})
        count.refuse_unreadable(path)
        self._counts[path.name] = count
        self._listed.extend(kept)

    def _readable(self, found: Sequence[Conversation]) -> tuple[list[Conversation], int]:
        """Those whose pictures open, so far as they are tried, evenly over the source; how many do not."""
        every = max(1, -(-len(found) // self._checked))
        broken = {i for i in range(0, len(found), every) if found[i].open_picture() is None}
        kept = [conversation for i, conversation in enumerate(found) if i not in broken]
        # What was not tried is broken as often as what was.
        return kept, min(len(broken) * every, len(found))

    def _count_shards(self, folder: Path) -> None:
        self._shards, count = shards_in(folder), RowCount()
        for shard in self._shards:
            before = count.readable
            for conversation in captioned([shard], self._caption_requests, count):
                if count.readable <= self._checked and conversation.open_picture() is None:
                    count.readable -= 1
                    count.skipped["picture not readable"] += 1
            self._shard_rows.append(count.readable - before)
        count.refuse_unreadable(folder)
        self._counts[folder.name] = count

    def _rows(self, place: Sequence[int]) -> Iterator[TokenRow]:
        """The epoch's rows of this device."""
        assert self._tokens is not None
        for conversation in self._conversations(place):
            row = self._tokens.row(conversation)
            if row is not None:
                yield row
            elif not self._has_told_of_idle_rows:
                self._has_told_of_idle_rows = True
                logger.warning("a row teaches nothing: too long, of two pictures, or no answer of the checkpoint's")

    def _conversations(self, place: Sequence[int]) -> Iterable[Conversation]:
        """Listed rows and rows of shards in one drawn order; the shards' rows keep their order in the shard."""
        assert self._listed is not None
        rank, world_size = self._rank
        chance = np.random.default_rng(tuple(place))
        listed = [self._listed[int(i)] for i in chance.permutation(len(self._listed))][rank::world_size]
        mine = self._shards[rank::world_size]
        shards = [mine[int(i)] for i in chance.permutation(len(mine))]
        streamed = captioned(shards, self._caption_requests)
        of_shards = sum(self._shard_rows[rank::world_size])
        from_list = chance.permutation([True] * len(listed) + [False] * of_shards)
        yield from mixed(iter(listed), streamed, from_list.tolist())

    def _pixels_of(self, picture: Image.Image) -> Tensor:
        pixels = self._processor.image_processor(images=[picture], return_tensors="pt")["pixel_values"][0]
        return torch.as_tensor(pixels)

    def _note_broken(self) -> None:
        self._broken_since += 1
        logger.warning("a picture cannot be read; its row teaches nothing (%d so far)", self._broken_since)


def mixed(one: Iterator[Any], other: Iterator[Any], is_from_one: Iterable[bool]) -> Iterator[Any]:
    """Elements of two iterators, taken in turns as told; one that ends early is passed over.

    >>> list(mixed(iter("ab"), iter([1]), [True, False, False, True]))
    ['a', 1, 'b']
    """
    for chosen in is_from_one:
        for element in one if chosen else other:
            yield element
            break
