"""Senders: one notice to one receiver, done or refused within a bounded time. They keep nothing and retry nothing."""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from consumers.errors import ChannelError, DeliveryError
from consumers.notifying.channels import Channel
from consumers.notifying.notice import Notice

if TYPE_CHECKING:
    import apprise

SEND_WITHIN_S = 20.0
TOLD = ("WARNING", "ERROR", "CRITICAL")  # of apprise's lines; lesser ones may hold secrets
SHORTEST_SECRET = 4  # shorter parts of a URL are words such as `to` or a port
# Apprise's own four, by how urgent they look; a severity that is not here is a warning.
URGENCY = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info", "info": "info"}


class Sender(Protocol):
    """Hands notices to one receiver."""

    def send(self, notice: Notice) -> None:
        """Return once the receiver has taken it.

        Raises:
            DeliveryError: It has not; whether it has after all is unknown.
        """


class AppriseSender:
    """Mail, chats, phones, MQTT and whatever else apprise knows."""

    def __init__(self, name: str, channel: Channel, *, send_within_s: float = SEND_WITHIN_S) -> None:
        """Read the channel's URL.

        Raises:
            ChannelError: apprise does not understand it.
        """
        import apprise

        quiet_logger = logging.getLogger("apprise")  # its lines may name receivers; ours say what failed
        quiet_logger.propagate = False
        asset = apprise.AppriseAsset(
            app_id="Crewsight", app_desc="Crewsight", app_url="", storage_mode=apprise.PersistentStoreMode.MEMORY
        )
        self._name, self._within_s = name, send_within_s
        self._url = channel.url.get_secret_value()
        self._receiver = apprise.Apprise(asset=asset)
        if not self._receiver.add(self._url):
            raise ChannelError(name, "its url is none that apprise understands; see docs/notifying.md")

    def send(self, notice: Notice) -> None:
        """Hand over title, text and picture.

        Raises:
            DeliveryError: The receiver did not take it.
        """
        from apprise import AppriseAttachment
        from apprise.attachment.memory import AttachMemory

        attached = AppriseAttachment()
        if notice.picture:
            picture = AttachMemory(  # type: ignore[no-untyped-call]
                content=notice.picture, name="person.jpg", mimetype="image/jpeg"
            )
            attached.add(picture)
        try:
            result = self._receiver.notify(
                body=notice.body,
                title=notice.title,
                notify_type=URGENCY.get(notice.severity, "warning"),
                body_format="text",
                attach=attached if notice.picture else None,
                timeout=self._within_s,
            )
        except Exception as error:  # a hundred plugins by others: none of them may end this process
            raise DeliveryError(self._name, f"{type(error).__name__} in apprise") from error
        if not result:
            raise DeliveryError(self._name, self._reason(result))

    def _reason(self, result: "apprise.AppriseResult") -> str:
        said = [str(entry.message) for entry in result.logs() if entry.level in TOLD]
        reason = "; ".join(dict.fromkeys(said)) or result.status.name.lower()
        return f"apprise: {redacted(reason, self._url)}"


def sender_of(name: str, channel: Channel) -> Sender:
    """The sender for one channel.

    Raises:
        ChannelError: It names nothing that can be sent to.
    """
    from consumers.notifying.webhook import WebhookSender

    return AppriseSender(name, channel) if channel.secret is None else WebhookSender(name, channel)


def senders_of(channels: Mapping[str, Channel]) -> dict[str, Sender]:
    """The sender of every channel, by name.

    Raises:
        ChannelError: One of them names nothing that can be sent to.
    """
    return {name: sender_of(name, channel) for name, channel in channels.items()}


def redacted(text: str, url: str) -> str:
    """A text without any part of a secret URL but its scheme.

    >>> redacted("login of anna to mail.example.org failed", "mailto://anna:s3cret@mail.example.org/?to=boss")
    'login of *** to *** failed'
    """
    _, _, rest = url.partition("://")
    parts = {part for part in re.split(r"[/:@?&=,]", rest) if len(part) >= SHORTEST_SECRET}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text
