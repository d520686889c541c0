"""How often each person is drawn: the photos have far more of some kinds of people than footage has. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.heads import is_seen_whole
from trainer.people import Attributes, Person

_STRONGEST = 2.0  # nobody is drawn more than this much more, or this much less, often for being rare or common
Kind = Callable[[Person], tuple[object, ...] | None]


def draw_weights(people: Sequence[Person]) -> NDArray[np.float64]:
    """Chances (people,) that sum to 1: more for people of whom much is known, and for the rarer answers.

    Hatted and bare heads, and torsos with and without a vest, are evened out among people seen whole and people seen
    from near by themselves, as what is seen of a person must not say what is worn.
    """
    weights = np.array([_worth(person.attributes) for person in people])
    for kind in (_hat, _vest, _mask, _hat_colour, _vest_colour):
        weights *= _evened(people, kind)
    return np.asarray(weights / weights.sum())


def _worth(person: Attributes) -> float:
    """One of whom nothing is known teaches little."""
    known = sum(answer is not None for answer in (person.hard_hat, person.vest, person.mask))
    coloured = sum(colour is not None for colour in (person.hat_colour, person.vest_colour))
    return 0.2 + known / 3 + coloured / 2


def _evened(people: Sequence[Person], kind: Kind) -> NDArray[np.float64]:
    """Factors (people,): the root of how rare a person's kind is among those of the same group."""
    kinds = [kind(person) for person in people]
    counts = Counter(k for k in kinds if k is not None)
    groups: dict[object, list[int]] = {}
    for k, count in counts.items():
        groups.setdefault(k[:-1], []).append(count)
    means = {group: float(np.mean(sizes)) for group, sizes in groups.items()}
    factors = [1.0 if k is None else np.sqrt(means[k[:-1]] / counts[k]) for k in kinds]
    return np.asarray(np.clip(factors, 1 / _STRONGEST, _STRONGEST))


def _hat(person: Person) -> tuple[object, ...] | None:
    worn = person.attributes.hard_hat
    return None if worn is None else (is_seen_whole(person), worn)


def _vest(person: Person) -> tuple[object, ...] | None:
    worn = person.attributes.vest
    return None if worn is None else (is_seen_whole(person), worn)


def _mask(person: Person) -> tuple[object, ...] | None:
    worn = person.attributes.mask
    return None if worn is None else (worn,)


def _hat_colour(person: Person) -> tuple[object, ...] | None:
    colour = person.attributes.hat_colour
    return (colour,) if colour in ("yellow", "white", "orange", "red", "blue") else None


def _vest_colour(person: Person) -> tuple[object, ...] | None:
    colour = person.attributes.vest_colour
    return (colour,) if colour in ("yellow", "orange", "red") else None
