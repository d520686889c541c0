"""Cameras over TLS against real servers on the loopback: which certificates are trusted, and what is said of others."""

import base64
import functools
import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.bus.camera_file import CameraSpec
from streamer.bus.settings import Live
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.checking import CameraCheck, check_camera
from streamer.live.stream import LiveStream
from tests.builders_bus import pass_on
from tests.builders_cameras import FPS, are_successive, watched
from tests.builders_rtsp import numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream
from tests.builders_tls import Certificates
from tests.builders_video import make_video

LIVE = Live(segment_s=1.0, connect_s=10.0, stall_s=5.0, retry_at_most_s=0.5)
ADVICE = "or switch checking off by `tls_verify: false`"


class Guarded(SimpleHTTPRequestHandler):
    """Serves a folder; to `viewer` with the password `p@ss` alone what is under /basic or /digest.

    Of parts that are asked for it knows under /parts alone; elsewhere it gives the whole, as many small servers do.
    """

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        way, self.path = next(
            ((way, self.path.removeprefix(f"/{way}")) for way in WAYS if self.path.startswith(f"/{way}/")),
            ("", self.path),
        )
        if way and not WAYS[way](self.headers.get("Authorization", ""), f"/{way}{self.path}"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'{way.capitalize()} realm="cam", nonce="n0nce", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if self.path.startswith("/parts/") and part:
            content = Path(self.translate_path(self.path.removeprefix("/parts"))).read_bytes()
            self.send_response(206)
            self.end_headers()
            self.wfile.write(content[int(part[1]) : int(part[2]) + 1])
            return
        self.path = self.path.removeprefix("/parts")
        super().do_GET()


def is_basic(given: str, path: str) -> bool:
    del path
    return given == "Basic " + base64.b64encode(b"viewer:p@ss").decode()


def is_digest(given: str, path: str) -> bool:
    """Whether the answer to the challenge is right (RFC 2617)."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    said = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
    asked = md5(f"GET:{path}")
    middle = f"n0nce:{said.get('nc')}:{said.get('cnonce')}:auth"
    return given.startswith("Digest ") and said.get("response") == md5(f"{md5('viewer:cam:p@ss')}:{middle}:{asked}")


FRAMES = 60
WAYS: dict[str, Callable[[str, str], bool]] = {"basic": is_basic, "digest": is_digest}


@pytest.fixture(autouse=True)
def _server() -> None:
    rtsp_server_or_skip()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def tls_before(port: int, certificate: Path) -> Iterator[int]:
    """A port whose TLS, with this certificate and key, leads to a server on `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=take, args=(plain,), daemon=True).start()

    def take(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            plain,
            context.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", port)) as server,
        ):
            there = threading.Thread(target=pass_on, args=(client, server), daemon=True)
            there.start()
            pass_on(server, client)
            there.join()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def write_playlist(source: Path, playlist: Path, **options: str) -> None:
    """The video as HLS, in segments of a second."""
    options = {"hls_time": "1", "hls_list_size": "0", **options}
    with av.open(str(source)) as clip, av.open(str(playlist), "w", format="hls", options=options) as hls:
        stream = hls.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                hls.mux(packet)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder with a live playlist, served over HTTP, and the port."""
    folder = tmp_path / "web"
    folder.mkdir()
    source = make_video(tmp_path / "source.mp4", frame_count=FRAMES)
    write_playlist(source, folder / "live.m3u8")

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Guarded, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield folder, server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=["rtsps", "https"])
def camera(request: pytest.FixtureRequest, tmp_path: Path, web: tuple[Path, int]) -> Iterator[Callable[[Path], str]]:
    """Gives a camera's address, of either kind, once it is told which certificate it has."""
    with ExitStack() as stack:
        if request.param == "rtsps":
            path = write_stream(tmp_path / "h264", numbered_frames(100), fps=FPS, keyframe_every=FPS)
            behind = stack.enter_context(rtsp_server({"gate": path})).port
            yield lambda own: f"rtsps://127.0.0.1:{stack.enter_context(tls_before(behind, own))}/gate"
        else:
            yield lambda own: f"https://127.0.0.1:{stack.enter_context(tls_before(web[1], own))}/live.m3u8"


def checked(url: str, **more: object) -> CameraCheck:
    return check_camera(CameraSpec.model_validate({"camera": "gate", "url": url, **more}), LIVE, watch_s=3.0)


@pytest.mark.parametrize(
    ("kind", "trusts", "said"),
    [
        ("signed", "", "unable to get local issuer certificate"),
        ("signed", "stranger", "unable to get local issuer certificate"),
        ("self-signed", "", "self-signed certificate"),
        ("elsewhere", "authority", "not valid for '127.0.0.1'"),
        ("expired", "authority", "certificate has expired"),
        ("nameless", "nameless", "not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted_is_refused_in_one_line_that_says_what_to_do(
    camera: Callable[[Path], str], certificates: Certificates, kind: str, trusts: str, said: str
) -> None:
    trusted = {"ca_file": str(certificates.public(trusts))} if trusts else {}
    with pytest.raises(CameraError) as refused:
        checked(camera(certificates.own(kind)), **trusted)
    assert said in refused.value.reason
    assert refused.value.reason.startswith("its certificate is not trusted (")
    assert refused.value.reason.endswith(ADVICE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "trusts"),
    [("signed", "authority"), ("self-signed", "self-signed"), ("self-signed", None), ("expired", None)],
)
def test_a_camera_is_watched_whose_authority_is_named_or_that_is_not_to_be_checked(
    camera: Callable[[Path], str], certificates: Certificates, kind: str, trusts: str | None
) -> None:
    more = {"tls_verify": False} if trusts is None else {"ca_file": str(certificates.public(trusts))}
    found = checked(camera(certificates.own(kind)), **more)
    assert (found.codec, found.width_px, found.height_px) == ("h264", 192, 108)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_of_no_use_is_said(
    camera: Callable[[Path], str], certificates: Certificates, tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(CameraError, match=r"its ca_file \S+ca\.pem (holds no certificate|cannot be read)"):
        checked(camera(certificates.own("signed")), ca_file=str(ca_file))


@pytest.mark.parametrize("named", ["playlist", "segments"])
def test_what_a_playlist_names_is_checked_as_well(
    web: tuple[Path, int], certificates: Certificates, named: str
) -> None:
    folder, port = web
    ca_file = str(certificates.public("authority"))
    with tls_before(port, certificates.own("signed")) as good, tls_before(port, certificates.own("self-signed")) as bad:
        for wrong in (good, bad):
            if named == "playlist":
                listed = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\n" + f"https://127.0.0.1:{wrong}/live.m3u8\n"
            else:
                live = (folder / "live.m3u8").read_text()
                listed = re.sub(r"(?m)^(live\d+.ts)$", rf"https://127.0.0.1:{wrong}/\1", live)
            (folder / "outer.m3u8").write_text(listed)
            url = f"https://127.0.0.1:{good}/outer.m3u8"
            if wrong == good:
                assert checked(url, ca_file=ca_file).codec == "h264"
                continue
            with pytest.raises(CameraError, match="self-signed certificate"):
                checked(url, ca_file=ca_file)


def sent(url: str, ca_file: str) -> list[int]:
    """The sizes of all packets that come from a camera until it ends the stream."""
    spec = CameraSpec.model_validate({"camera": "gate", "url": url, "ca_file": ca_file})
    stream = LiveStream(spec, connect_s=LIVE.connect_s, stall_s=LIVE.stall_s)
    sizes: list[int] = []
    with closing(stream), pytest.raises(CameraError, match="it ended the stream"):
        sizes.extend(packet.size for packet in stream.packets())
    return sizes


@pytest.mark.parametrize("way", ["", "parts/"])
@pytest.mark.parametrize("kind", ["one file", "one file, fragmented", "encrypted"])
def test_segments_that_are_parts_of_a_file_or_encrypted_come_as_plain_ones_do(
    web: tuple[Path, int], certificates: Certificates, kind: str, way: str
) -> None:
    folder, port = web
    (folder / "key.bin").write_bytes(bytes(range(16)))
    (folder / "key.info").write_text(f"key.bin\n{folder / 'key.bin'}\n")
    options = {
        "one file": {"hls_flags": "single_file"},
        "one file, fragmented": {"hls_flags": "single_file", "hls_segment_type": "fmp4"},
        "encrypted": {"hls_key_info_file": str(folder / "key.info")},
    }
    plain_options = {"hls_segment_type": "fmp4"} if kind == "one file, fragmented" else {}
    source = folder.parent / "source.mp4"
    write_playlist(source, folder / "plain.m3u8", **plain_options)
    write_playlist(source, folder / "other.m3u8", **options[kind])
    ca_file = str(certificates.public("authority"))
    with tls_before(port, certificates.own("signed")) as good:
        plain = sent(f"https://127.0.0.1:{good}/plain.m3u8", ca_file)
        other = sent(f"https://127.0.0.1:{good}/{way}other.m3u8", ca_file)
    assert len(plain) == FRAMES
    assert other == plain


def test_a_playlist_that_leads_to_where_nothing_is_checked_is_not_followed(
    web: tuple[Path, int], certificates: Certificates
) -> None:
    folder, port = web
    for address in (f"http://127.0.0.1:{port}/live0.ts", (folder / "live0.ts").as_uri()):
        (folder / "plain.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")
        with tls_before(port, certificates.own("signed")) as good, pytest.raises(CameraError):
            checked(f"https://127.0.0.1:{good}/plain.m3u8", ca_file=str(certificates.public("authority")))


def test_an_address_without_a_stream_is_refused_over_tls_too(web: tuple[Path, int], certificates: Certificates) -> None:
    with tls_before(web[1], certificates.own("signed")) as port, pytest.raises(CameraRefusedError, match="404"):
        checked(f"https://127.0.0.1:{port}/none.m3u8", ca_file=str(certificates.public("authority")))


@pytest.mark.parametrize("way", WAYS)
def test_user_and_password_open_a_checked_camera_and_a_wrong_one_is_refused_without_being_told(
    web: tuple[Path, int], certificates: Certificates, way: str
) -> None:
    ca_file = str(certificates.public("authority"))
    with tls_before(web[1], certificates.own("signed")) as port:
        url = f"https://127.0.0.1:{port}/{way}/live.m3u8"
        assert checked(url, ca_file=ca_file, username="viewer", password="p@ss").codec == "h264"
        with pytest.raises(CameraRefusedError, match="401") as refused:
            checked(url, ca_file=ca_file, username="viewer", password="wr0ng")
    assert "wr0ng" not in str(refused.value)


def test_a_camera_over_rtsps_loses_no_frame(tmp_path: Path, certificates: Certificates) -> None:
    path = write_stream(tmp_path / "h264", numbered_frames(250), fps=FPS, keyframe_every=FPS)
    with (
        rtsp_server({"gate": path}) as server,
        tls_before(server.port, certificates.own("signed")) as port,
        watched(
            tmp_path / "state",
            CameraSpec.model_validate(
                {
                    "camera": "gate",
                    "url": f"rtsps://127.0.0.1:{port}/gate",
                    "ca_file": str(certificates.public("authority")),
                }
            ),
        ) as camera,
    ):
        segments = camera.wait_for(4)
        assert are_successive(camera.numbers(segments[:4]), loop=250)
