"""The page's addresses: a room and what is shown in it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

LIVE, ALERTS, SEARCH, CAMERAS, RULES, SYSTEM = "/", "/alerts", "/search", "/cameras", "/rules", "/system"
PERSON, CAMERA, QUERY = "person", "camera", "q"
ALERT, RULE, STATE, SEVERITY, SINCE, UNTIL, VIEW = "alert", "rule", "state", "severity", "since", "until", "view"
BY, LIKE, PICTURE, FRAME, ANSWERS, DESCRIBED, SURE, ZONE = (
    "by",
    "like",
    "picture",
    "frame",
    "answers",
    "said",
    "sure",
    "tz",
)


@dataclass(frozen=True, slots=True)
class Address:
    """A room (its path) and the state in it (its query)."""

    room: str = LIVE
    state: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a path and query.

        >>> Address.parse("/search?q=orange+vest")
        Address(room='/search', state={'q': 'orange vest'})
        """
        parts = urlsplit(url)
        return cls(parts.path.rstrip("/") or LIVE, dict(parse_qsl(parts.query)))

    def get(self, name: str) -> str | None:
        """One part of the state, None when it is absent."""
        return self.state.get(name) or None

    def but(self, **changes: str | None) -> "Address":
        """The same place with some of its state changed; None removes.

        >>> str(Address("/search", {"q": "vest", "person": "7"}).but(person=None))
        '/search?q=vest'
        """
        changed = {**self.state, **changes}
        return Address(self.room, {name: value for name, value in changed.items() if value})

    def __str__(self) -> str:
        return f"{self.room}?{urlencode(self.state)}" if self.state else self.room


def packed(parts: Iterable[str], by: str = ";") -> str | None:
    """Several names in one part of the state, None when there are none; `unpacked` takes them apart.

    >>> packed(["gate", "ramp; north"]), unpacked("gate;ramp%3B north")
    ('gate;ramp%3B north', ('gate', 'ramp; north'))
    """
    return by.join(quote(part, safe=" ") for part in parts) or None


def unpacked(words: str | None, by: str = ";") -> tuple[str, ...]:
    """The names that `packed` put together."""
    return tuple(unquote(part) for part in (words or "").split(by) if part)
