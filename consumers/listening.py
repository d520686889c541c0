"""Sockets of services: internal ones on this machine only, and one clear line for an address that is taken."""

import ipaddress
import socket

from consumers.errors import AddressError


def listen(host: str, port: int, *, setting: str, is_public: bool = False) -> socket.socket:
    """A listening socket.

    Args:
        host: An address of the loopback, or any of this machine's where `is_public`.
        port: The port; 0 takes any that is free.
        setting: The group of settings that says so, for the error: `search` has `search.port`.
        is_public: Whether other machines may come; then somebody has to ask who they are.

    Raises:
        AddressError: The address is not this machine's own, or is taken.
    """
    address = f"{host}:{port}"
    if not is_public and not is_loopback(host):
        reason = f"only this machine's own address is allowed; set {setting}.host to 127.0.0.1"
        raise AddressError(address, reason)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise AddressError(address, f"{error.strerror}; stop what listens there, or set {setting}.port") from error
    return listening


def listen_for_searches(host: str, port: int, *, token: str) -> socket.socket:
    """The socket of the search service, which other machines reach only where they have to show a token.

    Raises:
        AddressError: The address is taken, or other machines reach it and no token is asked for.
    """
    if not is_loopback(host) and not token:
        raise AddressError(f"{host}:{port}", "other machines reach it; set search.token, or correct search.listen_host")
    return listen(host, port, setting="search", is_public=True)


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
