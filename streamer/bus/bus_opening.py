"""The bus that the settings name."""

from streamer.bus.client import TIMEOUT_S, Bus
from streamer.bus.settings import ProcessSettings


def open_bus(settings: ProcessSettings, client_id: str, *, timeout_s: float = TIMEOUT_S) -> Bus:
    """The way to the broker, which nobody has asked anything yet.

    Args:
        settings: Whoever's; `bus` in them says where the broker is.
        client_id: What the broker's log calls us.
        timeout_s: For how long a broker that does not answer is waited for.
    """
    return Bus(
        settings.bus.bootstrap_servers,
        partitions=settings.bus.partitions,
        replication_factor=settings.bus.replication_factor,
        client_id=client_id,
        timeout_s=timeout_s,
    )
