"""The cameras file: which cameras there are. The streamer follows it; page and command line change it through here.

One YAML file, written whole or not at all and readable by its owner only, as it may hold passwords.
"""

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from filelock import FileLock
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator

from streamer.bus.camera_url import SCHEMES, ends_in_password, shown_url, with_credentials
from streamer.bus.errors import CameraFileError
from streamer.bus.faults import first_fault
from streamer.bus.messages import CAMERA_PATTERN
from streamer.bus.settings import Group

LOCK_S = 10.0
_NO_HOST = "its host or port cannot be read; special letters of a password are written %40"


def _camera_id(written: str) -> str:
    if not re.fullmatch(CAMERA_PATTERN, written):
        raise ValueError("must be letters, digits, - and _, at most 64, beginning with a letter or digit")
    return written


CameraName = Annotated[str, AfterValidator(_camera_id)]


class CameraSpec(Group):
    """One camera: what it is called and where its stream is."""

    camera: CameraName = Field(
        description="The camera's id: letters, digits, `-` and `_`, at most 64, beginning with a letter or digit.",
    )
    url: SecretStr = Field(description="rtsp://, rtsps://, http:// or https:// address of the stream.")
    username: str = Field("", description="Whom the camera lets in; empty: as the address says.")
    password: SecretStr = Field(SecretStr(""), description="That user's password.")
    password_file: Path | None = Field(None, description="A file that holds the password instead.")
    tls_verify: bool = Field(
        True, description="Whether its certificate has to be trusted; of https:// and rtsps:// addresses."
    )
    ca_file: Path | None = Field(
        None, description="PEM file of whoever signed its certificate, or of that itself; empty: this machine's own."
    )
    is_enabled: bool = Field(True, description="Whether it is watched.")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            is_address, _ = parts.scheme in SCHEMES and bool(parts.hostname), parts.port
        except ValueError:  # a port beyond 65535, or brackets that do not match; the words may hold the password
            raise ValueError(_NO_HOST) from None
        if not is_address:
            raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)} and name a host")
        if ends_in_password(url.get_secret_value()):
            raise ValueError(_NO_HOST)
        return url

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if self.password_file is not None and self.password.get_secret_value():
            raise ValueError("a camera has `password` or `password_file`, not both")
        if not self.username and self.has_password:
            raise ValueError("a password needs its `username`")
        if self.ca_file is not None and not self.tls_verify:
            raise ValueError("a camera has a `ca_file` or `tls_verify: false`, not both")
        return self

    @property
    def has_password(self) -> bool:
        """Whether a password is set, here or in a file of its own."""
        return self.password_file is not None or bool(self.password.get_secret_value())

    @property
    def shown_url(self) -> str:
        """The address as it may be logged and published."""
        return shown_url(self.url.get_secret_value())

    def opening_url(self) -> str:
        """The address with its credentials; a password file is read now.

        Raises:
            CameraFileError: the password file cannot be read.
        """
        password = self.password.get_secret_value()
        if self.password_file is not None:
            try:
                password = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = f"cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
                raise CameraFileError(self.password_file, reason) from error
        return with_credentials(self.url.get_secret_value(), self.username, password)


class CameraFile:
    """The file at `path`; several processes may change it.

    Raises (every method): `CameraFileError` in one line that never shows a secret.
    """

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; none there means no cameras."""
        self.path = path

    def read(self) -> tuple[CameraSpec, ...]:
        """The cameras, in the file's order."""
        try:
            content = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise CameraFileError(self.path, getattr(error, "strerror", None) or "it is no text") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f" at line {mark.line + 1}" if mark is not None else ""
            raise CameraFileError(self.path, f"it is no YAML{place}") from error  # the text itself may hold a password
        return self._checked(content)

    def of(self, camera_id: str) -> CameraSpec:
        """The camera of that id."""
        found = next((spec for spec in self.read() if spec.camera == camera_id), None)
        if found is None:
            raise CameraFileError(self.path, f"names no camera {camera_id}")
        return found

    def stamp(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does; None while there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def checked(self, given: object, *, place: tuple[str | int, ...] = ()) -> CameraSpec:
        """What was given, as a camera; `place` names it in the error."""
        try:
            return CameraSpec.model_validate(given)
        except ValidationError as error:
            at, reason = first_fault(error)
            key = ".".join(str(part) for part in (*place, *at)) or "camera"
            raise CameraFileError(self.path, f"{key}: {reason}") from None  # its cause shows what was given

    def put(self, spec: CameraSpec) -> None:
        """Add the camera, or change the one of that id."""

        def changed(cameras: list[CameraSpec]) -> list[CameraSpec]:
            names = [each.camera for each in cameras]
            if spec.camera in names:
                return [spec if each.camera == spec.camera else each for each in cameras]
            return [*cameras, spec]

        self._change(changed)

    def remove(self, camera_id: str) -> bool:
        """Take the camera out; false when there is none of that id. Its footage and people stay."""
        found: list[bool] = []

        def changed(cameras: list[CameraSpec]) -> list[CameraSpec]:
            left = [each for each in cameras if each.camera != camera_id]
            found.append(len(left) < len(cameras))
            return left

        self._change(changed)
        return found[-1]

    def remove_known(self, camera_id: str) -> None:
        """Take the camera out; one that is not there is an error."""
        if not self.remove(camera_id):
            raise CameraFileError(self.path, f"names no camera {camera_id}")

    def _change(self, change: Callable[[list[CameraSpec]], list[CameraSpec]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=LOCK_S):
                self._write(change(list(self.read())))
        except (OSError, TimeoutError) as error:
            raise CameraFileError(self.path, f"cannot be written: {error.strerror or 'it is locked'}") from error

    def _write(self, cameras: list[CameraSpec]) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        content = yaml.safe_dump({"cameras": [_plain(spec) for spec in cameras]}, sort_keys=False, allow_unicode=True)
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _checked(self, content: object) -> tuple[CameraSpec, ...]:
        listed = content.get("cameras") if isinstance(content, dict) else content
        if listed is None and (content is None or (isinstance(content, dict) and set(content) <= {"cameras"})):
            return ()
        if not isinstance(listed, list) or (isinstance(content, dict) and set(content) != {"cameras"}):
            raise CameraFileError(self.path, "must hold one list, `cameras:`")
        cameras: list[CameraSpec] = []
        for position, each in enumerate(listed):
            cameras.append(self.checked(each, place=("cameras", position)))
        names = [spec.camera for spec in cameras]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise CameraFileError(self.path, f"camera {twice[0]} is there twice")
        return tuple(cameras)


def _plain(spec: CameraSpec) -> dict[str, object]:
    """A camera as the file holds it, secrets included."""
    said: dict[str, object] = {"camera": spec.camera, "url": spec.url.get_secret_value()}
    if spec.username:
        said["username"] = spec.username
    if password := spec.password.get_secret_value():
        said["password"] = password
    if spec.password_file is not None:
        said["password_file"] = str(spec.password_file)
    if not spec.tls_verify:
        said["tls_verify"] = False
    if spec.ca_file is not None:
        said["ca_file"] = str(spec.ca_file)
    if not spec.is_enabled:
        said["is_enabled"] = False
    return said
