"""What the consumers can be told, each setting with its unit."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, SecretStr

from consumers.notifying.channels import Channel
from streamer.bus.errors import SettingsError
from streamer.bus.settings import Group, HttpAddress, Live, ProcessSettings, ZoneName


class Sampling(Group):
    """Which frames and looks are taken."""

    target_fps: PositiveFloat = Field(5.0, description="Frames looked at per second of video.")
    looks_at_most: PositiveInt = Field(8, description="Looks at one person in one segment, at most one a second.")


class Detector(Group):
    """The person detector."""

    name: str = Field("embedded", description="`embedded`, or a folder with a detector.")
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="What runs it; auto: torch with a CUDA device, OpenVINO without."
    )
    confidence: float | None = Field(None, gt=0, lt=1, description="Score from which a person counts; empty: measured.")
    image_size: PositiveInt = Field(
        640, multiple_of=32, description="Pixels of the longer side as the network sees it."
    )


class Server(Group):
    """A model server that HumanVLM's questions and captions are asked of."""

    url: HttpAddress = Field(
        "",
        description="Root of a model server, such as http://gpu:8000; empty: HumanVLM runs in this process.",
    )
    model: str = Field("humanvlm", min_length=1, description="The name that the server knows the model by.")
    api_key: SecretStr | None = Field(None, description="Key that the server asks for, if it does.")
    api_key_file: Path | None = Field(None, description="A file that holds the key instead.")
    route: Literal["systemone", "decisions", "sglang"] = Field(
        "systemone",
        description="How questions are put: /v1/systemone (transformers, llama.cpp, SGLang), /v1/decisions in OpenAI's "
        "form (LiteLLM), or /v1/decisions in SGLang's own.",
    )
    pictures: Literal["assets", "images"] = Field(
        "assets",
        description="Where /v1/systemone takes pictures: in assets (transformers), or in images (llama.cpp, SGLang).",
    )
    captions_url: HttpAddress = Field(
        "",
        description="Root of the server that writes captions (/v1/chat/completions); empty: the same.",
    )
    captions_model: str = Field("", description="That server's name for the model; empty: the same.")
    concurrency: PositiveInt = Field(8, description="Requests under way at once.")
    timeout_s: PositiveFloat = Field(60.0, description="Seconds after which a silent request is sent again.")
    tower: str = Field(
        "embedded",
        min_length=1,
        description="The HumanVLM in this process that places people and words for searches: `embedded`, or a folder.",
    )
    decision_sheet: Path | None = Field(
        None,
        description="A decision.json with the questions that the served model was measured on; empty: none was.",
    )
    offers_cannot_tell: bool = Field(
        False, description="Whether *cannot tell* is put to the model as one more answer; it never says so otherwise."
    )

    def key(self) -> str:
        """The key to send; empty: none.

        Raises:
            SettingsError: The file that holds it cannot be read.
        """
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        if self.api_key_file is None:
            return ""
        try:
            return self.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                str(self.api_key_file), "vlm.server.api_key_file", f"cannot be read: {error}"
            ) from error


class Vlm(Group):
    """HumanVLM."""

    name: str = Field("embedded", description="`embedded`, a folder with a HumanVLM, or a hub id.")
    device: str | None = Field(
        None, description="Where it runs, such as cpu or cuda:0; empty: CUDA where there is one."
    )
    server: Server = Server()

    @property
    def tower_name(self) -> str:
        """The HumanVLM in this process, which embeds whether or not a server answers."""
        return self.server.tower if self.server.url else self.name


class Analyzer(Group):
    """How the analyzer works."""

    batch_segments: PositiveInt = Field(4, description="Segments analysed together at most; it waits for none of them.")
    threads: PositiveInt | None = Field(None, description="Processor threads for the models; empty: all.")


def _database_url(url: str) -> str:
    if url:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            make_url(url)
        except (ArgumentError, ValueError) as error:
            raise ValueError(
                "must be an SQLAlchemy URL, such as sqlite:////folder/file or postgresql+psycopg://user@host:5432/name"
            ) from error
    return url


