"""Networks and processors as transformers saves them: loaded whole or refused, without progress bars in a log file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from model.errors import ModelFolderError


def pretrained(kind: Any, folder: Path, dtype: torch.dtype | str, *, unread: str = "$^") -> Any:
    """The network of a folder on the CPU, every weight of it read.

    Args:
        kind: transformers' class.
        folder: What its `save_pretrained` writes.
        dtype: Of the weights; "auto" keeps that of the files.
        unread: A pattern of weights that no answer depends on, and that may be missing.

    Raises:
        ModelFolderError: transformers cannot load it, or finds a weight missing: it would go on with a random one.
    """
    with without_progress_bars(), refused_in_one_line(folder):
        network, found = kind.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    absent = sorted(name for name in found["missing_keys"] if not re.match(unread, name))
    absent += sorted(map(str, found["mismatched_keys"]))
    if absent:
        raise ModelFolderError(folder, f"the weights do not fit config.json: {absent[0]}")
    return network


@contextmanager
def refused_in_one_line(folder: Path) -> Iterator[None]:
    """What transformers raises about a folder it cannot use, as one line.

    Raises:
        ModelFolderError: it did.
    """
    try:
        yield
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError
    ) as error:  # fmt: skip
        said = str(error).strip().splitlines()
        raise ModelFolderError(
            folder, f"transformers cannot load it: {said[0] if said else type(error).__name__}"
        ) from error


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """No progress bar of transformers within; afterwards as it was."""
    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()
