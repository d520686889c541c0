"""Alerts as the alerter writes them, over the people of `tests.builders_web`."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from consumers.alerts.asking_again import AskingAgain
from consumers.alerts.deciding import RuleState
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.evidence import asked_of, counted_of
from consumers.alerts.explaining import Explaining
from consumers.alerts.measured import measured_models
from consumers.alerts.rules import Rule
from consumers.alerts.schema import ALERTER, AlertRecord, EvidenceRecord, HistoryRecord, RuleRevisionRecord
from consumers.alerts.standing import Standing
from consumers.alerts.trying import Trial, try_rules
from consumers.indexer.people import PeopleReader
from consumers.web.api import create_api
from consumers.web.cameras.cameras_desk import Watched
from consumers.web.cameras.hearing import Heard, Reports
from consumers.web.desk import Search
from consumers.web.rules.rules_desk import Progress, RulesDesk, Stretch
from consumers.web.system.system_desk import Installation
from streamer.bus.camera_file import CameraFile
from streamer.bus.client import Bus
from streamer.bus.manifest import Manifest, PersonSeen
from streamer.bus.media import MediaStore, manifest_uri
from tests.builders_web import HAT, VEST

HAT_RULE = Rule.model_validate(
    {
        "id": "hard-hat",
        "title": "No hard hat",
        "question": {"kind": "predicate", "text": HAT.text, "complying": ["yes"]},
        "severity": "high",
        "status": "in force",
    }
)
VEST_RULE = Rule.model_validate(
    {
        "id": "vest",
        "title": "No safety vest",
        "question": {"kind": "predicate", "text": VEST.text, "complying": ["yes"]},
        "severity": "medium",
        "status": "in force",
    }
)


RULES_YAML = f"""# Rules of the North Yard.
rules:
  - id: hard-hat
    title: No hard hat
    question:
      text: {HAT.text}
      complying: [yes]
    severity: high
    status: in force
  - id: vest  # tried since March
    title: No safety vest
    question:
      text: {VEST.text}
      complying: [yes]
    persistence: {{share: 0.5, seconds: 0}}
  - id: gloves
    title: No gloves at the press
    question:
      text: Is this person wearing gloves?
      complying: [yes]
    severity: low
    status: in force
