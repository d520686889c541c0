"""The commands under `evaluate`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from trainer.evaluation.judge import Judge

_MODELS = "humanvlm"


class ModelsByDefault(TyperGroup):
    """A group whose arguments are models where the first is no command: `evaluate embedded --data …`.

    A checkpoint folder that is called like a command is named with a slash: `evaluate ./detector --data …`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command that measures models before arguments that begin with none."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_MODELS, *args]
        return super().parse_args(ctx, args)


evaluate_app = typer.Typer(
    cls=ModelsByDefault,
    help="Measure models: `evaluate MODEL... --data DIR` is short for `evaluate humanvlm MODEL... --data DIR`.",
    no_args_is_help=True,
)


@evaluate_app.command(_MODELS)
def evaluate_humanvlm_command(
    data: Annotated[
        Path, typer.Option("--data", help="Labelled photos (images/, labels/), a LLaVA JSON file, or a folder of both.")
    ],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="`embedded`, or what else names a HumanVLM.")
    ] = None,
    compared: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="The model in force and a candidate: say which to promote."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("artefacts/evaluation"),
    record: Annotated[bool, typer.Option("--record", help="Write the figures beside each model's weights.")] = False,
    judge_url: Annotated[
        str | None, typer.Option("--judge", metavar="URL", help="A server of OpenAI's form: it marks written answers.")
    ] = None,
    judge_model: Annotated[str, typer.Option(help="The name that the judge's server knows its model by.")] = "judge",
    judge_key: Annotated[
        str, typer.Option(envvar="CREWSIGHT_JUDGE_KEY", show_envvar=True, help="The key that the server wants.")
    ] = "",
) -> None:
    """Answers, captions, searches and speed of any number of HumanVLMs, or which of two to promote."""
    from trainer.errors import CandidateRefusedError
    from trainer.evaluation.running import compare_models, evaluate_models

    judge = _judge(judge_url, judge_model, judge_key)
    if compared is None:
        evaluate_models(list(dict.fromkeys(models or ["embedded"])), data, out=out, judge=judge, record=record)
        typer.echo((out / "report.md").read_text(encoding="utf-8"))
        return
    if models or record:
        raise typer.BadParameter("takes the two models alone, and records nothing", param_hint="--compare")
    verdict = compare_models(*compared, data, out=out, judge=judge)
    typer.echo((out / "report.md").read_text(encoding="utf-8"))
    if verdict.refusals:
        raise CandidateRefusedError(verdict.candidate, verdict.in_force, verdict.refusals)


@evaluate_app.command("detector")
def evaluate_detector_command(
    starting_weights: Annotated[Path, typer.Option(help="The checkpoint that the detector began from.")],
    clips: Annotated[list[Path], typer.Option("--clip", help="A video; may be given several times.")],
    photos: Annotated[Path | None, typer.Option(help="Labelled photos: a folder with images/ and labels/.")] = None,
    name: Annotated[str, typer.Option("--model", help="`embedded`, or a detector's folder.")] = "embedded",
    cache_dir: Annotated[Path, typer.Option(help="Folder for converted networks.")] = Path(".crewsight/models"),
    recorded: Annotated[bool, typer.Option("--record", help="Write the figures into the model's card.")] = False,
) -> None:
    """Recall and precision of a detector against its starting weights, at an overlap of one half."""
    from trainer.detector.reports import evaluate_detector, record

    figures = evaluate_detector(
        name, starting_weights=starting_weights, clips=clips, photos=photos, cache_dir=cache_dir
    )
    if recorded:
        record(name, figures)
    for row, found in figures.items():
        typer.echo(f"{row:<28} recall {found.recall:.4f}  precision {found.precision:.4f}  of {found.expected}")


def _judge(url: str | None, model: str, key: str) -> "Judge | None":
    from trainer.evaluation.judge import Judge

    return None if url is None else Judge(url, model, key=key)
