"""Means over all devices that share a batch: every answer and word weighs the same, wherever it is."""

import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor


def mean_over_ranks(total: Tensor, count: Tensor, strategy: Strategy | None) -> Tensor:
    """This device's share of a mean over all devices, such that the mean of the shares is that mean.

    Devices average their gradients. A device with few words would pull as hard as one with many, so each total is
    divided by the count of all, not by its own.

    Args:
        total: A loss summed over this device's `count`; it may hold the gradient.
        count: Of this device.
        strategy: What joins the devices; None is a model outside of any run.
    """
    everywhere = count.detach().to(total.device, torch.float32)
    world_size = 1
    if strategy is not None:
        everywhere = torch.as_tensor(strategy.reduce(everywhere, reduce_op="sum"))
        world_size = getattr(strategy, "world_size", 1)
    return total * world_size / everywhere.clamp(min=1)
