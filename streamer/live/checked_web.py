"""Reads a camera over HTTPS for FFmpeg, and checks every certificate.

FFmpeg's HLS checks that of the first playlist alone: what a playlist names it opens without being told to check. So
whatever FFmpeg wants opened is opened here: parts of files, and what is encrypted by AES-128, too.
"""

import contextlib
import logging
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from streamer.bus.camera_url import shown_url
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.trust import untrusted_because

logger = logging.getLogger(__name__)

# FFmpeg keeps connections of its own only; of another's it would assert that they are, and end the process.
NO_OWN_CONNECTIONS = {"http_persistent": "0", "http_multiple": "0"}
ENCRYPTED = ("crypto+", "crypto:")  # before an address: what lies there is to be decrypted
REFUSALS = {
    401: "it refuses the user name or the password (401)",
    403: "it forbids this user to watch (403)",
    404: "it has no such stream (404)",
}


class WebFile:
    """What FFmpeg reads from: bytes until the end, or until the connection fails, which is the end too."""

    def __init__(self, response: httpx.Response | None, options: Mapping[str, str] | None = None) -> None:
        """Read `response`; None is empty. FFmpeg's `options` name a part of it, and a key if it is encrypted."""
        self._response = response
        self._chunks: Iterator[bytes] = _content(response, options or {}) if response is not None else iter(())
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except (StopIteration, httpx.HTTPError):
            return b""
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()


class CheckedWeb:
    """Opens addresses of one camera; belongs to one thread.

    Raises (from `open`): `CameraError` in words without secrets, `CameraRefusedError` when the camera says no.
    """

    def __init__(self, camera_id: str, url: str, context: ssl.SSLContext, *, connect_s: float, stall_s: float) -> None:
        """Read the camera at `url`, trusting whom `context` does."""
        self._camera_id, self._url = camera_id, url
        self._user, self._password = urlsplit(url).username or "", urlsplit(url).password or ""
        timeout = httpx.Timeout(stall_s, connect=connect_s)
        self._client = httpx.Client(verify=context, timeout=timeout, follow_redirects=True)
        self._is_begun = False
        self._is_failed = False

    def open(self, url: str, flags: int, options: Mapping[str, str]) -> WebFile:
        """What lies at `url`; once the stream has begun, what does not come is empty, and FFmpeg goes on behind it."""
        del flags
        for prefix in ENCRYPTED:
            url = url.removeprefix(prefix)
        if self._is_failed:  # one error reaches whoever reads; PyAV would print the others
            return WebFile(None)
        try:
            response = self._answer(url, _range(options))
        except CameraError:
            self._is_failed = True
            raise
        except httpx.HTTPError as error:
            if not self._is_begun:
                self._is_failed = True
                raise CameraError(self._camera_id, shown_url(self._url), _reason(error)) from None
            logger.debug("part of a stream does not come", extra={"reason": type(error).__name__})
            return WebFile(None)
        self._is_begun = True
        return WebFile(response, options)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _answer(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        if not url.startswith("https://"):
            raise self._error("what it names is not at an https:// address, where nothing can be checked")
        try:
            request = self._client.build_request("GET", url, headers=headers)
            response = self._client.send(request, stream=True)
            if response.status_code == 401 and "digest" in response.headers.get("www-authenticate", "").lower():
                response.close()
                digest = httpx.DigestAuth(unquote(self._user), unquote(self._password))
                response = self._client.send(request, stream=True, auth=digest)
        except httpx.ConnectError as error:
            found = _verification(error)
            if found is None:
                raise
            raise self._error(untrusted_because(found)) from None
        if response.url.scheme != "https":
            response.close()
            raise self._error("it leads to an address that is not https://, where nothing can be checked")
        if response.is_error and not self._is_begun:
            response.close()
            refusal = REFUSALS.get(response.status_code)
            if refusal is None:
                raise self._error(f"it answers {response.status_code} {response.reason_phrase.lower()}")
            raise CameraRefusedError(self._camera_id, shown_url(self._url), refusal)
        if response.is_error:
            response.close()
            response.raise_for_status()
        return response

    def _error(self, reason: str) -> CameraError:
        return CameraError(self._camera_id, shown_url(self._url), reason)


def _range(options: Mapping[str, str]) -> dict[str, str]:
    """The header that asks for what FFmpeg's `offset` and `end_offset` (exclusive) name; nothing for the whole."""
    if not {"offset", "end_offset"} & set(options):
        return {}
    last = int(options["end_offset"]) - 1 if "end_offset" in options else ""
    return {"Range": f"bytes={options.get('offset', 0)}-{last}", "Accept-Encoding": "identity"}


def _content(response: httpx.Response, options: Mapping[str, str]) -> Iterator[bytes]:
    chunks = response.iter_bytes()
    if _range(options) and response.status_code != httpx.codes.PARTIAL_CONTENT:  # it gives the whole nevertheless
        first, end = int(options.get("offset", 0)), options.get("end_offset")
        chunks = _between(chunks, first, int(end) if end is not None else None)
    if "key" in options:
        chunks = _decrypted(chunks, bytes.fromhex(options["key"]), bytes.fromhex(options["iv"]))
    return chunks


def _between(chunks: Iterator[bytes], first: int, end: int | None) -> Iterator[bytes]:
    at = 0
    for chunk in chunks:
        yield chunk[max(0, first - at) : None if end is None else max(0, end - at)]
        at += len(chunk)
        if end is not None and at >= end:
            return


def _decrypted(chunks: Iterator[bytes], key: bytes, iv: bytes) -> Iterator[bytes]:
    """AES-128 as RFC 8216 has it (4.3.2.4): CBC, padded by PKCS #7; of what breaks off, the blocks that came."""
    decryptor, unpadder = Cipher(AES(key), CBC(iv)).decryptor(), PKCS7(128).unpadder()
    for chunk in chunks:
        yield unpadder.update(decryptor.update(chunk))
    with contextlib.suppress(ValueError):
        yield unpadder.update(decryptor.finalize()) + unpadder.finalize()


def _verification(error: BaseException) -> ssl.SSLCertVerificationError | None:
    here: BaseException | None = error
    while here is not None:
        if isinstance(here, ssl.SSLCertVerificationError):
            return here
        here = here.__cause__ or here.__context__
    return None


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer in time"
    return "it cannot be reached" if isinstance(error, httpx.ConnectError) else "it ended the connection"
