import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.errors import CameraFileError


def spec(name: str, url: str = "rtsp://cam/1") -> CameraSpec:
    return CameraSpec(camera=name, url=SecretStr(url))


def test_no_file_is_no_cameras(tmp_path: Path) -> None:
    file = CameraFile(tmp_path / "cameras.yaml")
    assert file.read() == ()
    assert file.stamp() is None
    assert file.remove("gate") is False


def test_cameras_are_added_changed_and_removed_in_their_order(tmp_path: Path) -> None:
    file = CameraFile(tmp_path / "deep" / "cameras.yaml")
    for name in ("gate", "yard", "hall"):
        file.put(spec(name))
    file.put(CameraSpec(camera="yard", url=SecretStr("rtsp://cam/2"), username="me", password=SecretStr("s3cret")))
    file.put(CameraSpec(camera="hall", url=SecretStr("https://cam/3"), is_enabled=False))
    assert file.remove("gate") is True
    yard, hall = file.read()
    assert (yard.camera, yard.opening_url(), yard.shown_url) == ("yard", "rtsp://me:s3cret@cam/2", "rtsp://cam/2")
    assert (hall.camera, hall.is_enabled) == ("hall", False)


def test_whom_to_trust_is_kept_for_each_camera(tmp_path: Path) -> None:
    file = CameraFile(tmp_path / "cameras.yaml")
    for name, more in (("gate", {}), ("yard", {"tls_verify": False}), ("hall", {"ca_file": Path("/etc/hall.pem")})):
        file.put(CameraSpec.model_validate({"camera": name, "url": "https://cam/1", **more}))
    assert [(each.tls_verify, each.ca_file) for each in file.read()] == [
        (True, None),
        (False, None),
        (True, Path("/etc/hall.pem")),
    ]


def test_whoever_may_not_read_passwords_cannot_read_the_file(tmp_path: Path) -> None:
    file = CameraFile(tmp_path / "cameras.yaml")
    file.put(spec("gate"))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_every_change_changes_the_stamp(tmp_path: Path) -> None:
    file = CameraFile(tmp_path / "cameras.yaml")
    stamps = []
    for name in ("gate", "yard"):
        file.put(spec(name))
        stamps.append(file.stamp())
    file.remove("yard")
    stamps.append(file.stamp())
    assert len(set(stamps)) == 3


def test_changes_made_at_once_are_all_kept(tmp_path: Path) -> None:
    names = [f"camera-{number}" for number in range(12)]
    threads = [
        threading.Thread(target=lambda name=name: CameraFile(tmp_path / "cameras.yaml").put(spec(name)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.camera for each in CameraFile(tmp_path / "cameras.yaml").read()} == set(names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cameras: [{camera: gate, url: 'rtsp://a:s3cret@/1'}]", "cameras.0.url: must begin with"),
        ("cameras: [{camera: gate, url: 'file:///etc/s3cret'}]", "cameras.0.url: must begin with"),
        (
            "cameras: [{camera: gate, url: 'https://cam/1', tls_verify: false, ca_file: a.pem}]",
            "cameras.0: a camera has a `ca_file` or",
        ),
        ("cameras: [{camera: a b, url: 'rtsp://cam/1'}]", "cameras.0.camera: must be letters, digits, - and _"),
        ("cameras: [{camera: gate, url: 'rtsp://cam/1', passwort: s3cret}]", "cameras.0.passwort: unknown key"),
        ("cameras: [{camera: gate, url: 'rtsp://cam/1', password: s3cret}]", "a password needs its `username`"),
        ("cameras: [{camera: gate, url: [s3cret]}]", "cameras.0.url: must be text"),
        ("cameras: [s3cret]", "cameras.0: must be a group of keys"),
        ("cameras: [{camera: gate, url: 'rtsp://cam:99999/1'}]", "cameras.0.url: its host or port cannot be read"),
        ("cameras: [{camera: gate, url: 'rtsp://a:s3cret/@cam/1'}]", "cameras.0.url: its host or port cannot be read"),
        ("cameras: [{camera: gate, url: 'rtsp://a:2/s3cret@cam/1'}]", "cameras.0.url: its host or port cannot be read"),
        ("cameras: [{camera: gate, url: 'rtsp://a:/s3cret@cam/1'}]", "cameras.0.url: its host or port cannot be read"),
        ("cameras: [{camera: gate, url: 'rtsp://a:2#s3cret@cam/1'}]", "cameras.0.url: its host or port cannot be read"),
        ("cameras: s3cret", "must hold one list, `cameras:`"),
        ("kameras: []", "must hold one list, `cameras:`"),
        ("cameras: [{camera: g, url: 'rtsp://cam/1'}, {camera: g, url: 'rtsp://cam/1'}]", "camera g is there twice"),
        ("cameras: [\n  {password: s3cret", "it is no YAML at line 2"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line_without_secrets(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    with pytest.raises(CameraFileError) as refused:
        CameraFile(path).read()
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["rtsp://cam/@me/1", "rtsp://10.0.0.7:554/live@2", "rtsp://[fe80::1]:554/live@2"])
def test_an_address_may_have_an_at_sign_in_its_path(url: str) -> None:
    assert spec("gate", url).shown_url == url


def test_a_password_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    one = CameraSpec(camera="gate", url=SecretStr("rtsp://cam/1"), username="me", password_file=tmp_path / "none")
    with pytest.raises(CameraFileError, match="cannot be read: No such file"):
        one.opening_url()


def test_a_printed_camera_shows_no_secret() -> None:
    one = CameraSpec(camera="gate", url=SecretStr("rtsp://a:s3cret@cam/1"), username="b", password=SecretStr("s3cret"))
    assert "s3cret" not in f"{one!r} {one} {one.shown_url}"
