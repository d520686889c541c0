"""Everything the bus raises on purpose.

* BusError                   the base of all
  * MediaStoreError          the media store cannot be read or written
    * MediaStoreAwayError    its server does not answer, or is overloaded: it may be back by itself
  * BrokerUnreachableError   no Kafka broker answers at the address
  * BrokerStartError         the embedded broker did not come up, or died
  * IncarnationChangedError  the broker came back without its memory: known offsets mean nothing any more
  * MessageError             bytes that are not the message their topic promises
  * SettingsError            settings that cannot be read or do not fit
  * CameraFileError          the cameras file cannot be read, written or used
"""

from pathlib import Path


class BusError(Exception):
    """The base of everything `streamer.bus` raises on purpose."""


class MediaStoreError(BusError):
    """The media store cannot be read or written at one URI."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(uri, reason)  # every argument, or it cannot cross a process boundary
        self.uri, self.reason = uri, reason

    def __str__(self) -> str:
        return f"media store: {self.uri}: {self.reason}"


class MediaStoreAwayError(MediaStoreError):
    """The media store's server was waited for in vain; nothing is known about what lies there."""


class BrokerUnreachableError(BusError):
    """No Kafka broker answers at the configured address."""

    def __init__(self, bootstrap_servers: str, reason: str) -> None:
        super().__init__(bootstrap_servers, reason)
        self.bootstrap_servers, self.reason = bootstrap_servers, reason

    def __str__(self) -> str:
        return f"no Kafka broker at {self.bootstrap_servers}: {self.reason}; start it, or correct bus.bootstrap_servers"


class BrokerStartError(BusError):
    """The embedded broker did not come up."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"the embedded broker cannot serve at {self.address}: {self.reason}"


class IncarnationChangedError(BusError):
    """The broker came back without its memory; whoever holds offsets starts anew with a new consumer."""

    def __init__(self, previous: str, current: str) -> None:
        super().__init__(previous, current)
        self.previous, self.current = previous, current

    def __str__(self) -> str:
        return f"the broker lost its memory: incarnation {self.previous} became {self.current}"


class MessageError(BusError):
    """Bytes that are not the message their topic promises."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(topic, reason)
        self.topic, self.reason = topic, reason

    def __str__(self) -> str:
        return f"not a message of topic {self.topic}: {self.reason}"


class SettingsError(BusError):
    """Settings that cannot be read or do not fit."""

    def __init__(self, origin: str, key: str, reason: str) -> None:
        super().__init__(origin, key, reason)
        self.origin, self.key, self.reason = origin, key, reason

    def __str__(self) -> str:
        return f"settings in {self.origin}: {self.key}: {self.reason}"


class CameraFileError(BusError):
    """The cameras file, or a file it names, cannot be read, written or used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cameras file {self.path}: {self.reason}"
