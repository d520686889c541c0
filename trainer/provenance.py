"""What is written beside weights: what they were made of, and by which revision of the code."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer.stages import Origin

TRAINING = "training.json"


def write_origin(folder: Path, origin: Origin, **more: Any) -> None:
    """Write `training.json` into a folder of weights."""
    written = json.dumps({**asdict(origin), **more}, indent=1, default=str)
    (folder / TRAINING).write_text(written + "\n", encoding="utf-8")


def git_revision() -> str:
    """The commit that is checked out, or `unknown` outside of any."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
