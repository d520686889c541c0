"""A stage from its recipe: LightningCLI reads the YAML file, types it, and runs `StageTrainer.align` or `.instruct`.

A recipe has a section a stage; `crewsight train` takes any of its entries on the command line too.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import TensorBoardLogger

from trainer.curves import LearningCurves
from trainer.errors import RecipeError
from trainer.resumable import LastCheckpoint, StepSeeds
from trainer.stage_trainer import StageTrainer
from trainer.stages import STAGES, Stage, StageData, StageTask
from trainer.trainable import TrainableParts

Until = Literal["parsed", "built", "run"]
DEFAULTS = {
    "accelerator": "auto",
    "gradient_clip_val": 1.0,
    "log_every_n_steps": 10,
    "enable_model_summary": False,
    "enable_checkpointing": True,
    "reload_dataloaders_every_n_epochs": 1,
    "use_distributed_sampler": False,
    "num_sanity_val_steps": 0,
}


class StageCLI(LightningCLI):
    """LightningCLI with our two stages as its subcommands."""

    def __init__(self, config: Path, args: Sequence[str], *, until: Until = "run") -> None:
        """Parse, build and run.

        Args:
            config: The recipe.
            args: The stage, then entries that replace the recipe's, as `--trainer.max_epochs=3`.
            until: How far to go: a recipe for other machines than this can only be parsed here.

        Raises:
            RecipeError: the recipe cannot be followed.
        """
        self._recipe_path, self._until = config, until
        quiet: dict[str, Any] = {"exit_on_error": False}
        super().__init__(
            StageTask,
            StageData,
            save_config_callback=None,
            trainer_class=StageTrainer,
            trainer_defaults=dict(DEFAULTS),
            seed_everything_default=0,
            parser_kwargs=quiet | dict.fromkeys(STAGES, quiet),
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=["--config", str(config), *args],
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The stages, and what Lightning hands them by itself."""
        return {stage: {"model", "datamodule"} for stage in STAGES}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What belongs to the run itself."""
        parser.add_argument("--work", type=Path, default=Path("runs/humanvlm"), help="Folder of the run's own files.")
        parser.add_argument("--save_every_steps", type=int, default=100, help="Steps between two checkpoints.")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; whatever is wrong is one line."""
        try:
            self.config = parser.parse_args(args)
        except argparse.ArgumentError as error:
            raise RecipeError(self._recipe_path, _in_one_line(str(error))) from error

    def instantiate_classes(self) -> None:
        """Build model, data and trainer; Lightning calls jsonargparse by names that it has given up."""
        if self._until == "parsed":
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> StageTrainer:
        """A trainer that keeps everything of a run in one folder, a stage a folder.

        Raises:
            RecipeError: the recipe asks for devices that this machine lacks.
        """
        work = Path(self._get(self.config, "work")) / str(self.subcommand)
        seed = int(self._get(self.config, "seed_everything"))
        every_steps = int(self._get(self.config, "save_every_steps"))
        callbacks: list[Callback] = [
            StepSeeds(seed),
            TrainableParts(),
            LearningCurves(work, every_steps=int(self._get(self.config, "trainer").log_every_n_steps)),
            LastCheckpoint(work, every_steps=every_steps),
        ]
        self.trainer_defaults["callbacks"] = callbacks
        logger = TensorBoardLogger(work, name="tensorboard", version="")
        try:
            trainer = super().instantiate_trainer(default_root_dir=work, logger=logger, **kwargs)
        except MisconfigurationException as error:
            raise RecipeError(self._recipe_path, f"not on this machine: {_in_one_line(str(error))}") from error
        assert isinstance(trainer, StageTrainer)
        trainer.recipe = yaml.safe_load(self.parser.dump(self.config, skip_none=True))[self.subcommand]
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        if self._until == "run":
            super()._run_subcommand(subcommand)


def run_stage(stage: Stage, config: Path, args: Sequence[str]) -> None:
    """Run a stage of a recipe.

    Args:
        stage: Which.
        config: The recipe, a YAML file with a section for the stage.
        args: Entries that replace the recipe's.

    Raises:
        TrainerError, ModelError: what the recipe names cannot be read, or the recipe itself.
    """
    StageCLI(config, [stage, *args])


def _in_one_line(message: str) -> str:
    """The telling part of jsonargparse's account of a mistake, which lists every type that it tried."""
    noise = (
        "Does not validate",
        "Subtypes:",
        "Errors:",
        "- Expected a <class 'NoneType'>",
        "Given value",
        "For further",
    )
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(line.removeprefix("- ") for line in lines if not line.startswith(noise))
