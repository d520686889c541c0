"""`crewsight dead-letters`: what nobody could read, and what becomes of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operations.options import AsJson, Config

if TYPE_CHECKING:
    from consumers.indexer.dead_letters import DeadLetter, DeadLetters
    from consumers.settings import IndexerSettings

app = typer.Typer(help="What nobody could read: list, show, replay, drop.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first letters of it.")]
SHOWN_BYTES = 4000
PATIENCE_S = 10.0


@app.command("list")
def list_letters(
    with_handled: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List the dead letters that nobody did anything about, oldest first."""
    _, letters = _opened(config)
    found = letters.listing(with_handled=with_handled)
    for letter in found:
        typer.echo(json.dumps(_facts(letter)) if as_json else _line(letter))
    if not found and not as_json:
        typer.echo("There are no dead letters." if with_handled else "No dead letter is open; --all lists the others.")


@app.command()
def show(letter_id: Which, config: Config = None) -> None:
    """Show one with all that is known of it, as JSON."""
    _, letters = _opened(config)
    letter = letters.get(letter_id)
    original = letter.original[:SHOWN_BYTES].decode("utf-8", errors="backslashreplace")
    typer.echo(json.dumps({**_facts(letter), "original": original}, indent=2, ensure_ascii=False))


@app.command()
def replay(
    letter_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, or the first letters of them.")],
    again: Annotated[bool, typer.Option("--again", help="Even if that was done before, or broke off.")] = False,
    config: Config = None,
) -> None:
    """Put messages back on their topic, each once: when what was in their way is mended."""
    import consumers.access.cli
    from streamer.bus.bus_opening import open_bus

    settings, letters = _opened(config)
    bus = open_bus(settings, "dead-letters", timeout_s=PATIENCE_S)
    try:
        for letter_id in letter_ids:
            who = consumers.access.cli.operator()
            letter = letters.replay(letter_id, bus, who=who, at=datetime.now(UTC), again=again)
            rejected = letter.rejected
            consumers.access.cli.note(settings, "replay dead letter", rejected.rejected_id)
            typer.echo(f"{rejected.rejected_id} is back on {rejected.source_topic}, partition {rejected.partition}.")
    finally:
        bus.close()


@app.command()
def drop(
    letter_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, or the first letters of them.")],
    config: Config = None,
) -> None:
    """Give them up; who did so and when is kept."""
    import consumers.access.cli

    settings, letters = _opened(config)
    for letter_id in letter_ids:
        letter = letters.drop(letter_id, who=consumers.access.cli.operator(), at=datetime.now(UTC))
        consumers.access.cli.note(settings, "drop dead letter", letter.rejected.rejected_id)
        typer.echo(f"{letter.rejected.rejected_id} is dropped.")


def _opened(config: Path | None) -> "tuple[IndexerSettings, DeadLetters]":
    from consumers.indexer.dead_letters import DeadLetters
    from consumers.indexer.people import PeopleTable
    from consumers.settings import IndexerSettings
    from streamer.bus.media_opening import open_media

    settings = IndexerSettings.read(config)
    return settings, DeadLetters(PeopleTable(settings.database_url), open_media(settings))


def _facts(letter: "DeadLetter") -> dict[str, Any]:
    handled_at = letter.handled_at.isoformat() if letter.handled_at else None
    return {
        **letter.rejected.model_dump(mode="json", exclude={"original_base64", "schema_version"}),
        "noticed_at": letter.noticed_at.isoformat(),
        "handled": letter.handled,
        "handled_at": handled_at,
        "handled_by": letter.handled_by,
    }


def _line(letter: "DeadLetter") -> str:
    rejected = letter.rejected
    place = f"{rejected.source_topic}/{rejected.partition}/{rejected.offset}" if rejected.source_topic else "file"
    state = f"  [{letter.handled}]" if letter.handled else ""
    about = rejected.camera_id or "-"
    return f"{rejected.rejected_id}  {letter.noticed_at:%Y-%m-%d %H:%M:%S}  {place}  {about}  {rejected.reason}{state}"
