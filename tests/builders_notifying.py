"""Small real desks with alerts in them, and real receivers of notifications on the loopback."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import RAISED, AlertRecord, OutboxRecord
from streamer.bus.messages import SegmentReady
from tests.builders_consumers import NOON, a_segment
from tests.ports import free_port

RAISED_AT = NOON + timedelta(seconds=20)


def a_desk(folder: Path) -> DeskDatabase:
    """A new desk in a folder."""
    return DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}")


def raise_alert(
    desk: DeskDatabase,
    name: str = "a1",
    *,
    severity: str = "high",
    channels: Sequence[str] = (),
    segment: SegmentReady | None = None,
    crop_uri: str = "media:///crops/gate/s1.r1/001-000000.jpg",
    look_at_s: float = 2.0,
    met_after_s: float = 4.0,
    raised_at: datetime = RAISED_AT,
) -> AlertRecord:
    """Put an alert on the desk and what it owes into the outbox, as the alerter does, in one transaction."""
    ready = segment or a_segment("s1")
    alert = AlertRecord(
        alert_id=name,
        rule_id="vest",
        rule_revision="r1",
        title="No safety vest",
        severity=severity,
        camera_id=ready.camera_id,
        chain_id="p1",
        episode=1,
        person_id="p1",
        track_id=f"{ready.segment_id}/1",
        segment_id=ready.segment_id,
        segment_uri=ready.uri,
        segment_started_at=ready.started_at,
        manifest_uri=f"media:///results/{ready.camera_id}/{ready.segment_id}.r1.json",
        crop_uri=crop_uri,
        box_xyxy=[20.0, 10.0, 60.0, 90.0],
        frame_size_wh=[192, 108],
        look_at_s=look_at_s,
        began_at=ready.started_at + timedelta(seconds=1),
        met_at=ready.started_at + timedelta(seconds=met_after_s),
        raised_at=raised_at,
        answers={"q1": {"yes": 0.1, "no": 0.85, "cannot tell": 0.05}},
        numbers={},
        is_sent=bool(channels),
    )
    with desk.writing() as session:
        session.add(alert)
        session.flush()
        for channel in channels:
            owed = {"alert_id": name, "channel": channel, "kind": RAISED}
            session.add(OutboxRecord(**owed, created_at=raised_at, not_before=raised_at))
    return alert


def outbox(desk: DeskDatabase) -> list[OutboxRecord]:
    """Every line of the outbox, in order."""
    from sqlalchemy import select

    with desk.reading() as session:
        return list(session.scalars(select(OutboxRecord).order_by(OutboxRecord.id)))


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self, at: datetime = RAISED_AT) -> None:
        self.at = at.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class MailServer:
    """A real SMTP server on the loopback that keeps what it is sent, or refuses it while `refusal` is set."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refusal: str | None = None
        self.port = free_port()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"

    @property
    def open_url(self) -> str:
        """Apprise's name for it: no sign-in, a sender and one receiver."""
        return f"mailto://127.0.0.1:{self.port}/?from=desk@example.org&to=officer@example.org&mode=insecure"

    @contextlib.contextmanager
    def running(self) -> Iterator["MailServer"]:
        controller = Controller(self, hostname="127.0.0.1", port=self.port)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()


class HttpReceiver:
    """A real HTTP server on the loopback that keeps what is posted and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers = 204, dict[str, str]()
        self.hold = threading.Event()  # set: answer at once
        self.hold.set()
        self.port = free_port()
        self.on_post: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook-with-a-secret-path"

    @contextlib.contextmanager
    def running(self) -> Iterator["HttpReceiver"]:
        receiver = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.on_post()
                receiver.hold.wait(20)
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    self.send_response(receiver.status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Answering)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.hold.set()
            server.shutdown()
            server.server_close()
            thread.join(5)


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield int(listening.getsockname()[1])
