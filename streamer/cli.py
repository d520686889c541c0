"""The streamer's commands: `streamer` and `broker`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.camera_commands import app as cameras

app = typer.Typer()
app.add_typer(cameras, name="cameras")

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: crewsight.yaml, if it is there.")
]


@app.command()
def streamer(
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when all present footage is cut and published.")] = False,
) -> None:
    """Cut footage into segments and publish them."""
    from streamer.process import run
    from streamer.settings import StreamerSettings

    run(StreamerSettings.read(config), once=once)


@app.command()
def broker(config: Config = None) -> None:
    """Serve the embedded Kafka-protocol broker on loopback, with its topics."""
    from streamer.bus.broker import serve
    from streamer.bus.settings import ProcessSettings

    settings = ProcessSettings.read(config)
    serve(
        settings.bus.bootstrap_servers,
        settings.state.folder / "logs" / "tansu.log",
        partitions=settings.bus.partitions,
        replication_factor=settings.bus.replication_factor,
        memory_bytes=settings.bus.memory_mb << 20,
    )
