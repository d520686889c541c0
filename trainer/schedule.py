"""The learning rate over a run, as a share of its highest value. Pure."""

import math
from pathlib import Path

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig

from trainer.errors import RecipeError


def steps_of_run(max_epochs: int | None, max_steps: int, *, batches_an_epoch: int, batches_a_step: int) -> int:
    """Optimizer steps until the first of Lightning's two limits, each of which may be none: -1.

    Raises:
        RecipeError: there is no limit.

    >>> steps_of_run(3, -1, batches_an_epoch=19, batches_a_step=2)
    30
    >>> steps_of_run(-1, 12, batches_an_epoch=19, batches_a_step=2)
    12
    """
    steps_an_epoch = math.ceil(batches_an_epoch / batches_a_step)
    limits = [max_epochs * steps_an_epoch] if max_epochs is not None and max_epochs >= 0 else []
    limits += [max_steps] if max_steps >= 0 else []
    if not limits:
        raise RecipeError(Path("trainer"), "has neither max_epochs nor max_steps: the learning rate falls to an end")
    return min(limits)


def cooled(optimizer: torch.optim.Optimizer, *, total_steps: int, warmup_share: float) -> OptimizerLRSchedulerConfig:
    """An optimizer whose rates are warmed up and then cooled along a cosine, step by step, as Lightning wants it."""
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmed_then_cosine(step, total_steps=total_steps, warmup_share=warmup_share)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warmed_then_cosine(step: int, *, total_steps: int, warmup_share: float) -> float:
    """Rises in a straight line over the warm-up, then falls along a cosine to nothing.

    >>> [round(warmed_then_cosine(s, total_steps=10, warmup_share=0.2), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = max(1, round(warmup_share * total_steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
