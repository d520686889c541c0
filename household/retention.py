"""`crewsight retention run`: lets go now of what is kept for so many days, and of nothing that is held."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from household.options import Config

app = typer.Typer(help="What is kept for so many days, and then let go.", no_args_is_help=True)


@app.command()
def run(
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    config: Config = None,
) -> None:
    """Let people go whose days are over (`search.keep_days`), and copies for alerts (`evidence.keep_days`)."""
    from consumers.settings import NotifierSettings
    from household.letting_go import let_copies_go, let_people_go

    settings, now = NotifierSettings.read(config), datetime.now(UTC)
    verb = "would go" if is_dry else "are gone"
    if settings.search.keep_days is None:
        typer.echo("People are kept for good: search.keep_days is empty.")
    else:
        keep = timedelta(days=settings.search.keep_days)
        until, people = let_people_go(settings, keep, now, is_dry=is_dry)
        typer.echo(f"{people} people seen before {until:%Y-%m-%d} (UTC) {verb}.")
    copies, size_bytes = let_copies_go(settings, now, is_dry=is_dry)
    typer.echo(f"{copies} copies for alerts ({size_bytes / 1e6:.1f} MB) {verb}; held ones stay.")
