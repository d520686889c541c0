"""How fast the whole search answers over HTTP: load generator, page and indexer on one machine, among 1 M people.

    python -m tests.bench_search_http [--people 1000000] [--seconds 20] [--clients 4]

Page and indexer are the real ones, each in its process; each client is a process that asks its next query as soon as
the last is answered. No two queries are the same. People are made up once and kept in artefacts/.
"""

import argparse
import http.client
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import numpy as np
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from consumers.indexer.build import indexing_service
from consumers.settings import IndexerSettings
from model.humanvlm import HumanVLM
from streamer.bus.client import Bus
from tests.builders_bus import wait_until
from tests.builders_crowd import CAMERAS, COLOURS, DAYS, DOING, FIRST_DAY, THINGS, build, camera, person_id, questions
from tests.ports import free_port

Query = dict[str, object]
Make = Callable[[np.random.Generator, int], Query]
Answers: TypeAlias = "multiprocessing.Queue[tuple[list[float], int, float]]"
K = 24
WARM_S = 3.0


def like(randomness: np.random.Generator, people: int) -> Query:
    """Who looks like somebody."""
    return {"like": person_id(int(randomness.integers(1, people + 1))), "k": K}


def camera_and_day(randomness: np.random.Generator) -> dict[str, object]:
    """One camera on one day: one person in six thousand."""
    since = FIRST_DAY + timedelta(days=int(randomness.integers(DAYS)))
    until = since + timedelta(days=1)
    wanted = camera(int(randomness.integers(CAMERAS)))
    return {"cameras": [wanted], "since": since.isoformat(), "until": until.isoformat()}


def like_filtered(randomness: np.random.Generator, people: int) -> Query:
    """Who looks like somebody, of one camera on one day."""
    return {**like(randomness, people), "filter": camera_and_day(randomness)}


def attributes(randomness: np.random.Generator, people: int) -> Query:
    """The newest of whom an answer was given, with a certainty of its own."""
    del people
    asked = questions()
    question = asked[int(randomness.integers(len(asked)))]
    answer = question.answers[int(randomness.integers(len(question.answers)))]
    certainty = float(randomness.uniform(0.5, 0.79))
    return {
        "k": K,
        "filter": {"answers": [{"question": question.question_id, "answer": answer, "at_least": certainty}]},
    }


def attributes_filtered(randomness: np.random.Generator, people: int) -> Query:
    """The same of one camera on one day."""
    asked = attributes(randomness, people)
    wanted = asked["filter"]
    assert isinstance(wanted, dict)
    return {**asked, "filter": {**wanted, **camera_and_day(randomness)}}


def words(randomness: np.random.Generator, people: int) -> Query:
    """What somebody looks like, by picture and description."""
    del people
    pick = [int(n) for n in randomness.integers(0, 1 << 30, size=6)]
    top, other = COLOURS[pick[0] % len(COLOURS)], COLOURS[pick[1] % len(COLOURS)]
    wears = ("wearing a hard hat", "without a hard hat", "in a safety vest", "without a safety vest")[pick[2] % 4]
    said = f"{DOING[pick[3] % len(DOING)]} person in {top} {wears} with a {other} {THINGS[pick[4] % len(THINGS)]}"
    return {"words": f"{said} number {pick[5] % 100_000}", "by": "both", "k": K}


CASES: Mapping[str, Make] = {
    "picture vector": like,
    "picture vector, camera and day": like_filtered,
    "attributes": attributes,
    "attributes, camera and day": attributes_filtered,
    "words and full text": words,
}


