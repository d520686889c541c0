"""Where a network runs."""

import torch

from model.errors import DeviceError


def chosen_device(name: str | None) -> torch.device:
    """The device of that name; without one, CUDA where there is one, else the processor.

    Raises:
        DeviceError: There is no such device here.
    """
    wanted = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)  # only now the driver is asked
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(wanted, str(error).splitlines()[0]) from error
    return device
