"""Zones for whoever draws them: named parts of cameras' pictures, kept in the rules file, where rules name them."""

from collections.abc import Iterable, Sequence

from consumers.access.access import Access
from consumers.alerts.rules import RuleBook
from consumers.web.cameras.shapes import Corner, ZoneShape
from consumers.web.rules.rules_desk import RulesDesk


class Zones:
    """Reads and changes them; every change goes into the audit log. Safe to share between threads.

    Raises (every change): `RulesError` where it does not fit or the file cannot be written, `StaleRulesError` where
    somebody else changed the file meanwhile, `DeskError` where the log cannot be written.
    """

    def __init__(self, rules: RulesDesk, access: Access) -> None:
        """Keep them in the file of `rules`."""
        self._rules, self._access = rules, access

    def all(self) -> tuple[ZoneShape, ...]:
        """Every zone, by name."""
        book = self._rules.standing().book
        return self._shaped(book, book.zones)

    def of_camera(self, camera_id: str) -> tuple[ZoneShape, ...]:
        """The zones that lie in a camera's picture, by name."""
        book = self._rules.standing().book
        return self._shaped(book, [name for name, zone in book.zones.items() if book.names(zone.cameras, camera_id)])

    def add(self, name: str, cameras: Sequence[str], polygon: Sequence[Corner], *, by: str) -> None:
        """Keep one more zone; a name that is taken is refused."""
        self._rules.add_zone(name, cameras, polygon)
        self._log_drawn(name, cameras, polygon, by)

    def put(self, name: str, cameras: Sequence[str], polygon: Sequence[Corner], *, by: str) -> None:
        """Keep a zone; one of the same name gives way to it, and the rules that name it follow."""
        self._rules.put_zone(name, cameras, polygon)
        self._log_drawn(name, cameras, polygon, by)

    def remove(self, name: str, *, by: str) -> None:
        """Take a zone away that no rule names."""
        self._rules.remove_zone(name)
        self._access.log(by, "zone removed", name)

    def set_rule(self, name: str, rule_id: str, *, is_in: bool, by: str) -> None:
        """Let a rule hold in a zone, or no longer."""
        self._rules.set_in_zone(rule_id, name, is_in=is_in)
        self._access.log(by, "rule put in zone" if is_in else "rule taken out of zone", rule_id, zone=name)

    def _log_drawn(self, name: str, cameras: Sequence[str], polygon: Sequence[Corner], by: str) -> None:
        self._access.log(by, "zone drawn", name, cameras=list(cameras), corners=len(polygon))

    def _shaped(self, book: RuleBook, names: Iterable[str]) -> tuple[ZoneShape, ...]:
        rules = self._rules.rules_by_zone()
        return tuple(
            ZoneShape(
                name=name,
                cameras=book.zones[name].cameras,
                polygon=book.zones[name].polygon,
                rules=rules.get(name, ()),
            )
            for name in sorted(names)
        )
