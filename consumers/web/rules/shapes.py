"""What the API says of rules. Pure."""

from datetime import datetime
from typing import Any

from pydantic import Field

from consumers.alerts.explaining import Explanation
from consumers.alerts.standing import RuleStanding, Standing
from consumers.web.schemas import Shape


class RuleShape(Shape):
    """One rule, and whether it raises alerts."""

    rule: dict[str, Any]
    revision: str
    status: str = Field(description="`draft`, or `in force`.")
    why_draft: str | None
    cannot_tell_why: str | None


class RulesShape(Shape):
    """All rules, and the text that they were read from."""

    rules: tuple[RuleShape, ...]
    text: str
    revision: str = Field(description="Send it when saving: it fails when the file has another one by then.")
    refusal: str | None = Field(description="Why the file as it is is not in force; the rules before it are.")


class VerdictShape(Shape):
    """One rule's verdict about one person."""

    rule_id: str
    title: str
    status: str
    outcome: str
    because: str
    numbers: dict[str, Any]
    met_at: datetime | None
    alert_ids: tuple[str, ...]


def shape_rules(standing: Standing, text: str, revision: str) -> RulesShape:
    """What the API says of the rules."""
    return RulesShape(
        rules=tuple(_rule(one) for one in standing.rules),
        text=text,
        revision=revision,
        refusal=str(standing.refusal) if standing.refusal else None,
    )


def shape_verdict(explanation: Explanation) -> VerdictShape:
    """What the API says of a verdict."""
    return VerdictShape(
        rule_id=explanation.rule_id,
        title=explanation.title,
        status=explanation.status,
        outcome=explanation.outcome.value,
        because=explanation.because,
        numbers=explanation.numbers,
        met_at=explanation.met_at,
        alert_ids=explanation.alert_ids,
    )


def _rule(one: RuleStanding) -> RuleShape:
    return RuleShape(
        rule=one.rule.model_dump(mode="json"),
        revision=one.rule.revision,
        status=one.status,
        why_draft=one.why_draft,
        cannot_tell_why=one.cannot_tell_why,
    )
