"""Torch modules as their traces: the same numbers without the Python between them."""

import threading
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.jit import ScriptModule

_TRACING = threading.Lock()  # torch keeps what it traces in the module: beside another, a trace can get a second input


def traced(module: "nn.Module", example: "Tensor | tuple[Tensor, ...]") -> "ScriptModule":
    """The module's forward pass as it went for `example`.

    Args:
        module: In the state in which it is to be used; which way its forward pass goes must not depend on its inputs.
        example: Inputs that a tracer can follow.
    """
    import torch

    with _TRACING, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches on shapes, and none depends on what is asked
        return torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call,no-any-return]
