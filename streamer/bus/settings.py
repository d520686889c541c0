"""Groups of settings that more than one process reads, and how `crewsight.yaml` is found."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)


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
    replication_factor: PositiveInt = Field(1, description="Copies of each topic; 3 on a cluster.")


class Media(Group):
    """The media store."""

    url: str = Field("", description="Folder or fsspec URL of the media store; empty: `media` in the state folder.")


class ProcessSettings(BaseSettings):
    """The base of every process's settings, made only of groups.

    Order: flag, environment (`CREWSIGHT_BUS__PARTITIONS=8`), the YAML file, default.
    """

    model_config = SettingsConfigDict(env_prefix="CREWSIGHT_", env_nested_delimiter="__", extra="ignore", frozen=True)
    config_path: ClassVar[Path | None] = None

    state: State = State()
    bus: Bus = Bus()
    media: Media = Media()

    @property
    def media_url(self) -> str:
        """The media store's root."""
        return self.media.url or str(self.state.folder / "media")

    @classmethod
    def read(cls, config: Path | None, **flags: Any) -> "ProcessSettings":  # noqa: D102 — placeholder
        raise NotImplementedError

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the YAML file between the environment and the defaults."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=cls.config_path)
