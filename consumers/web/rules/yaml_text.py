"""Places in the text of a YAML file, for edits that leave every other character as it is. Pure."""

from collections.abc import Sequence

import yaml

Span = tuple[int, int]  # where something begins in the text, and where it ends


def root_of(text: str) -> yaml.MappingNode | None:
    """The mapping that the text is; None: it is something else."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return root if isinstance(root, yaml.MappingNode) else None


def entry(mapping: yaml.MappingNode | None, key: str) -> yaml.Node | None:
    """What stands under a key of a mapping."""
    return next((node for name, node in mapping.value if name.value == key), None) if mapping is not None else None


def line_start(text: str, index: int) -> int:
    """Where the line begins in which something stands; the end of the text, where it stands there."""
    return index if index >= len(text) else text.rfind("\n", 0, index) + 1


def end_of_entry(text: str, node: yaml.Node) -> int:
    """Where the last line of a block's entry ends: its mark stands at the next one, behind comments that are that's."""
    last = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        last = last.value[-1] if isinstance(last, yaml.SequenceNode) else last.value[-1][1]
    end = int(last.end_mark.index)
    if text[end - 1] == "\n":  # a text in lines of its own ends with its last one
        return end
    line_end = text.find("\n", end)
    return len(text) if line_end < 0 else line_end + 1


def emptied(text: str, mapping: yaml.MappingNode, key: str, empty: str, end: int) -> str:
    r"""The text with `empty` in place of what stands under a key and ends at `end`; a comment beside the key stays.

    >>> text = "rules:  # all of ours\n  - id: a\n"
    >>> emptied(text, root_of(text), "rules", "[]", len(text))
    'rules: []  # all of ours\n'
    """
    name, node = next((name, node) for name, node in mapping.value if name.value == key)
    colon, start = text.index(":", name.end_mark.index) + 1, node.start_mark.index
    line_break = "\n" if text[start:end].endswith("\n") else ""
    return f"{text[:colon]} {empty}{text[colon:start].rstrip()}{line_break}{text[end:]}"


def without_flow_entry(text: str, entries: Sequence[Span], place: int) -> str:
    """The text without one of several entries of a collection in brackets, and without its comma.

    >>> without_flow_entry("[a, b]", [(1, 2), (4, 5)], 0), without_flow_entry("[a, b]", [(1, 2), (4, 5)], 1)
    ('[b]', '[a]')
    """
    if place + 1 < len(entries):
        return text[: entries[place][0]] + text[entries[place + 1][0] :]
    return text[: entries[place - 1][1]] + text[entries[place][1] :]


def with_key_behind(text: str, mapping: yaml.MappingNode, behind: str, line: str) -> str:
    """The text with `line`, a key and its value, behind the entry `behind` of a mapping that has it."""
    key, node = next((key, node) for key, node in mapping.value if key.value == behind)
    if mapping.flow_style:
        return f"{text[: node.end_mark.index]}, {line}{text[node.end_mark.index :]}"
    line_end = text.find("\n", node.end_mark.index)
    line_end = len(text) if line_end < 0 else line_end
    return f"{text[:line_end]}\n{' ' * key.start_mark.column}{line}{text[line_end:]}"
