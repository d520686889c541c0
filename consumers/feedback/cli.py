"""`crewsight feedback`: what officers corrected, for the trainer."""

from pathlib import Path
from typing import Annotated

import typer

from consumers.settings import DeskSettings
from operations.options import Config

app = typer.Typer(help="What officers corrected, for the trainer.", no_args_is_help=True)


@app.callback()
def _only_with_a_command() -> None:
    """Keep `export` a command of its own though it is the only one."""


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="Folder for feedback.jsonl and crops.")],
    config: Config = None,
) -> None:
    """Write every correction as a line of feedback.jsonl, its crop beside it."""
    from consumers.alerts.desk_database import DeskDatabase
    from consumers.feedback.export import FeedbackExport
    from streamer.bus.media_opening import open_media

    settings = DeskSettings.read(config)
    exported = FeedbackExport(DeskDatabase(settings.desk_url), open_media(settings)).write(out)
    for reason in exported.left_out:
        typer.echo(f"crewsight: left out: {reason}", err=True)
    typer.echo(f"{exported.written} corrections in {exported.path}.")
