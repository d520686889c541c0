"""Why an alert came, or did not: every rule's verdict about one person, with the numbers that led there.

The looks are read again from the manifests and counted by the same state machine as in the alerter, a rule at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from consumers.alerts.deciding import CameraRules, Met, Raised, RuleState, States, follow
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.evidence import asked_of, counted_of, looks_of, verdict_of
from consumers.alerts.judging import Verdict
from consumers.alerts.observing import Look, OddManifestError, Piece, Source, instant, pieces_of
from consumers.alerts.reasons import because
from consumers.alerts.rules import IN_FORCE, Rule
from consumers.alerts.schema import AlertRecord, RuleRevisionRecord
from consumers.alerts.standing import RuleStanding, Standing
from consumers.errors import NotSeenError
from consumers.indexer.people import PeopleReader, Person
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri


class Outcome(StrEnum):
    """What a rule makes of a person."""

    ALERT = "alert"  # there is one on the desk
    WOULD = "would alert"  # met, and no alert: the sentence says why
    NONE = "no alert"
    NOT_WATCHED = "not watched"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One rule's verdict about one person."""

    rule_id: str
    title: str
    rule_revision: str
    status: str
    outcome: Outcome
    because: str  # in a sentence
    numbers: dict[str, Any]  # as an alert's: asked, needed, counted, and every look
    met_at: datetime | None
    alert_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recount:
    """A rule counted over all looks at a person: how far it came at its best, and where it was met."""

    looks: tuple[tuple[Source, Look, Verdict], ...]
    best: RuleState | None
    met: Met | None


class Explaining:
    """Answers *why* and *why not*.

    Raises (every method): `NotSeenError`, `PeopleTableError`, `DeskError`, `MediaStoreError`.
    """

    def __init__(self, people: PeopleReader, store: MediaStore, desk: DeskDatabase) -> None:
        """Ask these three."""
        self._people, self._store, self._desk = people, store, desk

    def person(self, person_id: str, standing: Standing) -> list[Explanation]:
        """Every rule's verdict about one person, over all of the chain they belong to."""
        person = self._people.person(person_id)
        if person is None:
            raise NotSeenError(person_id)
        chain = self._people.chain(person.chain_id)
        pieces = [piece for one in chain for piece in self._pieces(one)]
        return [self._explained(one, standing, person.camera_id, chain, pieces) for one in standing.rules]

    def moment(self, camera: str, at: datetime, standing: Standing) -> dict[str, list[Explanation]]:
        """The same for everyone whom a camera saw at an instant, by person id."""
        seen = self._people.seen_at(camera, at)
        if not seen:
            raise NotSeenError(f"camera {camera} at {at.isoformat()}")
        return {person.person_id: self.person(person.person_id, standing) for person in seen}

    def _pieces(self, person: Person) -> Iterator[Piece]:
        uri = manifest_uri(person.camera_id, person.segment_id, person.analysis_revision)
        try:
            manifest = Manifest.model_validate_json(self._store.read(uri))
            pieces = pieces_of(manifest, uri)
        except (ValidationError, OddManifestError) as error:
            raise MediaStoreError(uri, f"not a manifest that makes sense: {error}") from error
        return (piece for piece in pieces if piece.source.person_id == person.person_id)

    def _explained(
        self, one: RuleStanding, standing: Standing, camera: str, chain: Sequence[Person], pieces: Sequence[Piece]
    ) -> Explanation:
        rule = one.rule
        alerts = self._alerts(rule, chain)
        rules = CameraRules(standing.book, [rule], camera)
        count = recounted(rules, pieces)
        if alerts:
            outcome, sentence = Outcome.ALERT, because(rule, count.looks, count.best, count.met)
        elif not rules.watched:
            outcome, sentence = Outcome.NOT_WATCHED, f"it does not watch camera {camera}"
        elif count.met is None:
            outcome, sentence = Outcome.NONE, because(rule, count.looks, count.best, None)
        else:
            outcome = Outcome.WOULD
            sentence = f"{self._silence(one, camera, count.met)}; {because(rule, count.looks, count.best, count.met)}"
        return Explanation(
            rule_id=rule.id,
            title=rule.title,
            rule_revision=rule.revision,
            status=one.status,
            outcome=outcome,
            because=sentence,
            numbers={**asked_of(rule), **counted_of(count.best), "looks": _looks(rule, count)},
            met_at=instant(count.met.met_s) if count.met else None,
            alert_ids=tuple(alerts),
        )

    def _alerts(self, rule: Rule, chain: Sequence[Person]) -> list[str]:
        people = {person.person_id for person in chain}
        about = AlertRecord.chain_id.in_(people) | AlertRecord.person_id.in_(people)
        with self._desk.reading() as session:
            chosen = select(AlertRecord.alert_id).where(AlertRecord.rule_id == rule.id, about)
            return list(session.scalars(chosen.order_by(AlertRecord.id)))

    def _silence(self, one: RuleStanding, camera: str, met: Met) -> str:
        """Why a rule that is met has raised no alert."""
        rule, met_at = one.rule, instant(met.met_s)
        if one.status != IN_FORCE:
            return f"it is a draft, because {one.why_draft}"
        quiet = timedelta(seconds=rule.cooldown.seconds)
        near = select(AlertRecord.met_at).where(
            AlertRecord.rule_revision == rule.revision,
            AlertRecord.camera_id == camera,
            AlertRecord.met_at > met_at - quiet,
            AlertRecord.met_at < met_at + quiet,
        )
        with self._desk.reading() as session:
            since = session.get(RuleRevisionRecord, rule.revision)
            before = session.scalar(near) if rule.cooldown.per == "camera" else None
        if before is not None:
            return f"the camera had an alert of this rule at {before:%H:%M:%S} (UTC), and its cooldown is not over"
        if since is None:
            return "the rule was changed, and the alerter has seen no footage since"
        return f"the rule in this form is in force since {since.first_seen_at:%Y-%m-%d %H:%M:%S} (UTC)"


def recounted(rules: CameraRules, pieces: Sequence[Piece]) -> Recount:
    """One rule counted over the looks at one person, in order of time. Pure.

    Args:
        rules: Only that rule, or none if it does not watch the camera.
        pieces: The looks.
    """
    watched = rules.watched[0] if rules.watched else None
    states: States = {}
    raised = Raised({}, {})
    best: RuleState | None = None
    met: Met | None = None
    looks = []
    ordered = sorted(pieces, key=lambda piece: piece.began_at_s)
    for source, look in ((piece.source, look) for piece in ordered for look in piece.looks):
        if watched is None:
            break
        found = follow(rules, states, [look], raised)
        met = met or (found[0] if found else None)
        looks.append((source, look, watched.holds(look) or verdict_of(watched.rule, look)))
        state = states.get(watched.revision)
        if state is not None and (best is None or state.breach_s >= best.breach_s):
            best = replace(state)
    return Recount(tuple(looks), met.state if met else best, met)


def _looks(rule: Rule, count: Recount) -> list[dict[str, Any]]:
    shown = looks_of(rule, ((source, look) for source, look, _ in count.looks))
    return [{**one, "verdict": verdict.value} for one, (_, _, verdict) in zip(shown, count.looks, strict=True)]
