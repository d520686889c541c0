"""Adds a named zone to the text of a rules file, or takes one out; every other character stays as it is. Pure."""

import json
from collections.abc import Sequence

import yaml

from consumers.web.rules.yaml_text import emptied, end_of_entry, entry, line_start, root_of, without_flow_entry

Corner = tuple[float, float]


def with_zone(text: str, name: str, cameras: Sequence[str], polygon: Sequence[Corner]) -> str:
    r"""The text of a rules file that fits, with one more zone; one of the same name gives way to it.

    >>> print(with_zone("rules: []\n", "door", ["gate"], [(0, 0), (0.5, 0), (0.5, 1)]), end="")
    rules: []
    zones:
      door:
        cameras: ["gate"]
        polygon: [[0, 0], [0.5, 0], [0.5, 1]]
    """
    text = without_zone(text, name)
    zones = _zones_of(text)
    flow = f'{{"cameras": {_json(cameras)}, "polygon": {_json(polygon)}}}'
    if zones is not None and zones.flow_style and zones.value:
        end = zones.end_mark.index - 1
        return f"{text[:end].rstrip()}, {json.dumps(name)}: {flow}{text[end:]}"
    if zones is not None and zones.value:
        end, indent = end_of_entry(text, zones), zones.start_mark.column
        before = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
        return before + _block(name, cameras, polygon, indent) + text[end:]
    if zones is not None:
        beside, _, rest = text[zones.end_mark.index :].partition("\n")
        before = f"{text[: zones.start_mark.index].rstrip()}{beside.rstrip()}\n"
        return before + _block(name, cameras, polygon, 2) + rest
    root = root_of(text)
    if root is not None and root.flow_style:
        end = root.end_mark.index - 1
        separator = ", " if root.value else ""
        return f"{text[:end].rstrip()}{separator}zones: {{{json.dumps(name)}: {flow}}}{text[end:]}"
    body = text if not text or text.endswith("\n") else text + "\n"
    return f"{body}zones:\n{_block(name, cameras, polygon, 2)}"


def without_zone(text: str, name: str) -> str:
    r"""The text of a rules file that fits, without the zone of that name; the same text where there is none.

    >>> without_zone("zones:\n  a:\n    cameras: [x]\n  b:\n    cameras: [y]\n", "a")
    'zones:\n  b:\n    cameras: [y]\n'
    >>> without_zone("zones:\n  a:\n    cameras: [x]\n", "a"), without_zone("zones: {a: {}, b: {}}", "b")
    ('zones: {}\n', 'zones: {a: {}}')
    """
    root, zones = root_of(text), _zones_of(text)
    places = [place for place, (key, _) in enumerate(zones.value if zones else []) if key.value == name]
    if root is None or zones is None or not places:
        return text
    place, entries = places[0], zones.value
    end = end_of_entry(text, entries[place][1])
    if len(entries) == 1:
        return emptied(text, root, "zones", "{}", zones.end_mark.index if zones.flow_style else end)
    if zones.flow_style:
        spans = [(key.start_mark.index, node.end_mark.index) for key, node in entries]
        return without_flow_entry(text, spans, place)
    return text[: line_start(text, entries[place][0].start_mark.index)] + text[end:]


def _block(name: str, cameras: Sequence[str], polygon: Sequence[Corner], indent: int) -> str:
    inner = " " * (indent + 2)
    return f"{' ' * indent}{name}:\n{inner}cameras: {_json(cameras)}\n{inner}polygon: {_json(polygon)}\n"


def _json(part: Sequence[object]) -> str:
    return json.dumps(part, ensure_ascii=False)


def _zones_of(text: str) -> yaml.MappingNode | None:
    zones = entry(root_of(text), "zones")
    return zones if isinstance(zones, yaml.MappingNode) else None
