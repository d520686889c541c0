"""Where a HumanVLM checkpoint's files are. Light: whoever only asks whether a model is there need not load torch."""

import json
import re
from pathlib import Path
from typing import Any

from model.errors import ModelFolderError

EMBEDDED = Path(__file__).parent / "weights" / "humanvlm"
CONFIG, VOCABULARY, DECISIONS, WEIGHTS = "config.json", "vocabulary.json", "decision.json", "model.safetensors"
SETTINGS, DECISION_TEMPLATE = "humanvlm.json", "decision_template.jinja"
COMPACT, LLAVA = "compact", "llava"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TEXT_FILES = ("*.json", "*.jinja", "*.model", "*.txt")


def checkpoint_folder(name: str | Path, *, text_only: bool = False) -> Path:
    """The folder that a model's name means: `embedded`, the folder itself, or that of a model on the hub, fetched.

    Args:
        name: `embedded`, a folder, or an id such as `OpenFace-CQUPT/Human_LLaVA`.
        text_only: Of a LLaVA on the hub, leave the weights where they are: a search needs none of them.

    Raises:
        ModelFolderError: there is no such folder, the hub cannot be reached, or a file of the checkpoint is missing.
    """
    folder = EMBEDDED if name == "embedded" else model_folder(name, _TEXT_FILES)
    layout = layout_of(folder)
    if layout == LLAVA and text_only:
        return folder
    if folder != Path(name) and folder != EMBEDDED:
        folder = model_folder(name, (*_TEXT_FILES, "*.safetensors"))
    needed = (CONFIG, VOCABULARY, DECISIONS, WEIGHTS) if layout == COMPACT else (CONFIG, "*.safetensors")
    for file in needed:
        if not any(folder.glob(file)):
            raise ModelFolderError(folder, f"{file} is missing")
    return folder


def layout_of(folder: Path) -> str:
    """The layout that a folder's `config.json` names: `compact` or `llava`.

    Raises:
        ModelFolderError: it is not readable, or names another layout.
    """
    config = read_json(folder, CONFIG)
    if (layout := config.get("layout", config.get("model_type"))) in (COMPACT, LLAVA):
        return str(layout)
    raise ModelFolderError(folder, f"{CONFIG} names layout {layout!r}, expected {COMPACT!r} or {LLAVA!r}")


def model_folder(name: str | Path, patterns: tuple[str, ...], *, beside: Path | None = None) -> Path:
    """The folder of a name: a folder, or one with the files of these patterns of a model on the hub.

    Args:
        name: A folder or a hub id.
        patterns: Which files of a hub's model are fetched, where they are not in its cache yet.
        beside: Where a relative folder may begin too.

    Raises:
        ModelFolderError: there is no such folder, and no such model on the hub or in its cache.
    """
    for folder in (Path(name), *([beside / name] if beside else [])):
        if folder.is_dir():
            return folder
    if not _HUB_ID.fullmatch(str(name)):
        raise ModelFolderError(Path(name), "there is no such folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name), allow_patterns=list(patterns)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFolderError(Path(name), f"there is no such folder, and none of that name on the hub: {first}") from (
            error
        )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file of a folder.

    Raises:
        ModelFolderError: the file is missing, or holds no object.
    """
    if not (folder / name).is_file():
        raise ModelFolderError(folder, f"{name} is missing")
    try:
        read = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(folder, f"{name} is not readable: {error}") from error
    if not isinstance(read, dict):
        raise ModelFolderError(folder, f"{name} holds no object")
    return read
