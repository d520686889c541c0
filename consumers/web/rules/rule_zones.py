"""Which rules name a zone, and the text of a rules file in which one does or no longer does. Pure."""

import json
from pathlib import Path

import yaml

from consumers.errors import RulesError
from consumers.web.rules.status_edit import rule_node


def rules_naming(text: str, zone: str) -> tuple[str, ...]:
    """Ids of the rules of a rules file that name a zone.

    >>> rules_naming("rules: [{id: a, zones: [door]}, {id: b}]", "door")
    ('a',)
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    rules = next((node for key, node in root.value if key.value == "rules"), None) if root is not None else None
    if not isinstance(rules, yaml.SequenceNode):
        return ()
    found = []
    for rule in rules.value:
        written = {key.value: node for key, node in rule.value}
        if "id" in written and any(each.value == zone for each in _names(written.get("zones"))):
            found.append(str(written["id"].value))
    return tuple(found)


def with_rule_in_zone(text: str, rule_id: str, zone: str, path: Path, *, is_in: bool) -> str:
    r"""The text with the rule naming the zone, or no longer; zones that are written out in it stay as they are.

    Raises:
        RulesError: there is no such rule.

    >>> there = with_rule_in_zone("rules:\n  - id: a\n    title: A\n", "a", "door", Path("r"), is_in=True)
    >>> print(there, end="")
    rules:
      - id: a
        zones: ["door"]
        title: A
    >>> print(with_rule_in_zone(there, "a", "door", Path("r"), is_in=False), end="")
    rules:
      - id: a
        zones: []
        title: A
    """
    rule = rule_node(text, rule_id)
    if rule is None:
        raise RulesError(path, None, f"has no rule {rule_id!r}")
    written = {key.value: (key, node) for key, node in rule.value}
    if "zones" not in written:
        return _with_first(text, rule, zone) if is_in else text
    node = written["zones"][1]
    is_there = any(each.value == zone for each in _names(node))
    if is_there == is_in or not isinstance(node, yaml.SequenceNode):
        return text
    return _with(text, node, zone) if is_in else _without(text, node, zone)


def _names(zones: yaml.Node | None) -> list[yaml.ScalarNode]:
    inside = zones.value if isinstance(zones, yaml.SequenceNode) else []
    return [each for each in inside if isinstance(each, yaml.ScalarNode)]


def _with_first(text: str, rule: yaml.MappingNode, zone: str) -> str:
    key, node = next((key, node) for key, node in rule.value if key.value == "id")
    line = f"zones: [{json.dumps(zone)}]"
    if rule.flow_style:
        return f"{text[: node.end_mark.index]}, {line}{text[node.end_mark.index :]}"
    line_end = text.find("\n", node.end_mark.index)
    line_end = len(text) if line_end < 0 else line_end
    return f"{text[:line_end]}\n{' ' * key.start_mark.column}{line}{text[line_end:]}"


def _with(text: str, zones: yaml.CollectionNode, zone: str) -> str:
    if zones.flow_style:
        end = zones.end_mark.index - 1
        separator = ", " if zones.value else ""
        return f"{text[:end].rstrip()}{separator}{json.dumps(zone)}{text[end:]}"
    first = text.rindex("-", 0, zones.value[0].start_mark.index)
    indent = " " * (first - text.rfind("\n", 0, first) - 1)
    return f"{text[:first]}- {json.dumps(zone)}\n{indent}{text[first:]}"


def _without(text: str, zones: yaml.CollectionNode, zone: str) -> str:
    place = next(i for i, each in enumerate(zones.value) if isinstance(each, yaml.ScalarNode) and each.value == zone)
    node = zones.value[place]
    if len(zones.value) == 1:
        end = zones.end_mark.index if zones.flow_style else node.end_mark.index
        return f"{text[: zones.start_mark.index].rstrip()} []{text[end:]}"
    if zones.flow_style:
        if place + 1 < len(zones.value):
            return text[: node.start_mark.index] + text[zones.value[place + 1].start_mark.index :]
        return text[: zones.value[place - 1].end_mark.index] + text[node.end_mark.index :]
    dash = text.rindex("-", 0, node.start_mark.index)
    begin = text.rfind("\n", 0, dash) + 1
    end = text.find("\n", node.end_mark.index)
    return text[:begin] + (text[end + 1 :] if end >= 0 else "")
