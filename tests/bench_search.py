"""How fast people are found among 10 k, 100 k and 1 M of them, how rightly, and what they cost in memory.

    python -m tests.bench_search [--sizes 10000 100000 1000000] [--picture docs/images/search-growth.png]

People are made up: unit vectors around 2000 centres, 200 cameras, 30 days, answers to five questions and captions as
the compact HumanVLM gives them. Each size is a process of its own, so that its memory is its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from consumers.indexer.faiss_library import load_faiss
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.tending import tended
from consumers.search.filters import EVERYONE, AnswerWanted, PeopleFilter
from consumers.search.vector_index import IndexedPerson
from model.questions import CANNOT_TELL
from tests.builders_consumers import NOON

SPACE, WIDTH = "bench", 256
CAMERAS, DAYS, CENTRES, PARTITIONS = 200, 30, 2000, 4
QUERIES, K = 200, 24
FILLED_AT_ONCE, BATCH = 10_000, 250
ARRIVING_PER_S, ASKED_PER_S, ARRIVING_S = 5_000, 20, 10
COLOURS = ("red", "blue", "green", "black", "white", "grey", "orange", "yellow", "brown", "pink")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one size; times in milliseconds."""

    people: int
    vector_p50: float
    vector_p95: float
    filtered_p50: float  # one camera on one day: a few people in ten thousand
    filtered_p95: float
    wide_p50: float  # an answer that two thirds have
    wide_p95: float
    thousandth_p50: float  # three answers that one in a thousand has
    thousandth_p95: float
    attributes_p50: float
    attributes_p95: float
    recall: float
    recall_filtered: float
    recall_wide: float
    recall_thousandth: float
    recall_thirtieth: float  # an answer that one in thirty has: of a million, more than are scored exactly
    bytes_per_person: float
    filled_per_s: float
    built_s: float
    arriving_per_s: float
    busy_p50: float
    busy_p95: float


