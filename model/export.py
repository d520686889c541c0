"""A HumanVLM written as a folder that transformers' LLaVA class, and vLLM, load as any other LLaVA."""

import shutil
from pathlib import Path

from model.errors import ModelExportError
from model.folders import DECISION_TEMPLATE, DECISIONS, LLAVA, SETTINGS, checkpoint_folder, layout_of


def export_llava(name: str | Path, out: Path) -> Path:
    """Write the LLaVA of a name into a folder: weights as they are, and the chat template it wants to be asked by.

    Raises:
        ModelFolderError: there is no such model, or it cannot be loaded.
        ModelExportError: it is no LLaVA, or the folder cannot be written or is not empty.
    """
    folder = checkpoint_folder(name)
    if layout_of(folder) != LLAVA:
        reason = (
            "its vision tower is a convolutional backbone and its language model writes whole words, for which LLaVA's "
            "class has no parts; name a model of the LLaVA layout"
        )
        raise ModelExportError(folder, reason)
    try:
        if out.exists() and any(out.iterdir()):
            raise ModelExportError(folder, f"{out} is not empty")
        out.mkdir(parents=True, exist_ok=True)
        _write(folder, out)
    except OSError as error:
        raise ModelExportError(folder, f"{out} cannot be written: {error.strerror or error}") from error
    return out


def _write(folder: Path, out: Path) -> None:
    from model.layouts.llava import load_llava
    from model.layouts.pretrained import without_progress_bars
    from model.layouts.prompts import TEMPLATES, chosen_form
    from model.layouts.settings import LlavaSettings

    network, processor = load_llava(folder, "auto")
    form = chosen_form(processor, LlavaSettings.read(folder))
    if form != "own":
        processor.chat_template = TEMPLATES[form]
    with without_progress_bars():
        network.save_pretrained(out)
    processor.save_pretrained(out)
    for name in (DECISIONS, DECISION_TEMPLATE, SETTINGS):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
