"""A LLaVA that has learnt, written as transformers' class and model servers load it."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from model.folders import DECISION_TEMPLATE, DECISIONS, SETTINGS, model_folder, read_json
from model.layouts.settings import LlavaSettings
from trainer.llava.network import load_processor
from trainer.provenance import write_origin
from trainer.stages import Origin

BESIDE = (SETTINGS, DECISIONS, DECISION_TEMPLATE)
MEASURED = ("questions", "failed")


def write_llava(out: Path, network: Any, *, source: str, origin: Origin) -> None:
    """Write weights in bfloat16, processor, how it is spoken to, and origin.

    Args:
        out: The folder; it is made, files of the same names are replaced.
        network: What has learnt; adapters are merged into its weights.
        source: The folder or hub id that it began from.
        origin: Where the weights come from.

    Raises:
        ModelFolderError: what lies beside the source's weights cannot be read.
    """
    merged = network.merge_and_unload() if hasattr(network, "merge_and_unload") else network
    merged.config.use_cache = True
    merged.to(torch.bfloat16).save_pretrained(out)
    processor, _ = load_processor(source)
    processor.save_pretrained(out)
    _write_beside(out, source)
    write_origin(out, origin)


def _write_beside(out: Path, source: str) -> None:
    """How the checkpoint wants to be spoken to stays as it was; what was measured on other weights is left out."""
    folder = model_folder(source, BESIDE)
    tower = Path(LlavaSettings.read(folder).search_tower)
    spoken = {name: (folder / name).read_bytes() for name in BESIDE if (folder / name).is_file()}
    if DECISIONS in spoken:
        kept = {key: value for key, value in read_json(folder, DECISIONS).items() if key not in MEASURED}
        spoken[DECISIONS] = (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode()
    for name in BESIDE:
        (out / name).unlink(missing_ok=True)  # of weights that lay there before
        if name in spoken:
            (out / name).write_bytes(spoken[name])
    within = model_folder(source, (f"{tower.as_posix()}/*",)) / tower
    is_part = within.is_dir() and not tower.is_absolute() and ".." not in tower.parts
    if is_part and folder.resolve() != out.resolve():
        shutil.copytree(within, out / tower, dirs_exist_ok=True)
