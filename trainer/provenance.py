"""What is written beside weights: what they were made of, and by which revision of the code; and what was measured."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer.stages import Origin

TRAINING, METRICS = "training.json", "metrics.json"


def write_origin(folder: Path, origin: Origin, **more: Any) -> None:
    """Write `training.json` into a folder of new weights; the report on those that lay there before is taken away."""
    (folder / METRICS).unlink(missing_ok=True)
    written = json.dumps({**asdict(origin), **more}, indent=1, default=str)
    (folder / TRAINING).write_text(written + "\n", encoding="utf-8")


def git_revision() -> str:
    """The commit that is checked out, or `unknown` outside of any."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
