"""Which parameters a stage moves: chosen by name, printed, and asserted against what the optimizer holds."""

import logging
from collections import defaultdict

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback
from torch import nn

from trainer.stages import StageTask

logger = logging.getLogger(__name__)
_WRAPPERS = ("_checkpoint_wrapped_module.", "_orig_mod.")


def set_trainable(task: StageTask) -> None:
    """Let exactly the parameters learn that the task's stage moves."""
    for name, parameter in task.named_parameters():
        parameter.requires_grad_(task.learns(_plain(name)))


def trainable_by_part(module: nn.Module, *, depth: int = 2) -> dict[str, tuple[int, int]]:
    """For each part of a module, how many of its numbers learn, and how many there are.

    >>> trainable_by_part(nn.ModuleDict({"eye": nn.Linear(2, 3), "mouth": nn.Linear(3, 1).requires_grad_(False)}))
    {'eye.weight': (6, 6), 'eye.bias': (3, 3), 'mouth.weight': (0, 3), 'mouth.bias': (0, 1)}
    """
    counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for name, parameter in module.named_parameters():
        part = ".".join(_plain(name).split(".")[:depth])
        learns, everything = counts[part]
        counts[part] = learns + parameter.numel() * parameter.requires_grad, everything + parameter.numel()
    return dict(counts)


class TrainableParts(Callback):
    """Says what the stage trains, and stops a run that would train anything else."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Print and assert, before the first step."""
        assert isinstance(pl_module, StageTask)
        for part, (learns, everything) in trainable_by_part(pl_module).items():
            logger.info("stage %s trains %d of %d in %s", pl_module.stage, learns, everything, part)
        moved = {id(p) for optimizer in trainer.optimizers for group in optimizer.param_groups for p in group["params"]}
        for name, parameter in pl_module.named_parameters():
            wanted = pl_module.learns(_plain(name))
            assert parameter.requires_grad == wanted, f"{name}: learns {parameter.requires_grad}, wanted {wanted}"
            assert (id(parameter) in moved) == wanted, f"{name}: in the optimizer, or missing there, against the stage"


def _plain(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name
