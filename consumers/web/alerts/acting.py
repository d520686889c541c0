"""Does what officers do to alerts: row, history, log and feedback in one transaction, against the version seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from consumers.access.audit import note_act
from consumers.access.identity import Identity
from consumers.alerts.desk_database import DeskDatabase, locked, noted
from consumers.alerts.schema import AlertRecord, FeedbackRecord, UserRecord
from consumers.errors import ActRefusedError, NoSuchAlertError, StaleAlertError
from consumers.indexer.people import Person
from consumers.web.alerts.acts import ACTIONS, Act, Assign, FalseAlarm, Reopen, perform
from consumers.web.alerts.shapes import AlertShape, AskedShape, ConditionShape
from consumers.web.alerts.shaping import conditions_of, question_of, shape_alert
from model.questions import CANNOT_TELL
from streamer.bus.messages import AskedQuestion

FALSE_ALARM, MISSED = "false alarm", "missed"  # kinds of feedback


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert as somebody saw it."""

    alert_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several changes."""

    alert_id: str
    alert: AlertShape | None
    refused: str | None


class AlertActs:
    """Changes alerts; safe to share between threads and with other processes.

    Raises (every method): `DeskError` when the desk cannot be written.
    """

    def __init__(self, desk: DeskDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Write into `desk`."""
        self._desk, self._now = desk, now

    def act(self, seen: Seen, act: Act, who: Identity) -> AlertShape:
        """Do something to an alert; returns it as it is then.

        Raises:
            NoSuchAlertError: there is none of that id.
            StaleAlertError: somebody else changed it since it was seen; nothing is overwritten.
            ActRefusedError: it makes no sense in the state the alert is in.
        """
        now = self._now()
        with self._desk.writing() as session:
            record = locked(session, seen.alert_id)
            if record is None:
                raise NoSuchAlertError(seen.alert_id)
            if record.version != seen.version:
                raise StaleAlertError(seen.alert_id, seen.version, record.version)
            _perform(session, record, act, who, now)
            return shape_alert(record, now)

    def act_on_all(self, all_seen: Sequence[Seen], act: Act, who: Identity) -> list[Outcome]:
        """Do one thing to several alerts, each for itself: one that is refused keeps none of the others back."""
        outcomes = []
        for seen in all_seen:
            try:
                outcomes.append(Outcome(seen.alert_id, self.act(seen, act, who), None))
            except (NoSuchAlertError, StaleAlertError, ActRefusedError) as error:
                outcomes.append(Outcome(seen.alert_id, None, str(error)))
        return outcomes

    def correct(self, person: Person, question: AskedQuestion, right_answer: str, who: Identity) -> None:
        """Write down that the model was wrong about somebody of whom there was no alert.

        Raises:
            ActRefusedError: that is no answer to the question.
        """
        if right_answer not in (*question.answers, CANNOT_TELL):
            raise ActRefusedError(person.person_id, f"{right_answer!r} is no answer to “{question.text}”")
        now = self._now()
        asked = {"question_id": question.question_id, "kind": question.kind, "text": question.text}
        with self._desk.writing() as session:
            session.add(
                FeedbackRecord(
                    kind=MISSED,
                    alert_id=None,
                    person_id=person.person_id,
                    camera_id=person.camera_id,
                    segment_id=person.segment_id,
                    crop_uri=person.crop_uri,
                    question={**asked, "answers": list(question.answers)},
                    answer=right_answer,
                    answer_revision=person.revisions.get("answer", ""),
                    seen_at=person.first_seen_at,
                    given_at=now,
                    by=who.name,
                )
            )
            note_act(session, now, who.name, "answer corrected", person.person_id, answer=right_answer, **asked)


def _perform(session: Session, record: AlertRecord, act: Act, who: Identity, now: datetime) -> None:
    """Row, history, feedback and log."""
    if isinstance(act, Assign) and act.to is not None:
        _refuse_stranger(session, record, act.to, who)
    details = perform(record, act, now)
    right_answer = act.right_answer if isinstance(act, FalseAlarm) else None
    if isinstance(act, FalseAlarm):
        asked = _asked(record, act)
        session.add(_feedback(session, record, asked, act.right_answer, who, now))
        if isinstance(asked, ConditionShape):
            details = {**details, "question": asked.text}
    if isinstance(act, Reopen):
        session.execute(delete(FeedbackRecord).where(FeedbackRecord.alert_id == record.alert_id))
    noted(
        session,
        record,
        at=now,
        who=who.name,
        action=ACTIONS[act.act],
        comment=act.comment,
        right_answer=right_answer,
        details=details,
    )
    told = {**details, **({"right answer": right_answer} if right_answer else {})}
    note_act(session, now, who.name, f"alert {ACTIONS[act.act]}", record.alert_id, **told)


def _refuse_stranger(session: Session, record: AlertRecord, name: str, who: Identity) -> None:
    """Only somebody who can sign in can have an alert; where nobody can, whoever is there."""
    user = session.get(UserRecord, name)
    is_own = who.by == "machine" and name == who.name
    if not is_own and (user is None or user.is_disabled):
        raise ActRefusedError(record.alert_id, f"there is nobody called {name} who could take it")


def _asked(record: AlertRecord, act: FalseAlarm) -> AskedShape:
    """The question that was answered wrongly, with the right answer among its own."""
    own = question_of(record)
    if own is None:
        raise ActRefusedError(record.alert_id, "what was asked is not known any more; resolve it with a comment")
    of_rule: dict[str, AskedShape] = {one.question_id: one for one in (own, *conditions_of(record))}
    asked = of_rule.get(act.question_id or own.question_id)
    if asked is None:
        raise ActRefusedError(record.alert_id, f"its rule does not ask question {act.question_id}")
    if act.right_answer not in (*asked.answers, CANNOT_TELL):
        raise ActRefusedError(record.alert_id, f"{act.right_answer!r} is no answer to “{asked.text}”")
    return asked


def _feedback(
    session: Session,
    record: AlertRecord,
    asked: AskedShape,
    right_answer: str,
    who: Identity,
    now: datetime,
) -> FeedbackRecord:
    session.execute(delete(FeedbackRecord).where(FeedbackRecord.alert_id == record.alert_id))
    return FeedbackRecord(
        kind=FALSE_ALARM,
        alert_id=record.alert_id,
        person_id=record.person_id,
        camera_id=record.camera_id,
        segment_id=record.segment_id,
        crop_uri=record.crop_uri,
        question=_question(asked),
        answer=right_answer,
        answer_revision=str(record.numbers.get("answer_revision", "")),
        seen_at=record.met_at,
        given_at=now,
        by=who.name,
    )


def _question(asked: AskedShape) -> dict[str, object]:
    return {
        "question_id": asked.question_id,
        "kind": asked.kind,
        "text": asked.text,
        "answers": list(asked.answers),
    }
