"""`python -m tests.bench_queries`: the rank at which a search finds ten people described before anything was indexed.

The descriptions and where each person is to be seen stand in `tests/described_queries.yaml`. The clips of the test data
go through all processes of `crewsight up`, one camera a clip, and `crewsight search` is asked; the table on standard
output is the one in docs/search-queries.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from consumers.indexer.people import PeopleReader
from consumers.indexer.rows import Person
from streamer.ledger import FileState, Ledger
from tests.conftest import DATA
from tests.ports import free_port

QUERIES = Path(__file__).with_name("described_queries.yaml")
MOST_HITS = 200
LONGEST_S = 1800.0


class Seen(BaseModel):
    """A stretch of a clip and a part of its frame, as a fraction, in which the middle of a person's box lies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_s: float = 0.0
    to_s: float = float("inf")
    left: float = 0.0
    right: float = 1.0
    top: float = 0.0
    bottom: float = 1.0

    def holds(self, at_s: float, x: float, y: float) -> bool:
        """Whether somebody in the middle of (x, y) at a second is the one who is meant."""
        is_then = self.from_s <= at_s <= self.to_s
        return is_then and self.left <= x <= self.right and self.top <= y <= self.bottom


class Described(BaseModel):
    """Somebody described in words, and where they are to be seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str
    clips: tuple[str, ...]
    seen: tuple[Seen, ...] = (Seen(),)


def described() -> list[Described]:
    """The ten descriptions."""
    return TypeAdapter(list[Described]).validate_python(yaml.safe_load(QUERIES.read_text(encoding="utf-8")))


def is_right(person: Person, wanted: Described, began_at: dict[str, datetime]) -> bool:
    """Whether a person whom the search found is the one described; `began_at`: when each camera's clip begins."""
    if person.camera_id not in wanted.clips:
        return False
    (left, top, right, bottom), (width, height) = person.box_xyxy, person.frame_size_wh
    at_s = (person.segment_started_at - began_at[person.camera_id]).total_seconds() + person.best_at_s
    return any(seen.holds(at_s, (left + right) / 2 / width, (top + bottom) / 2 / height) for seen in wanted.seen)


@contextmanager
def all_clips_indexed(folder: Path, clips: Sequence[Path]) -> Iterator[Path]:
    """Run everything over the clips until they are indexed; gives the settings file while it runs on."""
    bus, search, page = (free_port() for _ in range(3))
    config = folder / "crewsight.yaml"
    state = folder / "state"
    settings = {
        "sources": [{"camera": clip.stem, "file": str(clip)} for clip in clips],
        "state": {"folder": str(state)},
        "bus": {"bootstrap_servers": f"127.0.0.1:{bus}"},
        "search": {"port": search},
        "page": {"port": page},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    everything = subprocess.Popen(command("up", config), stdout=subprocess.DEVNULL, cwd=folder)
    try:
        _wait(everything, state, len(clips))
        yield config
    finally:
        everything.send_signal(signal.SIGTERM)
        everything.wait(60)


def command(name: str, config: Path, *words: str) -> list[str]:
    """One of crewsight's commands."""
    return [sys.executable, "-m", "crewsight", name, *words, "--config", str(config)]


def _wait(everything: "subprocess.Popen[bytes]", state: Path, clips: int) -> None:
    until_s = time.monotonic() + LONGEST_S
    while time.monotonic() < until_s:
        if everything.poll() is not None:
            raise SystemExit(f"crewsight up ended with {everything.returncode}")
        if (state / "people.sqlite3").exists() and _is_indexed(state, clips):
            return
        time.sleep(1)
    raise SystemExit(f"the clips were not indexed within {LONGEST_S:.0f} s")


def _is_indexed(state: Path, clips: int) -> bool:
    ledger = Ledger.open(state)
    is_cut = sum(file.state in (FileState.DONE, FileState.REJECTED) for file in ledger.files()) == clips
    segments, _ = ledger.counts()
    ledger.close()
    counts = PeopleReader(f"sqlite:///{state / 'people.sqlite3'}").counts()
    return is_cut and counts.segments + counts.rejections >= segments


def found(config: Path, query: str, people: PeopleReader) -> list[Person]:
    """The people whom `crewsight search` finds, best first."""
    words = (query, "--json", "--count", str(MOST_HITS))
    answer = subprocess.run(command("search", config, *words), check=True, capture_output=True, text=True)
    names = [json.loads(line)["person"]["person_id"] for line in answer.stdout.splitlines()]
    return [person for name in names if (person := people.person(name))]


def row(wanted: Described, people: Sequence[Person], began_at: dict[str, datetime]) -> str:
    """One line of the table."""
    right = [rank for rank, person in enumerate(people, 1) if is_right(person, wanted, began_at)]
    first = str(right[0]) if right else "not found"
    told = f"{people[0].camera_id}: {people[0].caption}" if people else "nobody"
    return f"| {wanted.query} | {' or '.join(wanted.clips)} | {first} | {len(right)} of {len(people)} | {told} |"


def main() -> None:
    """Index, search, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="The folder with `videos` in it.")
    clips = sorted(path for path in (parser.parse_args().data / "videos").iterdir() if path.is_file())
    with tempfile.TemporaryDirectory() as folder, all_clips_indexed(Path(folder), clips) as config:
        ledger = Ledger.open(Path(folder) / "state")
        began_at = {file.camera_id: file.started_at for file in ledger.files() if file.started_at is not None}
        ledger.close()
        sys.stdout.write("| described as | clip | first right at rank | right among those found | best hit |\n")
        sys.stdout.write("| --- | --- | --- | --- | --- |\n")
        people = PeopleReader(f"sqlite:///{folder}/state/people.sqlite3")
        for wanted in described():
            sys.stdout.write(row(wanted, found(config, wanted.query, people), began_at) + "\n")
            sys.stdout.flush()
        people.close()


if __name__ == "__main__":
    main()
