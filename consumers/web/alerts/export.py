"""Alerts as a table for spreadsheets. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator

from consumers.web.alerts.shapes import AlertShape

COLUMNS = (
    "alert_id",
    "rule_id",
    "title",
    "severity",
    "state",
    "camera_id",
    "person_id",
    "began_at",
    "met_at",
    "raised_at",
    "acknowledged_at",
    "closed_at",
    "escalated_at",
    "assignee",
    "is_sent",
    "unsent_reason",
    "version",
)
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets take UTF-8 for something else


def csv_lines(alerts: Iterable[AlertShape]) -> Iterator[str]:
    """The table, line by line; instants as ISO 8601 in UTC."""
    yield BYTE_ORDER_MARK + _line(COLUMNS)
    for alert in alerts:
        told = alert.model_dump(mode="json")
        yield _line([safe_cell(told[column]) for column in COLUMNS])


def safe_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula.

    >>> safe_cell("=1+1"), safe_cell("gate"), safe_cell(None), safe_cell(3)
    ("'=1+1", 'gate', '', '3')
    """
    words = "" if value is None else str(value)
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
