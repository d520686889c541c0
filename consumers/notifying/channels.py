"""Channels: where notifications go, what they take and when they rest. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator

from consumers.alerts.rules import Severity
from streamer.bus.settings import Group


class QuietHours(Group):
    """Hours of every day in which a channel rests; what comes meanwhile is sent when they are over."""

    since: time = Field(description="Local time at which the quiet begins, such as 22:00.")
    until: time = Field(description="Local time at which it ends; before `since` means on the next day.")
    time_zone: str = Field("UTC", description="Zone of both times, such as Europe/Berlin.")
    unless: tuple[Severity, ...] = Field((), description="Severities that are sent all the same.")

    @field_validator("since", "until", mode="before")
    @classmethod
    def _is_not_in_base_60(cls, written: object) -> object:
        """YAML 1.1 takes an unquoted 22:00 for 1320, and 22:00:30 for 79230; this takes it back."""
        if type(written) is not int or written < 60:  # the least that it makes of one is 1:00
            return written
        minutes, seconds = divmod(written, 60) if written >= 3600 else (written, 0)
        return time(*divmod(minutes, 60), seconds)

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name} is no time zone; write one such as Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _is_a_span(self) -> "QuietHours":
        if self.since == self.until or self.since.tzinfo or self.until.tzinfo:
            raise ValueError("since and until must be two different times of day, without an offset")
        return self

    def over_at(self, moment: datetime) -> datetime:
        """When what comes at `moment` may be sent: the end of the quiet hours it falls into, else `moment` itself.

        >>> night = QuietHours(since=time(22), until=time(6), time_zone="Europe/Berlin")
        >>> str(night.over_at(datetime(2026, 3, 1, 23, 30, tzinfo=UTC)))
        '2026-03-02 05:00:00+00:00'
        >>> str(night.over_at(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)))
        '2026-03-01 12:00:00+00:00'
        """
        today = moment.astimezone(ZoneInfo(self.time_zone)).date()
        for day in (today - timedelta(days=1), today):
            begin, end = self._span(day)
            if begin <= moment < end:
                return end
        return moment

    def _span(self, day: date) -> tuple[datetime, datetime]:
        """The quiet hours that begin on `day`, in UTC: local times say nothing of each other when clocks change."""
        zone = ZoneInfo(self.time_zone)
        last = day if self.since < self.until else day + timedelta(days=1)
        return (
            datetime.combine(day, self.since, zone).astimezone(UTC),
            datetime.combine(last, self.until, zone).astimezone(UTC),
        )


class Channel(Group):
    """One way to reach somebody."""

    url: SecretStr = Field(description="Apprise URL, such as mailto://… or slack://…; with `secret`, a webhook's URL.")
    secret: SecretStr | None = Field(
        None, description="Signs what is posted to `url`, as Standard Webhooks does: whsec_ and base64."
    )
    severities: tuple[Severity, ...] = Field((), description="Severities that it takes; empty: all.")
    quiet: QuietHours | None = Field(None, description="When it rests; see below.")
    with_picture: bool = Field(True, description="Whether the person's picture is attached.")

    def takes(self, severity: str) -> bool:
        """Whether it is for alerts of this severity."""
        return not self.severities or severity in self.severities

    def open_at(self, moment: datetime, severity: str) -> datetime:
        """When an alert of this severity that comes at `moment` may be sent."""
        if self.quiet is None or severity in self.quiet.unless:
            return moment
        return self.quiet.over_at(moment)
