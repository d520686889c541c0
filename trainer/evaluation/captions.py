"""Captions: whether they name what the labels show, in the colour that was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluation.claims import THINGS, Claim, Thing, claims_of
from trainer.evaluation.estimates import Counts, Estimate, Shares, estimate, mean_estimate, mean_known, share
from trainer.evaluation.looks import LabelledLook
from trainer.texts import FACE_MASK, HARD_HAT, HAT_COLOURS, QUESTIONS, SAFETY_VEST, VEST_COLOURS

_COLUMN = {
    "hat": QUESTIONS.index(HARD_HAT),
    "vest": QUESTIONS.index(SAFETY_VEST),
    "mask": QUESTIONS.index(FACE_MASK),
}
_COLOURS: dict[Thing, tuple[str, ...]] = {"hat": HAT_COLOURS, "vest": VEST_COLOURS}
_NOTHING_KNOWN = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class CaptionScore:
    """How captions agree with the labels.

    Attributes:
        f1: By attribute: hat, vest and mask named where labelled worn; their colours where one was measured.
        mean_f1: The mean over the attributes that are worn by anyone.
        balanced_accuracy: Captions read as yes or no (not named is no), by thing.
        colour_right: Share of hats and vests of measured colour whose caption says that colour.
    """

    f1: dict[str, Estimate]
    mean_f1: Estimate
    balanced_accuracy: dict[str, Estimate]
    colour_right: dict[str, Estimate]


def score_captions(captions: Sequence[str], looks: Sequence[LabelledLook]) -> CaptionScore:
    """Read each caption as claims and hold them against the labels of its person."""
    claims = [claims_of(caption) for caption in captions]
    counts: dict[str, Counts] = {thing: _named_counts(thing, claims, looks) for thing in THINGS}
    counts |= {f"{thing} colour": _colour_counts(thing, claims, looks) for thing in _COLOURS}
    return CaptionScore(
        f1={name: estimate(rows, _f1) for name, rows in counts.items()},
        mean_f1=estimate(np.concatenate(list(counts.values()), axis=1), _mean_f1),
        balanced_accuracy={thing: _read_as_answer(thing, claims, looks) for thing in THINGS},
        colour_right={thing: _colour_right(thing, claims, looks) for thing in _COLOURS},
    )


def _named_counts(thing: Thing, claims: Sequence[dict[Thing, Claim]], looks: Sequence[LabelledLook]) -> Counts:
    """Whether the thing is rightly named, wrongly named or missed, (n, 3); zeros where nothing is labelled."""
    rows: list[tuple[int, int, int]] = []
    for claimed, look in zip(claims, looks, strict=True):
        is_named, labelled = _is_named(claimed, thing), look.right[_COLUMN[thing]]
        is_worn = labelled == "yes"
        hit, false, missed = is_named and is_worn, is_named and not is_worn, is_worn and not is_named
        rows.append((hit, false, missed) if labelled in ("yes", "no") else _NOTHING_KNOWN)
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _colour_counts(thing: Thing, claims: Sequence[dict[Thing, Claim]], looks: Sequence[LabelledLook]) -> Counts:
    """The same of the thing's colour: a wrong one is both wrongly named and missed."""
    rows: list[tuple[int, int, int]] = []
    for claimed, look in zip(claims, looks, strict=True):
        said, measured = _said_colour(claimed, thing), _measured_colour(look, thing)
        if measured is not None:
            rows.append((said == measured, said not in (None, measured), said != measured))
        elif look.right[_COLUMN[thing]] == "no":
            rows.append((False, said is not None, False))
        else:
            rows.append(_NOTHING_KNOWN)
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _read_as_answer(thing: Thing, claims: Sequence[dict[Thing, Claim]], looks: Sequence[LabelledLook]) -> Estimate:
    """Balanced accuracy of captions read as yes or no."""
    rows = []
    for claimed, look in zip(claims, looks, strict=True):
        answer, is_named = look.right[_COLUMN[thing]], _is_named(claimed, thing)
        if answer in ("yes", "no"):
            is_worn = answer == "yes"
            rows.append((is_worn and is_named, not is_worn and not is_named, is_worn, not is_worn))
    return estimate(
        np.array(rows, dtype=np.int64).reshape(-1, 4), lambda sums: mean_known(share(sums[..., :2], sums[..., 2:]))
    )


def _colour_right(thing: Thing, claims: Sequence[dict[Thing, Claim]], looks: Sequence[LabelledLook]) -> Estimate:
    pairs = [
        (_said_colour(claimed, thing), _measured_colour(look, thing))
        for claimed, look in zip(claims, looks, strict=True)
    ]
    return mean_estimate(np.array([float(said == measured) for said, measured in pairs if measured is not None]))


def _is_named(claimed: dict[Thing, Claim], thing: Thing) -> bool:
    return thing in claimed and claimed[thing].is_worn


def _said_colour(claimed: dict[Thing, Claim], thing: Thing) -> str | None:
    return claimed[thing].colour if thing in claimed else None


def _measured_colour(look: LabelledLook, thing: Thing) -> str | None:
    attributes = look.person.attributes
    colour = attributes.hat_colour if thing == "hat" else attributes.vest_colour
    return colour if colour in _COLOURS[thing] else None


def _f1(sums: Counts) -> Shares:
    hit, false, missed = np.moveaxis(sums, -1, 0)
    return share(2 * hit, np.where(hit + missed > 0, 2 * hit + false + missed, 0))


def _mean_f1(sums: Counts) -> Shares:
    return mean_known(_f1(sums.reshape(*sums.shape[:-1], -1, 3)))
