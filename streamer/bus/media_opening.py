"""The media store that the settings name."""

from collections.abc import Callable

from streamer.bus.media import MediaStore
from streamer.bus.object_store import ObjectAccess
from streamer.bus.settings import ProcessSettings


def open_media(
    settings: ProcessSettings, *, patience_s: float | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> MediaStore:
    """The store, which nobody has asked anything yet.

    Args:
        settings: Whoever's; `media` in them says where the store is.
        patience_s: For how long a server that is away is waited for; None: as the settings say.
        is_stopping: Whether nobody wants to wait any more.

    Raises:
        MediaStoreError: what that kind of store needs is not installed.
    """
    media = settings.media
    access = ObjectAccess(
        endpoint_url=media.endpoint_url,
        region=media.region,
        key_id=media.key_id,
        secret_key=media.secret_key.get_secret_value() if media.secret_key is not None else "",
    )
    return MediaStore(
        settings.media_url,
        access,
        patience_s=media.patience_s if patience_s is None else patience_s,
        is_stopping=is_stopping,
    )