def _authority(host: str, port: int) -> str:
    """Host and port as they stand in a URL.

    >>> _authority("127.0.0.1", 8080), _authority("::1", 8080)
    ('127.0.0.1:8080', '[::1]:8080')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]  # empty: a file in the state folder


class Database(Group):
    """Where the person table is."""

    url: DatabaseUrl = Field("", description="SQLAlchemy URL; empty: `people.sqlite3` in the state folder.")
    password: SecretStr | None = Field(None, description="Its password, where the URL has none; best in a secret file.")

    @property
    def full_url(self) -> str:
        """The URL with the password; empty where there is none."""
        if not self.url or self.password is None:
            return self.url
        from sqlalchemy.engine import make_url

        url = make_url(self.url)
        if url.password is None:
            url = url.set(password=self.password.get_secret_value())
        return url.render_as_string(hide_password=False)


class Alerts(Group):
    """The alert desk."""

    rules: Path | None = Field(None, description="The rules file; empty: `rules.yaml` in the state folder.")
    notify_within_s: PositiveFloat = Field(
        900.0, description="An alert about footage older than this is recorded and not sent."
    )
    models: tuple[str, ...] = Field(
        (), description="Further HumanVLM checkpoints at hand, named where a rule asks what `vlm.name` cannot tell."
    )
    database_url: DatabaseUrl = Field(
        "", description="SQLAlchemy URL of the desk; empty: as `database.url`, or `desk.sqlite3` in the state folder."
    )


class Asking(Group):
    """What is asked about everyone beside what the model and the rules ask."""

    packs: tuple[str, ...] = Field(
        (), description="Question packs: `safety`, `retail`, `media`, or the path of a YAML file of one's own."
    )


class Notifying(Group):
    """Who is told of alerts."""

    channels: dict[str, Channel] = Field({}, description="Name, as rules write it, and what it stands for; see below.")
    look_every_s: PositiveFloat = Field(0.5, description="Seconds between two looks for what is owed.")
    give_up_after_s: PositiveFloat = Field(
        259200.0, description="A notification that fails for this long is given up; the alert stays on the desk."
    )


class EvidenceKeeping(Group):
    """The copies that are made of every alert."""

    around_s: PositiveFloat = Field(5.0, description="Seconds of the clip before and after the moment.")
    wait_s: PositiveFloat = Field(30.0, description="How long a clip waits for the segment that follows.")
    keep_days: PositiveFloat | None = Field(90.0, description="Days that copies are kept unless held; empty: for good.")


class Search(Group):
    """The internal search service; it listens on the loopback only, unless whoever asks has to show a token."""

    host: str = Field("127.0.0.1", description="Address that the indexer listens on and the others ask.")
    listen_host: str = Field(
        "", description="Address that the indexer listens on where it is another, as in a container: 0.0.0.0."
    )
    token: SecretStr | None = Field(
        None, description="What the others show the indexer; beyond the loopback it listens only with one."
    )
    port: int = Field(18081, ge=1, le=65535, description="Port of the search service.")
    snapshot_every_s: PositiveFloat = Field(30.0, description="Seconds between two snapshots of a changed index.")
    memory_mb: PositiveInt = Field(
        2048, description="MiB of vectors in memory; beyond it those of the oldest days are read from the disk."
    )

    keep_days: PositiveFloat | None = Field(
        None,
        description="Whole UTC days that people stay findable and their footage stays; empty: for good.",
    )
    index_url: str = Field(
        "",
        description="Where vectors are kept; empty: in the state folder. A Milvus server such as http://milvus:19530, "
        "or a milvus-lite file that ends in .db.",
    )
    index_token: SecretStr | None = Field(None, description="Token or `user:password` that the Milvus server asks for.")
    models: tuple[str, ...] = Field(
        (), description="HumanVLM checkpoints of before, whose people are searched too until they are embedded anew."
    )

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://{_authority(self.host, self.port)}"

    @property
    def bound_host(self) -> str:
        """Where the indexer listens."""
        return self.listen_host or self.host

    @property
    def shown_token(self) -> str:
        """The token in the clear; empty: none."""
        return self.token.get_secret_value() if self.token is not None else ""


def _process_place(written: str) -> str:
    if not re.fullmatch(r"[a-z]+=[^=\s]+:[0-9]+", written):
        raise ValueError("must be written as JOB=HOST:PORT, such as analyzer=gpu-2:9101")
    return written


ProcessPlace = Annotated[str, AfterValidator(_process_place)]


def _network(written: str) -> str:
    try:
        ip_network(written)
    except ValueError:
        raise ValueError("must be an address or a network, such as 10.42.0.0/16") from None
    return written


Network = Annotated[str, AfterValidator(_network)]


class Page(Group):
    """The page and its API."""

    host: str = Field("127.0.0.1", description="Address to listen on; only the loopback until there is a user.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the page.")
    public_url: HttpAddress = Field(
        "", description="Where others reach the page, such as https://desk.example.org; empty: its host and port."
    )
    site_name: str = Field("Crewsight", min_length=1, max_length=60, description="What the header of the page says.")
    is_demo: bool = Field(False, description="Whether the page says that it shows demo footage.")
    processes: tuple[ProcessPlace, ...] = Field(
        (),
        description="Processes of other machines that *System* shows, each as JOB=HOST:PORT of its metrics; those of "
        "this machine are known.",
    )
    proxies: tuple[Network, ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of the proxies before the page, of which X-Forwarded-For and "
        "X-Forwarded-Proto are believed.",
    )
    shift_starts_h: tuple[Annotated[int, Field(ge=0, le=23)], ...] = Field(
        (6, 14, 22), min_length=1, description="Hours of the day at which shifts begin."
    )
    session_h: PositiveFloat = Field(12.0, description="Hours after which whoever signed in has to do so again.")
    time_zone: ZoneName = Field(
        "", description="Zone of the page's times, such as Europe/Berlin; empty: this machine's."
    )

    @property
    def address(self) -> str:
        """Where it listens, as it stands in a URL."""
        return _authority(self.host, self.port)

    @property
    def reached_at(self) -> str:
        """The page's address in what is sent to others."""
        return self.public_url or f"http://{self.address}"