"""


def rules_desk(folder: Path, people: PeopleReader, media: MediaStore, desk: DeskDatabase) -> RulesDesk:
    """The rules of `rules.yaml` in a folder, held against the embedded model, tried on what `media` holds."""

    def try_on(
        tried: Standing, in_force: Standing, on: Stretch, progress: Progress, is_stopping: Callable[[], bool]
    ) -> Trial:
        return try_rules(
            tried,
            in_force,
            people=people,
            store=media,
            asking=AskingAgain(media),
            since=on.since,
            until=on.until,
            cameras=on.cameras,
            on_progress=progress,
            is_stopping=is_stopping,
        )

    return RulesDesk(folder / "rules.yaml", measured_models("embedded"), try_on, Explaining(people, media, desk))


class Silent:
    """Streamers that a test does not have: no broker, and no report."""

    is_bus_there = False

    def heard(self) -> tuple[Heard, ...]:
        return ()


def watched(folder: Path, reports: Reports | None = None) -> Watched:
    """The cameras of `cameras.yaml` in a folder."""
    return Watched(CameraFile(folder / "cameras.yaml"), reports or Silent())


def installation(folder: Path, broker: str = "127.0.0.1:9") -> Installation:
    """What the page is told of an installation whose state is in a folder; nobody listens at port 9."""
    return Installation(
        folder, broker, str(folder / "media"), None, 90.0, (), bus=lambda: Bus(broker, partitions=1, timeout_s=2)
    )


def api_over(search: Search, people: PeopleReader, media: MediaStore, desk: DeskDatabase, folder: Path) -> FastAPI:
    """The API, its rules in `folder`."""
    rules = rules_desk(folder, people, media, desk)
    return create_api(search, people, media, desk, rules, watched(folder), installation(folder))


def enter_alert(
    desk: DeskDatabase,
    manifest: Manifest,
    person: int = 0,
    *,
    rule: Rule = HAT_RULE,
    severity: str | None = None,
    episode: int = 1,
    raised_at: datetime | None = None,
) -> str:
    """Raise an alert about one person of a segment, as the alerter would; returns its id."""
    with desk.writing() as session:
        if session.get(RuleRevisionRecord, rule.revision) is None:
            first_seen_at = raised_at or datetime.now(UTC)
            session.add(
                RuleRevisionRecord(
                    revision=rule.revision,
                    rule_id=rule.id,
                    first_seen_at=first_seen_at,
                    rule=rule.model_dump(mode="json"),
                )
            )
        return _enter(session, manifest, person, rule, severity or rule.severity, episode, raised_at)


def _enter(
    session: Session,
    manifest: Manifest,
    person: int,
    rule: Rule,
    severity: str,
    episode: int,
    raised_at: datetime | None,
) -> str:
    seen = manifest.people[person]
    look = seen.looks[0]
    alert_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{rule.id}/{rule.revision}/{seen.person_id}/{episode}"))
    met_at = raised_at or look.at + timedelta(seconds=1)
    session.add(
        AlertRecord(
            alert_id=alert_id,
            rule_id=rule.id,
            rule_revision=rule.revision,
            title=rule.title,
            severity=severity,
            camera_id=manifest.camera_id,
            chain_id=seen.person_id,
            episode=episode,
            person_id=seen.person_id,
            track_id=seen.track_id,
            segment_id=manifest.segment_id,
            segment_uri=manifest.segment_uri,
            segment_started_at=manifest.started_at,
            manifest_uri=manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision),
            crop_uri=look.crop_uri,
            box_xyxy=list(look.box_xyxy),
            frame_size_wh=[manifest.width_px, manifest.height_px],
            look_at_s=look.at_s,
            began_at=seen.first_seen_at,
            met_at=met_at,
            raised_at=raised_at or met_at,
            answers={question: dict(said) for question, said in look.answers.items()},
            numbers=_numbers(rule, manifest, seen),
            is_sent=True,
            version=1,
        )
    )
    session.flush()
    session.add(HistoryRecord(alert_id=alert_id, at=raised_at or met_at, who=ALERTER, action="raised", version=1))
    return alert_id


def _numbers(rule: Rule, manifest: Manifest, seen: PersonSeen) -> dict[str, object]:
    """What the alerter keeps of two breaches in a row."""
    answers = seen.looks[0].answers
    probabilities = dict(answers.get(rule.question.asked.question_id, {}))
    held = [
        {"verdict": "holds", "probabilities": dict(answers.get(one.question_id, {})), "reason": None}
        for one in rule.only_if
    ]
    looks = [
        {
            "person_id": seen.person_id,
            "segment_id": manifest.segment_id,
            "position": position,
            "at": (seen.looks[0].at + timedelta(seconds=position)).isoformat(),
            "seconds": 1.0,
            "foot": [0.5, 0.5],
            "crop_uri": seen.looks[0].crop_uri,
            "verdict": "breach",
            "probabilities": probabilities,
            "reason": None,
            **({"only_if": held} if held else {}),
        }
        for position in range(2)
    ]
    state = RuleState(0.0, 1.0, breach_looks=2, answered_looks=2, breach_s=2.1)
    return {
        **asked_of(rule),
        **counted_of(state),
        "answer_revision": manifest.revisions.answer,
        "looks": looks,
    }


def enter_many(desk: DeskDatabase, manifest: Manifest, number: int, rules: Mapping[Rule, str]) -> None:
    """Raise many alerts about the first person of a segment, spread over the rules and their severities."""
    kinds = list(rules.items())
    now = datetime.now(UTC)
    with desk.writing() as session:
        for rule in rules:
            if session.scalar(select(RuleRevisionRecord).where(RuleRevisionRecord.revision == rule.revision)) is None:
                told = rule.model_dump(mode="json")
                session.add(RuleRevisionRecord(revision=rule.revision, rule_id=rule.id, first_seen_at=now, rule=told))
        session.flush()
        for episode in range(number):
            rule, severity = kinds[episode % len(kinds)]
            raised_at = now - timedelta(seconds=20 * (number - episode))
            _enter(session, manifest, 0, rule, severity, 10 + episode, raised_at)


def enter_evidence(desk: DeskDatabase, alert_id: str, kind: str, uri: str) -> None:
    """Say that a copy was made."""
    with desk.writing() as session:
        session.add(
            EvidenceRecord(
                alert_id=alert_id, kind=kind, uri=uri, sha256="0" * 64, size_bytes=1, copied_at=datetime.now(UTC)
            )
        )
