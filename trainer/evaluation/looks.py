"""Labelled people as an analyzer would cut them out of the photos."""

from collections.abc import Iterable
from dataclasses import dataclass

from model.crops import Crop, crop_person
from model.humanvlm import SMALLEST_PERSON_PX
from trainer.people import Person, labelled_answer, people_in
from trainer.photos import HARD_HAT, MASK, NO_HARD_HAT, NO_MASK, NO_VEST, PERSON, VEST, LabelledPhoto
from trainer.texts import answers_of


@dataclass(frozen=True, slots=True)
class LabelledLook:
    """One person with the labelled answers to `trainer.texts.QUESTIONS`; None where there is no label."""

    crop: Crop
    person: Person
    right: tuple[str | None, ...]


def labelled_looks(photos: Iterable[LabelledPhoto]) -> list[LabelledLook]:
    """Everyone of some photos who is tall enough to be asked about."""
    return [
        LabelledLook(crop_person(photo.pixels, person.photo_box_xyxy), person, _right(photo, person))
        for photo in photos
        for person in people_in(photo, smallest_px=SMALLEST_PERSON_PX)
    ]


def _right(photo: LabelledPhoto, person: Person) -> tuple[str | None, ...]:
    """The labelled answers; colours are those measured from the pixels.

    What is worn is read from every label inside the person's box and not, as in training, from the one that fits best:
    the labels are the judge here, and people with contradicting ones are not judged at all.
    """
    box = person.photo_box_xyxy
    others = [labelled for labelled in photo.boxes if labelled.label != PERSON]
    worn = [
        labelled_answer(box, others, HARD_HAT, NO_HARD_HAT),
        labelled_answer(box, others, VEST, NO_VEST),
        labelled_answer(box, others, MASK, NO_MASK),
    ]
    return (*worn, *answers_of(person.attributes)[3:])
