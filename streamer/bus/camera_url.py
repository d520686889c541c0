"""Camera addresses without their secrets. Pure: what may be shown, and how the rest is kept out of any text."""

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

SCHEMES = ("rtsp", "rtsps", "http", "https")
_ENCRYPTED = ("rtsps://", "https://")
HIDDEN = "***"
_KEY = r"[\w-]*(?:pass|pwd|token|key|secret|auth|user|sig)[\w-]*="
_QUERY_SECRETS = re.compile(rf"(?i)((?:^|[?&;]){_KEY})[^&;#]*")
# XMEye's recorders take user and password in the path, with & or _ between two keys; a slash may belong to a password.
_PATH_SECRETS = re.compile(rf"(?i)((?:^|[/&;,_]){_KEY})(?:(?!_(?:user|password|channel|stream)=)[^&;])*")
_USER_INFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#'\"@]*(?:@[^\s/?#'\"@]*)*@")


def shown_url(url: str) -> str:
    """The address as it may be logged and published: no user, no password, no key of its path or query.

    >>> shown_url("rtsp://admin:p%40ss@10.0.0.7:554/live?channel=1&token=abc")
    'rtsp://10.0.0.7:554/live?channel=1&token=***'
    """
    parts = urlsplit(url)
    path = _PATH_SECRETS.sub(rf"\g<1>{HIDDEN}", parts.path)
    query = _QUERY_SECRETS.sub(rf"\g<1>{HIDDEN}", parts.query)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, query, ""))


def is_encrypted(url: str) -> bool:
    """Whether a camera at this address shows a certificate; an address may be half written.

    >>> is_encrypted("HTTPS://10.0.0.7/live.m3u8"), is_encrypted("rtsp://10.0.0.7/live"), is_encrypted("rtsps")
    (True, False, False)
    """
    return url.strip().lower().startswith(_ENCRYPTED)


def ends_in_password(url: str) -> bool:
    """Whether host and port seem to be a user and the beginning of a password, which a bare /, ? or # ends.

    >>> ends_in_password("rtsp://admin:2024/Summer@10.0.0.7/live"), ends_in_password("rtsp://10.0.0.7:554/live@2")
    (True, False)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_numeric = ":" in host or host.replace(".", "").isdigit()  # an IP address, which nobody is called
    rest = f"{parts.path}?{parts.query}#{parts.fragment}"
    return ":" in parts.netloc and "@" in rest and "@" not in parts.netloc and not is_numeric


def with_credentials(url: str, username: str, password: str) -> str:
    """The address that opens the camera; a name given apart from it replaces the one within.

    >>> with_credentials("rtsp://10.0.0.7/live", "viewer", "p@ss:1")
    'rtsp://viewer:p%40ss%3A1@10.0.0.7/live'
    """
    if not username:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{quote(username, safe='')}:{quote(password, safe='')}"
    return urlunsplit((parts.scheme, f"{user}@{host}", parts.path, parts.query, parts.fragment))


def scrubbed(text: str, url: str) -> str:
    """`text` without the secrets of `url`, however they are written in it.

    >>> scrubbed("401: 'rtsp://a:s3cret@cam/1' (s3cret)", "rtsp://a:s3cret@cam/1")
    "401: 'rtsp://cam/1' (***)"
    """
    text = _USER_INFO.sub(r"\1", text.replace(url, shown_url(url)))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    user_info = parts.netloc.rpartition("@")[0]
    password = user_info.partition(":")[2]
    found = (*_PATH_SECRETS.finditer(parts.path), *_QUERY_SECRETS.finditer(parts.query))
    keys = [each.group(0)[len(each.group(1)) :] for each in found]
    return {form for secret in (password, *keys) if secret for form in (secret, unquote(secret))}
