"""Which channels an alert goes to, and when: quiet hours put off, never drop."""

from datetime import UTC, datetime, time
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from consumers.errors import ChannelError
from consumers.notifying.channels import Channel, QuietHours
from consumers.notifying.senders import redacted, sender_of
from consumers.settings import NotifierSettings
from streamer.bus.errors import SettingsError

NIGHT = QuietHours(since=time(22), until=time(6), time_zone="Europe/Berlin", unless=("critical",))
LUNCH = QuietHours(since=time(12), until=time(13), time_zone="UTC")
NOTIFYING_DOC = Path(__file__).parents[3] / "docs" / "notifying.md"
SECRET = "whsec_" + "c2VjcmV0" * 5


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "moment", "sent_at"),
    [
        (LUNCH, "2026-03-01 11:59:59", "2026-03-01 11:59:59"),
        (LUNCH, "2026-03-01 12:00:00", "2026-03-01 13:00:00"),
        (LUNCH, "2026-03-01 13:00:00", "2026-03-01 13:00:00"),
        (NIGHT, "2026-03-01 21:30:00", "2026-03-02 05:00:00"),  # half past ten in the evening in Berlin
        (NIGHT, "2026-03-02 03:00:00", "2026-03-02 05:00:00"),
        (NIGHT, "2026-03-02 05:00:00", "2026-03-02 05:00:00"),
        (NIGHT, "2026-03-28 23:00:00", "2026-03-29 04:00:00"),  # clocks go forward that night: an hour less
        (NIGHT, "2026-10-24 22:00:00", "2026-10-25 05:00:00"),  # and back: an hour more
    ],
)
def test_what_comes_in_quiet_hours_is_sent_when_they_are_over(quiet: QuietHours, moment: str, sent_at: str) -> None:
    assert quiet.over_at(utc(moment)) == utc(sent_at)


def test_the_severities_that_may_wake_somebody_are_sent_at_once() -> None:
    channel, night = Channel(url=SecretStr("json://127.0.0.1"), quiet=NIGHT), utc("2026-03-02 02:00:00")
    assert channel.open_at(night, "critical") == night
    assert channel.open_at(night, "high") > night


@pytest.mark.parametrize(
    ("since", "until", "zone"), [("22:00", "22:00", "UTC"), ("22:00", "06:00", "Mars/Olympus"), ("25:00", "1:00", "")]
)
def test_hours_that_are_none_are_refused(since: str, until: str, zone: str) -> None:
    with pytest.raises(ValidationError):
        QuietHours.model_validate({"since": since, "until": until, "time_zone": zone})


def test_channels_as_they_are_documented_are_understood(tmp_path: Path) -> None:
    _, documented = NOTIFYING_DOC.read_text(encoding="utf-8").split("```yaml\n", 1)
    config = tmp_path / "crewsight.yaml"
    config.write_text(documented.split("```")[0], encoding="utf-8")
    quiet = NotifierSettings.read(config).notifying.channels["night-shift"].quiet
    assert quiet is not None
    assert (quiet.since, quiet.until) == (time(22), time(6))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("00:30", time(0, 30)),
        ("1:00", time(1)),
        ("6:05", time(6, 5)),
        ("09:30", time(9, 30)),
        ("23:59", time(23, 59)),
        ("1:00:00", time(1)),
        ("22:00:30", time(22, 0, 30)),
        ("'22:00'", time(22)),
        ("22", None),
        ("24:00", None),
        ("25:00", None),
        ("-1:00", None),
        ("yes", None),
    ],
)
def test_a_time_of_day_needs_no_quotes_in_yaml(written: str, meant: time | None) -> None:
    stated = yaml.safe_load(f"{{since: {written}, until: 12:34}}")
    if meant is None:
        with pytest.raises(ValidationError):
            QuietHours.model_validate(stated)
    else:
        assert QuietHours.model_validate(stated).since == meant


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ({"url": "nonsense://s3cret"}, "apprise understands"),
        ({"url": "https://example.org/s3cret", "secret": "s3cret"}, "whsec_ and base64"),
        ({"url": "https://example.org/s3cret", "secret": "whsec_c2hvcnQ="}, "at least 24 random bytes"),
        ({"url": "mailto://s3cret", "secret": SECRET}, "must begin with https"),
        ({"url": "https://xn--/s3cret", "secret": SECRET}, "its url is none"),
    ],
)
def test_a_channel_that_cannot_be_sent_to_is_refused_without_telling_its_secret(
    channel: dict[str, str], reason: str
) -> None:
    with pytest.raises(ChannelError, match=reason) as raised:
        sender_of("night-shift", Channel.model_validate(channel))
    assert "night-shift" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "channels",
    [
        '{"mail": "mailto://anna:s3cret@example.org"}',
        '{"mail": {"url": ["mailto://anna:s3cret@example.org"]}}',
        '{"mail": {"url": "mailto://anna:s3cret@example.org", "secret": 7}}',
        '{"mail": {"url": "mailto://anna:s3cret@example.org", "severities": ["dreadful"]}}',
        '{"mail": {"url": "mailto://anna:s3cret@example.org", "colour": "red"}}',
    ],
)
def test_settings_that_do_not_fit_are_named_and_their_secrets_are_not(
    channels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREWSIGHT_NOTIFYING__CHANNELS", channels)
    with pytest.raises(SettingsError, match=r"notifying\.channels\.mail") as raised:
        NotifierSettings.read()
    assert "s3cret" not in str(raised.value)


def test_a_secret_url_leaves_nothing_of_itself_in_a_text() -> None:
    url = "slack://TokenAAAA/TokenBBBB/TokenCCCC/#site"
    assert redacted("posting to #site with TokenBBBB failed", url) == "posting to *** with *** failed"


@pytest.mark.parametrize(
    "url",
    [
        "mailtos://anna:word@mail.example.org",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23site",
        "workflow://prod-01.westus.logic.azure.com:443/643e69f83c8944/signature",
        "mqtts://anna:word@broker.example.org/site/alerts",
        "json://127.0.0.1:9/hook",
    ],
)
def test_mail_slack_teams_mqtt_and_plain_webhooks_are_understood(url: str) -> None:
    sender_of("name", Channel(url=SecretStr(url)))
