"""`crewsight db`: which version the databases have, and how they are brought up to this program's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from operations.databases import Schema, Standing, shown, standing
from operations.options import Config

app = typer.Typer(help="The databases: people, desk and the streamer's ledger.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Known:
    """One database of an installation.

    Attributes:
        url: SQLAlchemy's.
        schema: What it is to be.
        open_up: Opens it as its process does: laid out, and brought up to this program's version.
    """

    url: str
    schema: Schema
    open_up: Callable[[], object]

    def standing(self) -> tuple[str | None, Standing]:
        """Its version and how it stands to this program; nothing is changed or made.

        Raises:
            SQLAlchemyError, OSError, ImportError: It does not open.
        """
        url = make_url(self.url)
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        if is_file and not Path(url.database or "").exists():
            return None, Standing.NOT_THERE
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return standing(connection, self.schema)
        finally:
            engine.dispose()


def databases(config: Path | None) -> list[Known]:
    """Those that the settings name."""
    from consumers.alerts.desk_database import DeskDatabase
    from consumers.alerts.schema import DESK
    from consumers.indexer.people import PeopleTable
    from consumers.indexer.schema import PEOPLE
    from consumers.settings import IndexerSettings
    from streamer.ledger import FILE_NAME, Ledger
    from streamer.tables import LEDGER

    settings = IndexerSettings.read(config)
    people, desk, folder = settings.database_url, settings.desk_url, settings.state.folder
    return [
        Known(people, PEOPLE, lambda: PeopleTable(people)),
        Known(desk, DESK, lambda: DeskDatabase(desk)),
        Known(f"sqlite:///{folder / FILE_NAME}", LEDGER, lambda: Ledger.open(folder)),
    ]


def standings(config: Path | None) -> Iterator[tuple[Known, str | None, Standing | str]]:
    """Each database, its version, and how it stands to this program; instead of that, why it does not open."""
    for known in databases(config):
        try:
            yield known, *known.standing()
        except (ArgumentError, SQLAlchemyError, OSError, ImportError) as error:
            said = str(getattr(error, "orig", None) or error).strip().splitlines()
            yield known, None, said[0] if said else type(error).__name__


@app.command()
def current(config: Config = None) -> None:
    """Say of each database which version it has; exit status 1 unless each is this program's or not there yet."""
    is_well = True
    for known, found, state in standings(config):
        is_well &= state in (Standing.CURRENT, Standing.NOT_THERE)
        wanted = "" if state is Standing.CURRENT else f", this program's is {known.schema.head}"
        typer.echo(f"{known.schema.name:<7} {found or '-':<5} {state}{wanted}  {shown(known.url)}")
    raise SystemExit(0 if is_well else 1)


def _version(known: Known) -> str | None:
    """The version of one that opens; None of one that is not laid out, or whose opening says what is wrong with it."""
    try:
        return known.standing()[0]
    except (SQLAlchemyError, OSError, ImportError):
        return None


@app.command()
def upgrade(config: Config = None) -> None:
    """Lay the databases out, or bring them up to this program's version; back them up before."""
    for known in databases(config):
        before = _version(known)
        known.open_up()
        changed = "was laid out" if before is None else f"was {before}"
        said = "is" if before == known.schema.head else f"{changed}, is now"
        typer.echo(f"{known.schema.name:<7} {said} {known.schema.head}")
