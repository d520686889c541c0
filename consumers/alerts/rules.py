"""What a safety officer writes: rules, each a typed question with the answers that comply, and conditions. Pure.

The file is YAML (`consumers.alerts.rules_file` reads it); every field here carries the words that the JSON schema shows
in an editor.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from consumers.alerts.rule_questions import Certainty, Clause, Condition, Part, RuleQuestion, Words
from streamer.bus.identity import revision_of

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
    Field(description="Letters, digits, `-` and `_`, at most 64, beginning with a letter or digit."),
]
Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3, max_length=100)]
Severity = Literal["info", "low", "medium", "high", "critical"]
Status = Literal["draft", "in force"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
IN_FORCE: Status = "in force"
MOST_RULES = 500
MOST_ZONES = 500
MOST_CONDITIONS = 20  # of a rule
LEAST_AREA = 1e-6  # of the frame: a smaller zone was drawn by mistake


class Persistence(Part):
    """How long a breach must last before there is an alert; `consumers.alerts.deciding` says how it is counted."""

    share: Share = Field(
        0.7, description="Share of the answered looks that must be a breach, counted from the first one that was."
    )
    seconds: NonNegativeFloat = Field(
        2.0, description="Seconds for which the person must have been seen in breach. Complying as long ends it."
    )
    cannot_tell_at_most: Share = Field(
        0.5, description="Share of all looks that may be *cannot tell* or unsure; more of them, and there is no alert."
    )
    gap_s: PositiveFloat = Field(
        10.0, description="After so long without an answered look, in the zone and on schedule, counting begins anew."
    )


WallTime = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$"),
    Field(description="HH:MM, 00:00 to 23:59."),
]


class Hours(Part):
    """Some hours of some days."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = Field(DAYS, description="Days on which they begin.")
    since: WallTime = Field("00:00", description="From when on, HH:MM.")
    until: WallTime = Field(
        "00:00", description="Until when, HH:MM, not included; at or before `since`: on the next day."
    )


class Schedule(Part):
    """When a rule holds, by the clock on the wall beside the camera."""

    time_zone: str = Field(description="Such as Europe/Berlin.")
    hours: Annotated[tuple[Hours, ...], Field(min_length=1, max_length=50)] = Field(
        description="The hours in which it holds."
    )

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone; write one such as Europe/Berlin") from error
        return name


class Cooldown(Part):
    """How long it is quiet after an alert of this rule."""

    seconds: NonNegativeFloat = Field(300.0, description="Footage time between two alerts at least.")
    per: Literal["person", "camera"] = Field("person", description="About the same person, or from the same camera.")


class Escalation(Part):
    """What happens when nobody acknowledges."""

    after_s: PositiveFloat = Field(description="Seconds without acknowledgement after which others are told.")
    channels: tuple[Name, ...] = Field((), description="Who is told then; empty: the rule's own channels again.")


class Zone(Part):
    """A part of the picture: a person is in it when the point between their feet is."""

    cameras: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Cameras or camera groups.")
    polygon: Polygon = Field(description="Corners [x, y] in order, fractions of the frame: 0, 0 is its upper left.")

    @field_validator("polygon")
    @classmethod
    def _encloses_something(cls, polygon: tuple[Point, ...]) -> tuple[Point, ...]:
        import shapely

        shape = shapely.Polygon(polygon)
        if not shape.is_valid:
            raise ValueError(f"its sides cross: {shapely.is_valid_reason(shape)}; give the corners in order")
        if shape.area < LEAST_AREA:
            raise ValueError("it encloses nothing")
        return polygon

    @model_validator(mode="before")
    @classmethod
    def _is_no_name(cls, given: object) -> object:
        if isinstance(given, str):
            raise ValueError(  # noqa: TRY004 — what pydantic takes
                f"there is no zone {given!r} among `zones`; draw it in Cameras, or write it there"
            )
        return given


def _or_a_name(schema: dict[str, Any]) -> None:
    """Say in the JSON schema that the name of a zone stands for it."""
    name = {"type": "string", "description": "The name of one of `zones`."}
    schema["items"] = {"anyOf": [schema["items"], name]}


