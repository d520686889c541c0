"""The consumers' commands: `analyzer`, `indexer`, `alerter`, `page`, `notifier`, `search`, `rules` and more."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

import consumers.access.cli
import consumers.alerts.cli
import consumers.evidence.cli
import consumers.feedback.cli
import consumers.indexer.cli
import consumers.packs.cli
import consumers.search.cli
import consumers.sidecars.cli
from consumers.settings import AlerterSettings, AnalyzerSettings, IndexerSettings, NotifierSettings, PageSettings
from operations.options import Config

if TYPE_CHECKING:
    from streamer.bus.client import Bus
    from streamer.bus.settings import ProcessSettings

NICENESS = 5  # of whoever copies evidence: footage that waits to be looked at comes first

app = typer.Typer(help="What acts: analyzer, indexer, alerter, page, notifier, search; and who may use the desk.")
app.add_typer(consumers.access.cli.users, name="user")
app.add_typer(consumers.access.cli.tokens, name="token")
app.command()(consumers.access.cli.audit)
app.command()(consumers.search.cli.search)
app.add_typer(consumers.alerts.cli.app, name="rules")
app.add_typer(consumers.packs.cli.app, name="questions")
app.add_typer(consumers.evidence.cli.app, name="evidence")
app.add_typer(consumers.indexer.cli.erase, name="erase")
app.add_typer(consumers.indexer.cli.index, name="index")
app.add_typer(consumers.feedback.cli.app, name="feedback")
app.command()(consumers.sidecars.cli.export)


@app.command()
def analyzer(config: Config = None) -> None:
    """Look at segments: who is in them and what HumanVLM says of them."""
    from consumers.analyzer.build import build_analyzer
    from operations.seeing.serving import seen

    settings = AnalyzerSettings.read(config)
    with seen("analyzer", settings, "models", "broker", "partitions") as health:
        runner = build_analyzer(settings, _bus(settings, "analyzer"), health)
        with _stopped_by_signals(runner.stop):
            runner.run()
    _leave()


@app.command()
def indexer(config: Config = None) -> None:
    """Enter people into the person table and the vector index, and answer searches."""
    from consumers.indexer.build import indexing_service
    from operations.seeing.serving import seen

    settings = IndexerSettings.read(config)
    with (
        seen("indexer", settings, "models", "database", "broker", "partitions") as health,
        indexing_service(settings, _bus(settings, "indexer"), health) as runner,
        _stopped_by_signals(runner.stop),
    ):
        runner.run()
    _leave()


@app.command()
def alerter(config: Config = None) -> None:
    """Decide by the rules about everyone who was seen, and put alerts on the desk."""
    from consumers.alerts import build
    from operations.seeing.serving import seen

    settings = AlerterSettings.read(config)
    with (
        seen("alerter", settings, "database", "broker", "partitions") as health,
        build.alerter(settings, _bus(settings, "alerter"), health) as runner,
        _stopped_by_signals(runner.stop),
    ):
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
    from operations.seeing.serving import seen

    settings = NotifierSettings.read(config)
    if try_channel is not None:
        try_out(settings, try_channel)
        typer.echo(f"Channel {try_channel} has taken it.")
        return
    os.nice(NICENESS)
    with seen("notifier", settings, "database") as health:
        service = NotifyingService(settings, health)
        with _stopped_by_signals(service.stop):
            service.run()
    _leave()


def _bus(settings: "ProcessSettings", client_id: str) -> "Bus":
    from streamer.bus.bus_opening import open_bus

    # The runner tries again, and looks between two tries whether it is to stop.
    return open_bus(settings, client_id, timeout_s=4.0)


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
