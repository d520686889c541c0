"""Batches of looks at people, drawn anew for every epoch.

A batch follows from the seed, the epoch's number and its own alone: a run that is resumed draws the same ones, and so
does one that has them made by more processes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from model.tokens import BEGIN, CANNOT_TELL_WORD, CAPTION, END, PAD, SUMMARY, WordTokens
from model.vision_tower import VisionSizes, resized
from trainer.augment import Donors, View, changed_view
from trainer.colours import is_colourless
from trainer.people import Attributes, Person
from trainer.sampling import draw_weights
from trainer.texts import SearchText, agrees, answers_of, caption_of, search_text_of

NO_ANSWER = -100  # torch's cross entropy passes over it
SEARCH_TEXTS_A_LOOK = 1


class Looks(NamedTuple):
    """One batch.

    Shapes, for B looks, Q questions and N search texts: `pixels` (B, H, W, 3) uint8 RGB; `answers` (B, Q) tokens or
    `NO_ANSWER`; `captions` (B, T) tokens, from `<caption>` to `<end>`, padded; `texts` (N, T) tokens, padded;
    `text_ends` (N,) position of each text's last token; `agreement` (B, N) 1 where the text is true of the person, 0
    where it is not, -1 where nobody knows.
    """

    pixels: Tensor
    answers: Tensor
    captions: Tensor
    texts: Tensor
    text_ends: Tensor
    agreement: Tensor


class LooksOfEpoch(IterableDataset[Looks]):
    """All batches of one epoch."""

    def __init__(
        self,
        people: Sequence[Person],
        words: WordTokens,
        sizes: VisionSizes,
        *,
        batch: int,
        seed: int,
        epoch: int,
        rounds: int = 1,
    ) -> None:
        """The batches of some people.

        Args:
            people: Whom to look at.
            words: What is said of them.
            sizes: In which sizes they are read.
            batch: Looks in a batch.
            seed: What chance follows from,
            epoch: with the epoch's number.
            rounds: How often each person is drawn, on average.
        """
        self._people = people
        self._words = words
        self._sizes = sizes
        self._batch = batch
        self._key = (seed, epoch)
        self._rounds = rounds

    def __len__(self) -> int:
        return len(self._people) * self._rounds // self._batch

    def __iter__(self) -> Iterator[Looks]:
        donors = Donors(self._people)
        weights = draw_weights(self._people)
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        for index in range(first, len(self), stride):  # a loader asks its workers in turns
            chance = np.random.default_rng((*self._key, index))
            drawn = chance.choice(len(self._people), self._batch, replace=True, p=weights)
            views = [changed_view(self._people[i], chance, donors) for i in drawn]
            yield looks_of(views, self._words, self._sizes, chance)


def looks_of(views: Sequence[View], words: WordTokens, sizes: VisionSizes, chance: np.random.Generator) -> Looks:
    """A batch of some views, with freshly drawn wordings."""
    people = [view.attributes for view in views]
    drawn = [search_text_of(person, chance) for person in people for _ in range(SEARCH_TEXTS_A_LOOK)]
    texts = [text for text in drawn if text is not None] or [SearchText("person", {})]
    text_ids = [[words.id_of(BEGIN), *words.ids(text.text), words.id_of(SUMMARY)] for text in texts]
    caption_ids = [_caption_ids(view, words, chance) for view in views]
    return Looks(
        torch.from_numpy(np.stack([resized(view.pixels, sizes) for view in views])),
        torch.tensor([_answer_ids(person, words) for person in people]),
        _padded(caption_ids, words.id_of(PAD)),
        _padded(text_ids, words.id_of(PAD)),
        torch.tensor([len(ids) - 1 for ids in text_ids]),
        torch.from_numpy(_agreement(people, texts)),
    )


def _caption_ids(view: View, words: WordTokens, chance: np.random.Generator) -> list[int]:
    """A caption to learn, or none where it would leave out a colour that is there to be seen: that teaches to hedge."""
    caption = [words.id_of(CAPTION), *words.ids(caption_of(view.attributes, chance)), words.id_of(END)]
    seen = view.attributes
    unsaid = (seen.hard_hat == "yes" and seen.hat_colour is None) or (seen.vest == "yes" and seen.vest_colour is None)
    return [caption[0], words.id_of(PAD)] if unsaid and not is_colourless(view.pixels) else caption


def _answer_ids(person: Attributes, words: WordTokens) -> list[int]:
    spoken = {None: NO_ANSWER, "hidden": words.id_of(CANNOT_TELL_WORD)}
    return [spoken[a] if a in spoken else words.id_of(str(a)) for a in answers_of(person)]


def _agreement(people: Sequence[Attributes], texts: Sequence[SearchText]) -> NDArray[np.int64]:
    verdict = {True: 1, False: 0, None: -1}
    # Few things are stated, by many texts: each is judged once of every person.
    stated = {pair for text in texts for pair in text.stated.items()}
    judged = {
        (name, value): np.array([verdict[agrees({name: value}, person)] for person in people], dtype=np.int64)
        for name, value in stated
    }
    true_of_all = np.ones(len(people), dtype=np.int64)
    columns = []
    for text in texts:
        of_text = np.stack([judged[pair] for pair in text.stated.items()] or [true_of_all])
        columns.append(np.where((of_text == 0).any(axis=0), 0, of_text.min(axis=0)))
    return np.stack(columns, axis=1)


def _padded(rows: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
