"""A camera as it shall be, from what stands in the file and what somebody asked for. Pure.

A password travels with its camera's host: whoever may change an address could otherwise have it sent to a host of
their own.
"""

from urllib.parse import urlsplit

from consumers.errors import CameraChangeError
from consumers.web.cameras.shapes import CameraChangeShape
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_url import HIDDEN, shown_url


def changed(camera_id: str, before: CameraSpec | None, asked: CameraChangeShape) -> dict[str, object]:
    """The camera's line as the cameras file takes it.

    Args:
        camera_id: Which camera.
        before: How it stands in the file; None: it is new.
        asked: What shall be otherwise.

    Raises:
        CameraChangeError: it cannot be so.
    """
    url = _url(camera_id, before, asked)
    username = asked.username if asked.username is not None else before.username if before else ""
    line: dict[str, object] = {"camera": camera_id, "url": url, "username": username}
    line["is_enabled"] = asked.is_enabled if asked.is_enabled is not None else before is None or before.is_enabled
    if before is not None and _host(url) == _host(before.url.get_secret_value()):  # who to trust goes with the device
        line |= {"tls_verify": before.tls_verify, "ca_file": before.ca_file}
    if asked.tls_verify is not None:
        line |= {"tls_verify": asked.tls_verify, **({} if asked.tls_verify else {"ca_file": None})}
    if asked.password is not None:
        return {**line, "password": asked.password}
    if before is None or not before.has_password or not username:
        return line
    if _host(url) != _host(before.url.get_secret_value()) or username != before.username:
        raise CameraChangeError(
            camera_id, "give its password anew: the old one goes to no other host and no other user"
        )
    return {**line, "password": before.password.get_secret_value(), "password_file": before.password_file}


def _url(camera_id: str, before: CameraSpec | None, asked: CameraChangeShape) -> str:
    if before is None:
        if not asked.url:
            raise CameraChangeError(camera_id, "a new camera needs its address")
        return asked.url
    known = before.url.get_secret_value()
    if asked.url is None or asked.url == shown_url(known):
        return known
    if HIDDEN in asked.url:
        raise CameraChangeError(camera_id, f"write what stands for {HIDDEN} in full, or leave the address as it was")
    return asked.url


def _host(url: str) -> tuple[str | None, str]:
    """Host and port as they are written; a path may change, a port is another device's door."""
    parts = urlsplit(url)
    return parts.hostname, parts.netloc.rpartition("@")[2].rpartition(":")[2]
