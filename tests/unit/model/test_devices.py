import pytest

from model.devices import chosen_device
from model.errors import DeviceError


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "the fast one"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(DeviceError, match=f"no network can run on {name}: .+; name another device"):
        chosen_device(name)


def test_the_processor_is_always_there() -> None:
    assert chosen_device("cpu").type == "cpu"