class AnalyzerSettings(ProcessSettings):
    """What `crewsight analyzer` reads.  Example: CREWSIGHT_SAMPLING__TARGET_FPS=5."""

    sampling: Sampling = Sampling()
    detector: Detector = Detector()
    vlm: Vlm = Vlm()
    analyzer: Analyzer = Analyzer()

    @property
    def cache_dir(self) -> Path:
        """Where converted models are kept."""
        return self.state.folder / "cache"


class DeskSettings(ProcessSettings):
    """What everyone reads who asks about people and alerts."""

    database: Database = Database()
    search: Search = Search()
    alerts: Alerts = Alerts()
    questions: Asking = Asking()
    vlm: Vlm = Vlm()

    @property
    def desk_url(self) -> str:
        """The desk database: in the person table's server, or a file of its own, as each SQLite file has one writer."""
        shared = "" if self.database.url.startswith("sqlite") else self.database.full_url
        return self.alerts.database_url or shared or f"sqlite:///{self.state.folder / 'desk.sqlite3'}"

    @property
    def rules_path(self) -> Path:
        """The rules file."""
        return self.alerts.rules or self.state.folder / "rules.yaml"

    @property
    def database_url(self) -> str:
        """The person table."""
        return self.database.full_url or f"sqlite:///{self.state.folder / 'people.sqlite3'}"


class IndexerSettings(DeskSettings):
    """What `crewsight indexer` and `crewsight search` read."""

    evidence: EvidenceKeeping = EvidenceKeeping()

    @property
    def index_folder(self) -> Path:
        """Where the vector index keeps its snapshots."""
        return self.state.folder / "index"


class AlerterSettings(DeskSettings):
    """What `crewsight alerter` and `crewsight rules` read."""


class PageSettings(DeskSettings):
    """What `crewsight page` reads."""

    page: Page = Page()
    live: Live = Live()
    evidence: EvidenceKeeping = EvidenceKeeping()


class NotifierSettings(DeskSettings):
    """What `crewsight notifier` and `crewsight evidence` read."""

    page: Page = Page()
    notifying: Notifying = Notifying()
    evidence: EvidenceKeeping = EvidenceKeeping()
