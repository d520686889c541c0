"""What a batch of segments adds to the desk, gathered and then written within one transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from consumers.alerts.chains import CameraMemory, Chain, Decided, Entered
from consumers.alerts.evidence import alert_id, answers_of, best_look, numbers_of
from consumers.alerts.observing import instant
from consumers.alerts.remembering import dump_chain, load_chain
from consumers.alerts.rules import Rule
from consumers.alerts.schema import (
    ALERTER,
    OPEN,
    RAISED,
    AlertRecord,
    CameraStateRecord,
    HistoryRecord,
    OutboxRecord,
    RuleRevisionRecord,
    RuleStateRecord,
    SeenSegmentRecord,
)
from streamer.bus.manifest import Manifest

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # when a telling falls due: at once, however wrong our own clock is
AT_ONCE = 500  # values in one statement
SEEN_FOR = timedelta(days=30)  # a segment delivered again after that is counted again, under the same alert ids


@dataclass(slots=True)
class Additions:
    """What is to be written."""

    decided: list[Decided] = field(default_factory=list)
    chains: dict[str, Chain] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    cameras: dict[str, CameraMemory] = field(default_factory=dict)
    seen: dict[str, dict[str, object]] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)  # by segment id: the trace context that came with it

    def take(self, entered: Entered, memory: CameraMemory) -> None:
        """Add what one segment has led to."""
        self.decided.extend(entered.decided)
        for chain_id in entered.gone:
            self.chains.pop(chain_id, None)
            self.gone.add(chain_id)
        self.chains.update(entered.changed)
        self.gone -= entered.changed.keys()
        self.renamed.update(entered.renamed)
        self.cameras[memory.camera_id] = memory

    def note_seen(self, manifest: Manifest, uri: str, *, now: datetime) -> None:
        """Note that a segment's looks have been counted."""
        self.seen[manifest.segment_id] = {
            "segment_id": manifest.segment_id,
            "previous_segment_id": manifest.previous_segment_id,
            "camera_id": manifest.camera_id,
            "started_at": manifest.started_at,
            "manifest_uri": uri,
            "entered_at": now,
        }


def write(session: Session, additions: Additions, *, now: datetime, notify_within: timedelta) -> list[AlertRecord]:
    """Write it all; returns the alerts that are new."""
    for before, after in additions.renamed.items():
        session.execute(update(AlertRecord).where(AlertRecord.chain_id == before).values(chain_id=after))
    alerts = _raise(session, additions, now=now, notify_within=notify_within)
    _replace_states(session, additions)
    if additions.seen:
        session.execute(insert(SeenSegmentRecord), list(additions.seen.values()))
    return alerts


def load_camera(session: Session, camera_id: str) -> CameraMemory:
    """What the desk remembers of a camera."""
    rows = session.scalars(select(RuleStateRecord).where(RuleStateRecord.camera_id == camera_id))
    chains = [chain for row in rows if (chain := load_chain(row.chain_id, row.state)) is not None]
    camera = session.get(CameraStateRecord, camera_id)
    if camera is None:
        return CameraMemory(camera_id, chains)
    return CameraMemory(camera_id, chains, segment_count=camera.segment_count, met_by_camera=camera.met_s)


def seen_among(session: Session, segment_ids: Collection[str]) -> set[str]:
    """Those of some segments that have been counted."""
    chosen = select(SeenSegmentRecord.segment_id).where(SeenSegmentRecord.segment_id.in_(segment_ids))
    return set(session.scalars(chosen))


def followers_among(session: Session, segment_ids: Collection[str]) -> dict[str, list[str]]:
    """Segment -> manifests of the segments that follow it and were counted before it."""
    chosen = select(SeenSegmentRecord.previous_segment_id, SeenSegmentRecord.manifest_uri).where(
        SeenSegmentRecord.previous_segment_id.in_(segment_ids)
    )
    followers: dict[str, list[str]] = {}
    for previous, uri in session.execute(chosen):
        followers.setdefault(str(previous), []).append(uri)
    return followers


def manifest_of(session: Session, segment_id: str) -> str | None:
    """Where the manifest of a counted segment lies."""
    chosen = select(SeenSegmentRecord.manifest_uri).where(SeenSegmentRecord.segment_id == segment_id)
    return session.scalar(chosen)


def forget_old_segments(session: Session, now: datetime) -> None:
    """Let go of segments that were counted long ago."""
    session.execute(delete(SeenSegmentRecord).where(SeenSegmentRecord.entered_at < now - SEEN_FOR))


