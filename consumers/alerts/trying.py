"""Tries rules on stored footage: what they would have raised, beside what the rules in force raise on it."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import ValidationError

from consumers.alerts.asking_again import AskedAgain
from consumers.alerts.borders import border_of, linked
from consumers.alerts.chains import CameraMemory, Decided
from consumers.alerts.deciding import CameraRules
from consumers.alerts.evidence import best_look, numbers_of
from consumers.alerts.observing import OddManifestError, instant, pieces_of
from consumers.alerts.rules import Rule, RuleBook
from consumers.alerts.standing import RuleStanding, Standing
from consumers.indexer.people import PeopleReader, SegmentSeen
from model.errors import WaitAbandonedError
from model.questions import Question
from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore

BORDERS_KEPT = 3


class Asking(Protocol):
    """Asks about stored looks; `consumers.alerts.asking_again` does."""

    def ask(self, manifest: Manifest, questions: Sequence[Question]) -> AskedAgain:
        """What is said of every look of a segment."""


@dataclass(frozen=True, slots=True)
class WouldRaise:
    """An alert that a rule would have raised."""

    met_at: datetime
    camera_id: str
    chain_id: str
    person_id: str
    segment_id: str
    crop_uri: str
    numbers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What one rule makes of the footage."""

    rule_id: str
    title: str
    severity: str
    status: str  # what the rule would be: draft or in force
    why_draft: str | None
    cannot_tell_why: str | None
    alerts: tuple[WouldRaise, ...]

    @property
    def per_hour(self) -> dict[datetime, int]:
        """Alerts by the hour (UTC) in which they were met."""
        return dict(sorted(Counter(_hour(alert.met_at) for alert in self.alerts).items()))


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules make of a stretch of footage, beside the rules in force."""

    since: datetime
    until: datetime
    cameras: tuple[str, ...]
    segments: int
    segments_gone: int  # their manifests are not there any more
    hours: float  # of footage
    people: int  # tracks
    looks: int
    looks_asked_again: int
    tried: tuple[RuleTrial, ...]
    in_force: tuple[RuleTrial, ...]

    def beside(self, rule_id: str) -> RuleTrial | None:
        """The rule in force of the same id."""
        return next((one for one in self.in_force if one.rule_id == rule_id), None)


@dataclass(slots=True)
class _Tally:
    """What has come out so far."""

    segments: int = 0
    gone: int = 0
    seconds: float = 0.0
    people: int = 0
    looks: int = 0
    asked_again: int = 0
    cameras: set[str] = field(default_factory=set)


def try_rules(
    tried: Standing,
    in_force: Standing,
    *,
    people: PeopleReader,
    store: MediaStore,
    asking: Asking,
    since: datetime,
    until: datetime,
    cameras: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda *_: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Trial:
    """Replay every rule of `tried`, drafts too, over what is stored, and the rules in force beside them.

    Args:
        tried: The rules to try.
        in_force: Those in force now.
        people: Tells which segments there are.
        store: Where manifests and crops lie.
        asking: Asks about looks that were not asked at the time.
        since: Footage from here on.
        until: And before this.
        cameras: Only these; none for all.
        on_progress: Told how many segments are through, of how many.
        is_stopping: When true, what has been found so far is the result.

    Raises:
        PeopleTableError: The person table cannot be read.
        MediaStoreError: The media store cannot be read.
        ModelError: A question is new, and the model does not open or its server refuses to be asked.
    """
    segments = people.segments(since=since, until=until, cameras=cameras)
    count = people.segment_count(since=since, until=until, cameras=cameras)
    replay = _Replay(store, asking, [_Side.of(tried, with_drafts=True), _Side.of(in_force, with_drafts=False)])
    for done, segment in enumerate(segments):
        if is_stopping():
            break
        try:
            replay.take(segment)
        except WaitAbandonedError:
            break
        on_progress(done + 1, max(done + 1, count))  # more may be analyzed meanwhile
    tally = replay.tally
    return Trial(
        since=since,
        until=until,
        cameras=tuple(sorted(tally.cameras)),
        segments=tally.segments,
        segments_gone=tally.gone,
        hours=tally.seconds / 3600,
        people=tally.people,
        looks=tally.looks,
        looks_asked_again=tally.asked_again,
        tried=replay.sides[0].trials(tried.rules),
        in_force=replay.sides[1].trials([one for one in in_force.rules if one.status == "in force"]),
    )


@dataclass(slots=True)
class _Side:
    """One set of rules and what it has met, with a memory of its own."""

    book: RuleBook
    rules: tuple[Rule, ...]
    memories: dict[str, tuple[CameraMemory, CameraRules]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)

    @classmethod
    def of(cls, standing: Standing, *, with_drafts: bool) -> "_Side":
        rules = tuple(one.rule for one in standing.rules) if with_drafts else standing.in_force
        return cls(standing.book, rules)

    @property
    def questions(self) -> Iterable[Question]:
        return (clause.asked for rule in self.rules for clause in rule.clauses)

    def memory(self, camera_id: str) -> tuple[CameraMemory, CameraRules]:
        if camera_id not in self.memories:
            self.memories[camera_id] = CameraMemory(camera_id), CameraRules(self.book, self.rules, camera_id)
        return self.memories[camera_id]

    def trials(self, rules: Sequence[RuleStanding]) -> tuple[RuleTrial, ...]:
        return tuple(
            RuleTrial(
                rule_id=one.rule.id,
                title=one.rule.title,
                severity=one.rule.severity,
                status=one.status,
                why_draft=one.why_draft,
                cannot_tell_why=one.cannot_tell_why,
                alerts=tuple(_would(found) for found in self.decided if found.met.rule.id == one.rule.id),
            )
            for one in rules
        )


class _Replay:
    """Takes segments in order of time and counts them for every side."""

    def __init__(self, store: MediaStore, asking: Asking, sides: Sequence[_Side]) -> None:
        self._store, self._asking, self.sides = store, asking, sides
        self._borders: dict[str, OrderedDict[str, Manifest]] = {}
        self.tally = _Tally()
        asked = {question.question_id: question for side in sides for question in side.questions}
        self._questions = tuple(asked.values())

    def take(self, segment: SegmentSeen) -> None:
        """Count one segment."""
        try:
            manifest = self._answered(Manifest.model_validate_json(self._store.read(segment.manifest_uri)))
            pieces = pieces_of(manifest, segment.manifest_uri)
        except MediaStoreAwayError:
            raise
        except (ValidationError, OddManifestError, MediaStoreError):
            self.tally.gone += 1
            return
        borders = self._borders.setdefault(manifest.camera_id, OrderedDict())
        border = border_of(manifest)
        before = borders.get(manifest.previous_segment_id or "")
        back = linked(before, border) if before else {}
        for side in self.sides:
            memory, rules = side.memory(manifest.camera_id)
            side.decided.extend(memory.enter(pieces, back, {}, rules).decided)
        borders[manifest.segment_id] = border
        if len(borders) > BORDERS_KEPT:
            borders.popitem(last=False)
        self._count(manifest)

    def _answered(self, manifest: Manifest) -> Manifest:
        """The manifest with answers to every question; what was not asked at the time is asked now."""
        asked = {question.question_id for question in manifest.questions}
        watched = {q for side in self.sides for q in side.memory(manifest.camera_id)[1].questions}
        new = [q for q in self._questions if q.question_id in watched - asked]
        if not new or not any(person.looks for person in manifest.people):
            return manifest
        said = self._asking.ask(manifest, new)
        self.tally.asked_again += len(said)
        people = [
            person.model_copy(
                update={
                    "looks": tuple(
                        look.model_copy(update={"answers": {**look.answers, **said.get((person.person_id, i), {})}})
                        for i, look in enumerate(person.looks)
                    )
                }
            )
            for person in manifest.people
        ]
        return manifest.model_copy(update={"people": tuple(people)})

    def _count(self, manifest: Manifest) -> None:
        self.tally.segments += 1
        self.tally.seconds += manifest.duration_s
        self.tally.people += len(manifest.people)
        self.tally.looks += sum(len(person.looks) for person in manifest.people)
        self.tally.cameras.add(manifest.camera_id)


def _would(decided: Decided) -> WouldRaise:
    source, look = best_look(decided)
    return WouldRaise(
        met_at=instant(decided.met.met_s),
        camera_id=source.camera_id,
        chain_id=decided.chain_id,
        person_id=source.person_id,
        segment_id=source.segment_id,
        crop_uri=look.crop_uri,
        numbers=numbers_of(decided),
    )


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
