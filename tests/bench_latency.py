"""`make bench-latency`: how long an alert takes, from the frame at which its rule was met to the desk and to a channel.

All processes of `crewsight up` run; clips are played at their own pace, one after the other, as one camera. A rule's
`met_at` is the footage's own time, which for footage played as if live is this machine's clock when the frame was seen.
So the latency is read from the desk: `raised_at` and `delivered_at` less `met_at`. What it holds: the wait for the end
of the segment that the frame lies in, cutting, the broker, decoding, detection, HumanVLM, the broker again, deciding.
Before, one clip in which nobody breaks the rule is played, until its result is on the desk: by then every process has
its partitions and its models. Beside it stands where the time of each segment went.
"""

import argparse
import base64
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import av
import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, OutboxRecord, SeenSegmentRecord
from tests.builders_notifying import HttpReceiver
from tests.conftest import DATA
from tests.installation import Installation

FIRST = "worker-zone.mp4"
CLIPS = ("store-aisle.mp4", "classroom.mp4", "one-by-one.mp4", "pedestrians.avi")
WANTED_P95_S = 8.0
QUIET_FOR_S = 15.0  # nothing new for this long after the footage is through: all is decided and sent
START_S = 180.0
SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
# Everybody without a vest, again and again: as many alerts as the footage gives.
RULE = {
    "id": "vest",
    "title": "Nobody without a safety vest",
    "question": {"text": "Is this person wearing a safety vest?", "complying": ["yes"]},
    "certainty": 0.7,
    "persistence": {"share": 0.7, "seconds": 2},
    "cooldown": {"seconds": 4, "per": "person"},
    "severity": "high",
    "channels": ["hook"],
    "status": "in force",
}


LEGS = ("from a segment's end to its file", "from its file to its result", "from its result to the desk")


@dataclass(frozen=True, slots=True)
class Played:
    """What was measured.

    `alerts`: of each alert, seconds from its frame to the desk and to the channel (None: never got there).
    `legs_s`: of each segment behind the first clip's, the seconds of `LEGS`.
    """

    alerts: list[tuple[float, float | None]]
    legs_s: list[tuple[float, ...]]


def play(folder: Path, clips: Sequence[Path], receiver: HttpReceiver) -> Played:
    """Let everything run over the clips, the first one only until it is through."""
    footage, aside = folder / "footage", folder / "aside"
    footage.mkdir()
    aside.mkdir()
    shutil.copy(clips[0], footage / f"0-{clips[0].name}")
    for number, clip in enumerate(clips[1:], start=1):
        shutil.copy(clip, aside / f"{number}-{clip.name}")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"rules": [RULE]}))
    installation = Installation(
        folder / "installation",
        [{"camera": "yard", "folder": str(footage), "pace": "live"}],
        {
            "alerts": {"rules": str(folder / "rules.yaml")},
            "notifying": {"channels": {"hook": {"url": receiver.url, "secret": SECRET}}},
            "folders": {"rest_s": 0},
        },
    )
    desk = DeskDatabase(f"sqlite:///{installation.state / 'desk.sqlite3'}")
    with installation.running("up", "--config", str(installation.config)) as process:
        wait_until_warm(desk, lambda: process.poll() is None)
        warm_at = time.time()
        for path in sorted(aside.iterdir()):
            path.rename(footage / path.name)
        wait_until_quiet(desk, sum(map(length_s, clips)), lambda: process.poll() is None)
        if process.poll() is not None:
            sys.stderr.write(installation.output())
            raise SystemExit("crewsight up ended by itself")
    played = Played(read_latencies(desk), read_legs(desk, installation, since=warm_at))
    desk.close()
    return played


def segments_decided(desk: DeskDatabase) -> int:
    """How many segments have reached the desk."""
    with desk.reading() as session:
        return session.scalar(select(func.count(SeenSegmentRecord.segment_id))) or 0


def notifications_owed(desk: DeskDatabase) -> int:
    """How many notifications have not been delivered yet."""
    with desk.reading() as session:
        return session.scalar(select(func.count(OutboxRecord.id)).where(OutboxRecord.delivered_at.is_(None))) or 0


def wait_until_warm(desk: DeskDatabase, is_running: Callable[[], bool]) -> None:
    """Return when a first result is on the desk, or nobody is running."""
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s and is_running() and not segments_decided(desk):
        time.sleep(0.2)


