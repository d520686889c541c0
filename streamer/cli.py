"""The streamer's commands: `streamer` and `broker`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from operations.options import Config
from streamer.camera_commands import app as cameras

app = typer.Typer()
app.add_typer(cameras, name="cameras")


@app.command()
def streamer(
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when all present footage is cut and published.")] = False,
) -> None:
    """Cut footage into segments and publish them."""
    from operations.seeing.serving import seen
    from streamer.process import run
    from streamer.settings import StreamerSettings

    settings = StreamerSettings.read(config)
    with seen("streamer", settings, "broker") as health:
        run(settings, once=once, health=health)


@app.command()
def broker(config: Config = None) -> None:
    """Serve the embedded Kafka-protocol broker on loopback, with its topics."""
    from operations.seeing.serving import seen
    from streamer.bus.broker import serve
    from streamer.bus.settings import ProcessSettings

    settings = ProcessSettings.read(config)
    with seen("broker", settings, "topics") as health:
        serve(
            settings.bus.bootstrap_servers,
            settings.state.folder / "logs" / "tansu.log",
            partitions=settings.bus.partitions,
            replication_factor=settings.bus.replication_factor,
            memory_bytes=settings.bus.memory_mb << 20,
            on_turn=lambda: health.beat(has="topics"),
        )


@app.command("demo-footage")
def make_demo_footage(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the clip goes.")],
) -> None:
    """Make the demo clip out of packaged pictures, and say where it is."""
    from streamer.demo import demo_footage

    typer.echo(demo_footage(folder))
