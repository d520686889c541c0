"""One Crewsight as compose runs it: eight processes, a database, receivers of alerts, all on the loopback."""

import base64
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamer.bus.media import MediaStore
from tests.builders_notifying import HttpReceiver
from tests.builders_postgres import PostgresServer, missing_postgres
from tests.builders_s3 import BUCKET, S3Server
from tests.chaos.clock import missing_clock
from tests.chaos.disk import Disk, missing_disk
from tests.chaos.footage import Footage
from tests.chaos.processes import Keeper
from tests.chaos.schedule import CLOCK, DATABASE, DISK, KINDS, STORE
from tests.ports import free_ports

CAMERAS = ("north", "east", "south", "west")
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a shared key").decode()
CHANNEL = "hall"
RULE = {
    "id": "vest",
    "title": "Nobody without a safety vest",
    "question": {"text": "Is this person wearing a safety vest?", "complying": ["yes"]},
    "persistence": {"share": 0.5, "seconds": 1},
    "cooldown": {"seconds": 0},
    "channels": [CHANNEL],
    "status": "in force",
}
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "1"}


@dataclass
class World:
    """Where everything of one run is."""

    folder: Path
    keeper: Keeper
    footage: Footage
    receiver: HttpReceiver
    broker_address: str
    search_url: str
    page_url: str
    database_url: str
    postgres: PostgresServer | None = None
    disk: Disk | None = None
    s3: S3Server | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def config(self) -> Path:
        """The settings of all processes."""
        return self.folder / "crewsight.yaml"

    def write_media(self, uri: str, content: bytes) -> None:
        """Put something into the media store."""
        store = self.s3.store() if self.s3 else MediaStore(str(self.state / "media"))
        store.write(uri, content)

    @property
    def kinds(self) -> list[str]:
        """The kinds of fault that can be made here."""
        return [kind.name for kind in KINDS if kind.name not in self.left_out]

    def command(self, word: str) -> list[str]:
        """How a process is started."""
        return [sys.executable, "-m", "crewsight", word, "--config", str(self.config)]

    def keep(self, name: str, command: Sequence[str] | None = None) -> None:
        """Start a process, and keep it."""
        self.keeper.keep(name, command or self.command(name.split("-")[0]), QUIET)


@contextlib.contextmanager
def running_world(folder: Path, *, names: Sequence[str], plain: bool = False, on_s3: bool = False) -> Iterator[World]:
    """A world whose processes of these names run while the block does.

    Args:
        folder: Where everything lies.
        names: Which processes, `analyzer-2` being another analyzer.
        on_s3: With an S3 server for the media, and not a folder.
        plain: Without a PostgreSQL and a disk of its own: SQLite in the folder.
    """
    left_out = {} if on_s3 else {STORE: "the media store of this run is a folder"}
    if (reason := missing_clock()) is not None:
        left_out[CLOCK] = reason
    with contextlib.ExitStack() as open_things:
        postgres, disk = None, None
        if (reason := "SQLite was asked for" if plain else missing_postgres()) is None:
            postgres = PostgresServer()
            open_things.callback(postgres.close)
        else:
            left_out[DATABASE] = reason
        if (reason := "no disk was asked for" if plain else missing_disk()) is None:
            disk = open_things.enter_context(Disk(folder / "state").mounted())
        else:
            left_out[DISK] = reason
        s3 = open_things.enter_context(S3Server().running()) if on_s3 else None
        receiver = open_things.enter_context(HttpReceiver().running())
        keeper = open_things.enter_context(Keeper(folder / "logs").running())
        broker, search, page = free_ports(3)
        world = World(
            folder,
            keeper,
            Footage(folder / "inbox", CAMERAS),
            receiver,
            broker_address=f"127.0.0.1:{broker}",
            search_url=f"http://127.0.0.1:{search}",
            page_url=f"http://127.0.0.1:{page}",
            database_url=postgres.url if postgres else "",
            postgres=postgres,
            disk=disk,
            s3=s3,
            left_out=left_out,
        )
        (folder / "rules.yaml").write_text(yaml.safe_dump({"rules": [RULE]}))
        world.config.write_text(yaml.safe_dump(_settings(world, search, page)))
        for name in names:
            world.keep(name)
        yield world


def _settings(world: World, search: int, page: int) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "state": {"folder": str(world.state)},
        "bus": {"bootstrap_servers": world.broker_address, "partitions": 4},
        "search": {"port": search, "snapshot_every_s": 5},
        "page": {"port": page},
        "sources": [{"camera": name, "folder": str(world.footage.folder(name))} for name in CAMERAS],
        "folders": {"rest_s": 0.2, "look_every_s": 0.2},
        "sampling": {"target_fps": 1},  # the real models, at few frames
        "analyzer": {"batch_segments": 2, "threads": 1},
        "alerts": {"rules": str(world.folder / "rules.yaml"), "notify_within_s": 1e12},
        "notifying": {"channels": {CHANNEL: {"url": world.receiver.url, "secret": SECRET}}, "look_every_s": 0.2},
        "evidence": {"wait_s": 2},
    }
    if world.s3:
        access = world.s3.access
        settings["media"] = {
            "url": f"s3://{BUCKET}/site",
            "endpoint_url": access.endpoint_url,
            "region": access.region,
            "key_id": access.key_id,
            "secret_key": access.secret_key,
        }
    if world.database_url:
        settings["database"] = {"url": world.database_url}
    return settings
