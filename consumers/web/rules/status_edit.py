"""Changes the status of one rule in the text of a rules file and leaves every other character as it is. Pure."""

from pathlib import Path

import yaml

from consumers.alerts.rules import Status
from consumers.errors import RulesError


def with_status(text: str, rule_id: str, status: Status, path: Path) -> str:
    r"""The text with the rule's status changed.

    Args:
        text: The text of a rules file that fits.
        rule_id: Which rule.
        status: What it is to be.
        path: What an error calls the file.

    Raises:
        RulesError: there is no such rule.

    >>> print(with_status("rules:\n  - id: vest  # all\n    title: Vest", "vest", "in force", Path("r.yaml")))
    rules:
      - id: vest  # all
        status: in force
        title: Vest
    >>> with_status("rules: [{id: vest, status: draft}]", "vest", "in force", Path("r.yaml"))
    'rules: [{id: vest, status: in force}]'
    """
    rule = rule_node(text, rule_id)
    if rule is None:
        raise RulesError(path, None, f"has no rule {rule_id!r}")
    written = {key.value: (key, node) for key, node in rule.value}
    if "status" in written:
        node = written["status"][1]
        return text[: node.start_mark.index] + status + text[node.end_mark.index :]
    key, node = written["id"]
    if rule.flow_style:
        return f"{text[: node.end_mark.index]}, status: {status}{text[node.end_mark.index :]}"
    line_end = text.find("\n", node.end_mark.index)
    line_end = len(text) if line_end < 0 else line_end
    return f"{text[:line_end]}\n{' ' * key.start_mark.column}status: {status}{text[line_end:]}"


def rule_node(text: str, rule_id: str) -> yaml.MappingNode | None:
    """Where a rule stands in the text; None: there is no such rule."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    rules = next((node for key, node in root.value if key.value == "rules"), None)
    if not isinstance(rules, yaml.SequenceNode):
        return None
    for rule in rules.value:
        if isinstance(rule, yaml.MappingNode) and any(
            key.value == "id" and node.value == rule_id for key, node in rule.value
        ):
            return rule
    return None
