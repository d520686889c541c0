"""Groups of settings that more than one process reads, and how `crewsight.yaml` is found."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from streamer.bus.errors import SettingsError
from streamer.bus.faults import UNKNOWN_KEY, first_fault

DEFAULT_CONFIG = Path("crewsight.yaml")
# Ends of keys whose values are not shown.
SECRET_WORDS = frozenset({"channels", "key", "password", "secret", "token", "url"})


def _known_zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name} is no time zone; write one such as Europe/Berlin") from error
    return name


def _http_address(url: str) -> str:
    if url and not re.match(r"https?://[^/\s]+", url):
        raise ValueError("must begin with http:// or https:// and name a host")
    return url


ZoneName = Annotated[str, AfterValidator(_known_zone)]  # empty: this machine's
HttpAddress = Annotated[str, AfterValidator(_http_address)]  # empty: none


class Group(BaseModel):
    """A group of settings: a misspelt key in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class State(Group):
    """Where this machine keeps what must survive a restart."""

    folder: Path = Field(Path(".crewsight"), description="Folder of the ledger, the people table, the index and logs.")


class Bus(Group):
    """The Kafka broker."""

    bootstrap_servers: str = Field("127.0.0.1:19092", description="Kafka's address, host:port[,host:port…].")
    partitions: PositiveInt = Field(4, description="Partitions of `segments` and `people`; the most analyzers at once.")
    embedded: bool = Field(True, description="Whether `crewsight up` starts its own broker at that address.")
    memory_mb: PositiveInt = Field(
        1024,
        description="MiB that the embedded broker, which forgets nothing by itself, may hold; then it is started anew.",
    )
    replication_factor: PositiveInt = Field(1, description="Copies of each topic; 3 on a cluster.")


class Media(Group):
    """The media store."""

    url: str = Field(
        "",
        description="Folder of the media store, or `s3://bucket/prefix` or another fsspec URL; empty: `media` in the "
        "state folder.",
    )
    endpoint_url: HttpAddress = Field(
        "",
        description="Address of an S3 server that is not Amazon's, such as http://minio:9000.",
    )
    region: str = Field("", description="Region of the bucket, where the server has regions.")
    key_id: str = Field(
        "", description="Access key id; empty: as every AWS program finds it (role, profile, variable)."
    )
    secret_key: SecretStr | None = Field(None, description="The secret that belongs to it; better in a secret file.")
    patience_s: PositiveFloat = Field(
        60.0,
        description="Seconds for which a server that is away or overloaded is waited for, before the process ends; a "
        "streamer that runs waits for it as long as it takes.",
    )


class SecretFiles(BaseSettings):
    """Where secrets lie as files, each named like the variable it stands for; only the environment can say."""

    model_config = SettingsConfigDict(env_prefix="CREWSIGHT_", extra="ignore", frozen=True)
    secrets_folder: Path = Path("/run/secrets")


class Live(Group):
    """How cameras are watched: by the streamer, and their file is changed by the page."""

    cameras: Path | None = Field(None, description="The cameras file; empty: `cameras.yaml` in the state folder.")
    segment_s: PositiveFloat = Field(2.0, description="Seconds of a segment, about: it ends before a keyframe.")
    longest_gop_s: PositiveFloat = Field(5.0, description="A stream with rarer keyframes is encoded anew.")
    connect_s: PositiveFloat = Field(10.0, description="Seconds in which a camera must answer and show a picture.")
    stall_s: PositiveFloat = Field(10.0, description="A camera that sends nothing for this long is connected anew.")
    retry_at_most_s: PositiveFloat = Field(60.0, description="The longest wait between two tries to connect.")
    clock_off_at_most_s: PositiveFloat = Field(
        60.0, description="A camera's clock is believed when it is off from ours by less."
    )

    def cameras_in(self, folder: Path) -> Path:
        """Where the cameras file is, `folder` being the state folder."""
        return self.cameras or folder / "cameras.yaml"


class Logs(Group):
    """How processes write what happens, on standard error."""

    form: Literal["auto", "console", "json"] = Field(
        "auto", description="For people, or one JSON object a line; auto: for people on a terminal, else JSON."
    )


class Traces(Group):
    """OpenTelemetry; takes `crewsight[otel]`."""

    otlp_url: HttpAddress = Field(
        "",
        description="Root of a collector for OTLP over HTTP, such as http://otel:4318; empty: nothing is traced.",
    )
    share: float = Field(1.0, ge=0, le=1, description="Share of the segments that are traced.")


