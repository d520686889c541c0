"""The rules file for whoever writes rules at the page: read, checked, tried, saved, put in force or made a draft."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from consumers.alerts.explaining import Explaining, Explanation
from consumers.alerts.measured import MeasuredModels
from consumers.alerts.rules import Status
from consumers.alerts.rules_file import MOST_BYTES, RulesWatch, parse_rules
from consumers.alerts.standing import RulesInForce, Standing, standing_of
from consumers.alerts.trying import Trial
from consumers.errors import RulesError, StaleRulesError
from consumers.web.rules.rule_edit import with_rule, without_rule
from consumers.web.rules.rule_zones import rules_by_zone, with_rule_in_zone
from consumers.web.rules.status_edit import with_status
from consumers.web.rules.zone_edit import with_zone, without_zone

STARTER = """# Rules of the alert desk: each a question that is asked about every person, and the answers that comply.
rules: []
"""


@dataclass(frozen=True, slots=True)
class RulesText:
    """The file as it is, and a name for exactly this content."""

    text: str
    revision: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which footage a trial goes over."""

    since: datetime
    until: datetime
    cameras: tuple[str, ...] = ()


Progress = Callable[[int, int], None]
TryOn = Callable[[Standing, Standing, Stretch, Progress, Callable[[], bool]], Trial]
"""Rules, rules in force, footage, told how far it is, asked whether to stop -> what they would raise; blocks."""


class RulesDesk:
    """Everything about the rules file; safe to share between threads.

    Raises: `RulesError` where the text does not fit or the file cannot be read or written.
    """

    def __init__(self, path: Path, models: MeasuredModels, try_on: TryOn, explaining: Explaining) -> None:
        """Keep the file at `path`, held against what `models` can tell.

        Args:
            path: The rules file, which need not be there yet.
            models: What the models were measured on.
            try_on: Tries rules on stored footage.
            explaining: Says why and why not.
        """
        self.path = path
        self._models, self._try_on, self._explaining = models, try_on, explaining
        self._in_force = RulesInForce(RulesWatch(path), models)
        self._saving = threading.Lock()

    def standing(self) -> Standing:
        """The rules as they stand now."""
        return self._in_force.look()

    def text(self) -> RulesText:
        """The file's text; of a file that is not there, one to begin with."""
        try:
            content = self.path.read_bytes() if self.path.exists() else STARTER.encode()
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise RulesError(self.path, None, f"cannot be read: {error}") from error
        return RulesText(text, hashlib.sha256(content).hexdigest()[:16])

    def check(self, text: str) -> Standing:
        """How the rules of some text would stand."""
        if len(text.encode()) > MOST_BYTES:
            raise RulesError(self.path, None, f"has more than {MOST_BYTES} bytes")
        return standing_of(parse_rules(text, self.path), self._models)

    def save(self, text: str, seen: str) -> Standing:
        """Write the text if it fits and the file is still the one that was seen.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        self.check(text)
        with self._saving:
            if self.text().revision != seen:
                raise StaleRulesError(self.path)
            self._write(text)
        return self.standing()

    def set_status(self, rule_id: str, status: Status, seen: str) -> Standing:
        """Put a rule in force, or make it a draft; every other character of the file stays.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        return self.save(with_status(self.text().text, rule_id, status, self.path), seen)

    def add_rule(self, rule: Mapping[str, Any]) -> Standing:
        """Write one more rule at the end of the file; one of the same id gives way to it.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        parse_rules(seen.text, self.path)
        return self.save(with_rule(without_rule(seen.text, str(rule["id"])), rule), seen.revision)

    def remove_rule(self, rule_id: str) -> Standing:
        """Take a rule out of the file; of one that is not there, nothing changes.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        parse_rules(seen.text, self.path)
        left = without_rule(seen.text, rule_id)
        return self.standing() if left == seen.text else self.save(left, seen.revision)

    def rules_by_zone(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the rules that name a zone, by the zone."""
        return rules_by_zone(self.text().text)

    def put_zone(self, name: str, cameras: Sequence[str], polygon: Sequence[tuple[float, float]]) -> Standing:
        """Write a zone into the file; one of the same name gives way to it, and rules that name it follow.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        parse_rules(seen.text, self.path)
        return self.save(with_zone(seen.text, name, cameras, polygon), seen.revision)

    def add_zone(self, name: str, cameras: Sequence[str], polygon: Sequence[tuple[float, float]]) -> Standing:
        """Write one more zone into the file; a name that is taken is refused.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        taken = parse_rules(seen.text, self.path).zones.get(name)
        if taken is not None:
            whose = ", ".join(taken.cameras)
            raise RulesError(
                self.path, None, f"has a zone {name!r} of {whose} already; take another name, or draw that one anew"
            )
        return self.save(with_zone(seen.text, name, cameras, polygon), seen.revision)

    def remove_zone(self, name: str) -> Standing:
        """Take a zone out of the file.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        if name not in parse_rules(seen.text, self.path).zones:
            raise RulesError(self.path, None, f"has no zone {name!r}")
        if naming := rules_by_zone(seen.text).get(name):
            raise RulesError(self.path, None, f"zone {name!r} is named by {', '.join(naming)}; take it out there first")
        return self.save(without_zone(seen.text, name), seen.revision)

    def set_in_zone(self, rule_id: str, zone: str, *, is_in: bool) -> Standing:
        """Let a rule hold in a zone, or no longer.

        Raises:
            StaleRulesError: somebody else changed the file meanwhile; nothing is overwritten.
        """
        seen = self.text()
        parse_rules(seen.text, self.path)
        return self.save(with_rule_in_zone(seen.text, rule_id, zone, self.path, is_in=is_in), seen.revision)

    def try_on(self, tried: Standing, stretch: Stretch, progress: Progress, is_stopping: Callable[[], bool]) -> Trial:
        """What rules would have raised on stored footage, beside those in force; blocks for as long as that takes."""
        return self._try_on(tried, self.standing(), stretch, progress, is_stopping)

    def why(self, person_id: str) -> Sequence[Explanation]:
        """Every rule's verdict about somebody.

        Raises:
            NotSeenError: nobody has that id.
        """
        return self._explaining.person(person_id, self.standing())

    def _write(self, text: str) -> None:
        """Put the text in the file's place, whole or not at all."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False, encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            target = self.path.resolve()  # a link stays one
            Path(file.name).chmod(target.stat().st_mode if target.exists() else 0o644)
            Path(file.name).replace(target)
        except OSError as error:
            raise RulesError(self.path, None, f"cannot be written: {error.strerror or error}") from error
