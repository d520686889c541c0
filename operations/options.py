"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: crewsight.yaml, if it is there.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]