def wait_until_quiet(desk: DeskDatabase, footage_s: float, is_running: Callable[[], bool]) -> None:
    """Return when the footage is through, nothing new reaches the desk and nothing is owed, or nobody is running."""
    give_up_s = time.monotonic() + START_S + 2 * footage_s
    least_s = time.monotonic() + footage_s
    seen, changed_at_s = 0, time.monotonic()
    while time.monotonic() < give_up_s and is_running():
        time.sleep(1.0)
        now_seen = segments_decided(desk)
        if now_seen != seen or not now_seen:
            seen, changed_at_s = now_seen, time.monotonic()
        is_quiet = time.monotonic() > least_s and time.monotonic() - changed_at_s > QUIET_FOR_S
        if is_quiet and not notifications_owed(desk):
            return


def read_latencies(desk: DeskDatabase) -> list[tuple[float, float | None]]:
    """Seconds to the desk and to the channel (None: never got there) of each alert, in order."""
    chosen = (
        select(AlertRecord, OutboxRecord)
        .join(OutboxRecord, OutboxRecord.alert_id == AlertRecord.alert_id, isouter=True)
        .order_by(AlertRecord.id)
    )
    latencies = []
    with desk.reading() as session:
        for alert, owed in session.execute(chosen):
            told_at = owed.delivered_at if owed is not None else None
            latencies.append(
                (
                    (alert.raised_at - alert.met_at).total_seconds(),
                    (told_at - alert.met_at).total_seconds() if told_at else None,
                )
            )
    return latencies


def read_legs(desk: DeskDatabase, installation: Installation, *, since: float) -> list[tuple[float, ...]]:
    """The seconds of `LEGS` of each segment that begins after `since` (seconds since 1970), by its files' times."""
    media = installation.state / "media"
    written_s = {path.name.split(".")[0]: path.stat().st_mtime for path in (media / "results").glob("*/*.json")}
    legs = []
    with desk.reading() as session:
        entered = {row.segment_id: row.entered_at.timestamp() for row in session.scalars(select(SeenSegmentRecord))}
    for name, manifest in installation.manifests().items():
        began_s = datetime.fromisoformat(manifest["started_at"]).timestamp()
        video = media / manifest["segment_uri"].removeprefix("media:///")
        moments = (began_s + manifest["duration_s"], video.stat().st_mtime, written_s[name], entered.get(name, 0.0))
        if began_s > since and name in entered:
            legs.append(tuple(after - before for before, after in itertools.pairwise(moments)))
    return legs


def length_s(clip: Path) -> float:
    """How long a clip plays."""
    with av.open(str(clip)) as container:
        return float((container.duration or 0) / av.time_base)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed.

    >>> quantile([3.0, 1.0, 2.0, 4.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


def main(arguments: Sequence[str]) -> int:
    """Print both distributions; exit status 1 when alerts come too late, or none comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, nargs="*", default=[DATA / "videos" / name for name in (FIRST, *CLIPS)])
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, HttpReceiver().running() as receiver:
        played = play(Path(folder), chosen.clips, receiver)
    latencies = played.alerts
    if not latencies:
        sys.stdout.write("no alert at all\n")
        return 1
    to_desk, told = [desk_s for desk_s, _ in latencies], [told_s for _, told_s in latencies if told_s is not None]
    shown = Table(title=f"{len(latencies)} alerts, {len(told)} of them delivered; load {os.getloadavg()[1]:.1f}")
    for heading in ("seconds", "p50", "p95", "most"):
        shown.add_column(heading, justify="left" if heading == "seconds" else "right")
    legs = [(name, [leg_s[i] for leg_s in played.legs_s]) for i, name in enumerate(LEGS)]
    for name, values in (("from the frame to the desk", to_desk), ("from the frame to the channel", told), *legs):
        if values:
            shown.add_row(name, *(f"{quantile(values, share):.2f}" for share in (0.5, 0.95, 1.0)))
    Console(width=110).print(shown)
    sys.stdout.write(f"each, to the desk: {' '.join(f'{desk_s:.1f}' for desk_s in to_desk)}\n")
    holds = quantile(to_desk, 0.95) <= WANTED_P95_S and len(told) == len(latencies)
    sys.stdout.write(f"p95 at most {WANTED_P95_S:g} s and all delivered: {'holds' if holds else 'MISSED'}\n")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
