"""Timelines of people in the words of the rules, for tests of the alert desk; and real manifests that say the same."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from consumers.alerts.chains import CameraMemory, Decided, Entered
from consumers.alerts.deciding import CameraRules
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.measured import MeasuredModel, MeasuredModels
from consumers.alerts.observing import Look, Piece, Source
from consumers.alerts.rules import Rule, RuleBook
from consumers.alerts.rules_file import RulesWatch
from consumers.alerts.schema import AlertRecord
from consumers.alerts.standing import RulesInForce, Standing, standing_of
from model.questions import CANNOT_TELL, TOO_SMALL, Question
from streamer.bus.client import Received
from streamer.bus.identity import person_id, track_id
from streamer.bus.manifest import Manifest, PersonSeen
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import AskedQuestion, SegmentAnalyzed, SegmentReady
from tests.builders_consumers import Box, a_manifest, a_segment, walking

VEST = Question("predicate", "Is this person wearing a safety vest?")
HAT = Question("predicate", "Is this person wearing a hard hat?")
HATLESS = {"text": HAT.text, "given": ["no"]}  # a condition: in a timeline of hats, B holds and C does not
MEASURED = MeasuredModels(MeasuredModel("embedded", (VEST, HAT)))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
BOX: Box = (100.0, 100.0, 150.0, 250.0)
SAID: Mapping[str, Mapping[str, float] | None] = {
    "B": {"yes": 0.05, "no": 0.9, CANNOT_TELL: 0.05},  # breach
    "C": {"yes": 0.92, "no": 0.05, CANNOT_TELL: 0.03},  # complies
    "?": {"yes": 0.05, "no": 0.05, CANNOT_TELL: 0.9},  # cannot tell
    "u": {"yes": 0.45, "no": 0.5, CANNOT_TELL: 0.05},  # unsure
    "-": None,  # not asked
}


def a_rule(rule_id: str = "vest", **changed: object) -> Rule:
    """The vest rule: 70% of looks for two seconds, five minutes quiet afterwards."""
    stated = {
        "id": rule_id,
        "title": "Nobody without a safety vest",
        "question": {"text": VEST.text, "complying": ["yes"]},
        "status": "in force",
    }
    return Rule.model_validate({**stated, **changed})


def a_standing(*rules: Rule, groups: Mapping[str, Sequence[str]] | None = None) -> Standing:
    """These rules with a model that was measured on vests and hard hats."""
    book = RuleBook.model_validate({"camera_groups": dict(groups or {}), "rules": [r.model_dump() for r in rules]})
    return standing_of(book, MEASURED)


def camera_rules(*rules: Rule, camera: str = "gate", groups: Mapping[str, Sequence[str]] | None = None) -> CameraRules:
    """These rules as they are applied to a camera."""
    standing = a_standing(*rules, groups=groups)
    return CameraRules(standing.book, [one.rule for one in standing.rules], camera)


def looks(
    timeline: str,
    *,
    begin_s: float = 0.0,
    every_s: float = 1.0,
    foot: tuple[float, float] = (0.5, 0.9),
    hats: str = "",
) -> tuple[Look, ...]:
    """One look for each letter of a timeline (see `SAID`; a blank is a look that never was), a second apart.

    `hats`: as many letters that say the same of a hard hat; none: it was not asked for.
    """
    made = []
    for position, letter in enumerate(timeline):
        if letter == " ":
            continue
        at_s = NOON.timestamp() + begin_s + position * every_s
        told = {VEST.question_id: SAID[letter], HAT.question_id: SAID[hats[position] if hats else "-"]}
        made.append(
            Look(
                at_s=at_s,
                from_s=at_s,
                until_s=at_s + every_s,
                seconds=every_s,
                x=foot[0],
                y=foot[1],
                position=len(made),
                box_xyxy=BOX,
                crop_uri=f"media:///crops/gate/{begin_s:g}-{position}.jpg",
                answers={name: said for name, said in told.items() if said is not None},
                reasons={VEST.question_id: TOO_SMALL} if letter == "?" else {},
            )
        )
    return tuple(made)


def a_piece(
    person: str, timeline: str, *, begin_s: float = 0.0, camera: str = "gate", every_s: float = 1.0, hats: str = ""
) -> Piece:
    """The looks at one person in one segment."""
    source = Source(
        person_id=person,
        track_id=f"{person}/1",
        camera_id=camera,
        segment_id=f"segment-of-{person}",
        segment_uri=f"media:///media/{camera}/2026-03-02/{person}.mp4",
        started_at_s=NOON.timestamp() + begin_s,
        manifest_uri=f"media:///results/{camera}/{person}.r1.json",
        frame_size_wh=(640, 480),
        answer_revision="a",
    )
    return Piece(source, looks(timeline, begin_s=begin_s, every_s=every_s, hats=hats))


class Watching:
    """One camera, whose segments each hold some people; segments may come in any order."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = camera_rules(*rules)
        self.memory = CameraMemory("gate")
        self.decided: list[Decided] = []
        self._entered: set[str] = set()
        self._links: dict[str, str] = {}

    def link(self, later: str, earlier: str) -> None:
        """Say that two tracks are one person's."""
        self._links[later] = earlier

    def enter(self, *pieces: Piece) -> Entered:
        """A segment comes; links to segments that have come are told in both directions, as the stage does."""
        names = {piece.source.person_id for piece in pieces}
        back = {name: self._links[name] for name in names if self._links.get(name) in self._entered}
        forward = {
            later: earlier for later, earlier in self._links.items() if earlier in names and later in self._entered
        }
        entered = self.memory.enter(pieces, back, forward, self.rules)
        self.decided += entered.decided
        self._entered |= names
        return entered

    def met_after_s(self) -> list[float]:
        """When alerts were met, seconds after noon."""
        return [round(one.met.met_s - NOON.timestamp(), 3) for one in self.decided]


