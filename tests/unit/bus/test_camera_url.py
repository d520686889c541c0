from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.bus.camera_url import scrubbed, shown_url, with_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam/1", "rtsp://cam/1"),
        ("rtsp://admin@cam:554/1", "rtsp://cam:554/1"),
        ("rtsp://admin:pa@ss@cam/1", "rtsp://cam/1"),
        ("rtsp://admin:p%40ss@[fe80::1]:554/1?a=2", "rtsp://[fe80::1]:554/1?a=2"),
        ("http://cam/live?user=me&password=x1&channel=2", "http://cam/live?user=***&password=***&channel=2"),
        ("http://cam/live?channel=2&access_token=x1#frag", "http://cam/live?channel=2&access_token=***"),
        (
            "rtsp://cam:554/user=admin&password=S3/c,_a=t&channel=1&stream=0.sdp?real_stream--rtp-caching=100",
            "rtsp://cam:554/user=***&password=***&channel=1&stream=0.sdp?real_stream--rtp-caching=100",
        ),
        (
            "rtsp://cam/user=admin_password=S3_cret_channel=1_stream=0.sdp",
            "rtsp://cam/user=***_password=***_channel=1_stream=0.sdp",
        ),
        ("rtsp://cam/live;password=x1", "rtsp://cam/live;password=***"),
        ("rtsp://cam/keyframes/user/1?authentic", "rtsp://cam/keyframes/user/1?authentic"),
    ],
)
def test_what_is_shown_of_an_address_has_no_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(st.text(st.characters(exclude_categories=("C",)), min_size=4, max_size=20))
def test_no_password_survives_in_any_text_about_its_address(password: str) -> None:
    url = with_credentials("rtsp://camera.example/live", "viewer", password)
    for text in (f"cannot open '{url}'", f"said {password!s} twice: {password}", f"got {quote(password, safe='')}"):
        left = scrubbed(text, url)
        assert password not in left.replace("***", "")
        assert quote(password, safe="") not in left.replace("***", "")
    assert password not in shown_url(url)


def test_no_password_of_a_path_survives_in_a_text_about_its_address() -> None:
    url = "rtsp://cam/user=admin&password=S3cret%21&channel=1"
    assert scrubbed(f"{url}: 401 for S3cret!, S3cret%21", url) == f"{shown_url(url)}: 401 for ***, ***"


def test_credentials_given_apart_replace_those_within() -> None:
    assert with_credentials("rtsp://old:gone@cam/1", "new", "p/w") == "rtsp://new:p%2Fw@cam/1"
    assert with_credentials("rtsp://old:kept@cam/1", "", "") == "rtsp://old:kept@cam/1"