class Metrics(Group):
    """Where each process serves `/metrics`, `/live` and `/ready`; the page serves them at its own address."""

    host: str = Field("127.0.0.1", description="Address to listen on; nobody is asked who they are.")
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of this process; empty: streamer 9100, analyzer 9101, indexer 9102, alerter 9103, notifier "
        "9104, broker 9105; 0: none. One that is taken gives way to any free one.",
    )
    stall_after_s: PositiveFloat = Field(
        120.0, description="`/live` fails once the main loop has not turned for this long."
    )


class ProcessSettings(BaseSettings):
    """The base of every process's settings, made only of groups: a misspelt key inside a group is refused.

    Order: flag, environment (`CREWSIGHT_BUS__PARTITIONS=8`), secret file (`/run/secrets/crewsight_media__secret_key`),
    the YAML file, default.
    """

    model_config = SettingsConfigDict(
        env_prefix="CREWSIGHT_",
        env_nested_delimiter="__",
        secrets_nested_delimiter="__",
        secrets_dir_missing="ok",
        extra="ignore",
        frozen=True,
    )
    config_path: ClassVar[Path | None] = None

    state: State = State()
    bus: Bus = Bus()
    media: Media = Media()
    metrics: Metrics = Metrics()
    logs: Logs = Logs()
    traces: Traces = Traces()

    @property
    def media_url(self) -> str:
        """The media store's root."""
        return self.media.url or str(self.state.folder / "media")

    @classmethod
    def read(cls, config: Path | None = None, **flags: Any) -> Self:
        """Read the settings of one process.

        Args:
            config: The YAML file, by default `crewsight.yaml` of the working folder where there is one.
            flags: Whole groups that the command line sets, by field name.

        Raises:
            SettingsError: A file that is missing or is no YAML, an unknown key, or a value that does not fit.
        """
        found = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
        origin = str(found) if found else "the environment"
        _check_file(found)
        configured: type[Self] = type(cls.__name__, (cls,), {"config_path": found, "__module__": cls.__module__})
        try:
            return configured(**flags)
        except ValidationError as error:
            raise SettingsError(origin, *_first_fault(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                str(SecretFiles().secrets_folder), "secret files", f"cannot be read: {error}"
            ) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 — the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the secret files and the YAML file between the environment and the defaults."""
        secrets = NestedSecretsSettingsSource(file_secret_settings, secrets_dir=SecretFiles().secrets_folder)
        return init_settings, env_settings, secrets, YamlConfigSettingsSource(settings_cls, yaml_file=cls.config_path)


def refuse_unknown_groups(config: Path | None, processes: Iterable[type[ProcessSettings]]) -> None:
    """Refuse a top-level key of the YAML file that no process reads.

    One process cannot tell another's group from a misspelt one, so whoever knows all processes asks here.

    Raises:
        SettingsError: The file is missing, is no YAML mapping, or has an unknown top-level key.
    """
    found = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    known = sorted({name for settings in processes for name in settings.model_fields})
    for key in _check_file(found):
        if key not in known:
            raise SettingsError(str(found), str(key), f"unknown key; known are {', '.join(known)}")


def _check_file(config: Path | None) -> Mapping[object, object]:
    if config is None:
        return {}
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(config), "the file", f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SettingsError(str(config), "the file", f"is no YAML{_where(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(str(config), "the file", "must hold groups of settings, such as `sources:`")
    return content


def _where(error: yaml.YAMLError) -> str:
    """At which line, and why, as far as the reader of YAML knows it."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f" at line {mark.line + 1}" if mark is not None else ""
    return f"{place}: {problem}" if problem else place


def _first_fault(error: ValidationError) -> tuple[str, str]:
    place, reason = first_fault(error)
    key = ".".join(str(part) for part in place) or "settings"
    if reason == UNKNOWN_KEY:
        return key, f"{reason}; see docs/configuration.md for the known ones"
    return key, f"{reason}{_shown(place, error.errors()[0]['input'])}"


def _shown(place: tuple[int | str, ...], got: object) -> str:
    """The value that did not fit, unless it is, or holds, a secret."""
    is_secret = not SECRET_WORDS.isdisjoint(str(part).rsplit("_", 1)[-1] for part in place)
    return "" if is_secret or not isinstance(got, str | int | float | None) else f", got {got!r}"
