"""Notifications on their way: a real mail server and HTTP receiver, down, slow, failing, and a notifier that dies."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.entering import owed
from consumers.alerts.schema import ESCALATED, RAISED
from consumers.errors import DeliveryError
from consumers.notifying.channels import Channel, QuietHours
from consumers.notifying.notice import notice_of
from consumers.notifying.notifier import Notifier
from consumers.notifying.outbox import GIVEN_UP, NOTIFIED, Outbox, Owed
from consumers.notifying.senders import AppriseSender, Sender, sender_of
from consumers.notifying.webhook import WebhookSender
from tests.builders_bus import wait_until
from tests.builders_notifying import (
    RAISED_AT,
    Clock,
    HttpReceiver,
    MailServer,
    a_desk,
    outbox,
    raise_alert,
    silent_port,
)

KEY = b"thirty-two bytes of a shared key"
SECRET = SecretStr("whsec_" + base64.b64encode(KEY).decode())
PICTURE = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    opened = a_desk(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer().running() as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver().running() as running:
        yield running


def webhook(receiver: HttpReceiver, **more: object) -> Channel:
    return Channel.model_validate({"url": receiver.url, "secret": SECRET, **more})


class Desk:
    """A notifier over one desk, with a clock that a test moves."""

    def __init__(self, desk: DeskDatabase, channels: Mapping[str, Channel], **senders: Sender) -> None:
        self.desk, self.clock = desk, Clock()
        self.notifier = self._notifier(channels, senders)

    def _notifier(self, channels: Mapping[str, Channel], senders: Mapping[str, Sender]) -> Notifier:
        made = {name: senders.get(name) or sender_of(name, channel) for name, channel in channels.items()}
        return Notifier(Outbox(self.desk, channels), made, self.notice, give_up_after_s=3600, now=self.clock)

    @staticmethod
    def notice(owed: Owed):  # type: ignore[no-untyped-def]
        return notice_of(
            owed.alert, owed.kind, site="Yard", public_url="https://desk.example.org", zone=None, picture=PICTURE
        )

    def settle(self) -> None:
        """Step until nothing is on its way."""
        self.notifier.step()
        wait_until(lambda: self.notifier.step() == 0, within_s=60)

    def actions(self, alert_id: str = "a1") -> list[str]:
        return [line.action for line in self.desk.history(alert_id)]


def test_a_mail_has_the_words_the_picture_and_the_way_to_the_alert(desk: DeskDatabase, mail: MailServer) -> None:
    raise_alert(desk, channels=["mail"])
    at_work = Desk(desk, {"mail": Channel(url=SecretStr(mail.open_url))})
    at_work.settle()
    (sent,) = mail.mails
    assert sent["To"] == "officer@example.org"
    assert sent["Subject"] == "Yard: No safety vest (gate)"
    parts = {part.get_content_type(): part.get_payload(decode=True) for part in sent.walk() if not part.is_multipart()}
    assert b"https://desk.example.org/alerts?alert=a1" in parts["text/plain"]  # type: ignore[operator]
    assert parts["image/jpeg"] == PICTURE
    (row,) = outbox(desk)
    assert (row.delivered_at, row.attempts, row.last_error) == (RAISED_AT, 1, None)
    assert at_work.actions() == [NOTIFIED]
    alert = desk.alert("a1")
    assert alert is not None
    assert alert.version == 1, "an officer who looks at it is not told that it changed"


def test_a_webhook_is_signed_as_the_standard_says_and_names_a_repeat(
    desk: DeskDatabase, receiver: HttpReceiver
) -> None:
    raise_alert(desk, channels=["hook"])
    sender = WebhookSender("hook", webhook(receiver), now_s=lambda: 1_700_000_000.5)
    Desk(desk, {"hook": webhook(receiver)}, hook=sender).settle()
    ((headers, body),) = receiver.posts
    signed = f"a1.raised.1700000000.{body.decode()}".encode()
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("a1.raised", "1700000000")
    posted = json.loads(body)
    assert posted["type"] == "alert.raised"
    assert posted["data"]["link"] == "https://desk.example.org/alerts?alert=a1"
    assert base64.b64decode(posted["data"]["picture_jpeg_base64"]) == PICTURE


def test_a_receiver_that_is_down_is_tried_again_later_and_later_until_it_is_up(desk: DeskDatabase) -> None:
    raise_alert(desk, channels=["hook"])
    receiver = HttpReceiver()
    at_work = Desk(desk, {"hook": webhook(receiver)})
    waits = []
    for attempt in (1, 2, 3):
        at_work.settle()
        (row,) = outbox(desk)
        assert (row.attempts, row.delivered_at) == (attempt, None)
        assert row.last_error == "webhook: no answer (ConnectError)"
        waits.append((row.not_before - at_work.clock()).total_seconds())
        at_work.settle()
        assert outbox(desk)[0].attempts == attempt, "not before its time"
        at_work.clock.at = row.not_before
    assert waits[0] < waits[1] < waits[2]
    with receiver.running():
        at_work.settle()
    assert len(receiver.posts) == 1
    assert at_work.actions() == [NOTIFIED]


def test_a_mail_server_that_is_down_or_refuses_is_tried_again_and_its_password_is_told_nobody(
    desk: DeskDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    raise_alert(desk, channels=["mail"])
    mail = MailServer()
    secret = f"mailto://anna:s3cret-word@127.0.0.1:{mail.port}/?from=desk@example.org&to=a@example.org&mode=insecure"
    at_work = Desk(desk, {"mail": Channel(url=SecretStr(secret))})
    at_work.settle()
    (row,) = outbox(desk)
    assert row.last_error is not None
    assert row.last_error.startswith("apprise: ")
    open_desk = Desk(desk, {"mail": Channel(url=SecretStr(mail.open_url))})
    open_desk.clock.at = row.not_before
    with mail.running():
        mail.refusal = "451 come back later"
        open_desk.settle()
        assert outbox(desk)[0].attempts == 2
        mail.refusal = None
        open_desk.clock.at = outbox(desk)[0].not_before
        open_desk.settle()
    assert len(mail.mails) == 1
    told = "\n".join([*(record.getMessage() + str(record.__dict__) for record in caplog.records), str(outbox(desk))])
    assert "s3cret-word" not in told + str(row.last_error)


def test_a_slow_receiver_holds_up_nobody_else(desk: DeskDatabase, receiver: HttpReceiver) -> None:
    for number in range(3):
        raise_alert(desk, f"a{number}", channels=["slow", "quick"])
    slow = HttpReceiver()
    slow.hold.clear()
    with slow.running():
        at_work = Desk(desk, {"slow": webhook(slow), "quick": webhook(receiver)})
        wait_until(lambda: at_work.notifier.step() is not None and len(receiver.posts) == 3)
        assert len(slow.posts) == 1, "one at a time"
        slow.hold.set()
        at_work.settle()
    assert len(slow.posts) == 3
    assert all(row.delivered_at for row in outbox(desk))


def test_a_server_that_never_says_a_word_is_given_up_in_time(mail: MailServer) -> None:
    del mail
    with silent_port() as port:
        url = SecretStr(f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org&mode=insecure&cto=1&rto=1")
        sender = AppriseSender("mail", Channel(url=url), send_within_s=2.0)
        with pytest.raises(DeliveryError, match="channel mail: not delivered"):
            sender.send(Desk.notice(_owed()))


def _owed() -> Owed:
    from consumers.alerts.schema import AlertRecord

    alert = AlertRecord(
        alert_id="a1", rule_id="vest", rule_revision="r", title="No vest", severity="high", state="open",
        camera_id="gate", person_id="p", segment_id="s", began_at=RAISED_AT, met_at=RAISED_AT, raised_at=RAISED_AT,
        answers={},
    )  # fmt: skip
    return Owed(1, "mail", RAISED, 1, RAISED_AT, alert)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_answer_but_yes_is_a_failure(desk: DeskDatabase, receiver: HttpReceiver, status: int) -> None:
    raise_alert(desk, channels=["hook"])
    receiver.status, receiver.headers = status, {"location": "http://127.0.0.1:1/"}
    Desk(desk, {"hook": webhook(receiver)}).settle()
    assert outbox(desk)[0].last_error == f"webhook: the receiver answered {status}"


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example", "127.0.0.1:65536", ".example", "127.0.0.1:0"])
def test_a_host_that_no_network_knows_is_a_failure_and_not_the_end(desk: DeskDatabase, host: str) -> None:
    raise_alert(desk, channels=["hook"])
    channel = Channel(url=SecretStr(f"https://{host}/s3cret"), secret=SECRET)
    Desk(desk, {"hook": channel}).settle()
    (row,) = outbox(desk)
    assert "no answer" in str(row.last_error)
    assert host not in str(row.last_error)


def test_a_receiver_that_asks_for_rest_gets_it(desk: DeskDatabase, receiver: HttpReceiver) -> None:
    raise_alert(desk, channels=["hook"])
    receiver.status, receiver.headers = 429, {"retry-after": "120"}
    at_work = Desk(desk, {"hook": webhook(receiver)})
    at_work.settle()
    assert outbox(desk)[0].not_before == at_work.clock() + timedelta(seconds=120)


def test_what_a_receiver_always_refuses_does_not_hold_up_what_comes_after(desk: DeskDatabase) -> None:
    class Choosy:
        def __init__(self) -> None:
            self.taken: list[str] = []

        def send(self, notice) -> None:  # type: ignore[no-untyped-def]
            if notice.facts["alert_id"] == "poison":
                raise DeliveryError("hook", "never this one")
            self.taken.append(notice.facts["alert_id"])

    for name in ("poison", "a1", "a2"):
        raise_alert(desk, name, channels=["hook"])
    choosy = Choosy()
    at_work = Desk(desk, {"hook": Channel(url=SecretStr("json://127.0.0.1"))}, hook=choosy)
    at_work.settle()
    assert choosy.taken == ["a1", "a2"]


def test_a_notification_that_fails_for_long_is_given_up_and_the_desk_says_so(desk: DeskDatabase) -> None:
    raise_alert(desk, channels=["hook"])
    at_work = Desk(desk, {"hook": webhook(HttpReceiver())})
    at_work.clock.forward(3601)
    at_work.settle()
    (row,) = outbox(desk)
    assert row.given_up_at is not None
    assert at_work.actions() == [GIVEN_UP]
    at_work.clock.forward(99_999)
    at_work.settle()
    assert outbox(desk)[0].attempts == 1


def test_a_notifier_that_dies_between_sending_and_marking_sends_again_and_records_once(
    desk: DeskDatabase, receiver: HttpReceiver
) -> None:
    raise_alert(desk, channels=["hook"])
    channels = {"hook": webhook(receiver)}
    clock = Clock()
    dying = Outbox(desk, channels)
    (owed,) = dying.claim(clock(), ["hook"])
    sender_of("hook", channels["hook"]).send(Desk.notice(owed))  # and then the lights go out
    at_work = Desk(desk, channels)
    at_work.settle()
    assert len(receiver.posts) == 1, "the lease of the dead still stands"
    at_work.clock.forward(26)
    at_work.settle()
    assert [headers["webhook-id"] for headers, _ in receiver.posts] == ["a1.raised", "a1.raised"]
    dying.delivered(owed, clock())  # it was only asleep
    assert at_work.actions() == [NOTIFIED]


def test_a_telling_owed_by_an_alerter_whose_clock_ran_ahead_is_due_at_once(
    desk: DeskDatabase, receiver: HttpReceiver
) -> None:
    raise_alert(desk)
    with desk.writing() as session:
        session.add_all(owed("a1", ["hook"], RAISED, Clock()() + timedelta(hours=1)))
    Desk(desk, {"hook": webhook(receiver)}).settle()
    assert [headers["webhook-id"] for headers, _ in receiver.posts] == ["a1.raised"]


def test_two_notifiers_never_take_the_same_line(desk: DeskDatabase) -> None:
    for number in range(4):
        raise_alert(desk, f"a{number}", channels=["hook"])
    channels = {"hook": Channel(url=SecretStr("json://127.0.0.1"))}
    one, other = Outbox(desk, channels), Outbox(desk, channels)
    taken = [owed.alert.alert_id for box in (one, other, one, other) for owed in box.claim(RAISED_AT, ["hook"])]
    assert taken == ["a0", "a1", "a2", "a3"]
    assert one.claim(RAISED_AT, ["hook"]) == []


def test_quiet_hours_put_off_what_may_wait_and_nothing_is_dropped(desk: DeskDatabase, receiver: HttpReceiver) -> None:
    quiet = QuietHours.model_validate({"since": "11:00", "until": "13:00", "unless": ["critical"]})
    raise_alert(desk, "waits", severity="low", channels=["hook"])
    raise_alert(desk, "wakes", severity="critical", channels=["hook"])
    at_work = Desk(desk, {"hook": webhook(receiver, quiet=quiet)})
    at_work.settle()
    assert [headers["webhook-id"] for headers, _ in receiver.posts] == ["wakes.raised"]
    waiting = outbox(desk)[0]
    assert (waiting.last_error, waiting.attempts) == ("quiet hours", 0)
    at_work.clock.at = waiting.not_before
    assert f"{waiting.not_before:%H:%M}" == "13:00"
    at_work.settle()
    assert len(receiver.posts) == 2


def test_what_is_owed_to_a_channel_that_nobody_set_up_waits_until_it_is(
    desk: DeskDatabase, receiver: HttpReceiver
) -> None:
    raise_alert(desk, channels=["soon"])
    at_work = Desk(desk, {"hook": webhook(receiver)})
    at_work.settle()
    (row,) = outbox(desk)
    assert row.last_error == "no channel of this name in notifying.channels"
    later = Desk(desk, {"soon": webhook(receiver)})
    later.clock.at = row.not_before
    later.settle()
    assert len(receiver.posts) == 1


def test_a_channel_is_spared_what_it_does_not_take(desk: DeskDatabase, receiver: HttpReceiver) -> None:
    for severity in ("low", "critical"):
        raise_alert(desk, severity, severity=severity, channels=["hook"])
    at_work = Desk(desk, {"hook": webhook(receiver, severities=["critical"])})
    at_work.settle()
    assert [headers["webhook-id"] for headers, _ in receiver.posts] == ["critical.raised"]
    spared, _ = outbox(desk)
    assert spared.given_up_at is not None
    assert spared.last_error == "the channel does not take alerts of severity low"


def test_an_escalation_says_that_nobody_has_acknowledged() -> None:
    owed = _owed()
    notice = notice_of(
        owed.alert, ESCALATED, site="Yard", public_url="https://desk.example.org", zone=None, picture=None
    )
    assert notice.title == "Yard: Not acknowledged: No vest (gate)"
    assert "Nobody has acknowledged it yet." in notice.body
