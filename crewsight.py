"""The command line, `crewsight`: the only file that knows all packages.

The commands of one package live in its `cli.py`. Here are the two that need several packages at once: `up`, which runs
everything as processes, and `analyze`, which runs the same stages in this one.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import consumers.cli
import model.cli
import streamer.cli
import trainer.cli
from consumers.errors import ConsumerError
from consumers.settings import AnalyzerSettings, IndexerSettings, NotifierSettings, PageSettings
from model.errors import ModelError
from operations.errors import OperationsError
from operations.logs import configure_logging
from streamer.bus.errors import BusError, SettingsError
from streamer.bus.settings import refuse_unknown_groups
from streamer.errors import StreamerError
from streamer.settings import StreamerSettings
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from consumers.analyzer.eyes import Eyes
    from operations.supervisor import ChildSpec
    from operations.terminal import PersonLine, SourceProgress, Terminal
    from operations.watch import Sighting
    from streamer.bus.manifest import Manifest, PersonSeen

EXPECTED = (BusError, StreamerError, ModelError, ConsumerError, TrainerError, OperationsError)

app = typer.Typer(
    help="Watches footage of people for the people responsible for them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _package in (streamer.cli, consumers.cli, trainer.cli, model.cli):
    app.add_typer(_package.app)

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: crewsight.yaml, if it is there.")
]


@app.command()
def up(
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="Watch footage made from packaged pictures.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Stop with a summary when all footage is through.")] = False,
) -> None:
    """Start broker, streamer, analyzer, indexer, alerter, notifier and page, and show who is seen."""
    from rich.console import Console

    from operations.supervisor import Supervisor
    from operations.terminal import Terminal
    from operations.watch import watch
    from streamer.bus.signals import stop_signals

    household = Household(config, demo=demo, once=once)
    household.check()
    outlook = Outlook(household)  # lays out all tables, so that no two processes try to
    supervisor = Supervisor(household.children(), household.logs)
    with stop_signals() as is_stopping, Terminal(Console()) as terminal:
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
        finally:
            supervisor.stop()
    raise SystemExit(0 if is_through or not once else 1)


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
    from operations.terminal import Terminal

    refuse_unknown(config)
    named = StreamerSettings.read(config, sources=[{"camera": camera, "file": video} for video in videos]).sources
    eyes = open_eyes(AnalyzerSettings.read(config))
    is_well = True
    with Terminal(Console(stderr=True)) as terminal:
        for source in named:
            assert source.file is not None
            is_well &= _analyze_video(source.file, source.camera, eyes, out, terminal)
    raise SystemExit(0 if is_well else 1)


def _analyze_video(video: Path, camera: str, eyes: "Eyes", out: Path, terminal: "Terminal") -> bool:
    """Take one video through every stage; false, after one line that says why, where it cannot be read."""
    from consumers.analyzer.annotate import annotate_video
    from operations.terminal import SourceProgress

    manifests = []
    try:
        for manifest, through_s, duration_s in _manifests(video, camera, eyes, out):
            manifests.append(manifest)
            terminal.show_progress([SourceProgress(video.name, through_s, duration_s)])
            for person in manifest.people:
                typer.echo(json.dumps(_person_line(video, manifest, person), ensure_ascii=False))
        annotate_video(video, manifests, out / f"{video.stem}.annotated.mp4")
    except (ConsumerError, StreamerError) as error:
        typer.echo(f"crewsight: {error}", err=True)
        return False
    return True


def _manifests(video: Path, camera: str, eyes: "Eyes", out: Path) -> "Iterator[tuple[Manifest, float, float]]":
    """The manifest of each segment of a video as soon as it is written, the second it ends at, and the video's length.

    Raises:
        VideoReadError: The video, or a segment of it, cannot be read.
    """
    from consumers.analyzer.analyze import Segment, analyze_batch
    from consumers.analyzer.manifests import write_result
    from consumers.errors import VideoReadError
    from streamer.beginning import file_began
    from streamer.bus.media import MediaStore
    from streamer.bus.messages import Rejected
    from streamer.pictures import is_picture
    from streamer.segmenting import content_sha256, cut, plan_cuts

    if is_picture(video):
        raise VideoReadError(video, "it is a picture; name it, or its folder, among the `sources` of `crewsight up`")
    store = MediaStore(str(out))
    store.check_writable()
    plan = plan_cuts(video, sha256=content_sha256(video))
    began_at, origin = file_began(plan.scan, modified_s=video.stat().st_mtime, now=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="crewsight-") as scratch:
        for piece in cut(plan, camera_id=camera, folder=Path(scratch)):
            ready = piece.ready(camera, began_at, origin)
            (result,) = analyze_batch([Segment(ready, piece.path)], eyes)
            store.adopt(ready.uri, piece.path)
            if isinstance(result, Rejected):
                raise VideoReadError(video, f"at {piece.start_s:.1f} s: {result.reason}")
            yield write_result(result, store), piece.start_s + piece.duration_s, plan.scan.duration_s


def _person_line(video: Path, manifest: "Manifest", person: "PersonSeen") -> dict[str, object]:
    """One person as `analyze` prints it."""
    from streamer.bus.media import SCHEME

    labels = {question.question_id: question.label for question in manifest.questions}
    return {
        "video": str(video),
        "camera": manifest.camera_id,
        "person_id": person.person_id,
        "track_id": person.track_id,
        "first_seen_at": person.first_seen_at.isoformat(),
        "last_seen_at": person.last_seen_at.isoformat(),
        "caption": person.caption,
        "answers": {labels[asked]: probabilities for asked, probabilities in person.answers.items()},
        "reasons": {labels[asked]: reason for asked, reason in person.reasons.items()},
        "unmeasured": [labels[asked] for asked in person.unmeasured],
        "crops": [look.crop_uri.removeprefix(SCHEME) for look in person.looks],
    }


class Household:
    """All processes of one machine, and the settings they share.

    Raises:
        SettingsError: The settings cannot be read, or name something that nobody knows.
        DemoFootageError: The demo footage cannot be made.
    """

    def __init__(self, config: Path | None, *, demo: bool, once: bool) -> None:
        refuse_unknown(config)
        self._config, self._once = config.resolve() if config else None, once
        if demo:
            os.environ.update(_demo_environment(config))  # for the settings read below and for every child
        self.streamer = StreamerSettings.read(config)
        self.analyzer = AnalyzerSettings.read(config)
        self.indexer = IndexerSettings.read(config)
        self.page = PageSettings.read(config)
        self.notifier = NotifierSettings.read(config)
        self.logs = self.streamer.state.folder / "logs"

    @property
    def page_url(self) -> str:
        """Where the page is."""
        return f"http://{self.page.page.host}:{self.page.page.port}"

    def about_packs(self) -> list[str]:
        """Of each chosen question pack, how much of it can be answered."""
        from consumers.alerts.build import measured_by
        from consumers.packs.packs import coverage, read_packs

        models = measured_by(self.indexer)
        return [coverage(pack, models) for pack in read_packs(self.indexer.questions.packs)]

    def check(self) -> None:
        """Find now what would keep a process from starting, and say it before anything runs.

        Raises:
            One of `EXPECTED`, as the process itself would.
        """
        from consumers.access.binding import check_address
        from consumers.alerts.rules_file import read_rules
        from consumers.listening import listen
        from consumers.notifying.senders import senders_of
        from consumers.packs.packs import read_packs
        from model.detector_network import DetectorFolder
        from model.folders import checkpoint_folder
        from streamer.bus.broker import EmbeddedBroker
        from streamer.bus.camera_file import CameraFile
        from streamer.bus.media import MediaStore
        from streamer.process import feed_of, refuse_cameras_once

        refuse_cameras_once(self.streamer, once=self._once)
        if not self.streamer.sources and not CameraFile(self.streamer.cameras_path).read():
            origin = str(self._config or "crewsight.yaml")
            wanted = f"add files or folders, cameras to {self.streamer.cameras_path}, or start with --demo"
            raise SettingsError(origin, "sources", f"names no footage; {wanted}")
        for source in self.streamer.sources:
            feed_of(source, self.streamer.folders, once=self._once)
        MediaStore(self.streamer.media_url).check_writable()
        DetectorFolder.open(self.analyzer.detector.name)
        checkpoint_folder(self.analyzer.vlm.tower_name)
        if self.streamer.bus.embedded:
            EmbeddedBroker(self.streamer.bus.bootstrap_servers, self.logs / "tansu.log").refuse_busy_port()
        check_address(self.page)
        if self.page.rules_path.exists():
            read_rules(self.page.rules_path)
        read_packs(self.indexer.questions.packs)
        senders_of(self.notifier.notifying.channels)
        listen(self.page.page.host, self.page.page.port, setting="page", is_public=True).close()
        listen(self.indexer.search.host, self.indexer.search.port, setting="search").close()

    def children(self) -> Sequence["ChildSpec"]:
        """The processes, in the order in which they are started."""
        from operations.seeing.serving import metrics_port
        from operations.supervisor import ChildSpec

        def child(name: str, *words: str, **promises: Any) -> ChildSpec:
            chosen = ["--config", str(self._config)] if self._config else []
            command = [sys.executable, "-m", "crewsight", name, *words, *chosen]
            return ChildSpec(name, command, environment=metrics_port(self.streamer.metrics.port, name), **promises)

        return [
            # The broker binds its port or refuses at once; later it can only be killed.
            *([child("broker", refuses_within_s=3.0, stop_last=True)] if self.streamer.bus.embedded else []),
            child(
                "streamer",
                *(["--once"] if self._once else []),
                is_expected_to_end=self._once,
                again_with="broker",
            ),
            *(child(name) for name in ("analyzer", "indexer", "alerter", "notifier", "page")),
        ]


class Outlook:
    """What can be told of all processes at one moment: read from the ledger, the person table and the desk.

    Raises (every method): `LedgerError`, `PeopleTableError`, `DeskError`.
    """

    def __init__(self, household: Household) -> None:
        from consumers.alerts.outlook import DeskOutlook
        from consumers.indexer.people import PeopleReader
        from streamer.ledger import Ledger

        self._ledger = Ledger.open(household.streamer.state.folder)
        self._people = PeopleReader(household.indexer.database_url)
        self._desk = DeskOutlook(household.page.desk_url)
        self._last_entry = self._last_segment = self._last_rejection = self._last_person = 0
        self._waiting: dict[str, tuple[int, float]] = {}  # segment -> its file and its length in seconds
        self._settled: list[str] = []  # segments whose result is new in the table
        self._settled_count = 0
        self._analyzed_s: dict[int, float] = {}  # file -> seconds of it that are through

    def look(self, *, is_cut: bool) -> "Sighting":
        """How far each source is, and who came since the last look.

        Args:
            is_cut: Whether all footage is cut; then all is through once nothing of it waits.
        """
        from operations.watch import Sighting

        people, remarks = self._new_people(), self._new_remarks() + self._desk.new_alerts()
        self._settle()
        counts = self._people.counts()
        is_seen = is_cut and self._ledger.counts()[1] <= counts.rejections and not self._waiting
        is_through = is_seen and self._desk.has_decided(counts.segments)
        return Sighting(self._progress(), people, remarks, is_through=is_through)

    def summary(self) -> str:
        """What has been seen in all, in one line."""
        counts = self._people.counts()
        rejected = f", {counts.rejections} refused" if counts.rejections else ""
        alerts = f", {self._desk.alert_count} alerts" if self._desk.alert_count else ""
        return f"{self._settled_count} segments, {counts.chains} people in {counts.people} tracks{alerts}{rejected}."

    def _settle(self) -> None:
        for row, segment_id in self._people.segments_since(self._last_segment):
            self._last_segment = row
            self._settled.append(segment_id)
        # Read after the results: whatever has one was entered before. Live footage is not among it.
        for entry in self._ledger.entries(after=self._last_entry):
            self._last_entry = entry.sequence
            self._waiting[entry.segment_id] = (entry.file_id, entry.duration_s)
        for segment_id in self._settled:
            if segment_id in self._waiting:
                file_id, duration_s = self._waiting.pop(segment_id)
                self._analyzed_s[file_id] = self._analyzed_s.get(file_id, 0.0) + duration_s
        self._settled_count += len(self._settled)
        self._settled.clear()

    def _progress(self) -> "list[SourceProgress]":
        from operations.terminal import SourceProgress
        from streamer.pictures import is_picture

        progress: dict[str, SourceProgress] = {}
        for file in self._ledger.files():
            # A library has thousands of pictures: those of one source share a bar.
            kind = "pictures" if is_picture(Path(file.name)) else Path(file.name).name
            name, analyzed_s = f"{file.camera_id} {kind}", self._analyzed_s.get(file.file_id, 0.0)
            before = progress.get(name, SourceProgress(name, 0.0, None))
            lasts_s = file.duration_s if before.duration_s is None else before.duration_s + (file.duration_s or 0.0)
            progress[name] = SourceProgress(name, before.analyzed_s + analyzed_s, lasts_s)
        return list(progress.values())

    def _new_people(self) -> "list[PersonLine]":
        from operations.terminal import PersonLine

        labels = {question.question_id: question.label for question in self._people.questions()}
        people = sorted(self._people.newest(1000, after_id=self._last_person), key=lambda person: person.id)
        self._last_person = people[-1].id if people else self._last_person
        return [
            PersonLine(
                person.first_seen_at,
                person.camera_id,
                person.caption,
                {labels[asked]: max(said, key=said.__getitem__) for asked, said in person.answers.items()},
            )
            for person in people
        ]

    def _new_remarks(self) -> list[str]:
        remarks = []
        for row, rejected in self._people.rejections_since(self._last_rejection):
            self._last_rejection = row
            if rejected.segment_id:
                self._settled.append(rejected.segment_id)
            remarks.append(f"refused: {rejected.origin or rejected.source_topic}: {rejected.reason}")
        return remarks


def refuse_unknown(config: Path | None) -> None:
    """Refuse a group of the settings file that no process reads.

    Raises:
        SettingsError: There is one, or the file cannot be read.
    """
    refuse_unknown_groups(config, [StreamerSettings, AnalyzerSettings, IndexerSettings, PageSettings, NotifierSettings])


def _demo_environment(config: Path | None) -> dict[str, str]:
    """The settings of a demo: footage made now, and a state folder of its own beside the real one."""
    from consumers.alerts.example import example_rules
    from streamer.demo import demo_footage

    folder = StreamerSettings.read(config).state.folder / "demo"
    return {
        "CREWSIGHT_STATE__FOLDER": str(folder),
        "CREWSIGHT_MEDIA__URL": "",
        "CREWSIGHT_DATABASE__URL": "",
        "CREWSIGHT_ALERTS__DATABASE_URL": "",
        "CREWSIGHT_ALERTS__RULES": str(example_rules(folder)),
        "CREWSIGHT_SOURCES": json.dumps([{"camera": "demo", "file": str(demo_footage(folder))}]),
        "CREWSIGHT_PAGE__IS_DEMO": "true",
    }


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit status 1."""
    configure_logging()
    try:
        app()
    except EXPECTED as error:
        sys.stderr.write(f"crewsight: {error}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
