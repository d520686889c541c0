"""A HumanVLM checkpoint: one folder with sizes, vocabulary, decision sheet and weights.

`config.json` (layout and sizes), `vocabulary.json` (words of the tokens, in order), `decision.json` (what the
checkpoint was measured on), `model.safetensors` (float16). `training.json`, written beside them, says where they come
from; nothing here reads it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.decisions import DecisionSheet
from model.errors import ModelFolderError
from model.folders import COMPACT, CONFIG, DECISIONS, VOCABULARY, WEIGHTS, read_json
from model.network import NetworkSizes
from model.tokens import WordTokens


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds; `weights` are float32, by parameter name."""

    sizes: NetworkSizes
    words: WordTokens
    decisions: DecisionSheet
    weights: Mapping[str, Tensor]
    weights_digest: str = ""
    answers_digest: str = ""


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelFolderError: a file does not hold what its name says, or the layout is not ours.
    """
    config = read_json(folder, CONFIG)
    if config.get("layout") != COMPACT:
        raise ModelFolderError(folder, f"{CONFIG} names layout {config.get('layout')!r}, expected {COMPACT!r}")
    try:
        sizes = NetworkSizes.of_config(config)
        words = WordTokens(tuple(read_json(folder, VOCABULARY)["words"]))
        decisions = DecisionSheet.model_validate(read_json(folder, DECISIONS))
        weights = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    except (KeyError, TypeError, ValueError, ValidationError, SafetensorError) as error:
        raise ModelFolderError(folder, f"not what its config.json promises: {_in_one_line(error)}") from error
    seen = _digest(folder, CONFIG, VOCABULARY, WEIGHTS)
    return Checkpoint(sizes, words, decisions, weights, seen, _digest(folder, CONFIG, VOCABULARY, WEIGHTS, DECISIONS))


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the folder is made, files of the same names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / CONFIG, {"layout": COMPACT, **checkpoint.sizes.as_config()})
    _write_json(folder / VOCABULARY, {"words": list(checkpoint.words.words)})
    _write_json(folder / DECISIONS, checkpoint.decisions.model_dump(mode="json"))
    half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in checkpoint.weights.items()}
    save_file(half, folder / WEIGHTS)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{DECISIONS}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _digest(folder: Path, *names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:8]


def _write_json(path: Path, written: dict[str, Any]) -> None:
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