def raised(rule: Rule, timeline: str, hats: str = "") -> list[float]:
    """When a rule is met over one person's timeline, seconds after its begin."""
    watching = Watching(rule)
    watching.enter(a_piece("p", timeline, hats=hats))
    return watching.met_after_s()


# Real manifests, for the stage and everything behind it.


def seen_by(segment: SegmentReady, ordinal: int, timeline: str, *, revision: str = "r1") -> PersonSeen:
    """Someone who stands still, with a look a second that says what the letters of a timeline mean."""
    person = walking(
        segment, ordinal, [(i / 5, _shifted(ordinal)) for i in range(len(timeline) * 5)], revision=revision
    )
    letters = [(i, letter) for i, letter in enumerate(timeline) if letter != " "]
    made = [
        person.looks[0].model_copy(
            update={
                "at": segment.started_at + timedelta(seconds=i + 0.4),
                "at_s": i + 0.4,
                "box_xyxy": _shifted(ordinal),
                "answers": {VEST.question_id: dict(SAID[letter] or {})} if SAID[letter] else {},
            }
        )
        for i, letter in letters
    ]
    return person.model_copy(update={"looks": tuple(made)})


def _shifted(ordinal: int) -> Box:
    left, top, right, bottom = BOX
    return left + 100 * (ordinal - 1), top, right + 100 * (ordinal - 1), bottom


def a_result(
    name: str,
    *timelines: str,
    number: int = 0,
    camera: str = "gate",
    began_at: datetime = NOON,
    previous: str | None = None,
) -> Manifest:
    """The result of the `number`-th ten seconds of a camera, with one person a timeline, each in their own place."""
    segment = a_segment(name, camera_id=camera, started_at=began_at + timedelta(seconds=10 * number), previous=previous)
    manifest = a_manifest(segment, [seen_by(segment, i + 1, timeline) for i, timeline in enumerate(timelines)])
    asked = AskedQuestion(question_id=VEST.question_id, kind=VEST.kind, text=VEST.text, answers=VEST.answers)
    return manifest.model_copy(update={"questions": (asked,)})


def _of_hats(letter: str) -> dict[str, dict[str, float]]:
    said = SAID[letter]
    return {} if said is None else {HAT.question_id: dict(said)}


def also_of_hats(manifest: Manifest, *timelines: str) -> Manifest:
    """The result with answers about hard hats too: a timeline a person, a letter a look."""
    people = [
        person.model_copy(
            update={
                "looks": tuple(
                    look.model_copy(update={"answers": {**look.answers, **_of_hats(letter)}})
                    for look, letter in zip(person.looks, timeline, strict=True)
                )
            }
        )
        for person, timeline in zip(manifest.people, timelines, strict=True)
    ]
    asked = AskedQuestion(question_id=HAT.question_id, kind=HAT.kind, text=HAT.text, answers=HAT.answers)
    return manifest.model_copy(update={"people": tuple(people), "questions": (*manifest.questions, asked)})


def person_of(manifest: Manifest, ordinal: int) -> str:
    """The id of one of a result's people."""
    return person_id(track_id(manifest.segment_id, ordinal), manifest.analysis_revision)


def stored(store: MediaStore, manifest: Manifest) -> SegmentAnalyzed:
    """The message about a result that is put into a media store."""
    uri = manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision)
    store.write(uri, manifest.model_dump_json().encode())
    return SegmentAnalyzed(
        segment_id=manifest.segment_id,
        previous_segment_id=manifest.previous_segment_id,
        camera_id=manifest.camera_id,
        analysis_revision=manifest.analysis_revision,
        manifest_uri=uri,
        person_count=len(manifest.people),
    )


def received(
    message: SegmentAnalyzed, offset: int, *, partition: int = 0, incarnation: str = "i1"
) -> Received[SegmentAnalyzed]:
    """A message as it comes from the topic `people`."""
    original = message.model_dump_json().encode()
    return Received("people", partition, offset, incarnation, message, original)


class FixedRules(RulesInForce):
    """Rules that a test changes without a file."""

    def __init__(self, *rules: Rule) -> None:
        measured = MeasuredModel("embedded", tuple({clause.asked for rule in rules for clause in rule.clauses}))
        super().__init__(RulesWatch(Path("nowhere")), MeasuredModels(measured))
        self.standing = standing_of(RuleBook(rules=rules), MeasuredModels(measured))

    def look(self) -> Standing:
        return self.standing


def alerts_on(desk: DeskDatabase) -> list[AlertRecord]:
    """Every alert, in order of arrival."""
    with desk.reading() as session:
        return list(session.scalars(select(AlertRecord).order_by(AlertRecord.id)))
