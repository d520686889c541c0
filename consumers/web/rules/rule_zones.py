"""Which rules name a zone, and the text of a rules file in which one does or no longer does. Pure."""

import json
from pathlib import Path

import yaml

from consumers.errors import RulesError
from consumers.web.rules.status_edit import rule_node
from consumers.web.rules.yaml_text import emptied, entry, root_of, with_key_behind, without_flow_entry


def rules_by_zone(text: str) -> dict[str, tuple[str, ...]]:
    """Ids of the rules of a rules file that name a zone, by the zone.

    >>> rules_by_zone("rules: [{id: a, zones: [door]}, {id: b}]")
    {'door': ('a',)}
    """
    rules = entry(root_of(text), "rules")
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
        rule_id = entry(rule, "id")
        if rule_id is not None:
            for zone in dict.fromkeys(each.value for each in _names(entry(rule, "zones"))):
                found[zone] = (*found.get(zone, ()), str(rule_id.value))
    return found


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
    node = entry(rule, "zones")
    if node is None:
        return with_key_behind(text, rule, "id", f"zones: [{json.dumps(zone)}]") if is_in else text
    is_there = any(each.value == zone for each in _names(node))
    if is_there == is_in or not isinstance(node, yaml.SequenceNode):
        return text
    return _with(text, node, zone) if is_in else _without(text, rule, node, zone)


def _names(zones: yaml.Node | None) -> list[yaml.ScalarNode]:
    inside = zones.value if isinstance(zones, yaml.SequenceNode) else []
    return [each for each in inside if isinstance(each, yaml.ScalarNode)]


def _with(text: str, zones: yaml.CollectionNode, zone: str) -> str:
    if zones.flow_style:
        end = zones.end_mark.index - 1
        separator = ", " if zones.value else ""
        return f"{text[:end].rstrip()}{separator}{json.dumps(zone)}{text[end:]}"
    first = text.rindex("-", 0, zones.value[0].start_mark.index)
    indent = " " * (first - text.rfind("\n", 0, first) - 1)
    return f"{text[:first]}- {json.dumps(zone)}\n{indent}{text[first:]}"


def _without(text: str, rule: yaml.MappingNode, zones: yaml.CollectionNode, zone: str) -> str:
    place = next(i for i, each in enumerate(zones.value) if isinstance(each, yaml.ScalarNode) and each.value == zone)
    node = zones.value[place]
    if len(zones.value) == 1:
        return emptied(text, rule, "zones", "[]", zones.end_mark.index if zones.flow_style else node.end_mark.index)
    if zones.flow_style:
        spans = [(each.start_mark.index, each.end_mark.index) for each in zones.value]
        return without_flow_entry(text, spans, place)
    dash = text.rindex("-", 0, node.start_mark.index)
    begin = text.rfind("\n", 0, dash) + 1
    end = text.find("\n", node.end_mark.index)
    return text[:begin] + (text[end + 1 :] if end >= 0 else "")
