"""The command line, `crewsight`: the only file that knows all packages.

The commands of one package live in its `cli.py`. Here are the two that need several packages at once: `up`, which runs
everything as processes, and `analyze`, which runs the same stages in this one.
"""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

import consumers.cli
import household.cli
import model.cli
import streamer.cli
import trainer.cli
from consumers.errors import ConsumerError
from model.errors import ModelError
from operations.errors import OperationsError
from operations.logs import configure_logging
from operations.options import Config
from streamer.bus.errors import BusError
from streamer.errors import StreamerError
from trainer.errors import TrainerError

EXPECTED = (BusError, StreamerError, ModelError, ConsumerError, TrainerError, OperationsError)

app = typer.Typer(
    help="Watches footage of people for the people responsible for them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _package in (streamer.cli, consumers.cli, trainer.cli, model.cli, household.cli):
    app.add_typer(_package.app)


@app.command()
def up(
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="Watch footage made from packaged pictures.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Stop with a summary when all footage is through.")] = False,
) -> None:
    """Start broker, streamer, analyzer, indexer, alerter, notifier and page, and show who is seen."""
    from rich.console import Console

    from household.outlook import Outlook
    from household.processes import Household
    from operations.supervisor import Supervisor
    from operations.terminal import Terminal
    from operations.watch import watch
    from streamer.bus.signals import stop_signals

    household = Household(config, demo=demo, once=once)
    household.check()
    supervisor = Supervisor(household.children(), household.logs)
    # The outlook lays out all tables, so that no two processes try to.
    with closing(Outlook(household)) as outlook, stop_signals() as is_stopping, Terminal(Console()) as terminal:
        terminal.say(f"The page is at {household.page_url}; logs are in {household.logs}.")
        for line in household.about_packs():
            terminal.say(line)
        try:
            supervisor.start()
            is_through = watch(
                supervisor,
                terminal,
                lambda: outlook.look(is_cut=once and supervisor.has_ended("streamer")),
                is_stopping,
                once=once,
            )
            terminal.say(outlook.summary())
            has_failed = once and (not is_through or outlook.saw_nothing())
        finally:
            supervisor.stop()
    raise SystemExit(1 if has_failed else 0)


@app.command()
def analyze(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for crops, manifests and videos.")] = Path("crewsight-out"),
    camera: Annotated[str, typer.Option("--camera", help="What to call where the videos come from.")] = "video",
    config: Config = None,
) -> None:
    """Analyse videos in this process: a JSON line for each person, crops, manifests, an annotated video of each."""
    from rich.console import Console

    from consumers.analyzer.build import open_eyes
    from consumers.settings import AnalyzerSettings
    from household.analyzing import analyze_video, annotated_paths
    from household.processes import refuse_unknown
    from operations.terminal import Terminal
    from streamer.settings import StreamerSettings

    refuse_unknown(config)
    named = StreamerSettings.read(config, sources=[{"camera": camera, "file": video} for video in videos]).sources
    eyes = open_eyes(AnalyzerSettings.read(config))
    is_well = True
    with Terminal(Console(stderr=True)) as terminal:
        for source, annotated in zip(named, annotated_paths(videos, out), strict=True):
            assert source.file is not None
            is_well &= analyze_video(source.file, source.camera, eyes, out, annotated, terminal)
    raise SystemExit(0 if is_well else 1)


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit status 1."""
    configure_logging()
    try:
        app()
    except EXPECTED as error:
        said = " ".join(line.strip() for line in str(error).splitlines())  # what a library said may be several lines
        sys.stderr.write(f"crewsight: {said}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
