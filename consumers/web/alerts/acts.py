"""What an officer can do to an alert, as values, and what each does to the row. Pure."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from consumers.alerts.schema import ACKNOWLEDGED, FALSE_ALARM, OPEN, RESOLVED, SNOOZED, AlertRecord
from consumers.errors import ActRefusedError
from consumers.web.alerts.shaping import state_at

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Comment = Annotated[Words | None, Field(description="Words for whoever reads the alert later.")]
CLOSED = (RESOLVED, FALSE_ALARM)
LONGEST_SNOOZE_MIN = 7 * 24 * 60


class _Act(BaseModel):
    """The base of every act."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    comment: Comment = None


class Acknowledge(_Act):
    """Somebody has seen it and goes after it."""

    act: Literal["acknowledge"] = "acknowledge"


class Assign(_Act):
    """It is somebody's to go after."""

    act: Literal["assign"] = "assign"
    to: Annotated[str | None, Field(description="A user's name; none: nobody's.")]


class Remark(_Act):
    """Something to know about it."""

    act: Literal["comment"] = "comment"
    comment: Words  # an act without words would say nothing


class Resolve(_Act):
    """It was right, and is dealt with."""

    act: Literal["resolve"] = "resolve"


class FalseAlarm(_Act):
    """It was wrong."""

    act: Literal["false alarm"] = "false alarm"
    right_answer: Annotated[Words, Field(description="What should have been answered; the model can learn from it.")]
    question_id: Annotated[
        str | None, Field(max_length=64, description="To which of the rule's conditions; none: to its own question.")
    ] = None


class Snooze(_Act):
    """Not now; it comes back by itself."""

    act: Literal["snooze"] = "snooze"
    minutes: Annotated[int, Field(ge=1, le=LONGEST_SNOOZE_MIN)]


class Reopen(_Act):
    """It is open again: whatever was done to it was a mistake."""

    act: Literal["reopen"] = "reopen"


Act = Annotated[Acknowledge | Assign | Remark | Resolve | FalseAlarm | Snooze | Reopen, Field(discriminator="act")]
ACTIONS = {  # act -> what its line of history says
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "comment": "commented",
    "resolve": "resolved",
    "false alarm": "false alarm",
    "snooze": "snoozed",
    "reopen": "reopened",
}


def perform(record: AlertRecord, act: Act, now: datetime) -> dict[str, object]:
    """Change a row as an act says; returns what the history keeps of it.

    Raises:
        ActRefusedError: the alert is in a state in which this makes no sense.
    """
    state = state_at(record, now)
    match act:
        case Remark():
            return {}
        case Assign(to=to):
            _refuse_closed(record, state)
            record.assignee = to
            return {"to": to}
        case Acknowledge():
            if state != OPEN and state != SNOOZED:
                raise ActRefusedError(record.alert_id, f"it is {_words(state)} already")
            _enter(record, ACKNOWLEDGED)
            record.acknowledged_at = record.acknowledged_at or now
        case Resolve() | FalseAlarm():
            _refuse_closed(record, state)
            _enter(record, FALSE_ALARM if isinstance(act, FalseAlarm) else RESOLVED)
            record.acknowledged_at = record.acknowledged_at or now
            record.closed_at = now
        case Snooze(minutes=minutes):
            _refuse_closed(record, state)
            _enter(record, SNOOZED)
            record.snoozed_until = now + timedelta(minutes=minutes)
            return {"until": record.snoozed_until.isoformat()}
        case Reopen():
            if state == OPEN:
                raise ActRefusedError(record.alert_id, "it is open already")
            _enter(record, OPEN)
            record.acknowledged_at = record.closed_at = None
    return {}


def _enter(record: AlertRecord, state: str) -> None:
    record.state, record.snoozed_until = state, None


def _refuse_closed(record: AlertRecord, state: str) -> None:
    if state in CLOSED:
        raise ActRefusedError(record.alert_id, f"it is {_words(state)}; reopen it first")


def _words(state: str) -> str:
    return {FALSE_ALARM: "a false alarm"}.get(state, state)
