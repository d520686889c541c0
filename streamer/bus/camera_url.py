"""Camera addresses without their secrets. Pure: what may be shown, and how the rest is kept out of any text."""

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

SCHEMES = ("rtsp", "rtsps", "http", "https")
HIDDEN = "***"
_SECRET_KEYS = re.compile(r"(?i)((?:^|[?&;])(?:[\w-]*(?:pass|pwd|token|key|secret|auth|user|sig)[\w-]*)=)[^&;#]*")
_USER_INFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#'\"@]*(?:@[^\s/?#'\"@]*)*@")


def shown_url(url: str) -> str:
    """The address as it may be logged and published: no user, no password, no key of its query.

    >>> shown_url("rtsp://admin:p%40ss@10.0.0.7:554/live?channel=1&token=abc")
    'rtsp://10.0.0.7:554/live?channel=1&token=***'
    """
    parts = urlsplit(url)
    query = _SECRET_KEYS.sub(rf"\g<1>{HIDDEN}", parts.query)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


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
    keys = [found.group(0)[len(found.group(1)) :] for found in _SECRET_KEYS.finditer(parts.query)]
    return {form for secret in (password, *keys) if secret for form in (secret, unquote(secret))}
