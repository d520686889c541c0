"""Instruction data as LLaVA writes it: a JSON list of `image` and `conversations` of `from` and `value`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.errors import RecipeError
from trainer.llava.conversations import Conversation, turns_of
from trainer.rows import RowCount


def llava_conversations(path: Path, *images: Path) -> tuple[list[Conversation], RowCount]:
    """The rows of a file whose pictures are there, and what was skipped.

    Args:
        path: A JSON list, or one object a line.
        images: The folders that `image` may be relative to; the first that has it counts.

    Raises:
        RecipeError: the file is missing or no JSON.
    """
    found, count = [], RowCount()
    for row in _rows(path):
        conversation = _conversation(row, images)
        if isinstance(conversation, str):
            count.skipped[conversation] += 1
        else:
            found.append(conversation)
            count.readable += 1
    return found, count


def _rows(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(path, error.strerror or str(error)) from error
    if not text.lstrip().startswith("["):
        # Not `splitlines`: a JSON string may hold line breaks of Unicode as they are.
        return [_parsed(line) for line in text.split("\n") if line.strip()]
    try:
        return list(json.loads(text))
    except ValueError as error:
        raise RecipeError(path, f"no JSON: {error}") from error


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _conversation(row: Any, images: Sequence[Path]) -> Conversation | str:
    """The row, or why it is none."""
    if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
        return "no conversations"
    if not isinstance(row.get("image"), str):
        return "no image named"
    if not all(isinstance(message, dict) for message in row["conversations"]):
        return "no turns of human and gpt"
    turns = turns_of(row["conversations"])
    if turns is None:
        return "no turns of human and gpt"
    found = (folder / row["image"] for folder in images)
    picture = next((path for path in found if path.is_file()), None)
    return "image missing" if picture is None else Conversation(picture, turns)
