"""Reads the rules file, says in which line it is wrong, and reads it again when it changes.

YAML as in its version 1.2: `yes` and `no` are words, not truth values, because they are what a predicate is answered
with. Aliases are refused: a few lines of them can stand for gigabytes.
"""

import logging
import re
import reprlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from consumers.alerts.rules import RuleBook
from consumers.errors import RulesError

logger = logging.getLogger(__name__)

MOST_BYTES = 1_000_000
Place = tuple[str | int, ...]
Written = TypeVar("Written", bound=BaseModel)

_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str")}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[-+]?[0-9]+\.")
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80  # a text in place of rules is not told whole


class _Loader(yaml.SafeLoader):
    """Makes nodes without aliases; what plain words mean is decided here, not there."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "aliases are not allowed here", self._mark())
        return super().compose_node(parent, index)

    def _mark(self) -> yaml.Mark | None:
        return getattr(self.peek_event(), "start_mark", None)  # type: ignore[no-untyped-call]


_Loader.yaml_implicit_resolvers = {}


class _Dumper(yaml.SafeDumper):
    """Knows of YAML 1.1 alone; what words are by themselves is decided by `_scalar`, here too."""


def _represented(dumper: yaml.SafeDumper, word: str) -> yaml.ScalarNode:
    style = None if _scalar(word) == word else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", word, style=style)


_Dumper.add_representer(str, _represented)


def written(content: object) -> str:
    r"""The text that says just this when it is read as rules are.

    >>> written({"cameras": ["gate", "08", "1e5", "yes"]})
    "cameras:\n- gate\n- '08'\n- '1e5'\n- 'yes'\n"
    """
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)


def read_rules(path: Path) -> RuleBook:
    """The rules in a file.

    Raises:
        RulesError: It cannot be read, or does not fit; says in which line.
    """
    return parse_rules(read_whole(path, RulesError), path)


def read_whole(path: Path, refusal: type[RulesError]) -> bytes:
    """The bytes of a file that people write.

    Raises:
        RulesError: It cannot be read, or is too large to have been written; as the kind `refusal`.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise refusal(path, None, f"has more than {MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise refusal(path, None, f"cannot be read: {error.strerror or error}") from error


def parse_rules(content: bytes | str, path: Path) -> RuleBook:
    """The rules in some text.

    Args:
        content: YAML, UTF-8.
        path: What the error calls it.

    Raises:
        RulesError: It does not fit; says in which line.

    >>> parse_rules("rules: 3", Path("rules.yaml"))
    Traceback (most recent call last):
    consumers.errors.RulesError: rules rules.yaml, line 1: rules: Input should be a valid tuple, got 3
    """
    return parse_as(RuleBook, content, path, RulesError)


def parse_as(kind: type[Written], content: bytes | str, path: Path, refusal: type[RulesError]) -> Written:
    """What some text states, as `kind`; what does not fit is raised as `refusal`, with its line."""
    try:
        text = content.decode() if isinstance(content, bytes) else content
        root, plain = _parsed(text)
    except UnicodeDecodeError as error:
        raise refusal(path, content[: error.start].count(b"\n") + 1, "is not UTF-8") from error  # type: ignore[arg-type]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join((error.problem or error.context or "is no YAML").split())
        raise refusal(path, mark.line + 1 if mark else None, f"is no YAML: {reason}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter of an escape that is no character
        raise refusal(path, None, f"is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise refusal(path, None, "is nested too deeply") from error
    try:
        return kind.model_validate({} if plain is None else plain)
    except ValidationError as error:
        place, reason = _first_fault(error, refusal.known_keys)
        where = ".".join(map(_part_shown, place))
        raise refusal(path, _line_of(root, place), f"{where}: {reason}" if where else reason) from error


def _part_shown(part: str | int) -> str:
    """A key, or the number of an entry; a key with a line break in it stays on its line."""
    shown = str(part)
    return shown if shown.isprintable() else repr(shown)


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The text's nodes, which know their lines, and its plain values."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else _plain(root)
    finally:
        loader.dispose()


def _plain(node: yaml.Node) -> Any:
    """What a node stands for: a mapping, a list, a word, a number, a truth value or nothing."""
    if node.tag not in _TAGS:
        raise yaml.MarkedYAMLError(None, None, f"the tag {node.tag} is not allowed here", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return _scalar(node.value) if getattr(node, "style", None) is None else node.value


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(None, None, "a key must be a word", key.start_mark)
        if key.value in plain:
            raise yaml.MarkedYAMLError(None, None, f"{key.value!r} is there twice", key.start_mark)
        plain[key.value] = _plain(value)
    return plain


def _scalar(word: str) -> str | int | float | bool | None:
    """An unquoted word as YAML 1.2 reads it.

    >>> _scalar("no"), _scalar("18:00"), _scalar("true"), _scalar("2"), _scalar("0.5"), _scalar("")
    ('no', '18:00', True, 2, 0.5, None)
    """
    if word in ("", "~", "null"):
        return None
    if word in ("true", "false"):
        return word == "true"
    if _WHOLE.fullmatch(word):
        return int(word)
    return float(word) if _DECIMAL.fullmatch(word) else word


def _first_fault(error: ValidationError, known_keys: str) -> tuple[Place, str]:
    """Where it is wrong and why; a misspelt key before the key that is missing for it."""
    faults = error.errors(include_url=False)
    place = faults[0]["loc"]
    beside = [f for f in faults if f["type"] == "extra_forbidden" and f["loc"][:-1] == place[:-1]]
    fault = beside[0] if beside and faults[0]["type"] == "missing" else faults[0]
    if fault["type"] == "extra_forbidden":
        return fault["loc"], f"unknown key; {known_keys}"
    reason = fault["msg"].removeprefix("Value error, ")
    is_told = fault["type"] == "value_error" or not isinstance(fault["input"], str | int | float)
    return fault["loc"], reason if is_told else f"{reason}, got {_SHORT.repr(fault['input'])}"


def _line_of(root: yaml.Node | None, place: Place) -> int | None:
    """The line of the innermost part of `place` that is there, counted from 1."""
    if root is None:
        return None
    node, line = root, root.start_mark.line
    for part in place:
        found = _inner(node, part)
        if found is None:
            break
        node, line = found
    return int(line) + 1


def _inner(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((value, key.start_mark.line) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line
    return None


@dataclass(frozen=True, slots=True)
class RulesStanding:
    """The rules that are in force, and what keeps a newer edit out, if anything does."""

    book: RuleBook
    refusal: RulesError | None


class RulesWatch:
    """Keeps the rules of a file; a broken edit leaves the ones before in force. May be shared by threads."""

    def __init__(self, path: Path) -> None:
        """Watch `path`, which may appear later: until then there are no rules."""
        self.path = path
        self._lock = threading.Lock()
        self._signature: tuple[int, int, int] | None = None
        self._standing = RulesStanding(RuleBook(), None)

    def look(self) -> RulesStanding:
        """The standing now; costs one `stat` while the file rests."""
        with self._lock:
            signature = self._signed()
            if signature != self._signature:
                self._standing = self._read(signature is not None)
                self._signature = signature
            return self._standing

    def _signed(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self, is_there: bool) -> RulesStanding:
        before = self._standing.book
        if not is_there:
            gone = RulesError(self.path, None, "is gone; the rules it held stay in force") if before.rules else None
            return RulesStanding(before, gone)
        try:
            book = read_rules(self.path)
        except RulesError as refusal:
            logger.warning(
                "rules refused, the ones before stay in force",
                extra={"path": str(self.path), "line": refusal.line, "reason": refusal.reason},
            )
            return RulesStanding(before, refusal)
        logger.debug("rules read", extra={"path": str(self.path), "rules": len(book.rules)})
        return RulesStanding(book, None)
