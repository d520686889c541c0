"""Runs the page: one worker, loopback only, one clear line for what can go wrong."""

import ipaddress
import signal
import socket

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from consumers.errors import AddressError

SHUTDOWN_S = 2
LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def serve(api: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        AddressError: the address is not this machine's own, or is taken.
    """
    listening = listen(host, port)
    # A page of another site could rebind its name to 127.0.0.1 and read everything here; names decide that.
    api.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)
    config = uvicorn.Config(
        api, log_level="warning", access_log=False, log_config=None, server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S, ws="auto",
    )
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)  # uvicorn raises it again when all is closed: that must not kill us
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address.

    Raises:
        AddressError: the address is not this machine's own, or is taken.
    """
    address = f"{host}:{port}"
    if not is_loopback(host):
        raise AddressError(address, "only this machine's own address (127.0.0.1) until there are users to sign in")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise AddressError(address, f"{error.strerror}; stop what listens there, or set page.port") from error
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
    (True, True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
