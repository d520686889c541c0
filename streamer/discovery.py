"""Cameras that answer a WS-Discovery probe on this machine's networks, as ONVIF asks of every camera."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

ONVIF_NETWORK = "http://www.onvif.org/ver10/network/wsdl"
VIDEO = "NetworkVideoTransmitter"
SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One device as it tells of itself; whoever is in the network may say so."""

    host: str
    device_url: str  # of its ONVIF service, which knows its streams and asks for a password
    name: str
    hardware: str

    @property
    def line(self) -> str:
        """What there is to say of it, in columns."""
        return "\t".join([self.host, self.name or "-", self.hardware or "-", self.device_url])


def discover(timeout_s: float) -> list[FoundCamera]:
    """Every camera that answers within `timeout_s`, by host.

    Nothing is asked of the cameras themselves, so no password is needed; nothing is remembered.
    """
    from wsdiscovery import QName
    from wsdiscovery.discovery import ThreadedWSDiscovery

    asking = ThreadedWSDiscovery()
    asking.start()
    try:
        services = asking.searchServices(types=[QName(ONVIF_NETWORK, VIDEO)], timeout=timeout_s)
    finally:
        asking.stop()
    found = [
        told(address, [scope.getValue() for scope in service.getScopes()])
        for service in services
        for address in service.getXAddrs()
        if urlsplit(address).hostname
    ]
    return sorted(set(found), key=lambda camera: (camera.host, camera.device_url))


def told(address: str, scopes: list[str]) -> FoundCamera:
    r"""What a camera's address and scopes say; control characters in them are left out.

    >>> told("http://10.0.0.7/onvif/device_service", ["onvif://www.onvif.org/name/Gate%20Cam"]).line
    '10.0.0.7\tGate Cam\t-\thttp://10.0.0.7/onvif/device_service'
    """
    said: dict[str, str] = {}
    for scope in scopes:
        kind, _, rest = scope.removeprefix(SCOPE).partition("/")
        if scope.startswith(SCOPE) and rest:
            said.setdefault(kind.lower(), _printable(unquote(rest)))
    return FoundCamera(
        urlsplit(address).hostname or "", _printable(address), said.get("name", ""), said.get("hardware", "")
    )


def _printable(words: str) -> str:
    return "".join(letter for letter in words if letter.isprintable())
