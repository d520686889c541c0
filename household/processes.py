"""All processes of one machine, and the settings they share."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumers.settings import AnalyzerSettings, IndexerSettings, NotifierSettings, PageSettings
from streamer.bus.errors import SettingsError
from streamer.bus.settings import refuse_unknown_groups
from streamer.settings import StreamerSettings

if TYPE_CHECKING:
    from operations.supervisor import ChildSpec

SOON_S = 5.0  # for which whoever starts or looks over all waits for a media store that does not answer


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
        return f"http://{self.page.page.address}"

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
        from consumers.listening import listen, listen_for_searches
        from consumers.notifying.senders import senders_of
        from consumers.packs.packs import read_packs
        from model.detector_network import DetectorFolder
        from model.folders import checkpoint_folder
        from streamer.bus.broker import EmbeddedBroker
        from streamer.bus.camera_file import CameraFile
        from streamer.bus.media_opening import open_media
        from streamer.process import feed_of, refuse_cameras_once

        refuse_cameras_once(self.streamer, once=self._once)
        if not self.streamer.sources and not CameraFile(self.streamer.cameras_path).read():
            origin = str(self._config or "crewsight.yaml")
            wanted = f"add files or folders, cameras to {self.streamer.cameras_path}, or start with --demo"
            raise SettingsError(origin, "sources", f"names no footage; {wanted}")
        for source in self.streamer.sources:
            feed_of(source, self.streamer.folders, once=self._once)
        open_media(self.streamer, patience_s=SOON_S).check_writable()
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
        search = self.indexer.search
        listen_for_searches(search.bound_host, search.port, token=search.shown_token).close()

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