def note_revisions(session: Session, rules: Iterable[Rule], now: datetime) -> None:
    """Keep the rules in force as they are, for whoever reads their alerts later."""
    wanted = {rule.revision: rule for rule in rules}
    known = set(
        session.scalars(select(RuleRevisionRecord.revision).where(RuleRevisionRecord.revision.in_(wanted.keys())))
    )
    for revision, rule in wanted.items():
        if revision not in known:
            dumped = rule.model_dump(mode="json")
            session.add(RuleRevisionRecord(revision=revision, rule_id=rule.id, first_seen_at=now, rule=dumped))


def _raise(session: Session, additions: Additions, *, now: datetime, notify_within: timedelta) -> list[AlertRecord]:
    by_id = {alert_id(one): one for one in additions.decided}
    known = set(session.scalars(select(AlertRecord.alert_id).where(AlertRecord.alert_id.in_(by_id.keys()))))
    alerts = [_alert(name, one, now, notify_within) for name, one in by_id.items() if name not in known]
    session.add_all(alerts)
    session.flush()
    for alert, rule in [(alert, by_id[alert.alert_id].met.rule) for alert in alerts]:
        session.add(HistoryRecord(alert_id=alert.alert_id, at=now, who=ALERTER, action=RAISED, details={}, version=1))
        if alert.is_sent:
            trace = additions.traces.get(alert.segment_id)
            session.add_all(owed(alert.alert_id, rule.channels, RAISED, now, traceparent=trace))
    return alerts


def owed(
    alert_id: str, channels: Iterable[str], kind: str, now: datetime, *, traceparent: str | None = None
) -> list[OutboxRecord]:
    """The notifications owed to some channels, each once."""
    return [
        OutboxRecord(
            alert_id=alert_id,
            channel=channel,
            kind=kind,
            created_at=now,
            not_before=LONG_AGO,
            attempts=0,
            traceparent=traceparent,
        )
        for channel in dict.fromkeys(channels)
    ]


def _alert(name: str, decided: Decided, now: datetime, notify_within: timedelta) -> AlertRecord:
    rule, met_at = decided.met.rule, instant(decided.met.met_s)
    source, look = best_look(decided)
    is_sent = now - met_at <= notify_within
    is_escalated = is_sent and rule.escalate is not None
    return AlertRecord(
        alert_id=name,
        rule_id=rule.id,
        rule_revision=rule.revision,
        title=rule.title,
        severity=rule.severity,
        camera_id=source.camera_id,
        chain_id=decided.chain_id,
        episode=decided.episode,
        person_id=source.person_id,
        track_id=source.track_id,
        segment_id=source.segment_id,
        segment_uri=source.segment_uri,
        segment_started_at=instant(source.started_at_s),
        manifest_uri=source.manifest_uri,
        crop_uri=look.crop_uri,
        box_xyxy=list(look.box_xyxy),
        frame_size_wh=list(source.frame_size_wh),
        look_at_s=look.at_s - source.started_at_s,
        began_at=instant(decided.met.state.began_s),
        met_at=met_at,
        raised_at=now,
        answers=answers_of(look),
        numbers=numbers_of(decided),
        state=OPEN,
        escalate_at=now + timedelta(seconds=rule.escalate.after_s) if is_escalated and rule.escalate else None,
        is_sent=is_sent,
        unsent_reason=None if is_sent else f"its footage is older than {notify_within.total_seconds():g} s",
        version=1,
    )


def _replace_states(session: Session, additions: Additions) -> None:
    replaced = [*additions.gone, *additions.chains]
    for start in range(0, len(replaced), AT_ONCE):
        chosen = replaced[start : start + AT_ONCE]
        session.execute(delete(RuleStateRecord).where(RuleStateRecord.chain_id.in_(chosen)))
    if additions.chains:
        session.execute(insert(RuleStateRecord), [_state_row(chain) for chain in additions.chains.values()])
    if additions.cameras:
        chosen = list(additions.cameras)
        session.execute(delete(CameraStateRecord).where(CameraStateRecord.camera_id.in_(chosen)))
        session.execute(insert(CameraStateRecord), [_camera_row(memory) for memory in additions.cameras.values()])


def _state_row(chain: Chain) -> Mapping[str, object]:
    last = chain.pieces[-1].piece
    return {
        "chain_id": chain.chain_id,
        "camera_id": last.source.camera_id,
        "last_seen_at": instant(last.looks[-1].at_s),
        "state": dump_chain(chain),
    }


def _camera_row(memory: CameraMemory) -> Mapping[str, object]:
    return {"camera_id": memory.camera_id, "segment_count": memory.segment_count, "met_s": memory.met_by_camera}