def ask(port: int, case: str, seed: int, people: int, seconds: float, pace_s: float, into: Answers) -> None:
    """One client: its latencies in seconds, how many people it was told of, and its processor time in seconds."""
    randomness = np.random.default_rng(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    latencies, hits = [], 0
    begins, processor_s = time.perf_counter(), time.process_time()
    for number in itertools.count():
        body = orjson.dumps(CASES[case](randomness, people))
        due = begins + number * pace_s
        if (now := time.perf_counter()) < due:
            time.sleep(due - now)
        started = time.perf_counter()
        if started - begins > seconds:
            break
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        latencies.append(time.perf_counter() - started)
        if answer.status != 200:
            raise SystemExit(f"{case}: {answer.status} {content[:300]!r}")
        hits += content.count(b'"score":')
    into.put((latencies, hits, time.process_time() - processor_s))


def measured(
    port: int, case: str, people: int, clients: int, seconds: float, pace_s: float
) -> tuple[list[float], int, float]:
    """The latencies of all clients, people told of, and the clients' processor time, in seconds."""
    into: multiprocessing.Queue[tuple[list[float], int, float]] = multiprocessing.Queue()
    seed = int(time.time()) * 1000
    processes = [
        multiprocessing.Process(target=ask, args=(port, case, seed + n, people, seconds, pace_s, into))
        for n in range(clients)
    ]
    for process in processes:
        process.start()
    answers: list[tuple[list[float], int, float]] = [into.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    return (
        [each for latencies, _, _ in answers for each in latencies],
        sum(hits for _, hits, _ in answers),
        sum(processor_s for _, _, processor_s in answers),
    )


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, list[psutil.Process]]]:
    """Indexer and page over what lies in `folder`: the page's port, and the two processes."""
    search, page = free_port(), free_port()
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "CREWSIGHT_STATE__FOLDER": str(folder),
            "CREWSIGHT_SEARCH__PORT": str(search),
            "CREWSIGHT_PAGE__PORT": str(page),
            "CREWSIGHT_ALERTS__DATABASE_URL": f"sqlite:///{scratch}/desk.sqlite3",
            "HF_HUB_OFFLINE": "1",
        }
        commands = (
            [sys.executable, "-m", "tests.bench_search_http", "--indexer"],
            [sys.executable, "-m", "crewsight", "page"],
        )
        processes = [subprocess.Popen(command, env=environment) for command in commands]
        try:
            wait_until(lambda: answers(search, "/status") or processes[0].poll() is not None, within_s=300)
            wait_until(lambda: answers(page, "/api/v1/health"), within_s=60)
            yield page, [psutil.Process(process.pid) for process in processes]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def answers(port: int, path: str) -> bool:
    """Whether somebody answers there."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False


def serve_indexer() -> None:
    """The indexer's service without a broker: nobody arrives."""
    with indexing_service(IndexerSettings.read(None), Bus("127.0.0.1:1", partitions=1)):
        while os.getppid() != 1:
            time.sleep(0.5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--per-second", type=float, default=0.0, help="Queries a second of all clients; 0: as fast as answered."
    )
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--folder", type=Path, default=Path("artefacts/bench-search-http"))
    parser.add_argument("--build", action="store_true", help="Only make the people up.")
    parser.add_argument("--indexer", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.indexer:
        serve_indexer()
        return
    tower = HumanVLM.load_text()
    width = len(tower.embed_text("person").vector)
    folder = asked.folder / f"{asked.people}-{tower.embedding_space}"
    build(folder, asked.people, tower.embedding_space, width)
    if asked.build:
        return
    pace_s = asked.clients / asked.per_second if asked.per_second else 0.0
    table = Table(
        "search",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "queries/s",
        "hits",
        "page ms",
        "indexer ms",
        "client ms",
        title=f"{asked.people:,} people, {asked.clients} clients",
    )
    with running(folder) as (port, processes):
        for case in asked.cases:
            measured(port, case, asked.people, asked.clients, WARM_S, pace_s)
            before = [sum(process.cpu_times()[:2]) for process in processes]
            latencies, hits, client_s = measured(port, case, asked.people, asked.clients, asked.seconds, pace_s)
            used = [sum(process.cpu_times()[:2]) - was for process, was in zip(processes, before, strict=True)]
            p50, p95, p99 = (1000 * float(np.quantile(latencies, q)) for q in (0.5, 0.95, 0.99))
            count = len(latencies)
            indexer_ms, page_ms = (1000 * seconds / count for seconds in used)
            table.add_row(
                case,
                f"{p50:.1f}",
                f"{p95:.1f}",
                f"{p99:.1f}",
                f"{count / asked.seconds:.0f}",
                f"{hits / count:.1f}",
                f"{page_ms:.1f}",
                f"{indexer_ms:.1f}",
                f"{1000 * client_s / count:.1f}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
