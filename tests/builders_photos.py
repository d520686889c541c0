"""Small labelled photos for tests: people drawn in flat colours, so that what is true of them is known."""

from pathlib import Path

import cv2
import numpy as np

from trainer.photos import HARD_HAT, MASK, NO_HARD_HAT, NO_VEST, PERSON, VEST

RGB = {"yellow": (250, 210, 20), "orange": (255, 110, 20), "blue": (30, 60, 220), "white": (245, 245, 245)}
SKIN, BLACK = (220, 170, 140), (20, 20, 20)
Label = tuple[int, tuple[int, int, int, int]]


def drawn_worker(
    photo: np.ndarray, left: int, *, hat: str | None = "yellow", vest: str | None = "orange", top: str = "blue"
) -> list[Label]:
    """Draw a person 60 px wide and 160 px tall from (`left`, 20) into an RGB photo; their labels as (class, box)."""
    head, torso = (left + 15, 20, left + 45, 50), (left + 5, 60, left + 55, 115)
    cv2.rectangle(photo, (left + 18, 35), (left + 42, 60), SKIN, -1)
    cv2.rectangle(photo, head[:2], head[2:], RGB[hat] if hat else SKIN, -1)
    cv2.rectangle(photo, torso[:2], torso[2:], RGB[vest or top], -1)
    cv2.rectangle(photo, (left + 10, 116), (left + 50, 180), BLACK, -1)
    return [
        (PERSON, (left, 20, left + 60, 180)),
        (HARD_HAT if hat else NO_HARD_HAT, head),
        (VEST if vest else NO_VEST, torso),
        (MASK, (left + 20, 40, left + 40, 56)),
    ]


def photo_folder(folder: Path, *, count: int = 6) -> Path:
    """`images/` and `labels/` of photos with two people each: one in yellow and orange, one without hat and vest."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    chance = np.random.default_rng(0)
    for index in range(count):
        photo = np.full((200, 240, 3), 120, dtype=np.uint8)
        photo[:] = chance.integers(90, 150, 3)
        labels = [*drawn_worker(photo, 20), *drawn_worker(photo, 140, hat=None, vest=None)]
        name = f"photo{index}_jpg.rf.{index:08x}"
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), photo[..., ::-1])
        (folder / "labels" / f"{name}.txt").write_text("\n".join(map(_line, labels)))
    return folder


def _line(label: Label) -> str:
    kind, (x0, y0, x1, y1) = label
    return f"{kind} {(x0 + x1) / 480} {(y0 + y1) / 400} {(x1 - x0) / 240} {(y1 - y0) / 200}"
