"""`crewsight evidence`: what is kept of alerts, what must be kept, and whether it is whole."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.access.cli import operator
from consumers.settings import NotifierSettings
from operations.options import Config

if TYPE_CHECKING:
    from consumers.alerts.schema import EvidenceRecord
    from consumers.evidence.table import EvidenceTable

app = typer.Typer(help="Copies that outlive the footage: list, hold, release, verify.", no_args_is_help=True)

Alert = Annotated[str, typer.Argument(metavar="ALERT_ID", help="The alert.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; goes into the alert's history and the audit log.")]


@app.command("list")
def list_copies(
    alert_id: Annotated[str | None, typer.Argument(metavar="[ALERT_ID]", help="Only this alert.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a copy, for machines.")] = False,
    config: Config = None,
) -> None:
    """List the copies, with their fingerprints, until when they are kept and whether they are held."""
    rows = _listed(_table(NotifierSettings.read(config)), alert_id)
    for row in rows:
        typer.echo(json.dumps(_facts(row)) if as_json else _line(row))
    if not rows and not as_json:
        typer.echo("No copies: no alert has been raised yet, or `crewsight notifier` does not run.")


@app.command()
def hold(alert_id: Alert, reason: Reason = "", config: Config = None) -> None:
    """Keep an alert's copies until they are released, whatever their time and whatever room is left."""
    count = _table(NotifierSettings.read(config)).hold(alert_id, who=operator(), at=datetime.now(UTC), reason=reason)
    typer.echo(f"{count} copies are held.")


@app.command()
def release(alert_id: Alert, reason: Reason = "", config: Config = None) -> None:
    """Let an alert's copies run out when their time comes."""
    count = _table(NotifierSettings.read(config)).release(alert_id, who=operator(), at=datetime.now(UTC), reason=reason)
    typer.echo(f"{count} copies are no longer held.")


@app.command()
def verify(
    alert_id: Annotated[str | None, typer.Argument(metavar="[ALERT_ID]", help="Only this alert.")] = None,
    config: Config = None,
) -> None:
    """Prove that every copy is what it was when it was made; exit status 1 when one is gone or another."""
    from consumers.errors import EvidenceError
    from consumers.evidence.copier import proven
    from streamer.bus.media_opening import open_media

    settings = NotifierSettings.read(config)
    store, rows, broken = open_media(settings), _listed(_table(settings), alert_id), 0
    for row in rows:
        try:
            proven(row, store)
        except EvidenceError as error:
            broken += 1
            typer.echo(f"crewsight: {error}", err=True)
    typer.echo(f"{len(rows) - broken} of {len(rows)} copies are as they were made.")
    raise SystemExit(1 if broken else 0)


def _table(settings: NotifierSettings) -> "EvidenceTable":
    from consumers.alerts.desk_database import DeskDatabase
    from consumers.evidence.table import EvidenceTable

    return EvidenceTable(DeskDatabase(settings.desk_url))


def _listed(table: "EvidenceTable", alert_id: str | None) -> "list[EvidenceRecord]":
    """The copies of one alert, which must have some: of a mistyped one nothing may be said to be whole; or all."""
    from consumers.errors import EvidenceError

    rows = table.listing(alert_id)
    if alert_id is not None and not rows:
        raise EvidenceError(alert_id, "no copy of it is kept; `crewsight evidence list` shows what is")
    return rows


def _facts(row: "EvidenceRecord") -> dict[str, object]:
    return {
        "alert_id": row.alert_id,
        "kind": row.kind,
        "uri": row.uri,
        "sha256": row.sha256,
        "size_bytes": row.size_bytes,
        "copied_at": row.copied_at.isoformat(),
        "keep_until": row.keep_until.isoformat() if row.keep_until else None,
        "legal_hold": row.legal_hold,
    }


def _line(row: "EvidenceRecord") -> str:
    until = f"until {row.keep_until:%Y-%m-%d}" if row.keep_until else "for good"
    kept = "held" if row.legal_hold else until
    return f"{row.alert_id}  {row.kind:<11}  {row.size_bytes:>9} B  {row.sha256[:16]}…  {kept:<16}  {row.uri}"
