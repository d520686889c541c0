"""The state machine: one rule over the looks at one person, in the order of the footage. Pure, no clock.

A look at which the rule holds (in the zone, on schedule) is a *breach*, *complies*, or says neither: *cannot tell*,
*unsure* (no answer is certain enough) or *not asked*. Only the first two are **answered**. What a look says of a rule
with conditions is in `consumers.alerts.judging`; it is counted like any other.

Counting begins with a breach and goes on as long as breaches keep at least `share` of the answered looks. It ends, and
begins anew with the next breach, when they no longer do, when the person complied for `seconds` in a row, or when no
answered look came for `gap_s`. What lies between is one **episode**; the rule is *met* in it once, at the breach by
which breaches had lasted for `seconds`, unless too many looks said neither, or an alert of the rule is younger than its
cooldown.

So a single wrong look cannot raise an alert, and one right answer among many wrong ones cannot hide it. The count has
no memory beyond its start: whatever came before the first breach makes no alert later or rarer, which is why pieces of
footage that arrive late are simply counted again, in order.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import shapely

from consumers.alerts.judging import Verdict, judged_by, judged_by_all, shared, verdict_by
from consumers.alerts.observing import Look
from consumers.alerts.rule_questions import Clause
from consumers.alerts.rules import Rule, RuleBook
from consumers.alerts.schedules import schedule_check
from model.questions import CANNOT_TELL

ROUNDING = 1e-6  # ten frames of 0.2 s are two seconds


@dataclass(slots=True)
class RuleState:
    """How far one person is with one rule, since counting began."""

    began_s: float  # when the first breach was seen
    last_s: float  # when the last answered look was taken
    breach_looks: int = 0
    answered_looks: int = 0
    untold_looks: int = 0  # cannot tell, or unsure
    breach_s: float = 0.0
    complied_s: float = 0.0  # in a row, up to now
    met_s: float | None = None

    def dump(self) -> list[Any]:
        """The state as JSON holds it."""
        counts = [self.breach_looks, self.answered_looks, self.untold_looks]
        return [self.began_s, self.last_s, *counts, self.breach_s, self.complied_s, self.met_s]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "RuleState":
        """The state that `dump` gave."""
        return cls(*dumped)


States = dict[str, RuleState]  # rule revision -> state; rules that count nothing have none


@dataclass(frozen=True, slots=True)
class Met:
    """A rule met by a person: what was counted, at the moment it was."""

    rule: Rule
    state: RuleState
    met_s: float
    look: Look


@dataclass(slots=True)
class Watched:
    """A rule as it is applied to one camera."""

    rule: Rule
    zone: Any | None  # a prepared shapely geometry; None: the whole picture
    is_on_schedule: Callable[[float], bool] | None
    revision: str = field(init=False)
    clauses: tuple[Clause, ...] = field(init=False)
    certainty: float = field(init=False)
    share: float = field(init=False)
    seconds: float = field(init=False)
    gap_s: float = field(init=False)
    untold_at_most: float = field(init=False)

    def __post_init__(self) -> None:
        lasting = self.rule.persistence
        self.revision, self.clauses, self.certainty = self.rule.revision, self.rule.clauses, self.rule.certainty
        self.share, self.seconds, self.gap_s = lasting.share, lasting.seconds, lasting.gap_s
        self.untold_at_most = lasting.cannot_tell_at_most

    def holds(self, look: Look) -> Verdict | None:
        """Why the rule does not hold at a look; None where it does."""
        if self.zone is not None and not shapely.intersects_xy(self.zone, look.x, look.y):
            return Verdict.OUTSIDE
        if self.is_on_schedule is not None and not self.is_on_schedule(look.at_s):
            return Verdict.OFF_SCHEDULE
        return None


@dataclass(frozen=True, slots=True)
class _Judge:
    """Reads one question's answers for all rules that part them alike into complying and breaching."""

    question_id: str
    complying: tuple[str, ...]
    breaching: tuple[str, ...]
    least_certainty: float
    watched: tuple[Watched, ...]


class CameraRules:
    """The rules in force for one camera, arranged so that a look is judged once for all rules that read it alike.

    Those with conditions stand apart, in `conditional`: each is judged for itself.
    """

    def __init__(self, book: RuleBook, rules: Iterable[Rule], camera_id: str) -> None:
        """Take those of `rules` that watch the camera."""
        self.camera_id = camera_id
        self.watched = tuple(_watched(rule, book, camera_id) for rule in rules if book.covers(rule, camera_id))
        self.conditional = tuple(one for one in self.watched if len(one.clauses) > 1)
        alike: dict[tuple[str, tuple[str, ...]], list[Watched]] = {}
        for one in self.watched:
            if len(one.clauses) == 1:
                (clause,) = one.clauses
                alike.setdefault((clause.question_id, clause.complying), []).append(one)
        self.judges = tuple(
            _Judge(name, complying, group[0].clauses[0].breaching, min(w.certainty for w in group), tuple(group))
            for (name, complying), group in alike.items()
        )
        self.questions = frozenset(clause.question_id for one in self.watched for clause in one.clauses)
        self._by_revision = {one.revision: one for one in self.watched}

    def holds(self, revision: str, look: Look) -> Verdict | None:
        """Why one of the rules does not hold at a look; None where it does."""
        return self._by_revision[revision].holds(look)


