"""`crewsight retention run`: lets go now of what is kept for so many days, and of nothing that is held."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from operations.options import Config

if TYPE_CHECKING:
    from consumers.settings import NotifierSettings

app = typer.Typer(help="What is kept for so many days, and then let go.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `run` a word of its own: a group of one command would else be that command."""


@app.command()
def run(
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    config: Config = None,
) -> None:
    """Let go of people, crops and clips (`search.keep_days`) and of copies for alerts (`evidence.keep_days`)."""
    from consumers.settings import NotifierSettings
    from household.letting_go import let_copies_go

    settings, now = NotifierSettings.read(config), datetime.now(UTC)
    if settings.search.keep_days is None:
        typer.echo("People and footage are kept for good: search.keep_days is empty.")
    else:
        _let_people_go(settings, timedelta(days=settings.search.keep_days), now, is_dry=is_dry)
    copies, size_bytes = let_copies_go(settings, now, is_dry=is_dry)
    typer.echo(f"{copies} copies for alerts, {size_bytes / 1e6:.1f} MB, {_verb(is_dry)}; held ones stay.")


def _let_people_go(settings: "NotifierSettings", keep: timedelta, now: datetime, *, is_dry: bool) -> None:
    from consumers.indexer.people import PeopleTable
    from consumers.indexer.retention import kept_since, run_retention
    from household.letting_go import people_over
    from streamer.bus.media_opening import open_media

    since = f"{kept_since(now, keep):%Y-%m-%d} (UTC)"
    if is_dry:
        people, results = people_over(settings, keep, now)
        typer.echo(f"{people} people seen before {since}, and the media of {results} segments, would go.")
        return
    gone = run_retention(PeopleTable(settings.database_url), open_media(settings), keep, now=now)
    failed = f"; {gone.media.failed} segments could not be reached" if gone.media.failed else ""
    typer.echo(
        f"{gone.people} people seen before {since}, {gone.media.crops} crops and {gone.media.clips} clips "
        f"are gone{failed}. The indexer drops their vectors by whole days."
    )


def _verb(is_dry: bool) -> str:
    return "would go" if is_dry else "are gone"
