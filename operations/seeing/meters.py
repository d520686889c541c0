"""Every metric that the processes count by themselves, in prometheus_client's own registry.

Names and units are the field's: `_seconds`, `_bytes`, `_total`. Which process a value belongs to is the scraper's
label `job`. Labels are few: cameras (bounded by `camera_label`), consumer groups, partitions, channels and words of
ours. What follows from the state of a moment (cameras, disk, GPU) is read when it is asked for:
`operations.seeing.cameras` and `operations.seeing.machine`.
"""

import threading
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0)
CAMERAS_AT_MOST = 1000  # in one process; whoever writes a topic could else fill its memory with names
OTHERS = "other cameras"

LEG = Histogram(
    "crewsight_leg_seconds",
    "Seconds that a segment, or a notification, took on one leg of its way.",
    ["camera", "leg"],
    buckets=SECONDS,
)
END_TO_END = Histogram(
    "crewsight_end_to_end_seconds",
    "Seconds from the first frame of a live segment to its decision on the alert desk.",
    ["camera"],
    buckets=SECONDS,
)
ALERT = Histogram(
    "crewsight_alert_seconds",
    "Seconds from the frame at which a rule was met to the alert on the desk, of alerts that are sent.",
    ["camera"],
    buckets=SECONDS,
)
ALERTS = Counter("crewsight_alerts_total", "Alerts raised.", ["camera", "severity"])
PEOPLE = Counter("crewsight_people_total", "People described, a track of a segment each.", ["camera"])
MESSAGES = Counter("crewsight_messages_total", "Messages whose results are durable and told.", ["group", "topic"])
BATCH = Histogram(
    "crewsight_batch_messages", "Messages of one batch.", ["group"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
IN_FLIGHT = Gauge("crewsight_in_flight_messages", "Messages polled and not finished.", ["group"])
LAG = Gauge(
    "crewsight_consumer_lag_messages",
    "Messages of our partitions that were not polled.",
    ["group", "topic", "partition"],
)
DEAD_LETTERS = Counter("crewsight_dead_letters_total", "Messages and files that nobody can read.", ["reason"])
NOTIFICATIONS = Counter(
    "crewsight_notifications_total", "Attempts to notify, by what came of them.", ["channel", "outcome"]
)
SEARCH = Histogram("crewsight_search_seconds", "Seconds that the indexer took for a search.", buckets=SECONDS)
HTTP = Histogram(
    "crewsight_http_request_seconds", "Seconds of the page's answers.", ["method", "status"], buckets=SECONDS
)
READY = Gauge("crewsight_ready", "1 when nothing is missing that the process needs, else 0.")

_cameras: set[str] = set()
_lock = threading.Lock()


def camera_label(camera_id: str) -> str:
    """The camera's name as a label; those beyond the first `CAMERAS_AT_MOST` share one."""
    if camera_id in _cameras:
        return camera_id
    with _lock:
        if len(_cameras) >= CAMERAS_AT_MOST:
            return OTHERS
        _cameras.add(camera_id)
    return camera_id


def leg(camera_id: str, name: str, elapsed_s: float) -> None:
    """Note how long one leg took; clocks that disagree never make it negative."""
    LEG.labels(camera_label(camera_id), name).observe(max(0.0, elapsed_s))


# The beginning of a reason, and the word it is counted under: reasons themselves name files and positions.
_REASONS = (
    ("its video", "video"),
    ("its manifest", "manifest"),
    ("it names no manifest", "manifest"),
)


for _word in ("message", "file", "video", "manifest", "other"):
    DEAD_LETTERS.labels(_word)  # from the start: the first one is an increase, too


def reason_word(reason: str, *, is_file: bool = False, is_unreadable: bool = False) -> str:
    """The one of a few words under which a refusal is counted.

    >>> reason_word("its video is not in the media store: media:///x"), reason_word("moov atom", is_file=True)
    ('video', 'file')
    """
    if is_unreadable:
        return "message"
    if is_file:
        return "file"
    return next((word for beginning, word in _REASONS if reason.startswith(beginning)), "other")


class Asked(Collector):
    """One gauge whose value is read when somebody asks; left out while it cannot be."""

    def __init__(self, name: str, help_text: str, read: Callable[[], float], unreadable: type[Exception]) -> None:
        """Ask `read`, which may raise `unreadable`."""
        self._name, self._help, self._read, self._unreadable = name, help_text, read, unreadable

    def describe(self) -> Iterable[Metric]:
        """Its name, without asking."""
        return [GaugeMetricFamily(self._name, self._help)]

    def collect(self) -> Iterable[Metric]:
        """Its value now."""
        try:
            return [GaugeMetricFamily(self._name, self._help, value=self._read())]
        except self._unreadable:
            return []


def ask(name: str, help_text: str, read: Callable[[], float], unreadable: type[Exception]) -> None:
    """Offer one gauge that `read` answers at every scrape, from now on; a second of that name replaces the first."""
    replace(name, Asked(name, help_text, read, unreadable))


_replaceable: dict[str, Collector] = {}


def replace(name: str, collector: Collector) -> None:
    """Register a collector in the place of the one that was registered under that name before."""
    with _lock:
        if name in _replaceable:
            REGISTRY.unregister(_replaceable[name])
        REGISTRY.register(collector)
        _replaceable[name] = collector