def follow(
    rules: CameraRules, states: MutableMapping[str, RuleState], looks: Iterable[Look], raised: "Raised"
) -> list[Met]:
    """Go on counting over looks in order of time; returns the rules that were met, in order.

    Args:
        rules: Those in force for the camera.
        states: What was counted before; changed in place.
        looks: The next looks at the same person.
        raised: When each rule was met before, for its cooldown; changed in place.
    """
    met = []
    for look in looks:
        answers = look.answers
        for judge in rules.judges:
            probabilities = answers.get(judge.question_id)
            if probabilities is None:
                continue
            breaches = shared(probabilities, judge.breaching)
            if not states and breaches < judge.least_certainty:
                continue  # most looks at most people: they comply, and nothing is being counted
            complies, cannot_tell = shared(probabilities, judge.complying), probabilities.get(CANNOT_TELL, 0.0)
            for watched in judge.watched:
                state = states.get(watched.revision)
                if state is None and breaches < watched.certainty:
                    continue
                if watched.holds(look) is not None:
                    continue
                verdict = verdict_by(complies, breaches, cannot_tell, watched.certainty)
                if (found := _advance(watched, state, states, look, verdict, raised)) is not None:
                    met.append(found)
        met.extend(_followed_by_all_clauses(rules.conditional, states, look, raised))
    return met


def _followed_by_all_clauses(
    conditional: Iterable[Watched], states: MutableMapping[str, RuleState], look: Look, raised: "Raised"
) -> Iterator[Met]:
    """Count one look by the rules with conditions."""
    for watched in conditional:
        state = states.get(watched.revision)
        if state is None and judged_by(watched.clauses[0], look.answers) is not Verdict.BREACH:
            continue  # most looks, again: a breach takes every clause
        verdict = judged_by_all(watched.clauses, look.answers)
        if verdict is Verdict.NOT_ASKED:
            continue
        if watched.holds(look) is not None:
            continue
        if (found := _advance(watched, state, states, look, verdict, raised)) is not None:
            yield found


class Raised:
    """When each rule was met by one person, and, for rules that are quiet per camera, by anybody there."""

    def __init__(self, by_person: dict[str, list[float]], by_camera: dict[str, float]) -> None:
        """Use (and change) revision -> instants of a person, and revision -> the last instant at the camera."""
        self.by_person, self.by_camera = by_person, by_camera

    def is_quiet(self, rule: Rule, revision: str, at_s: float) -> bool:
        """Whether the rule's cooldown forbids an alert at an instant, before or after the one that was."""
        cooldown = rule.cooldown
        if cooldown.per == "camera":
            last_s = self.by_camera.get(revision)
            return last_s is not None and abs(at_s - last_s) < cooldown.seconds
        return any(abs(at_s - met_s) < cooldown.seconds for met_s in self.by_person.get(revision, ()))

    def note(self, rule: Rule, revision: str, met_s: float) -> None:
        """Remember that the rule was met."""
        self.by_person.setdefault(revision, []).append(met_s)
        if rule.cooldown.per == "camera":
            self.by_camera[revision] = max(met_s, self.by_camera.get(revision, met_s))


def _advance(
    watched: Watched, state: RuleState | None, states: MutableMapping[str, RuleState], look: Look, verdict: Verdict,
    raised: Raised,
) -> Met | None:  # fmt: skip
    """Count one look at which the rule holds."""
    if state is not None and look.at_s - state.last_s > watched.gap_s:
        del states[watched.revision]
        state = None
    if verdict is Verdict.BREACH:
        if state is None:
            state = states[watched.revision] = RuleState(look.at_s, look.at_s)
        return _count_breach(watched, state, look, raised)
    if state is None:
        return None
    if verdict is not Verdict.COMPLIES:
        state.untold_looks += 1
        return None
    state.answered_looks += 1
    state.complied_s += look.seconds
    state.last_s = look.at_s
    if _is_over(watched, state):
        del states[watched.revision]
    return None


def _is_over(watched: Watched, state: RuleState) -> bool:
    has_put_it_right = state.complied_s >= watched.seconds - ROUNDING
    return has_put_it_right or state.breach_looks < watched.share * state.answered_looks - ROUNDING


def _count_breach(watched: Watched, state: RuleState, look: Look, raised: Raised) -> Met | None:
    lasted_before_s = state.breach_s
    state.breach_looks += 1
    state.answered_looks += 1
    state.breach_s += look.seconds
    state.complied_s = 0.0
    state.last_s = look.at_s
    if state.met_s is not None or state.breach_s < watched.seconds - ROUNDING:
        return None
    if state.untold_looks > watched.untold_at_most * (state.answered_looks + state.untold_looks) + ROUNDING:
        return None
    # Within the look that completes the time, the very frame; where something else held it back, the look itself.
    overshoot_s = state.breach_s - watched.seconds
    met_s = look.until_s - overshoot_s if lasted_before_s < watched.seconds - ROUNDING else look.at_s
    met_s = min(max(met_s, look.from_s), look.until_s)
    if raised.is_quiet(watched.rule, watched.revision, met_s):
        return None
    state.met_s = met_s
    raised.note(watched.rule, watched.revision, met_s)
    return Met(watched.rule, replace(state), met_s, look)


def _watched(rule: Rule, book: RuleBook, camera_id: str) -> Watched:
    polygons = book.where(rule, camera_id)
    zone = shapely.union_all([shapely.Polygon(polygon) for polygon in polygons]) if polygons else None
    if zone is not None:
        shapely.prepare(zone)
    return Watched(rule, zone, schedule_check(rule.schedule))
