"""`crewsight export`: what is known of pictures, for other programs."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from consumers.access.cli import note
from consumers.settings import IndexerSettings
from operations.options import Config


def export(
    xmp: Annotated[
        Path,
        typer.Option("--xmp", metavar="FOLDER", help="Write XMP sidecars beside the pictures in this folder."),
    ],
    config: Config = None,
) -> None:
    """Write captions, keywords and people's boxes beside pictures, for photo programs; pictures stay as they are."""
    from consumers.errors import SidecarError
    from consumers.indexer.people import PeopleReader
    from consumers.sidecars.export import SidecarExport, summary

    settings = IndexerSettings.read(config)
    note(settings, "export", str(xmp))
    counted: Counter[str] = Counter()
    left_out = 0
    for _, outcome in SidecarExport(PeopleReader(settings.database_url)).write(xmp):
        if isinstance(outcome, SidecarError):
            left_out += 1
            typer.echo(f"crewsight: {outcome}", err=True)
        else:
            counted[outcome] += 1
    typer.echo(summary(counted))
    raise SystemExit(1 if left_out else 0)
