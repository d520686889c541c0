"""The form in which a camera is added or changed. A password that is there is kept, and never shown."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from consumers.web.cameras.shapes import CameraChangeShape, WatchedCameraShape
from consumers.web.components.words import Words, button
from streamer.bus.camera_url import is_encrypted

Keep = Callable[[str, CameraChangeShape], Awaitable[None]]
"""Told the camera's id and what shall be otherwise."""


def camera_form(camera: WatchedCameraShape | None, keep: Keep) -> None:
    """Lay out the form; `camera` is what there is already, None for a new one."""
    with Words("div", "", "typed flat"):
        name = None if camera else _field("Name", "", "Letters, digits, - and _: gate-north")
        url = _field("Address", camera.url or "" if camera else "", "rtsp://10.0.0.7:554/stream1")
        user = _field("User name", camera.username or "" if camera else "", "")
        hint = "Left empty, the one that is there stays" if camera and camera.has_password else ""
        password = _field("Password", "", hint).props("type=password autocomplete=new-password")
        if hint:
            Words("p", f"{hint}; on another host or for another user it has to be given anew.", "sum")

        with Words("div").bind_visibility_from(url, "value", backward=lambda written: is_encrypted(written or "")):
            known = camera is None or camera.tls_verify
            trusted = ui.checkbox("Its certificate has to be trusted", value=known).props("dense")
            warning = Words("p", "Whoever sits in between could then be the camera, and learns its password.", "sum")
            warning.bind_visibility_from(trusted, "value", value=False)

        async def save() -> None:
            asked = _asked(camera, url.value or "", user.value or "", password.value or "", is_trusted=trusted.value)
            await keep(camera.camera_id if camera else ((name.value if name else "") or "").strip(), asked)

        with Words("div", "", "line"):
            button("save", "Save" if camera else "Add the camera", save, is_main=True)


def _asked(
    camera: WatchedCameraShape | None, url: str, user: str, password: str, *, is_trusted: bool
) -> CameraChangeShape:
    """Only what was changed is asked for."""
    asked: dict[str, object] = {}
    if camera is None or url.strip() != (camera.url or ""):
        asked["url"] = url.strip()
    if user.strip() != ((camera.username if camera else None) or ""):
        asked["username"] = user.strip()
    if password:
        asked["password"] = password
    elif camera is not None and camera.has_password and not user.strip():
        asked["password"] = ""  # nobody to whom it could belong
    if is_trusted != (camera is None or camera.tls_verify):
        asked["tls_verify"] = is_trusted
    return CameraChangeShape.model_validate(asked)


def _field(words: str, value: str, placeholder: str) -> ui.input:
    field = ui.input(label=words, value=value, placeholder=placeholder).props("dense borderless autocomplete=off")
    return field.props("stack-label") if placeholder else field  # else the label stands on the placeholder
