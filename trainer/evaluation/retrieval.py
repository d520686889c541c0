"""Searching people by description: how far down the list the first person whom it fits is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.humanvlm import HumanVLM, ImageTokens
from trainer.evaluation.estimates import Estimate, mean_estimate
from trainer.evaluation.looks import LabelledLook
from trainer.texts import agrees, statements_of

RANKS = (1, 5, 10)
HELD_BY_AT_MOST = 10  # a combination that half of the people have is no search

_PLAIN_WORDS: dict[str, str | dict[str, str]] = {
    "hat": {"yes": "wearing a hard hat", "no": "without a hard hat"},
    "vest": {"yes": "wearing a safety vest", "no": "without a safety vest"},
    "mask": {"yes": "wearing a face mask", "no": "without a face mask"},
    "hat colour": "in a {} hard hat",
    "vest colour": "in a {} safety vest",
    "top": "in a {} top",
    "trousers": "with {} trousers",
    "beside": "beside {}",
}


@dataclass(frozen=True, slots=True)
class RetrievalScore:
    """Recall at 1, 5 and 10 by that number: the share of queries with a fitting person among the first so many."""

    queries: int
    people: int
    recall_at: dict[int, Estimate]


def measure_retrieval(model: HumanVLM, looks: Sequence[LabelledLook], seen: ImageTokens) -> RetrievalScore:
    """Search everyone for each combination of attributes that somebody has and at most ten have."""
    people = [look.person.attributes for look in looks]
    vectors = model.embed(seen)
    combinations = {tuple(sorted(held.items())): held for held in map(statements_of, people) if held}
    ranks = []
    for stated in combinations.values():
        fits = np.array([agrees(stated, person) is True for person in people])
        if 0 < fits.sum() <= HELD_BY_AT_MOST:
            order = np.argsort(-(vectors @ model.embed_text(query_of(stated)).vector), kind="stable")
            ranks.append(int(np.argmax(fits[order])) + 1)
    return RetrievalScore(len(ranks), len(people), {k: recall_at(ranks, k) for k in RANKS})


def recall_at(ranks: Sequence[int], k: int) -> Estimate:
    """Share of queries whose first hit ranks among the first k (ranks count from 1).

    >>> recall_at([1, 4, 12, 2], 10).value
    0.75
    """
    return mean_estimate(np.array([float(rank <= k) for rank in ranks]))


def query_of(stated: Mapping[str, str]) -> str:
    """A person in plain words.

    >>> query_of({"hat colour": "yellow", "vest": "no"})
    'person in a yellow hard hat, without a safety vest'
    """
    phrases = []
    for name, value in stated.items():
        if f"{name} colour" in stated:
            continue
        wording = _PLAIN_WORDS[name]
        phrases.append(wording[value] if isinstance(wording, dict) else wording.format(value))
    return f"person {', '.join(phrases)}"
