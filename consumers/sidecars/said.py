"""What a sidecar says of a picture: sentences, keywords and boxes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.indexer.rows import Person
from model.questions import CANNOT_TELL, UNMEASURED
from streamer.bus.messages import AskedQuestion

SURE_FROM = 0.5  # an answer's probability
PERSON = "person"
NOTHING_THERE = "none"  # the colour of something that nobody wears


@dataclass(frozen=True, slots=True)
class Area:
    """A box as MWG writes it: its middle, width and height, all in fractions of the picture."""

    x: float
    y: float
    w: float
    h: float

    def as_stored(self, orientation: int) -> "Area":
        """An upright picture's box in the pixels that the file stores, which EXIF's `orientation` (1..8) turns upright.

        >>> Area(0.25, 0.5, 0.1, 0.2).as_stored(6)
        Area(x=0.5, y=0.75, w=0.2, h=0.1)
        """
        x, y = self.x, self.y
        middles = {2: (1 - x, y), 3: (1 - x, 1 - y), 4: (x, 1 - y), 5: (y, x), 6: (y, 1 - x), 7: (1 - y, 1 - x)}
        middle = {**middles, 8: (1 - y, x)}.get(orientation, (x, y))
        return Area(*middle, *((self.h, self.w) if orientation >= 5 else (self.w, self.h)))


@dataclass(frozen=True, slots=True)
class Region:
    """A person's box and what is said of them."""

    area: Area
    caption: str


@dataclass(frozen=True, slots=True)
class PictureSaid:
    """All that is said of a picture; its boxes are those of the pixels that the file stores, `size_wh` of them."""

    size_wh: tuple[int, int]
    description: str
    keywords: tuple[str, ...]
    regions: tuple[Region, ...]


def picture_said(
    people: Sequence[Person], questions: Mapping[str, AskedQuestion], *, size_wh: tuple[int, int], orientation: int
) -> PictureSaid:
    """What is said of a picture with these people in it.

    Args:
        people: Everyone in it.
        questions: What was asked, by id.
        size_wh: Width and height in pixels as the file stores them.
        orientation: EXIF's, 1..8.
    """
    captions = [_sentence(person.caption) for person in people]
    keywords = dict.fromkeys(word for person in people for word in (PERSON, *_keywords(person, questions)))
    regions = (
        Region(_area(person).as_stored(orientation), caption) for person, caption in zip(people, captions, strict=True)
    )
    return PictureSaid(size_wh, " ".join(dict.fromkeys(captions)), tuple(keywords), tuple(regions))


def _keywords(person: Person, questions: Mapping[str, AskedQuestion]) -> list[str]:
    """What was answered surely by a model that was measured on it; never that something cannot be told."""
    found = []
    for question_id, probabilities in person.answers.items():
        question = questions.get(question_id)
        answer = max(probabilities, key=probabilities.__getitem__)
        is_said = answer not in {CANNOT_TELL, NOTHING_THERE} and probabilities[answer] >= SURE_FROM
        if question is None or not is_said or person.reasons.get(question_id) == UNMEASURED:
            continue
        if question.kind == "predicate":
            found.append(question.label if answer == "yes" else f"no {question.label}")
        else:
            found.append(f"{question.label}: {answer}")
    return found


def _area(person: Person) -> Area:
    (left, top, right, bottom), (width, height) = person.box_xyxy, person.frame_size_wh
    return Area(
        (left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height
    )


def _sentence(caption: str) -> str:
    plain = caption.strip().rstrip(".")
    return f"{plain[:1].upper()}{plain[1:]}."
