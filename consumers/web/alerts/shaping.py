"""From rows of the desk to what the API says of alerts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from consumers.alerts.schema import OPEN, SNOOZED, AlertRecord, EvidenceRecord, HistoryRecord
from consumers.evidence.copier import CLIP
from consumers.indexer.people import Person
from consumers.web.alerts.shapes import (
    AlertDetailShape,
    AlertShape,
    AskedShape,
    BoxShape,
    ConditionShape,
    EvidenceShape,
    HistoryShape,
    QuestionShape,
)
from consumers.web.schemas import AnswerShape, ClipShape, CropShape
from consumers.web.shaping import Questions, media_address, shape_answer
from streamer.bus.messages import AskedQuestion

AROUND = timedelta(seconds=5)  # how far before the moment such a copy begins


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What the desk holds around one alert."""

    history: Sequence[HistoryRecord]
    evidence: Sequence[EvidenceRecord]


def state_at(record: AlertRecord, now: datetime) -> str:
    """An alert's state; once its snooze is over it is open again, without anybody having to write that down."""
    is_over = record.state == SNOOZED and record.snoozed_until is not None and record.snoozed_until <= now
    return OPEN if is_over else record.state


def shape_alert(record: AlertRecord, now: datetime) -> AlertShape:
    """What the API says of an alert in a list."""
    return AlertShape(**_common(record, now))


def shape_alert_detail(
    record: AlertRecord,
    around: Surrounding,
    now: datetime,
    questions: Questions,
    person: Person | None,
    *,
    has_footage: bool,
) -> AlertDetailShape:
    """What the API says of an alert when asked for it alone; without footage, its copies stand in."""
    question, conditions = question_of(record), conditions_of(record)
    evidence = {copy.kind: copy for copy in around.evidence}
    copied = None if has_footage else evidence.get(CLIP)
    width, height = record.frame_size_wh
    left, top, right, bottom = record.box_xyxy
    return AlertDetailShape(
        **_common(record, now),
        track_id=record.track_id,
        segment_id=record.segment_id,
        rule_revision=record.rule_revision,
        question=question,
        only_if=conditions,
        answers=_answers(record, questions, ([question] if question else []) + [*conditions]),
        box=BoxShape(left=left / width, top=top / height, width=(right - left) / width, height=(bottom - top) / height),
        frame_url=f"/api/v1/alerts/{record.alert_id}/frame.jpg",
        clip=ClipShape(
            url=media_address(copied.uri if copied else record.segment_uri),
            started_at=record.met_at - AROUND if copied else record.segment_started_at,
            at_s=AROUND.total_seconds() if copied else record.look_at_s,
            width_px=width,
            height_px=height,
        ),
        numbers=dict(record.numbers),
        revisions=_revisions(record, person),
        history=tuple(_history(line) for line in around.history),
        evidence=tuple(_evidence(copy) for copy in around.evidence),
    )


def question_of(record: AlertRecord) -> QuestionShape | None:
    """What the rule asked when it raised the alert; None where a version wrote it that kept that otherwise."""
    numbers = record.numbers
    asked, rest = numbers.get("question"), {name: numbers.get(name) for name in ("complying", "certainty")}
    try:
        return QuestionShape.model_validate({**(asked if isinstance(asked, dict) else {}), **rest})
    except ValidationError:
        return None


def conditions_of(record: AlertRecord) -> tuple[ConditionShape, ...]:
    """The conditions of the rule when it raised the alert; of most rules none."""
    try:
        return tuple(ConditionShape.model_validate(one) for one in record.numbers.get("only_if", ()))
    except (ValidationError, TypeError):
        return ()


def _common(record: AlertRecord, now: datetime) -> dict[str, Any]:
    left, top, right, bottom = record.box_xyxy
    state = state_at(record, now)
    return {
        "id": record.id,
        "alert_id": record.alert_id,
        "rule_id": record.rule_id,
        "title": record.title,
        "severity": record.severity,
        "camera_id": record.camera_id,
        "person_id": record.person_id,
        "chain_id": record.chain_id,
        "began_at": record.began_at,
        "met_at": record.met_at,
        "raised_at": record.raised_at,
        "state": state,
        "assignee": record.assignee,
        "snoozed_until": record.snoozed_until if state == SNOOZED else None,
        "acknowledged_at": record.acknowledged_at,
        "closed_at": record.closed_at,
        "escalated_at": record.escalated_at,
        "is_sent": record.is_sent,
        "unsent_reason": record.unsent_reason,
        "version": record.version,
        "crop": CropShape(
            url=media_address(record.crop_uri),
            width_px=max(1, round(right - left)),
            height_px=max(1, round(bottom - top)),
        ),
    }


def _answers(record: AlertRecord, questions: Questions, asked: Sequence[AskedShape]) -> tuple[AnswerShape, ...]:
    """Every answer of the look, what the rule asks first."""
    known: dict[str, AskedQuestion] = dict(questions)
    for one in asked:
        if one.question_id not in known:
            told = {"question_id": one.question_id, "kind": one.kind, "text": one.text, "answers": one.answers}
            known[one.question_id] = AskedQuestion.model_validate(told)
    answered: Mapping[str, Mapping[str, float]] = record.answers
    place = {one.question_id: number for number, one in enumerate(asked)}
    order = sorted((name for name in known if answered.get(name)), key=lambda name: place.get(name, len(place)))
    return tuple(shape_answer(known[name], answered[name], None) for name in order)


def _revisions(record: AlertRecord, person: Person | None) -> dict[str, str]:
    """Which model said what; the one that answered is known even where the person has been erased."""
    told = dict(person.revisions) if person else {}
    answer = record.numbers.get("answer_revision")
    return {**told, "answer": answer} if isinstance(answer, str) else told


def _history(line: HistoryRecord) -> HistoryShape:
    return HistoryShape(
        at=line.at,
        who=line.who,
        action=line.action,
        comment=line.comment,
        right_answer=line.right_answer,
        details=dict(line.details or {}),
        version=line.version,
    )


def _evidence(copy: EvidenceRecord) -> EvidenceShape:
    return EvidenceShape(
        kind=copy.kind,
        url=media_address(copy.uri),
        sha256=copy.sha256,
        copied_at=copy.copied_at,
        keep_until=copy.keep_until,
        legal_hold=copy.legal_hold,
    )
