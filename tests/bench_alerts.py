"""How many observations a second the alerter decides about on one core: the whole stage, its desk on a disk.

    python -m tests.bench_alerts [--observations 1000000]

An observation is one look at one person with all its answers. 200 cameras, 50 rules, zones and schedules among them;
one look in ten is a breach, a few people never put it right. Counted is the processor time of this process, because
that is what one core gives; the wall clock stands beside it.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from consumers.alerts.alerting import Alerting
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import Rule
from consumers.alerts.schema import AlertRecord
from consumers.collecting import collecting_seldom
from model.questions import CANNOT_TELL, Question
from streamer.bus.client import Received
from streamer.bus.manifest import LookSeen, Manifest
from streamer.bus.media import MediaStore
from streamer.bus.messages import AskedQuestion, SegmentAnalyzed
from tests.builders_consumers import a_manifest, a_segment, straight, walking
from tests.builders_rules import NOON, FixedRules, a_rule, received

CAMERAS, RULES, PEOPLE, LOOKS = 200, 50, 10, 8
BATCH = 16
WANTED_PER_S = 5000
FULL = 1_000_000
GROWS_AT_MOST = 1.2  # memory, from a quarter of the full run on: by then every camera is known
STARTED = f'"started_at":"{NOON.isoformat().replace("+00:00", "Z")}"'
QUESTIONS = [Question("predicate", f"Is this person wearing item {number}?") for number in range(5)]


def rules() -> list[Rule]:
    """Fifty rules over five questions, each tenth with a zone, each tenth with a schedule."""
    made = []
    for number in range(RULES):
        extra: dict[str, object] = {}
        if number % 10 == 1:
            polygon = [[0.0, 0.3], [0.6, 0.3], [0.6, 1.0], [0.0, 1.0]]
            extra["zones"] = [{"cameras": ["everywhere"], "polygon": polygon}]
        if number % 10 == 2:
            extra["schedule"] = {"time_zone": "Europe/Berlin", "hours": [{"since": "06:00", "until": "22:00"}]}
        asked = {"text": QUESTIONS[number % len(QUESTIONS)].text, "complying": ["yes"]}
        lasting = {"share": 0.6 + 0.05 * (number % 5), "seconds": 2 + number % 4}
        made.append(
            a_rule(f"rule-{number}", question=asked, persistence=lasting, certainty=0.6 + 0.01 * (number % 8), **extra)
        )
    return made


def template(randomness: np.random.Generator) -> Manifest:
    """Ten seconds with ten people in them, eight looks each."""
    segment = a_segment("template", started_at=NOON, previous="before-it")
    asked = tuple(
        AskedQuestion(question_id=q.question_id, kind=q.kind, text=q.text, answers=q.answers) for q in QUESTIONS
    )
    people = []
    for ordinal in range(1, PEOPLE + 1):
        top = 30.0 * ordinal
        path = straight(0.0, 9.8, (20.0 * ordinal, top, 20.0 * ordinal + 40, top + 110), px_per_s=5)
        person = walking(segment, ordinal, path, towards=ordinal % 8)
        is_careless = ordinal == 1
        seen = tuple(_look(person.looks[0], second, is_careless, randomness) for second in range(LOOKS))
        people.append(person.model_copy(update={"looks": seen, "person_id": f"p{ordinal}-template"}))
    return a_manifest(segment, people).model_copy(update={"questions": asked})


def _look(first: LookSeen, second: int, is_careless: bool, randomness: np.random.Generator) -> LookSeen:
    answers = {}
    for question in QUESTIONS:
        breaks = randomness.random() < (0.8 if is_careless else 0.02)
        yes = 0.06 if breaks else 0.9
        answers[question.question_id] = {"yes": yes, "no": 0.96 - yes, CANNOT_TELL: 0.04}
    at_s = second + 0.4
    return first.model_copy(update={"at": NOON + timedelta(seconds=at_s), "at_s": at_s, "answers": answers})


def batches(store: MediaStore, observations: int) -> Iterator[list[Received[SegmentAnalyzed]]]:
    """Messages about stored manifests, camera after camera, in batches; a camera's segments follow each other."""
    randomness = np.random.default_rng(7)
    templates = [template(randomness).model_dump_json() for _ in range(8)]
    segments = -(-observations // (PEOPLE * LOOKS))
    for first in range(0, segments, BATCH):
        numbers = range(first, min(first + BATCH, segments))
        yield [received(_stored(store, templates[n % 8], n % CAMERAS, n // CAMERAS), n) for n in numbers]


def _stored(store: MediaStore, content: str, camera: int, number: int) -> SegmentAnalyzed:
    """One template as the `number`-th segment of a camera; not forced to the disk, which is not what is measured."""
    name, before = f"s{camera}-{number}", f"s{camera}-{number - 1}"
    started_at = (NOON + timedelta(seconds=10 * number)).isoformat()
    for old, new in (("before-it", before), ("template", name), ("gate", f"camera{camera}")):
        content = content.replace(old, new)
    uri = f"media:///results/camera{camera}/{name}.r1.json"
    path = store.local_path(uri)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content.replace(STARTED, f'"started_at":"{started_at}"'))
    return SegmentAnalyzed(
        segment_id=name,
        previous_segment_id=before,
        camera_id=f"camera{camera}",
        analysis_revision="r1",
        manifest_uri=uri,
        person_count=PEOPLE,
    )


def main(arguments: Sequence[str]) -> int:
    """Run, print the row, and exit with status 1 when the alerter is too slow, or grows in the full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=FULL)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, collecting_seldom():
        desk, store = DeskDatabase(f"sqlite:///{folder}/desk.sqlite3"), MediaStore(str(Path(folder) / "media"))
        stage = Alerting(desk, store, FixedRules(*rules()), now=lambda: NOON)
        seen, cpu_s, wall_s, early_mb = 0, 0.0, 0.0, 0.0
        for batch in batches(store, chosen.observations):
            cpu_began_s, wall_began_s = time.process_time(), time.perf_counter()
            stage.work(batch, lambda: False)
            cpu_s += time.process_time() - cpu_began_s
            wall_s += time.perf_counter() - wall_began_s
            seen += len(batch) * PEOPLE * LOOKS
            if seen > chosen.observations // 4:
                early_mb = early_mb or _memory_mb()
        with desk.reading() as session:
            alerts = session.scalar(select(func.count(AlertRecord.id)))
    shown = Table(title=f"{seen} observations, {CAMERAS} cameras, {RULES} rules, one core")
    for heading in (
        "observations/s of CPU",
        "observations/s by the clock",
        "alerts",
        "MB after a quarter",
        "MB at the end",
    ):
        shown.add_column(heading, justify="right")
    per_s, end_mb = seen / cpu_s, _memory_mb()
    shown.add_row(f"{per_s:.0f}", f"{seen / wall_s:.0f}", str(alerts), f"{early_mb:.0f}", f"{end_mb:.0f}")
    Console(width=120).print(shown)
    verdict = "holds" if per_s >= WANTED_PER_S else "MISSED"
    sys.stdout.write(f"alerter: {per_s:.0f} observations/s (at least {WANTED_PER_S}: {verdict})\n")
    is_bounded = end_mb <= GROWS_AT_MOST * early_mb
    if seen >= FULL:
        told = "holds" if is_bounded else "MISSED"
        sys.stdout.write(f"memory: {end_mb / early_mb:.2f} times that of a quarter (at most {GROWS_AT_MOST}: {told})\n")
    return 0 if per_s >= WANTED_PER_S and (is_bounded or seen < FULL) else 1


def _memory_mb() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
