"""The commands `crewsight cameras …`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.options import Config

if TYPE_CHECKING:
    from streamer.bus.camera_file import CameraFile, CameraSpec
    from streamer.settings import StreamerSettings

app = typer.Typer(help="The live cameras: find, list, add, change, remove and check them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.")]
CHECK_S = 12.0


@app.command("list")
def list_cameras(config: Config = None) -> None:
    """List the cameras, without their secrets."""
    _, file = _opened(config)
    cameras = file.read()
    for spec in cameras:
        typer.echo("\t".join([spec.camera, spec.shown_url, *([] if spec.is_enabled else ["not watched"])]))
    if not cameras:
        typer.echo(f"No camera is in {file.path}; `crewsight cameras add NAME URL` adds one.", err=True)


@app.command()
def add(
    camera: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="rtsp://, rtsps://, http:// or https:// address.")],
    username: Annotated[str, typer.Option(help="Whom the camera lets in; its password is asked for.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="A file that holds the password instead.")] = None,
    tls_verify: Annotated[
        bool, typer.Option(help="Whether its certificate has to be trusted (https:// and rtsps://).")
    ] = True,
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM file of whoever signed its certificate, or of that itself.")
    ] = None,
    check: Annotated[bool, typer.Option(help="Whether to try the camera first.")] = True,
    config: Config = None,
) -> None:
    """Add a camera, or change the one of that id; a running streamer follows within a second."""
    settings, file = _opened(config)
    password = typer.prompt("Password", hide_input=True, default="") if username and password_file is None else ""
    given = {"camera": camera, "url": url, "username": username, "password": password, "password_file": password_file}
    spec = file.checked({**given, "tls_verify": tls_verify, "ca_file": ca_file})
    if check:
        _say_check(spec, settings)
    file.put(spec)
    typer.echo(f"{camera} is in {file.path}")


@app.command()
def remove(camera: Name, config: Config = None) -> None:
    """Remove a camera; its footage and the people in it stay."""
    _, file = _opened(config)
    file.remove_known(camera)
    typer.echo(f"{camera} is not watched any more")


@app.command()
def check(camera: Name, config: Config = None) -> None:
    """Connect to a camera and say what it sends: codec, size, keyframes, clock."""
    settings, file = _opened(config)
    _say_check(file.of(camera), settings)


@app.command()
def discover(
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", min=0.5, help="Seconds in which cameras may answer.")
    ] = 5.0,
) -> None:
    """Look for ONVIF cameras in this machine's networks: host, name, hardware, address of the ONVIF service."""
    from streamer.discovery import discover as found

    cameras = found(timeout_s)
    for camera in cameras:
        typer.echo(camera.line)
    if not cameras:
        typer.echo(
            "No camera has answered. Discovery reaches no other network, and many cameras have ONVIF switched off."
        )


def _opened(config: Path | None) -> "tuple[StreamerSettings, CameraFile]":
    from streamer.bus.camera_file import CameraFile
    from streamer.settings import StreamerSettings

    settings = StreamerSettings.read(config)
    return settings, CameraFile(settings.cameras_path)


def _say_check(spec: "CameraSpec", settings: "StreamerSettings") -> None:
    from streamer.live.checking import check_camera

    for line in check_camera(spec, settings.live, watch_s=CHECK_S).lines(settings.live):
        typer.echo(line)
