"""Captioned pictures in WebDataset shards, as img2dataset writes them from a parquet of addresses and captions.

A shard is a tar file; a row is a picture (`jpg`, `png`, `webp`) and its caption (`txt`) under one key.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from webdataset.tariterators import group_by_keys, tar_file_expander

from trainer.errors import RecipeError
from trainer.llava.conversations import CAPTION_REQUESTS, Conversation, Turn, without_mark
from trainer.rows import RowCount

PICTURES = ("jpg", "jpeg", "png", "webp")


def shards_in(folder: Path) -> list[Path]:
    """The shards of a folder, by name.

    Raises:
        RecipeError: there are none.
    """
    found = sorted(folder.glob("*.tar"))
    if not found:
        raise RecipeError(folder, "there are no shards (*.tar) in it")
    return found


def captioned(
    shards: Sequence[Path], requests: Sequence[str] = CAPTION_REQUESTS, count: RowCount | None = None
) -> Iterator[Conversation]:
    """The rows of some shards, in their order, pictures not yet opened.

    Args:
        shards: Tar files; one that breaks off is read as far as it goes.
        requests: What the captions answer, one drawn for each.
        count: Is told of every row; None where they are counted already.
    """
    counted = count if count is not None else RowCount()

    def broken(_error: Exception) -> bool:
        counted.skipped["shard breaks off"] += 1
        return True

    for row in _rows(shards, broken):
        conversation = _conversation(row, requests)
        if isinstance(conversation, str):
            counted.skipped[conversation] += 1
        else:
            counted.readable += 1
            yield conversation


def _rows(shards: Sequence[Path], broken: Callable[[Exception], bool]) -> Iterator[dict[str, Any]]:
    """Webdataset's rows; it leaves the files that it opens to the garbage collector, so they are opened here."""
    for shard in shards:
        with shard.open("rb") as stream:
            files = tar_file_expander([{"url": shard.name, "stream": stream}], handler=broken)
            yield from group_by_keys(files, handler=broken)


def _conversation(row: dict[str, Any], requests: Sequence[str]) -> Conversation | str:
    """The row, or why it is none."""
    picture = next((row[kind] for kind in PICTURES if kind in row), None)
    if picture is None:
        return "no picture"
    caption = without_mark(row.get("txt", b"").decode("utf-8", errors="replace"))
    if not caption:
        return "no caption"
    # The request follows from the key, so that a row is the same row in every epoch and on every machine.
    draw = hashlib.sha256(str(row["__key__"]).encode()).digest()[0]
    return Conversation(picture, (Turn(requests[draw % len(requests)], caption),))
