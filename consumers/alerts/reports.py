"""Trials and explanations as the command line prints them: lines for people, objects for machines."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from consumers.alerts.explaining import Explanation
from consumers.alerts.trying import RuleTrial, Trial
from streamer.bus.media import MediaStore


def trial_lines(trial: Trial, store: MediaStore) -> Iterator[str]:
    """A trial in lines: each rule, its alerts by the hour, and a picture of each."""
    cameras = ", ".join(trial.cameras) or "no camera"
    yield (
        f"{trial.hours:.2f} h of footage from {cameras}, {_local(trial.since)} to {_local(trial.until)}: "
        f"{trial.segments} segments, {trial.people} tracks, {trial.looks} looks, "
        f"{trial.looks_asked_again} of them asked again"
    )
    if trial.segments_gone:
        yield f"{trial.segments_gone} segments have no result any more and are left out"
    for one in trial.tried:
        beside = trial.beside(one.rule_id)
        now = f"{len(beside.alerts)} in force" if beside else "not in force"
        yield f"{one.rule_id} ({one.severity}): {_counted(len(one.alerts))}; now {now}. {one.title}"
        if one.cannot_tell_why:
            yield f"  only a draft: {one.cannot_tell_why}"
        for hour, count in one.per_hour.items():
            yield f"  {_local(hour)}  {_counted(count)}"
        for alert in one.alerts:
            crop = store.local_path(alert.crop_uri) or alert.crop_uri
            yield (
                f"    {_local(alert.met_at)}  {alert.camera_id}  {alert.numbers['share']:.0%} of looks, "
                f"{alert.numbers['seconds']:.1f} s  {crop}"
            )
    for one in trial.in_force:
        if all(one.rule_id != other.rule_id for other in trial.tried):
            yield f"{one.rule_id} ({one.severity}): only in force now, {_counted(len(one.alerts))}. {one.title}"


def trial_object(trial: Trial, store: MediaStore) -> dict[str, Any]:
    """A trial as JSON holds it."""
    return {
        **{f.name: _plain(getattr(trial, f.name)) for f in dataclasses.fields(trial)},
        "tried": [_rule_object(one, store) for one in trial.tried],
        "in_force": [_rule_object(one, store) for one in trial.in_force],
    }


def explanation_lines(explanations: list[Explanation]) -> Iterator[str]:
    """Each rule's verdict in a line, and its looks below."""
    for one in explanations:
        met = f" at {_local(one.met_at)}" if one.met_at else ""
        alerts = f" [{', '.join(one.alert_ids)}]" if one.alert_ids else ""
        yield f"{one.rule_id} ({one.status}): {one.outcome.value}{met}{alerts}: {one.because}"
        for look in one.numbers["looks"]:
            yield f"    {look['at']}  {look['verdict']:<16}  {_said(look)}"
            for condition, held in zip(one.numbers.get("only_if", ()), look.get("only_if", ()), strict=True):
                given = " or ".join(condition["given"])
                yield f"        only if “{condition['text']}” {given}: {held['verdict']}  {_said(held)}"


def _said(answered: Mapping[str, Any]) -> str:
    said = ", ".join(f"{answer} {share:.2f}" for answer, share in answered["probabilities"].items())
    return said or "not asked"


def explanation_object(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON holds it."""
    return {f.name: _plain(getattr(explanation, f.name)) for f in dataclasses.fields(explanation)}


def _rule_object(one: RuleTrial, store: MediaStore) -> dict[str, Any]:
    alerts = [
        {
            **{f.name: _plain(getattr(alert, f.name)) for f in dataclasses.fields(alert)},
            "crop": str(store.local_path(alert.crop_uri) or alert.crop_uri),
        }
        for alert in one.alerts
    ]
    return {
        **{f.name: _plain(getattr(one, f.name)) for f in dataclasses.fields(one)},
        "alerts": alerts,
        "per_hour": {hour.isoformat(): count for hour, count in one.per_hour.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _counted(alerts: int) -> str:
    return f"{alerts} alert{'' if alerts == 1 else 's'}"
