"""A LLaVA spread over devices, so that each holds a share of every weight, gradient and moment (FSDP2).

PyTorch FSDP, https://arxiv.org/abs/2304.11277; in its second form, `torch.distributed.fsdp.fully_shard`.
"""

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers.modeling_layers import GradientCheckpointingLayer


def spread(network: Any, mesh: DeviceMesh, *, in_bfloat16: bool) -> None:
    """Leave this device its share of a network's weights; a layer's are gathered while it works.

    Args:
        network: A LLaVA, with or without adapters.
        mesh: The devices, in one dimension.
        in_bfloat16: Whether layers are gathered, and work, in bfloat16; shares and sums of gradients stay float32.
    """
    llava = network.get_base_model() if hasattr(network, "get_base_model") else network
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if in_bfloat16 else MixedPrecisionPolicy()
    layers = [module for module in llava.modules() if isinstance(module, GradientCheckpointingLayer)]
    # The head is called by itself, so it is no part of the rest.
    for unit in (*layers, llava.model, llava.lm_head):
        fully_shard(unit, mesh=mesh, mp_policy=policy)
