"""Loopback ports for servers that are started later, by name in some settings."""

import contextlib
import random
import socket

# Below what the system hands out by itself (net.ipv4.ip_local_port_range), to connections and to whoever takes any
# port: one that is promised here would else be somebody else's before its server starts.
PROMISED = range(20_000, 32_000)

_chance = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on; kept apart by holding all of them while choosing."""
    chosen: list[int] = []
    with contextlib.ExitStack() as held:
        while len(chosen) < count:
            probe, port = held.enter_context(socket.socket()), _chance.choice(PROMISED)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                chosen.append(port)
    return chosen


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
