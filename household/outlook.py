"""What can be told of all processes at one moment: read from the ledger, the person table and the desk."""

from pathlib import Path
from typing import TYPE_CHECKING

from household.processes import Household

if TYPE_CHECKING:
    from operations.terminal import PersonLine, SourceProgress
    from operations.watch import Sighting


class Outlook:
    """What can be told of all processes at one moment: read from the ledger, the person table and the desk.

    Raises (every method but `look`): `LedgerError`, `PeopleTableError`, `DeskError`.
    """

    def __init__(self, household: Household) -> None:
        from consumers.alerts.outlook import DeskOutlook
        from consumers.indexer.people import PeopleReader
        from streamer.ledger import Ledger

        self._ledger = Ledger.open(household.streamer.state.folder)
        self._people = PeopleReader(household.indexer.database_url)
        self._desk = DeskOutlook(household.page.desk_url)
        self._last_entry = self._last_segment = self._last_rejection = self._last_person = 0
        self._people_untold: list[PersonLine] = []  # seen by a look that failed later on
        self._remarks_untold: list[str] = []
        self._is_blind = False
        self._waiting: dict[str, tuple[int, float]] = {}  # segment -> its file and its length in seconds
        self._settled: list[str] = []  # segments whose result is new in the table
        self._settled_count = 0
        self._analyzed_s: dict[int, float] = {}  # file -> seconds of it that are through

    def look(self, *, is_cut: bool) -> "Sighting":
        """How far each source is, and who came since the last look; nothing while one of the three cannot be read.

        Processes that lose a database are started again until it is back: its absence is said once, and ends nothing.

        Args:
            is_cut: Whether all footage is cut; then all is through once nothing of it waits.
        """
        from consumers.errors import DeskError, PeopleTableError
        from operations.watch import Sighting
        from streamer.errors import LedgerError

        try:
            sighting = self._look(is_cut=is_cut)
        except (LedgerError, PeopleTableError, DeskError) as error:
            was_blind, self._is_blind = self._is_blind, True
            said = " ".join(str(error).split())  # what a database says may be several lines
            return Sighting(remarks=() if was_blind else (f"who is seen cannot be shown for now: {said}",))
        self._is_blind = False
        self._people_untold, self._remarks_untold = [], []
        return sighting

    def _look(self, *, is_cut: bool) -> "Sighting":
        from operations.watch import Sighting

        self._people_untold += self._new_people()
        self._remarks_untold += self._new_remarks()
        self._remarks_untold += self._desk.new_alerts()
        self._settle()
        counts = self._people.counts()
        is_seen = is_cut and self._ledger.counts()[1] <= counts.rejections and not self._waiting
        is_through = is_seen and self._desk.has_decided(counts.segments)
        return Sighting(self._progress(), self._people_untold, self._remarks_untold, is_through=is_through)

    def saw_nothing(self) -> bool:
        """Whether all that there was to see has been refused."""
        counts = self._people.counts()
        return counts.rejections > 0 and counts.segments == 0

    def summary(self) -> str:
        """What has been seen in all, in one line."""
        counts = self._people.counts()
        rejected = f", {counts.rejections} refused" if counts.rejections else ""
        alerts = f", {self._desk.alert_count} alerts" if self._desk.alert_count else ""
        return f"{self._settled_count} segments, {counts.chains} people in {counts.people} tracks{alerts}{rejected}."

    def close(self) -> None:
        """Let go of the databases."""
        self._ledger.close()
        self._people.close()
        self._desk.close()

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

        people = sorted(self._people.newest(1000, after_id=self._last_person), key=lambda person: person.id)
        # Read after the people: what they were asked was entered with them or before.
        labels = {question.question_id: question.label for question in self._people.questions()}
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
