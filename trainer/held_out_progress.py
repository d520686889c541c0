"""Balanced accuracy on held-out people after every epoch."""

import logging

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

from model.network import HumanNetwork
from model.tokens import WordTokens
from trainer.augment import plain_view
from trainer.calibration import answered
from trainer.photos_data import PhotosData
from trainer.texts import QUESTIONS

logger = logging.getLogger(__name__)
NAMES = ("hat", "vest", "mask", "hat_colour", "vest_colour")


class HeldOutProgress(Callback):
    """Logs how well a network answers the questions about people that it does not learn from, where checks are due."""

    def __init__(self, network: HumanNetwork, words: WordTokens) -> None:
        self._network, self._words = network, words

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure and log."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, PhotosData)
        every = trainer.check_val_every_n_epoch or 1
        if not data.held_out or (trainer.current_epoch + 1) % every:
            return
        self._network.eval()
        # Whole people only: the other views of them are for the calibration, and three times the work.
        views = [plain_view(person) for person in data.held_out]
        measured = answered(self._network, self._words, QUESTIONS, views)
        self._network.train()
        scores = {name: found.balanced_accuracy() for name, found in zip(NAMES, measured, strict=True)}
        pl_module.log_dict({f"held_out/{name}_balanced_accuracy": score for name, score in scores.items()})
        rounded = {name: round(score, 3) for name, score in scores.items()}
        logger.info("epoch %d: held-out balanced accuracy %s", trainer.current_epoch, rounded)
