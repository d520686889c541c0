"""What a stretch of time was like: alerts by hour, camera and rule, how fast and how right. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import quantiles

from consumers.alerts.schema import FALSE_ALARM, RESOLVED
from consumers.web.alerts.shapes import AlertShape, CountShape, HourShape, SummaryShape

HOUR = timedelta(hours=1)
MOST_HOURS = 24 * 62  # of bars; a longer stretch has only its sums


def summarize(alerts: Sequence[AlertShape], since: datetime, until: datetime, zone: tzinfo) -> SummaryShape:
    """The summary of alerts that were met in [since, until).

    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> [hour.alerts for hour in summarize([], day, day + 2 * HOUR, UTC).by_hour]
    [0, 0]
    """
    states: Counter[str] = Counter(alert.state for alert in alerts)
    closed = states[RESOLVED] + states[FALSE_ALARM]
    waited_s = sorted(
        (alert.acknowledged_at - alert.raised_at).total_seconds() for alert in alerts if alert.acknowledged_at
    )
    return SummaryShape(
        since=since,
        until=until,
        alerts=len(alerts),
        by_state=dict(states),
        by_hour=_by_hour(alerts, since, until, zone),
        by_camera=_by([(alert.camera_id, alert) for alert in alerts]),
        by_rule=_by([(alert.title, alert) for alert in alerts]),
        acknowledged=len(waited_s),
        acknowledge_s_p50=percentile(waited_s, 50),
        acknowledge_s_p90=percentile(waited_s, 90),
        false_alarm_rate=states[FALSE_ALARM] / closed if closed else None,
    )


def percentile(ordered: Sequence[float], share: int) -> float | None:
    """The value below which `share` percent lie; None of nothing.

    >>> percentile([1.0, 2.0, 9.0], 50), percentile([4.0], 90), percentile([], 50)
    (2.0, 4.0, None)
    """
    if len(ordered) < 2:
        return ordered[0] if ordered else None
    return quantiles(ordered, n=100, method="inclusive")[share - 1]


def shift_of(now: datetime, zone: tzinfo, starts_h: Sequence[int], back: int = 0) -> tuple[datetime, datetime]:
    """When the shift of a moment began and ends; `back` shifts before it.

    Args:
        now: The moment.
        zone: Where the wall clock hangs.
        starts_h: Hours at which shifts begin, at least one.
        back: 1: the shift before, and so on.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> [f"{at:%d %H}" for at in shift_of(noon, UTC, (6, 14, 22))]
    ['01 06', '01 14']
    >>> [f"{at:%d %H}" for at in shift_of(noon, UTC, (6, 14, 22), back=1)]
    ['28 22', '01 06']
    """
    today = now.astimezone(zone).date()
    days = 2 + back // len(starts_h)
    starts = sorted(
        datetime(day.year, day.month, day.day, hour, tzinfo=zone)
        for offset in range(-days, 3)
        for day in [today + timedelta(days=offset)]
        for hour in starts_h
    )
    here = max(number for number, start in enumerate(starts) if start <= now) - back
    return starts[here].astimezone(UTC), starts[here + 1].astimezone(UTC)


def _by_hour(alerts: Sequence[AlertShape], since: datetime, until: datetime, zone: tzinfo) -> tuple[HourShape, ...]:
    if until - since > MOST_HOURS * HOUR:
        return ()
    first, hours = _hour_of(since, zone), Counter(_hour_of(alert.met_at, zone) for alert in alerts)
    count = -((first - until) // HOUR)
    return tuple(HourShape(since=first + n * HOUR, alerts=hours[first + n * HOUR]) for n in range(count))


def _hour_of(instant: datetime, zone: tzinfo) -> datetime:
    """When the hour on the wall clock began, in UTC: in half-hour zones that is not UTC's hour."""
    return instant.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _by(named: Sequence[tuple[str, AlertShape]]) -> tuple[CountShape, ...]:
    """The most frequent first."""
    counts = Counter(name for name, _ in named)
    false = Counter(name for name, alert in named if alert.state == FALSE_ALARM)
    return tuple(
        CountShape(name=name, alerts=number, false_alarms=false[name])
        for name, number in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    )