class Rule(Part):
    """One rule of the desk."""

    id: Name = Field(description="What the rule is called for good; an alert's id is made of it.")
    title: Words = Field(description="What officers read.")
    question: RuleQuestion
    only_if: Annotated[tuple[Condition, ...], Field(max_length=MOST_CONDITIONS)] = Field(
        (),
        description="Further conditions: a look is a breach only if each of them holds too.",
        exclude_if=lambda conditions: not conditions,  # a rule without any is written, and named, as it always was
    )
    certainty: Certainty = Field(
        0.7, description="Probability from which an answer counts; below, the look is unsure and counts as neither."
    )
    persistence: Persistence = Persistence()
    cameras: tuple[Name, ...] = Field((), description="Cameras or camera groups; empty: every camera.")
    zones: Annotated[tuple[Zone, ...], Field(max_length=50)] = Field(
        (),
        description="Where in the picture it holds: zones, or names of `zones`; cameras without one are watched "
        "everywhere.",
        json_schema_extra=_or_a_name,
    )
    schedule: Schedule | None = Field(None, description="When it holds; left out: always.")
    cooldown: Cooldown = Cooldown()
    severity: Severity = Field("medium", description="How bad a breach is.")
    escalate: Escalation | None = Field(None, description="What happens when nobody acknowledges.")
    channels: tuple[Name, ...] = Field((), description="Names of the channels that are told of an alert.")
    status: Status = Field(
        "draft", description="`draft`: only tried on stored footage; `in force`: raises alerts, if its model can tell."
    )

    @model_validator(mode="after")
    def _each_question_once(self) -> Self:
        asked = {self.question.question_id}
        for condition in self.only_if:
            if condition.question_id in asked:
                raise ValueError(
                    f"“{condition.text}” is asked twice: a question has one answer at a time, "
                    "so write all that is meant by it in one place"
                )
            asked.add(condition.question_id)
        return self

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """Every question that it judges a look by, its own first."""
        own = self.question
        complying = tuple(dict.fromkeys(own.complying))  # one that is written twice is not twice as probable
        return (
            Clause(own.asked, own.question_id, complying, own.breaching, self.certainty),
            *(
                Clause(one.asked, one.question_id, one.denying, one.given, one.certainty or self.certainty)
                for one in self.only_if
            ),
        )

    @cached_property
    def revision(self) -> str:
        """The name of everything that decides: another title, severity, channel or status is the same revision."""
        aside = {"title", "severity", "escalate", "channels", "status"}
        return revision_of(self.model_dump_json(exclude=aside))


class RuleBook(Part):
    """The rules file."""

    camera_groups: dict[Name, tuple[Name, ...]] = Field(
        default_factory=dict, description="Name -> cameras; a group stands wherever a camera may."
    )
    zones: Annotated[dict[Name, Zone], Field(max_length=MOST_ZONES)] = Field(
        default_factory=dict, description="Name -> zone; the name stands wherever a rule may have a zone."
    )
    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = Field((), description="The rules, in any order.")

    @field_validator("rules", mode="before")
    @classmethod
    def _named_zones(cls, rules: object, info: ValidationInfo) -> object:
        """Put zones in the place of their names: what a rule decides by is then in it, and in its revision."""
        if not isinstance(rules, list | tuple):
            return rules
        return [_with_zones(rule, info.data.get("zones", {})) for rule in rules]

    @model_validator(mode="after")
    def _each_id_once(self) -> Self:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"two rules are called {rule.id!r}")
            seen.add(rule.id)
        return self

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def covers(self, rule: Rule, camera_id: str) -> bool:
        """Whether a rule watches a camera at all."""
        return not rule.cameras or self.names(rule.cameras, camera_id)

    def names(self, named: tuple[str, ...], camera_id: str) -> bool:
        """Whether some names, of cameras or groups, mean a camera.

        >>> RuleBook(camera_groups={"yard": ("gate", "ramp")}).names(("yard",), "ramp")
        True
        """
        return any(name == camera_id or camera_id in self.camera_groups.get(name, ()) for name in named)

    def where(self, rule: Rule, camera_id: str) -> tuple[Polygon, ...]:
        """Where a rule holds in a camera's picture; empty: everywhere."""
        return tuple(zone.polygon for zone in rule.zones if self.names(zone.cameras, camera_id))


def _with_zones(rule: object, zones: Mapping[str, Zone]) -> object:
    named = rule.get("zones") if isinstance(rule, dict) else None
    if not isinstance(rule, dict) or not isinstance(named, list | tuple):
        return rule
    return {**rule, "zones": [zones.get(zone, zone) if isinstance(zone, str) else zone for zone in named]}


def rules_schema() -> Mapping[str, object]:
    """The JSON schema of the rules file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crewsight rules",
        **RuleBook.model_json_schema(),
    }
