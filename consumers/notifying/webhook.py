"""The webhook for machines: JSON, signed as Standard Webhooks (https://www.standardwebhooks.com) lays down.

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body` under the shared
secret. A receiver refuses a signature that does not fit or a timestamp that is minutes off, and drops an id that it has
seen: a repeat carries the same id.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from consumers.errors import ChannelError, DeliveryError
from consumers.notifying.channels import Channel
from consumers.notifying.notice import Notice

PREFIX = "whsec_"
SHORTEST_SECRET_BYTES = 24  # the standard's own least
CONNECT_S = 5.0
ANSWER_S = 10.0
LONGEST_REST_S = 3600.0  # a receiver that asks for more is asked again sooner


class WebhookSender:
    """Posts signed JSON to one URL."""

    def __init__(self, name: str, channel: Channel, *, now_s: Callable[[], float] = time.time) -> None:
        """Post what `channel` says, signed at `now_s()`, seconds since 1970.

        Raises:
            ChannelError: The URL is no http(s) one, or the secret is none.
        """
        assert channel.secret is not None
        self._name, self._now_s = name, now_s
        self._key = signing_key(name, channel.secret.get_secret_value())
        try:
            self._url = httpx.URL(channel.url.get_secret_value())
            is_web = self._url.scheme in ("http", "https") and bool(self._url.host)
        except (httpx.InvalidURL, UnicodeError) as error:  # the latter of a host such as xn--
            raise ChannelError(name, "its url is none") from error
        if not is_web:
            raise ChannelError(name, "with a secret it is a webhook, and its url must begin with https:// or http://")

    def send(self, notice: Notice) -> None:
        """Post it once.

        Raises:
            DeliveryError: No answer in time, or another than 2xx.
        """
        body = json.dumps(payload(notice), separators=(",", ":")).encode()
        headers = signed_headers(self._key, notice.delivery_id, int(self._now_s()), body)
        patience = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        try:
            # The answer's body is not read: a receiver that never ends it would hold the channel.
            with (
                httpx.Client(timeout=patience, trust_env=False) as client,
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                _check(self._name, answer)
        except (httpx.HTTPError, UnicodeError) as error:  # the latter of a host such as a..b, which is no name
            raise DeliveryError(self._name, f"webhook: {_said(error)}") from error


def signing_key(name: str, secret: str) -> bytes:
    """The bytes of a shared secret.

    Raises:
        ChannelError: It is not `whsec_` and base64 of at least 24 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) < SHORTEST_SECRET_BYTES:
        reason = f"its secret must be {PREFIX} and base64 of at least {SHORTEST_SECRET_BYTES} random bytes"
        raise ChannelError(name, reason)
    return key


def signed_headers(key: bytes, delivery_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The headers that let a receiver check who sent `body` and when (`timestamp`, seconds since 1970)."""
    signature = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "crewsight",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def payload(notice: Notice) -> dict[str, object]:
    """What is posted: type, time and content, the picture as base64."""
    picture = base64.b64encode(notice.picture).decode() if notice.picture else None
    content = {**notice.facts, "link": notice.link, "picture_jpeg_base64": picture}
    return {
        "type": f"alert.{notice.kind}",
        "timestamp": notice.facts.get("raised_at"),
        "data": content,
    }


def _check(name: str, answer: httpx.Response) -> None:
    if answer.is_success:
        return
    reason = f"webhook: the receiver answered {answer.status_code}"
    raise DeliveryError(name, reason, retry_after_s=_rest_s(answer.headers.get("retry-after")))


def _rest_s(header: str | None) -> float | None:
    """Seconds that a receiver asks to be left alone; the header holds seconds or a date."""
    if not header:
        return None
    try:
        asked_s = float(header)
    except ValueError:
        try:
            asked_s = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(asked_s, 0.0), LONGEST_REST_S) if asked_s == asked_s else None  # not NaN


def _said(error: Exception) -> str:
    """What went wrong, without the URL that some of httpx's texts carry."""
    return {"ConnectTimeout": "no connection in time", "ReadTimeout": "no answer in time"}.get(
        type(error).__name__, f"no answer ({type(error).__name__})"
    )
