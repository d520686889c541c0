"""What the API says of alerts. Pure."""

from abc import abstractmethod
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from consumers.web.schemas import AnswerShape, ClipShape, CropShape, ProblemShape, Shape

State = Literal["open", "acknowledged", "resolved", "false_alarm", "snoozed"]


class AlertShape(Shape):
    """One rule broken by one person, once."""

    id: int = Field(description="Grows with arrival.")
    alert_id: str
    rule_id: str
    title: str
    severity: str
    camera_id: str
    person_id: str
    chain_id: str
    began_at: datetime = Field(description="Footage time of the first look that counted.")
    met_at: datetime = Field(description="Footage time at which the rule was met.")
    raised_at: datetime
    state: State
    assignee: str | None
    snoozed_until: datetime | None
    acknowledged_at: datetime | None
    closed_at: datetime | None
    escalated_at: datetime | None
    is_sent: bool = Field(description="Whether anybody was notified; if not, `unsent_reason` says why.")
    unsent_reason: str | None
    version: int = Field(description="Send it with a change: it fails when the alert has another one by then.")
    crop: CropShape


class BoxShape(Shape):
    """A box in fractions of the frame, 0..1."""

    left: float
    top: float
    width: float
    height: float


class AskedShape(Shape):
    """A question by which a rule judges a look."""

    question_id: str
    kind: str
    text: str
    answers: tuple[str, ...]
    certainty: float = Field(description="Probability from which an answer counts.")

    @property
    @abstractmethod
    def against(self) -> tuple[str, ...]:
        """The answers that speak against a breach."""


class QuestionShape(AskedShape):
    """What the rule asks, and the answers that comply."""

    complying: tuple[str, ...]

    @property
    def against(self) -> tuple[str, ...]:
        """The answers that comply."""
        return self.complying


class ConditionShape(AskedShape):
    """What else had to be answered of the same person, in the same look, for a breach to be one."""

    given: tuple[str, ...] = Field(description="The answers with which the condition holds.")

    @property
    def against(self) -> tuple[str, ...]:
        """The answers with which it does not hold."""
        return tuple(answer for answer in self.answers if answer not in self.given)


class HistoryShape(Shape):
    """Something that happened to an alert."""

    at: datetime
    who: str
    action: str
    comment: str | None
    right_answer: str | None
    details: dict[str, Any]
    version: int


class EvidenceShape(Shape):
    """A copy that outlives the footage."""

    kind: str
    url: str
    sha256: str
    copied_at: datetime
    keep_until: datetime | None
    legal_hold: bool


class AlertDetailShape(AlertShape):
    """One alert in full."""

    track_id: str
    segment_id: str
    rule_revision: str
    question: QuestionShape | None = Field(description="None: the rule's own words are kept no longer.")
    only_if: tuple[ConditionShape, ...] = Field((), description="The rule's conditions, as they were.")
    answers: tuple[AnswerShape, ...] = Field(description="Of the look that shows it best; what the rule asks first.")
    box: BoxShape
    frame_url: str
    clip: ClipShape
    numbers: dict[str, Any] = Field(description="What was counted when the rule was met.")
    revisions: dict[str, str] = Field(description="Which model said what; empty once the person is erased.")
    history: tuple[HistoryShape, ...]
    evidence: tuple[EvidenceShape, ...]


class AlertsShape(Shape):
    """A page of alerts."""

    alerts: tuple[AlertShape, ...]
    next: str | None = Field(None, description="Cursor of the page behind this one; none: that was all.")


class ConflictShape(ProblemShape):
    """A change that came too late, and how the alert is now."""

    current: AlertShape


class RefusedShape(Shape):
    """One of several alerts that could not be changed, and why."""

    alert_id: str
    reason: str
    current: AlertShape | None = None


class BulkShape(Shape):
    """What became of a change to several alerts."""

    done: tuple[AlertShape, ...]
    refused: tuple[RefusedShape, ...]


class HourShape(Shape):
    """How many alerts one hour had."""

    since: datetime
    alerts: int


class CountShape(Shape):
    """How many alerts a camera or a rule had, and how many of them were false."""

    name: str
    alerts: int
    false_alarms: int


class SummaryShape(Shape):
    """What a stretch of time was like."""

    since: datetime
    until: datetime
    alerts: int
    by_state: dict[str, int]
    by_hour: tuple[HourShape, ...]
    by_camera: tuple[CountShape, ...]
    by_rule: tuple[CountShape, ...]
    acknowledged: int
    acknowledge_s_p50: float | None = Field(description="Seconds from raised to acknowledged, median.")
    acknowledge_s_p90: float | None
    false_alarm_rate: float | None = Field(description="False alarms among what was closed; none: nothing was.")
