"""A LLaVA that has learnt, written as transformers' class and model servers load it."""

import shutil
from pathlib import Path
from typing import Any

import torch

from trainer.llava.network import load_processor
from trainer.provenance import write_origin
from trainer.stages import Origin

BESIDE = ("humanvlm.json", "decision_template.jinja")  # how the checkpoint wants to be spoken to stays as it was


def write_llava(out: Path, network: Any, *, source: str, origin: Origin) -> None:
    """Write weights in bfloat16, processor, settings and origin.

    Args:
        out: The folder; it is made, files of the same names are replaced.
        network: What has learnt; adapters are merged into its weights.
        source: The folder or hub id that it began from.
        origin: Where the weights come from.
    """
    merged = network.merge_and_unload() if hasattr(network, "merge_and_unload") else network
    merged.config.use_cache = True
    merged.to(torch.bfloat16).save_pretrained(out)
    processor, _ = load_processor(source)
    processor.save_pretrained(out)
    for name in BESIDE:
        if (Path(source) / name).is_file():
            shutil.copyfile(Path(source) / name, out / name)
    write_origin(out, origin)
