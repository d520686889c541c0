"""Small conversations about drawn pictures, in every form that they come in."""

import io
import json
from pathlib import Path
from typing import Any

import webdataset
from PIL import Image

COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220), "yellow": (240, 210, 30), "white": (245, 245, 245)}


def jpeg(colour: str) -> bytes:
    """A small picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", (32, 48), COLOURS[colour]).save(written, "jpeg")
    return written.getvalue()


def llava_json(folder: Path, *, rows: int = 8) -> Path:
    """`instruct.json` and its pictures: a question about the vest, longer or shorter, one row with two turns."""
    (folder / "images").mkdir(parents=True)
    written: list[dict[str, Any]] = []
    for index in range(rows):
        colour = list(COLOURS)[index % len(COLOURS)]
        (folder / "images" / f"{index}.jpg").write_bytes(jpeg(colour))
        said = [("human", "<image>\nWhat colour is the vest?"), ("gpt", f"{colour}." + " Bright." * (index % 3))]
        if index == 1:
            said += [("human", "And the hat?"), ("gpt", "none.")]
        conversations = [{"from": who, "value": value} for who, value in said]
        written.append({"id": str(index), "image": f"{index}.jpg", "conversations": conversations})
    path = folder / "instruct.json"
    path.write_text(json.dumps(written))
    return path


def caption_shards(folder: Path, *, shards: int = 2, rows: int = 6) -> Path:
    """Shards as img2dataset writes them: `00000.tar` holding a jpg, a txt and a json a row."""
    folder.mkdir(parents=True)
    for shard in range(shards):
        with webdataset.TarWriter(str(folder / f"{shard:05d}.tar")) as writer:
            for index in range(rows):
                colour = list(COLOURS)[index % len(COLOURS)]
                key = f"{shard:05d}{index:04d}"
                caption = f"a person in a {colour} vest"
                writer.write({"__key__": key, "jpg": jpeg(colour), "txt": caption, "json": {"key": key}})
    return folder
