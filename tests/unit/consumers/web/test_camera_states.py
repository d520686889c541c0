"""How a camera is, said by the streamer's report and the cameras file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.errors import CameraChangeError
from consumers.web.cameras.changing import changed
from consumers.web.cameras.shapes import CameraChangeShape
from consumers.web.cameras.states import CameraState, stand
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import Connection, Pressure
from tests.builders_upkeep import a_camera, a_report, one_of_each

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SPEC = CameraSpec.model_validate(
    {"camera": "gate", "url": "rtsp://10.0.0.7/one?token=t0ken", "username": "viewer", "password": "s3cret"}
)


def test_each_camera_of_a_bad_day_is_said_to_be_as_it_is():
    report = one_of_each(NOW)
    said = {camera.camera_id: stand(None, camera, report, NOW) for camera in report.cameras}
    assert {name: standing.state.value for name, standing in said.items()} == {
        "gate": "live",
        "ramp": "reconnecting",
        "door": "refused",
        "yard": "thinned",
        "hall": "skipping",
        "roof": "stalled",
    }
    assert {name for name, standing in said.items() if standing.to_do} == {"ramp", "door", "yard", "hall", "roof"}
    assert "nothing came for 10 s, for 3 min" not in said["ramp"].words
    assert said["ramp"].words == "Nothing has come for 3 min 0 s: nothing came for 10 s. The gap grows."


@pytest.mark.parametrize(
    ("pressure", "state"), [("waiting", "behind"), ("thinned", "thinned"), ("skipping", "skipping")]
)
def test_footage_that_the_media_store_does_not_take_is_not_said_to_wait_for_analysis(pressure: str, state: str):
    camera = a_camera("gate", now=NOW).model_copy(
        update={"pressure": Pressure(pressure), "waiting_segments": 40, "unstored_segments": 33}
    )
    report = a_report(camera, now=NOW)
    away = report.model_copy(update={"store_fault": "Come later"})
    assert "nalysis" in stand(None, camera, report, NOW).words
    said = stand(None, camera, away, NOW)
    assert said.state.value == state
    assert said.words.startswith("The media store takes nothing: Come later; ")
    assert "nalysis" not in said.words
    assert "crewsight doctor" in (said.to_do or "")


def test_a_camera_that_never_showed_a_picture_and_fails_is_no_camera_that_is_being_connected():
    fresh = a_camera("gate", Connection.CONNECTING, now=NOW)
    failing = a_camera("gate", Connection.CONNECTING, now=NOW, reason="connection refused")
    states = [stand(SPEC, each, a_report(each, now=NOW), NOW).state for each in (fresh, failing)]
    assert states == [CameraState.CONNECTING, CameraState.RECONNECTING]


def test_without_a_report_one_knows_nothing_and_says_so():
    camera = a_camera("gate", now=NOW)
    report = a_report(camera, now=NOW)
    assert stand(SPEC, None, None, NOW).state is CameraState.UNKNOWN
    assert stand(SPEC, camera, report, NOW + timedelta(minutes=2)).words == "No streamer has reported for 2 min 0 s."
    assert stand(SPEC, None, report, NOW).state is CameraState.CONNECTING
    assert stand(None, None, report, NOW).state is CameraState.FOOTAGE
    off = SPEC.model_copy(update={"is_enabled": False})
    assert stand(off, None, report, NOW).state is CameraState.OFF


def test_what_is_left_out_of_a_change_stays_secrets_included():
    shown = SPEC.shown_url
    assert changed("gate", SPEC, CameraChangeShape(url=shown, is_enabled=False)) == {
        "camera": "gate",
        "url": "rtsp://10.0.0.7/one?token=t0ken",
        "username": "viewer",
        "is_enabled": False,
        "tls_verify": True,
        "ca_file": None,
        "password": "s3cret",
        "password_file": None,
    }
    assert changed("gate", SPEC, CameraChangeShape(url="rtsp://10.0.0.7/two"))["password"] == "s3cret"


def test_who_is_trusted_goes_with_the_device_and_is_checked_again_at_another():
    trusting = SPEC.model_copy(update={"tls_verify": False})
    here, elsewhere = "rtsp://10.0.0.7/two", "rtsp://10.0.0.8/one"
    assert changed("gate", trusting, CameraChangeShape(url=here))["tls_verify"] is False
    assert "tls_verify" not in changed("gate", trusting, CameraChangeShape(url=elsewhere, password="new"))
    named = SPEC.model_copy(update={"ca_file": Path("gate.pem")})
    assert changed("gate", named, CameraChangeShape(is_enabled=False))["ca_file"] == Path("gate.pem")
    off = changed("gate", named, CameraChangeShape(tls_verify=False))
    assert (off["tls_verify"], off["ca_file"]) == (False, None)


@pytest.mark.parametrize(
    "asked",
    [
        {"url": "rtsp://10.0.0.66/one"},
        {"url": "rtsp://10.0.0.7:8554/one"},
        {"username": "other"},
        {"url": "rtsp://10.0.0.7/one?token=***&x=1"},
    ],
)
def test_a_password_goes_to_no_other_host_port_or_user_and_a_hidden_key_is_no_key(asked: dict[str, str]):
    with pytest.raises(CameraChangeError):
        changed("gate", SPEC, CameraChangeShape.model_validate(asked))
    if "***" not in asked.get("url", ""):
        assert (
            changed("gate", SPEC, CameraChangeShape.model_validate({**asked, "password": "new"}))["password"] == "new"
        )


def test_a_new_camera_needs_an_address():
    with pytest.raises(CameraChangeError, match="needs its address"):
        changed("gate", None, CameraChangeShape())
