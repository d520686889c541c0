"""The consumers' commands: `analyzer`, `indexer`, `alerter`, `page`, `notifier`, `search`, `rules` and more."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import consumers.access.cli
import consumers.alerts.cli
import consumers.evidence.cli
import consumers.feedback.cli
import consumers.indexer.cli
import consumers.packs.cli
import consumers.sidecars.cli
from consumers.settings import AlerterSettings, AnalyzerSettings, IndexerSettings, NotifierSettings, PageSettings

if TYPE_CHECKING:
    from consumers.search.hits import SearchAnswer
    from streamer.bus.client import Bus
    from streamer.bus.settings import ProcessSettings

PIPED_WIDTH = 240
NICENESS = 5  # of whoever copies evidence: footage that waits to be looked at comes first

app = typer.Typer(help="What acts: analyzer, indexer, alerter, page, notifier, search; and who may use the desk.")
app.add_typer(consumers.access.cli.users, name="user")
app.add_typer(consumers.access.cli.tokens, name="token")
app.command()(consumers.access.cli.audit)
app.add_typer(consumers.alerts.cli.app, name="rules")
app.add_typer(consumers.packs.cli.app, name="questions")
app.add_typer(consumers.evidence.cli.app, name="evidence")
app.add_typer(consumers.indexer.cli.erase, name="erase")
app.add_typer(consumers.feedback.cli.app, name="feedback")
app.command()(consumers.sidecars.cli.export)

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: crewsight.yaml, if it is there.")
]


@app.command()
def analyzer(config: Config = None) -> None:
    """Look at segments: who is in them and what HumanVLM says of them."""
    from consumers.analyzer.build import build_analyzer

    settings = AnalyzerSettings.read(config)
    runner = build_analyzer(settings, _bus(settings, "analyzer"))
    with _stopped_by_signals(runner.stop):
        runner.run()
    _leave()


@app.command()
def indexer(config: Config = None) -> None:
    """Enter people into the person table and the vector index, and answer searches."""
    from consumers.indexer.build import indexing_service

    settings = IndexerSettings.read(config)
    with indexing_service(settings, _bus(settings, "indexer")) as runner, _stopped_by_signals(runner.stop):
        runner.run()
    _leave()


@app.command()
def alerter(config: Config = None) -> None:
    """Decide by the rules about everyone who was seen, and put alerts on the desk."""
    from consumers.alerts import build

    settings = AlerterSettings.read(config)
    with build.alerter(settings, _bus(settings, "alerter")) as runner, _stopped_by_signals(runner.stop):
        runner.run()
    _leave()


@app.command()
def page(config: Config = None) -> None:
    """Serve the page and its API."""
    from consumers.web.serve import serve_page

    serve_page(PageSettings.read(config))


@app.command()
def notifier(
    try_channel: Annotated[
        str | None, typer.Option("--try", metavar="CHANNEL", help="Send one word to this channel, and end.")
    ] = None,
    config: Config = None,
) -> None:
    """Tell channels of alerts, and copy what alerts are about."""
    from consumers.notifying.serve import NotifyingService, try_out

    settings = NotifierSettings.read(config)
    if try_channel is not None:
        try_out(settings, try_channel)
        typer.echo(f"Channel {try_channel} has taken it.")
        return
    os.nice(NICENESS)
    service = NotifyingService(settings)
    with _stopped_by_signals(service.stop):
        service.run()
    _leave()


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words that describe a person, such as “worker in an orange vest”.")],
    count: Annotated[int, typer.Option("-k", "--count", min=1, max=1000, help="People at most.")] = 10,
    camera: Annotated[str | None, typer.Option("--camera", help="Only this camera.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a person, for machines.")] = False,
    config: Config = None,
) -> None:
    """Find people by words."""
    from consumers.indexer.people import PeopleReader
    from consumers.search.client import SearchClient
    from consumers.search.filters import PeopleFilter
    from consumers.search.people_search import PeopleSearch
    from consumers.search.query import SearchQuery

    settings = IndexerSettings.read(config)
    wanted = PeopleFilter(cameras=frozenset({camera} if camera else ()))
    search_people = PeopleSearch(SearchClient(settings.search.url), PeopleReader(settings.database_url))
    answer = search_people.search(SearchQuery(text, filter=wanted, k=count))
    consumers.access.cli.note(settings, "search", text)
    if as_json:
        _print_json(answer)
    else:
        _print_table(answer, settings)


def _bus(settings: "ProcessSettings", client_id: str) -> "Bus":
    from streamer.bus.client import Bus

    return Bus(
        settings.bus.bootstrap_servers,
        partitions=settings.bus.partitions,
        replication_factor=settings.bus.replication_factor,
        client_id=client_id,
        timeout_s=4.0,  # the runner tries again, and looks between two tries whether it is to stop
    )


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> None:
    """End without waiting for threads that are deep in native code; everything of worth is on the disk."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _print_json(answer: "SearchAnswer") -> None:
    from pydantic import TypeAdapter

    from consumers.search.hits import Hit

    adapter = TypeAdapter(Hit)
    for hit in answer.hits:
        typer.echo(adapter.dump_json(hit).decode())
    if answer.unknown_words:
        typer.echo(_unknown(answer), err=True)


def _print_table(answer: "SearchAnswer", settings: IndexerSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from streamer.bus.media import MediaStore

    # Piped on, a line is as long as it needs: paths are there to be used.
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    store = MediaStore(settings.media_url)
    table = Table("time", "camera", "score", "caption", box=None, header_style="bold")
    table.add_column("crop", overflow="fold")
    for hit in answer.hits:
        person = hit.person
        crop = str(store.local_path(person.crop_uri) or person.crop_uri)
        time = f"{person.first_seen_at.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(
            time,
            person.camera_id,
            f"{hit.score:.2f}",
            person.caption,
            crop,
        )
    if answer.hits:
        console.print(table)
    else:
        console.print("Nobody is indexed yet." if not answer.unknown_words else "Nobody found.")
    if answer.unknown_words:
        console.print(_unknown(answer), style="yellow")


def _unknown(answer: "SearchAnswer") -> str:
    return f"Words that HumanVLM never learnt had no say: {', '.join(answer.unknown_words)}"
