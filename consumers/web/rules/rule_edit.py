"""Adds a rule to the text of a rules file, or takes one out; every other character stays as it is. Pure."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from consumers.alerts.rules_file import written
from consumers.web.rules.yaml_text import emptied, end_of_entry, entry, line_start, root_of, without_flow_entry


def with_rule(text: str, rule: Mapping[str, Any]) -> str:
    r"""The text of a rules file that fits, with one more rule at its end.

    >>> print(with_rule("rules:\n  - id: a\n    title: A\n", {"id": "b", "title": "B"}), end="")
    rules:
      - id: a
        title: A
      - id: b
        title: B
    >>> with_rule("rules: [{id: a}]", {"id": "b"}), with_rule("# none\nrules: []\n", {"id": "b"})
    ('rules: [{id: a}, {"id": "b"}]', '# none\nrules:\n  - id: b\n')
    """
    root, rules = _rules_of(text)
    if rules is not None and not rules.flow_style and rules.value:
        end = end_of_entry(text, rules)
        before = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
        return before + _block(rule, rules.start_mark.column) + text[end:]
    if rules is not None and (rules.value or root.flow_style):
        end = rules.end_mark.index - 1
        separator = ", " if rules.value else ""
        return f"{text[:end].rstrip()}{separator}{json.dumps(rule, ensure_ascii=False)}{text[end:]}"
    if rules is not None:
        beside, _, rest = text[rules.end_mark.index :].partition("\n")
        return f"{text[: rules.start_mark.index].rstrip()}{beside.rstrip()}\n{_block(rule, 2)}{rest}"
    body = text if not text or text.endswith("\n") else text + "\n"
    return f"{body}rules:\n{_block(rule, 2)}"


def without_rule(text: str, rule_id: str) -> str:
    r"""The text of a rules file that fits, without the rule of that id; the same text where there is none.

    >>> without_rule("rules:\n  - id: a\n    title: A\n  - id: b\n", "a")
    'rules:\n  - id: b\n'
    >>> without_rule("rules:\n  - id: a\n", "a"), without_rule("rules: [{id: a}, {id: b}]", "a")
    ('rules: []\n', 'rules: [{id: b}]')
    """
    root, rules = _rules_of(text)
    places = [place for place, rule in enumerate(rules.value if rules else []) if _id_of(rule) == rule_id]
    if rules is None or not places:
        return text
    place = places[0]
    end = end_of_entry(text, rules.value[place])
    if len(rules.value) == 1:
        return emptied(text, root, "rules", "[]", rules.end_mark.index if rules.flow_style else end)
    if rules.flow_style:
        spans = [(rule.start_mark.index, rule.end_mark.index) for rule in rules.value]
        return without_flow_entry(text, spans, place)
    start = line_start(text, text.rindex("-", 0, rules.value[place].start_mark.index))
    return text[:start] + text[end:]


def _block(rule: Mapping[str, Any], indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in written([dict(rule)]).splitlines())


def _rules_of(text: str) -> tuple[yaml.MappingNode, yaml.SequenceNode | None]:
    root = root_of(text)
    rules = entry(root, "rules")
    return root or yaml.MappingNode("", []), rules if isinstance(rules, yaml.SequenceNode) else None


def _id_of(rule: yaml.Node) -> str | None:
    node = entry(rule, "id") if isinstance(rule, yaml.MappingNode) else None
    return str(node.value) if node is not None else None
