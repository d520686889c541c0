"""YOLO-labelled photos as batches of looks at people: what a compact HumanVLM learns from."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from model.tokens import WordTokens
from model.vision_tower import VisionSizes
from trainer.feedback import as_people, corrections
from trainer.holdout import split_people
from trainer.looks import Looks, LooksOfEpoch
from trainer.people import Person, people_in
from trainer.photos import fingerprint, labelled_photos
from trainer.resumable import ResumableEpoch
from trainer.rows import RowCount
from trainer.stages import StageData
from trainer.starting_weights import imagenet_backbone

logger = logging.getLogger(__name__)
RANK_STRIDE = 7919  # a prime: no two devices of neighbouring seeds draw the same people


class PhotosData(StageData):
    """People cut out of labelled photos, some of them held out; a new draw for each epoch."""

    def __init__(
        self,
        folder: Path,
        crops_a_batch: int = 48,
        smallest_person_px: int = 48,
        held_out_percent: int = 8,
        alike: float = 0.4,
        seed: int = 0,
        workers: int = 1,
        rounds_an_epoch: int = 1,
        corrections: Path | None = None,
    ) -> None:
        """Nothing is read before `setup`.

        Args:
            folder: Holds train/, with images/ and labels/.
            crops_a_batch: Looks in a batch.
            smallest_person_px: Shorter people are left out.
            held_out_percent: Share of the source photos kept for calibration.
            alike: A training crop that resembles a held-out one more than this is left out.
            seed: What the draws follow from, with the number of the epoch.
            workers: Processes beside the training that prepare the next batches; 0 prepares them in the training's own.
            rounds_an_epoch: How often each person is drawn in an epoch, on average: many workers need long epochs.
            corrections: The file of officers' corrections, learnt from beside the photos; none of them is held out.
        """
        super().__init__()
        self._folder, self._batch = folder, crops_a_batch
        self._smallest_px, self._percent, self._alike = smallest_person_px, held_out_percent, alike
        self.seed, self._workers, self._rounds = seed, workers, rounds_an_epoch
        self._corrections = corrections
        self._corrected = 0
        self._photos = RowCount()
        self._words: WordTokens | None = None
        self._sizes: VisionSizes | None = None
        self._is_split = False
        self.learnt: list[Person] = []
        self.held_out: list[Person] = []

    def write_in(self, words: WordTokens, sizes: VisionSizes) -> None:
        """Say in which words and sizes the model reads."""
        self._words, self._sizes = words, sizes

    def setup(self, stage: str = "fit") -> None:  # noqa: ARG002 (Lightning's)
        """Cut the people out and hold some of them out; once.

        Raises:
            PhotosError: the photos cannot be read.
            RecipeError: fewer than nine in ten corrections can be read.
            StartingWeightsError: ImageNet's weights, by which resemblance is measured, are not installed.
        """
        if self._is_split:
            return
        everyone = [
            person
            for photo in labelled_photos(self._folder / "train", self._photos)
            for person in people_in(photo, smallest_px=self._smallest_px)
        ]
        self.learnt, self.held_out = self._split(everyone)
        if self._corrections is not None:
            self.learnt.extend(self._people_corrected(self._corrections))
        self._is_split = True
        logger.info("%d people learnt from, %d held out", len(self.learnt), len(self.held_out))

    def train_dataloader(self) -> ResumableEpoch[Looks]:
        """The batches of the epoch at hand."""
        assert self._words is not None
        assert self._sizes is not None
        epoch, rank = (self.trainer.current_epoch, self.trainer.global_rank) if self.trainer is not None else (0, 0)
        seed = self.seed + RANK_STRIDE * rank
        looks = LooksOfEpoch(
            self.learnt, self._words, self._sizes, batch=self._batch, seed=seed, epoch=epoch, rounds=self._rounds
        )
        # A generator of its own: a loader draws a seed, and that must not come out of the training's chance.
        loader = DataLoader(looks, batch_size=None, num_workers=self._workers, generator=torch.Generator())
        return ResumableEpoch(loader)

    @property
    def batches_an_epoch(self) -> int:
        """Batches that this process gets in one epoch."""
        return len(self.learnt) * self._rounds // self._batch

    def fingerprint(self) -> str:
        """Of the photos' names and labels, and of the corrections."""
        labels = fingerprint(self._folder / "train")
        if self._corrections is None:
            return labels
        return hashlib.sha256(labels.encode() + self._corrections.read_bytes()).hexdigest()[:16]

    def counts(self) -> dict[str, int]:
        """People learnt from, those of corrections among them, people held out, and photos that were skipped."""
        learnt = {"people_learnt": len(self.learnt), "people_held_out": len(self.held_out)}
        skipped = {f"photos: skipped, {reason}": photos for reason, photos in self._photos.skipped.items()}
        return {**learnt, "people_corrected": self._corrected, **skipped}

    def _people_corrected(self, path: Path) -> list[Person]:
        found, count = corrections(path)
        count.refuse_unreadable(path)
        people = list(as_people(found, path.parent))
        self._corrected = len(people)
        return people

    def _split(self, everyone: Sequence[Person]) -> tuple[list[Person], list[Person]]:
        return split_people(everyone, imagenet_backbone(), percent=self._percent, alike=self._alike)
