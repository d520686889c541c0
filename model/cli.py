"""The model's commands: `model …`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
model_app = typer.Typer(help="Take a HumanVLM elsewhere.", no_args_is_help=True)
app.add_typer(model_app, name="model")


@model_app.callback()
def model_commands() -> None:
    """Take a HumanVLM elsewhere."""


@model_app.command("export")
def export_command(
    llava: Annotated[Path, typer.Option("--llava", metavar="DIR", help="Folder that is written as a LLaVA.")],
    name: Annotated[str, typer.Option("--model", help="`embedded`, a checkpoint folder, or a hub id.")] = "embedded",
) -> None:
    """Write a model as a folder that transformers' LLaVA class and vLLM load."""
    from model.export import export_llava

    typer.echo(f"Written to {export_llava(name, llava)}.")