class Crowd:
    """People made up from a seed, as many as are asked for."""

    def __init__(self, seed: int = 0) -> None:
        self._randomness = np.random.default_rng(seed)
        centres = self._randomness.normal(size=(CENTRES, WIDTH)).astype(np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        self._made = 0

    def vectors(self, count: int) -> Any:
        """Unit vectors (n, d)."""
        noise = self._randomness.normal(size=(count, WIDTH)).astype(np.float32) * (0.8 / np.sqrt(WIDTH))
        made = self._centres[self._randomness.integers(CENTRES, size=count)] + noise
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def people(self, count: int) -> list[IndexedPerson]:
        """The next people, by key; as in life each day's come after the day before's."""
        made = []
        for yes, colour in zip(
            self._randomness.random((count, 5)), self._randomness.integers(10, size=count), strict=True
        ):
            key = self._made = self._made + 1
            camera = (key * 7919) % CAMERAS
            answers = {
                f"q{n}": {"yes": p, "no": 0.95 - 0.95 * p, CANNOT_TELL: 0.05} for n, p in enumerate(yes.tolist())
            }
            caption = f"a worker in a {COLOURS[colour]} vest and a {COLOURS[(colour + key) % 10]} hard hat, no mask"
            seen_at = NOON + timedelta(days=(key // 4000) % DAYS, seconds=key % 40_000)
            made.append(IndexedPerson(key, f"camera-{camera}", camera % PARTITIONS, seen_at, 0.8, answers, caption))
        return made


def measured(people: int) -> Figures:
    """Everything of one size."""
    crowd = Crowd()
    with tempfile.TemporaryDirectory() as folder:
        index_of_few(Path(folder) / "few")  # whatever is loaded once is no part of a person
        before = _resident_bytes()
        index = LocalIndex(Path(folder) / "index")
        began = time.perf_counter()
        for _ in range(0, people, FILLED_AT_ONCE):
            index.add(SPACE, crowd.people(FILLED_AT_ONCE), crowd.vectors(FILLED_AT_ONCE))
        filled_s = time.perf_counter() - began
        began = time.perf_counter()
        while index.tend():
            pass
        built_s = time.perf_counter() - began
        index.save()
        index.save()  # as every 30 s: what no longer grows lets go of its reserve
        memory = (_resident_bytes() - before) / people
        return _asked(index, crowd, people, memory, people / filled_s, built_s)


def index_of_few(folder: Path) -> None:
    """Use everything once."""
    load_faiss()
    crowd, index = Crowd(1), LocalIndex(folder)
    index.add(SPACE, crowd.people(BATCH), crowd.vectors(BATCH))
    index.search(SPACE, crowd.vectors(1)[0], K)
    index.save()


def _asked(index: LocalIndex, crowd: Crowd, people: int, memory: float, filled: float, built_s: float) -> Figures:
    queries = crowd.vectors(QUERIES)
    day = PeopleFilter(
        cameras=frozenset({"camera-17"}), since=NOON - timedelta(hours=12), until=NOON + timedelta(hours=12)
    )
    wide = PeopleFilter(answers=(AnswerWanted("q1", "yes", 1 / 3),))
    thousandth = PeopleFilter(answers=tuple(AnswerWanted(f"q{n}", "yes", 0.9) for n in (2, 3, 4)))
    thirtieth = PeopleFilter(answers=(AnswerWanted("q4", "yes", 29 / 30),))
    attributes = PeopleFilter(
        answers=(AnswerWanted("q0", "yes", 0.9), AnswerWanted("q2", "no", 0.9)), described=("orange",)
    )
    vector = _times([lambda q=q: index.search(SPACE, q, K) for q in queries])
    filtered = _times([lambda q=q: index.search(SPACE, q, K, day) for q in queries])
    widely = _times([lambda q=q: index.search(SPACE, q, K, wide) for q in queries])
    thousands = _times([lambda q=q: index.search(SPACE, q, K, thousandth) for q in queries])
    exactly = _times([lambda: index.newest(K, attributes) for _ in queries])
    recalls = _recalls(index, people, queries[:100], (EVERYONE, day, wide, thousandth, thirtieth))
    arriving, busy = _while_arriving(index, crowd)
    return Figures(
        people,
        *_middle(vector),
        *_middle(filtered),
        *_middle(widely),
        *_middle(thousands),
        *_middle(exactly),
        *recalls,
        memory,
        filled,
        built_s,
        arriving,
        *_middle(busy),
    )


def _times(asks: Sequence[Callable[[], object]]) -> list[float]:
    taken = []
    for ask in asks:
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _middle(times: list[float]) -> tuple[float, float]:
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))


def _recalls(index: LocalIndex, people: int, queries: Any, filters: Sequence[PeopleFilter]) -> list[float]:
    """Of the ten nearest, how many are found, for each filter; the truth is made anew from the seed."""
    allowed = np.zeros((len(filters), people + 1), dtype=bool)
    for row, wanted in zip(allowed, filters, strict=True):
        row[index.newest(10**9, wanted)] = True
    best = [np.full((len(queries), 10), -2.0) for _ in filters]
    keys = [np.zeros((len(queries), 10), dtype=np.int64) for _ in filters]
    crowd, first = Crowd(), 1
    while first <= people:
        crowd.people(FILLED_AT_ONCE)
        scores = queries @ crowd.vectors(FILLED_AT_ONCE).T
        theirs = np.arange(first, first + FILLED_AT_ONCE)
        first += FILLED_AT_ONCE
        for at, row in enumerate(allowed):
            both = np.hstack([best[at], np.where(row[theirs], scores, -2.0)])
            top = np.argpartition(-both, 10, axis=1)[:, :10]
            named = np.hstack([keys[at], np.broadcast_to(theirs, scores.shape)])
            best[at], keys[at] = np.take_along_axis(both, top, 1), np.take_along_axis(named, top, 1)
    return [
        float(np.mean([_share(index, *one, wanted) for one in zip(queries, keys[at], best[at], strict=True)]))
        for at, wanted in enumerate(filters)
    ]


def _share(index: LocalIndex, query: Any, keys: Any, scores: Any, wanted: PeopleFilter) -> float:
    truth = set(keys[scores > -2].tolist())
    found = {near.key for near in index.search(SPACE, query, 10, wanted)}
    return len(truth & found) / len(truth)


def _while_arriving(index: LocalIndex, crowd: Crowd) -> tuple[float, list[float]]:
    """People a second that came in while searches were asked at a steady pace, and how long those took."""
    batches = [(crowd.people(BATCH), crowd.vectors(BATCH)) for _ in range(ARRIVING_PER_S * ARRIVING_S // BATCH)]
    queries, taken, done = crowd.vectors(1000), [], threading.Event()

    def ask() -> None:
        began = time.perf_counter()
        for number, query in enumerate(queries):
            if done.is_set():
                return
            time.sleep(max(0.0, began + number / ASKED_PER_S - time.perf_counter()))
            taken.extend(_times([lambda query=query: index.search(SPACE, query, K)]))

    asking = threading.Thread(target=ask)
    with tended("tending", index.tend):
        began = time.perf_counter()
        asking.start()
        for number, (people, vectors) in enumerate(batches):
            time.sleep(max(0.0, began + number * BATCH / ARRIVING_PER_S - time.perf_counter()))
            index.add(SPACE, people, vectors)
        arrived_s = time.perf_counter() - began
        done.set()
        asking.join()
    return ARRIVING_PER_S * ARRIVING_S / arrived_s, taken


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _in_a_process(people: int) -> Figures:
    command = [sys.executable, "-m", "tests.bench_search", "--one", str(people)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Figures(**json.loads(told.splitlines()[-1]))


def drawn(figures: Sequence[Figures], path: Path) -> None:
    """The growth, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    sizes = [one.people for one in figures]
    for name, label in (
        ("vector_p95", "by picture"),
        ("filtered_p95", "by picture, one camera on one day"),
        ("wide_p95", "by picture, an answer that two thirds have"),
        ("thousandth_p95", "by picture, answers that one in a thousand has"),
        ("attributes_p95", "by exact attributes"),
        ("busy_p95", "by picture, while 5,000 people/s arrive"),
    ):
        axes.plot(sizes, [getattr(one, name) for one in figures], marker="o", label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="people",
        ylabel="ms, 95th percentile",
        title="Time of one search in the index",
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def show(figures: Sequence[Figures]) -> None:
    """The table."""
    table = Table("figure", *(f"{one.people:,}" for one in figures))
    for name in list(asdict(figures[0]))[1:]:
        values = [getattr(one, name) for one in figures]
        table.add_row(name.replace("_", " "), *(f"{value:,.3f}" if value < 10 else f"{value:,.0f}" for value in values))
    Console(width=120).print(table)


def main() -> None:
    """Measure each size, show the table and draw the growth."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        torch.set_num_threads(1)  # as the indexer does
        print(json.dumps(asdict(measured(asked.one))))  # noqa: T201 — read by the process that started this one
        return
    figures: list[Figures] = []
    for people in asked.sizes:
        figures.append(_in_a_process(people))
        show(figures)  # the last takes minutes
    if asked.picture:
        drawn(figures, asked.picture)


if __name__ == "__main__":
    main()
