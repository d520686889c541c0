"""A person table of as many people as are asked for, with text and index beside it, made up from a seed."""

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from sqlalchemy import insert

from consumers.alerts.measured import read_measured
from consumers.indexer.catching_up import catch_up
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import PartitionRecord, PersonRecord, QuestionRecord, SegmentRecord
from consumers.questions import asked_question
from consumers.search.terms import searchable_text
from model.questions import CANNOT_TELL
from streamer.bus.messages import AskedQuestion

CAMERAS, DAYS, CENTRES, PARTITIONS = 200, 30, 2000, 4
SEED, CHUNK = 7, 5_000
FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
COLOURS = ("yellow", "white", "orange", "red", "blue", "green", "grey", "black", "brown", "pink")
THINGS = ("backpack", "ladder", "helmet bag", "box", "phone", "clipboard", "bucket", "cable", "toolbox", "drill")
DOING = ("walking", "standing", "kneeling", "carrying something", "climbing", "sitting", "pointing", "waiting")


def questions() -> list[AskedQuestion]:
    """What the embedded model was measured on."""
    return [asked_question(question) for question in read_measured("embedded").questions]


def camera(number: int) -> str:
    """The name of a camera."""
    return f"camera-{number:03d}"


def person_id(key: int) -> str:
    """Who has a key."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(key)))


def build(folder: Path, count: int, embedding_space: str, width: int) -> None:
    """Write `people.sqlite3` and the index of `count` people into a folder, unless they are there."""
    if (folder / "whole").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    table = PeopleTable(f"sqlite:///{folder / 'people.sqlite3'}")
    with table._engine.begin() as connection:
        cameras = [{"camera_id": camera(n), "partition": n % PARTITIONS} for n in range(CAMERAS)]
        connection.execute(insert(PartitionRecord), cameras)
        connection.execute(
            insert(QuestionRecord),
            [q.model_dump(include={"question_id", "kind", "text", "answers"}) for q in questions()],
        )
        connection.execute(insert(SegmentRecord), [a_segment()])
    # Past SQLAlchemy, which would take most of the time; what its types store is written as it is.
    database = sqlite3.connect(folder / "people.sqlite3", isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    names = [column.name for column in PersonRecord.__table__.columns]
    entered = f"INSERT INTO people ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    asked = questions()
    for rows in chunked_rows(count, embedding_space, width):
        database.execute("BEGIN")
        database.executemany(entered, [[stored(row[name]) for name in names] for row in rows])
        texts = [(row["id"], searchable_text(row["caption"], row["answers"], asked)) for row in rows]
        database.executemany("INSERT INTO people_text(rowid, said) VALUES (?, ?)", texts)
        database.execute("COMMIT")
    database.close()
    index = LocalIndex(folder / "index")
    catch_up(index, table)
    while index.tend():
        pass
    index.save()
    index.close()
    table.close()
    (folder / "whole").touch()


def chunked_rows(count: int, embedding_space: str, width: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of the person table, in order of time."""
    randomness = np.random.default_rng(SEED)
    centres = randomness.normal(size=(CENTRES, width)).astype(np.float32)
    asked = questions()
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        vectors = centres[randomness.integers(CENTRES, size=size)] / np.sqrt(width)
        vectors = vectors + randomness.normal(size=(size, width)).astype(np.float32) * (0.8 / np.sqrt(width))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        picks = randomness.integers(0, 1 << 30, size=(size, 8))
        yield [a_row(first + n + 1, count, vectors[n], picks[n].tolist(), asked, embedding_space) for n in range(size)]


def a_row(
    key: int, count: int, vector: Any, pick: list[int], asked: list[AskedQuestion], embedding_space: str
) -> dict[str, Any]:
    """One person; `pick` decides how they look."""
    seen_at = FIRST_DAY + timedelta(days=DAYS) * (key / count)
    where, hat, vest = camera(pick[0] % CAMERAS), pick[1] % 10 < 7, pick[2] % 10 < 6
    top, thing = COLOURS[pick[3] % len(COLOURS)], THINGS[pick[4] % len(THINGS)]
    wears = " and ".join(["a hard hat"] * hat + ["a safety vest"] * vest) or "no safety gear"
    answers = {}
    for question in asked:
        is_worn = hat if "hat" in question.text else vest
        if question.kind == "predicate":
            answer = "yes" if is_worn else "no"
        else:
            answer = question.answers[pick[5] % (len(question.answers) - 1)] if is_worn else "none"
        rest = 0.2 / len(question.answers)
        answers[question.question_id] = {**dict.fromkeys((*question.answers, CANNOT_TELL), rest), answer: 0.8}
    name = f"{key:010d}"
    return {
        "id": key,
        "person_id": person_id(key),
        "track_id": f"{name}/1",
        "chain_id": person_id(key),
        "camera_id": where,
        "segment_id": f"segment-{key // 5}",
        "segment_uri": f"media:///media/{where}/2026-03-01/{key // 5}.mp4",
        "segment_started_at": seen_at,
        "time_origin": "clock",
        "analysis_revision": "bench",
        "first_seen_at": seen_at,
        "last_seen_at": seen_at + timedelta(seconds=8),
        "best_at_s": 2.4,
        "crop_uri": f"media:///crops/{where}/{name}.jpg",
        "box_xyxy": [100.0, 120.0, 180.0, 340.0],
        "crop_size_wh": [84, 231],
        "frame_size_wh": [1280, 720],
        "caption": f"A person in {top} wearing {wears}, {DOING[pick[6] % len(DOING)]}, with a {thing}.",
        "answers": answers,
        "reasons": {},
        "revisions": {
            "detector": "yolo11n-person-1f0c22ab@0.4/640",
            "answer": "humanvlm-compact-63447de3",
            "caption": "humanvlm-compact-63447de3",
            "embedding_space": embedding_space,
        },
        "embedding": vector.astype("<f2").tobytes(),
        "embedding_space": embedding_space,
        "detection_score": 0.5 + (pick[7] % 50) / 100,
    }


def a_segment() -> dict[str, Any]:
    """One segment, so that status has something to say."""
    return {
        "segment_id": "segment-0",
        "analysis_revision": "bench",
        "camera_id": camera(0),
        "uri": "media:///media/camera-000/2026-03-01/0.mp4",
        "manifest_uri": "media:///results/none.json",
        "started_at": FIRST_DAY,
        "duration_s": 10.0,
        "previous_segment_id": None,
        "person_count": 5,
    }


def stored(value: object) -> object:
    """As SQLite has it."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value
