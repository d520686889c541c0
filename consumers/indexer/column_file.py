"""The columns of a shard as bytes: an uncompressed npz without a pickle, its checksums those of a zip file. Pure."""

import io
import json
import zipfile

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer.columns import Codes, Columns
from consumers.indexer.growing import Growing


def to_bytes(columns: Columns, count: int) -> bytes:
    """The first `count` rows."""
    codes = np.unique(columns.camera.rows[:count])
    cameras = [columns.cameras.names[code] if code >= 0 else "" for code in codes.tolist()]
    answers = [(name, column.rows[:count]) for name, column in list(columns.answers.items())]
    postings = [(word, _below(posting, count)) for word, posting in list(columns.postings.items())]
    names = {
        "cameras": cameras,
        "answers": [[*name, len(column)] for name, column in answers],
        "words": [[word, len(rows)] for word, rows in postings],
    }
    written = io.BytesIO()
    np.savez(
        written,
        allow_pickle=False,
        names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
        key=columns.key.rows[:count],
        camera=np.searchsorted(codes, columns.camera.rows[:count]).astype(np.int32),
        first_seen_us=columns.first_seen_us.rows[:count],
        detection_score=columns.detection_score.rows[:count],
        answers=np.concatenate([np.empty(0, np.uint16), *(column for _, column in answers)]),
        postings=np.concatenate([np.empty(0, np.int32), *(rows for _, rows in postings)]),
    )
    return written.getvalue()


def from_bytes(content: bytes, cameras: Codes) -> Columns:
    """The columns that `to_bytes` wrote.

    Raises:
        VectorIndexError: The bytes are no such columns.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as read:
            arrays = {name: read[name] for name in read.files}
        names = json.loads(arrays["names"].tobytes())
        return _restored(arrays, names, cameras)
    except (OSError, EOFError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise VectorIndexError(f"the columns of a shard cannot be read: {error}") from error


def _restored(arrays: dict[str, np.ndarray], names: dict[str, list[list[object]]], cameras: Codes) -> Columns:
    columns = Columns(cameras)
    codes = np.asarray([cameras.number(str(name)) if name else -1 for name in names["cameras"]], dtype=np.int32)
    columns.camera.extend(codes[arrays["camera"]])
    columns.first_seen_us.extend(arrays["first_seen_us"])
    columns.detection_score.extend(arrays["detection_score"])
    columns.key.extend(arrays["key"])
    columns.cameras_here.update(code for code in codes.tolist() if code >= 0)
    start = 0
    for question, answer, length in names["answers"]:
        column = columns.answers[str(question), str(answer)] = Growing(np.uint16)
        column.extend(arrays["answers"][start : start + int(str(length))])
        start += int(str(length))
    start = 0
    for word, length in names["words"]:
        posting = columns.postings[str(word)] = Growing(np.int32)
        posting.extend(arrays["postings"][start : start + int(str(length))])
        start += int(str(length))
    return columns


def _below(posting: Growing, count: int) -> np.ndarray:
    rows = posting.rows
    return rows[: int(np.searchsorted(rows, count))]
