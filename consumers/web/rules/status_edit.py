"""Changes the status of one rule in the text of a rules file and leaves every other character as it is. Pure."""

from pathlib import Path

import yaml

from consumers.alerts.rules import Status
from consumers.errors import RulesError
from consumers.web.rules.yaml_text import entry, root_of, with_key_behind


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
    node = entry(rule, "status")
    if node is not None:
        return text[: node.start_mark.index] + status + text[node.end_mark.index :]
    return with_key_behind(text, rule, "id", f"status: {status}")


def rule_node(text: str, rule_id: str) -> yaml.MappingNode | None:
    """Where a rule stands in the text; None: there is no such rule."""
    rules = entry(root_of(text), "rules")
    if not isinstance(rules, yaml.SequenceNode):
        return None
    for rule in rules.value:
        if isinstance(rule, yaml.MappingNode) and any(
            key.value == "id" and node.value == rule_id for key, node in rule.value
        ):
            return rule
    return None
