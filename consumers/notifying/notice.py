"""A notice: what somebody far from the desk is told about one alert, in words, with a picture and a way there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

from consumers.alerts.schema import ESCALATED, AlertRecord


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification, ready to be sent.

    `delivery_id` stays the same however often it is sent, so that a receiver can drop repeats; `facts` is what a
    machine reads; `picture` is a JPEG.
    """

    delivery_id: str
    kind: str
    severity: str
    title: str
    body: str
    link: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes | None = None


def notice_of(
    alert: AlertRecord, kind: str, *, site: str, public_url: str, zone: tzinfo | None, picture: bytes | None
) -> Notice:
    """The notice of one alert.

    Args:
        alert: What was raised.
        kind: `raised` or `escalated`.
        site: Which Crewsight says so.
        public_url: Where officers reach the page.
        zone: Of the times in the text; None: this machine's.
        picture: The JPEG of the person, where there is one.
    """
    link = alert_link(public_url, alert.alert_id)
    urgent = "Not acknowledged: " if kind == ESCALATED else ""
    lines = [
        f"{alert.title}, camera {alert.camera_id}, {_local(alert.met_at, zone)}.",
        f"Severity: {alert.severity}. State: {alert.state.replace('_', ' ')}.",
        *(["Nobody has acknowledged it yet."] if kind == ESCALATED else []),
        link,
    ]
    return Notice(
        delivery_id=f"{alert.alert_id}.{kind}",
        kind=kind,
        severity=alert.severity,
        title=f"{site}: {urgent}{alert.title} ({alert.camera_id})",
        body="\n".join(lines),
        link=link,
        facts=_facts(alert),
        picture=picture,
    )


def alert_link(public_url: str, alert_id: str) -> str:
    """The address of one alert on the page.

    >>> alert_link("https://desk.example.org/", "a1")
    'https://desk.example.org/alerts?alert=a1'
    """
    return f"{public_url.rstrip('/')}/alerts?{urlencode({'alert': alert_id})}"


def _local(moment: datetime, zone: tzinfo | None) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _facts(alert: AlertRecord) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "rule_id": alert.rule_id,
        "rule_revision": alert.rule_revision,
        "title": alert.title,
        "severity": alert.severity,
        "state": alert.state,
        "camera_id": alert.camera_id,
        "person_id": alert.person_id,
        "segment_id": alert.segment_id,
        "began_at": alert.began_at.isoformat(),
        "met_at": alert.met_at.isoformat(),
        "raised_at": alert.raised_at.isoformat(),
        "answers": alert.answers,
    }
