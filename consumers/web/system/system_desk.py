"""The system for whoever looks after it: how it stands, what is wrong and what to do, and the dead letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from consumers.access.access import Access
from consumers.errors import PeopleTableError
from consumers.indexer.dead_letters import DeadLetter, DeadLetters
from consumers.indexer.people import PeopleTable
from consumers.indexer.people_reader import PeopleReader
from consumers.web.cameras.cameras_desk import CamerasDesk
from consumers.web.cameras.shapes import WatchedCamerasShape
from consumers.web.system.findings import ORDER, findings
from consumers.web.system.looking import Processes
from consumers.web.system.shapes import DeadLetterShape, SystemShape
from consumers.web.system.shaping import (
    shape_dead_letter,
    shape_disks,
    shape_lags,
    shape_legs,
    shape_processes,
)
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore

AT_MOST = 200  # dead letters in one list


@dataclass(frozen=True, slots=True)
class Installation:
    """What the page is told of the installation once, when it starts."""

    state_folder: Path
    broker: str
    media: str
    keep_people_days: float | None
    keep_evidence_days: float | None
    processes: tuple[str, ...]
    """Those of other machines, `JOB=HOST:PORT`."""
    bus: Callable[[], Bus]
    """A way to the broker, to be closed by whoever asked for it."""


class SystemDesk:
    """Everything about the system; safe to share between threads.

    Raises (every method but `stands`): `PeopleTableError` when the person table cannot be read.
    """

    def __init__(
        self, installation: Installation, cameras: CamerasDesk, people: PeopleReader, media: MediaStore, access: Access
    ) -> None:
        """Answer from these; what is done to dead letters goes into the log of `access`."""
        self._installation, self._cameras, self._people, self._access = installation, cameras, people, access
        self._processes = Processes(installation.state_folder, installation.processes)
        self._letters = DeadLetters(PeopleTable(people.database_url), media)

    def stands(self) -> SystemShape:
        """How everything stands; what cannot be read is told, and never raised."""
        look, told = self._processes.look(), self._installation
        cameras, is_there, number, models = self._known()
        processes, lags, disks = shape_processes(look), shape_lags(look), shape_disks(look)
        found = findings(processes, lags, disks, cameras, is_bus_there=is_there, open_dead_letters=number)
        return SystemShape(
            at=datetime.now(UTC),
            version=version("crewsight"),
            level=min((one.level for one in found), key=ORDER.index, default="good"),
            findings=found,
            processes=processes,
            lags=lags,
            legs=shape_legs(look),
            disks=disks,
            broker=told.broker,
            is_bus_there=is_there,
            media=told.media,
            models=models,
            keep_people_days=told.keep_people_days,
            keep_evidence_days=told.keep_evidence_days,
            open_dead_letters=number,
        )

    def dead_letters(self, *, with_handled: bool = False) -> tuple[DeadLetterShape, ...]:
        """The dead letters that nobody did anything about, or all; newest first."""
        found: Sequence[DeadLetter] = self._letters.listing(with_handled=with_handled, at_most=AT_MOST)
        return tuple(shape_dead_letter(letter) for letter in reversed(found))

    def replay(self, rejected_id: str, *, by: str, is_again: bool = False) -> DeadLetterShape:
        """Put a dead letter back on its topic.

        Raises:
            DeadLetterError: it cannot be, or was handled before.
            BrokerUnreachableError: no broker answers.
            DeskError: the log cannot be written.
        """
        bus = self._installation.bus()
        try:
            letter = self._letters.replay(rejected_id, bus, who=by, at=datetime.now(UTC), again=is_again)
        finally:
            bus.close()
        self._access.log(by, "replay dead letter", letter.rejected.rejected_id)
        return shape_dead_letter(letter)

    def drop(self, rejected_id: str, *, by: str) -> DeadLetterShape:
        """Give a dead letter up; who did so is kept.

        Raises:
            DeadLetterError: there is none, or it was handled before.
            DeskError: the log cannot be written.
        """
        letter = self._letters.drop(rejected_id, who=by, at=datetime.now(UTC))
        self._access.log(by, "drop dead letter", letter.rejected.rejected_id)
        return shape_dead_letter(letter)

    def _known(self) -> tuple[WatchedCamerasShape | None, bool, int, dict[str, str]]:
        """Cameras, whether the broker answers, open dead letters, models."""
        try:
            cameras = self._cameras.cameras()
            newest = self._people.newest(1)
            number = self._letters.open_count(at_most=AT_MOST)
        except PeopleTableError:
            return None, self._cameras.is_bus_there, 0, {}
        return cameras, cameras.is_bus_there, number, dict(newest[0].revisions) if newest else {}
