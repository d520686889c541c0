"""Which rules raise alerts, and why the others do not: what the file says, held against what the model can tell."""

import threading
from dataclasses import dataclass, field

from consumers.alerts.measured import MeasuredModels
from consumers.alerts.rules import IN_FORCE, Rule, RuleBook, Status
from consumers.alerts.rules_file import RulesWatch
from consumers.errors import RulesError
from model.questions import Question


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """One rule, whether it raises alerts, and why not."""

    rule: Rule
    status: Status
    why_draft: str | None
    cannot_tell_why: str | None  # why the answering model cannot be relied on for it; also told of a draft


@dataclass(frozen=True)
class Standing:
    """All rules at one moment."""

    book: RuleBook
    rules: tuple[RuleStanding, ...]
    refusal: RulesError | None = None
    in_force: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "in_force", tuple(one.rule for one in self.rules if one.status == IN_FORCE))

    @property
    def questions(self) -> tuple[Question, ...]:
        """What the rules in force ask, each once."""
        asked = {clause.question_id: clause.asked for rule in self.in_force for clause in rule.clauses}
        return tuple(asked.values())


def standing_of(book: RuleBook, models: MeasuredModels, refusal: RulesError | None = None) -> Standing:
    """How the rules of a book stand with a model: one with any question it was not measured on is a draft."""
    return Standing(book, tuple(_standing(rule, models) for rule in book.rules), refusal)


class RulesInForce:
    """The rules of a file as they stand, read again when the file changes. May be shared by threads."""

    def __init__(self, watch: RulesWatch, models: MeasuredModels) -> None:
        """Hold the rules of `watch` against what `models` can tell."""
        self._watch, self._models = watch, models
        self._standing: Standing | None = None
        self._lock = threading.Lock()

    def look(self) -> Standing:
        """The standing now: the same object as long as nothing has changed."""
        with self._lock:
            read, known = self._watch.look(), self._standing
            if known is None or known.book is not read.book or known.refusal is not read.refusal:
                known = self._standing = standing_of(read.book, self._models, read.refusal)
            return known


def _standing(rule: Rule, models: MeasuredModels) -> RuleStanding:
    cannot = "; ".join(why for clause in rule.clauses if (why := models.why_not(clause.asked))) or None
    if rule.status != IN_FORCE:
        return RuleStanding(rule, "draft", "its status says so", cannot)
    return RuleStanding(rule, "draft" if cannot else IN_FORCE, cannot, cannot)
