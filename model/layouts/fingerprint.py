"""The name of what a checkpoint folder holds, found without reading gigabytes."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

_SAMPLE_BYTES = 4096


def fingerprint(folder: Path, *patterns: str) -> str:
    """Eight hexadecimal digits of the files of these patterns.

    Of a safetensors file its header counts, and the beginning and the end of every tensor: training moves nearly every
    element of what it trains, so a tensor that changed shows there, and 17 GB need not be read.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        digest.update(path.name.encode())
        for part in _samples(path) if path.suffix == ".safetensors" else [path.read_bytes()]:
            digest.update(part)
    return digest.hexdigest()[:8]


def _samples(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = file.read(header_bytes)
        yield header
        for name, tensor in json.loads(header).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + header_bytes + offset for offset in tensor["data_offsets"])
            for start in (begin, max(end - _SAMPLE_BYTES, begin)):
                file.seek(start)
                yield file.read(min(_SAMPLE_BYTES, end - start))
