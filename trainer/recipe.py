"""A training recipe: what `trainer/configs/compact.yaml` holds."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from model.vision_tower import VisionSizes
from trainer.errors import RecipeError


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhotosRecipe(_Group):
    """Which photos are learnt from."""

    folder: Path = Field(description="Holds train/ and val/, each with images/ and labels/.")
    smallest_person_px: PositiveInt = 48
    held_out_percent: PositiveInt = Field(8, description="Share of the source photos kept for calibration.")
    alike: PositiveFloat = Field(0.6, description="A training crop that resembles a held-out one more is left out.")


class SizesRecipe(_Group):
    """How large the network is; the vocabulary follows from the texts."""

    crop_height_px: PositiveInt = 256
    crop_width_px: PositiveInt = 128
    base_channels: PositiveInt = 16
    width: PositiveInt = 192
    layers: PositiveInt = 4
    heads: PositiveInt = 6
    feed_forward: PositiveInt = 512
    embedding_width: PositiveInt = 128

    def vision(self) -> VisionSizes:
        """The vision tower's share of the sizes."""
        return VisionSizes(self.crop_height_px, self.crop_width_px, self.base_channels)


class StepsRecipe(_Group):
    """How the weights are moved."""

    epochs: PositiveInt = 14
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    crops_a_batch: PositiveInt = 48
    learning_rate: PositiveFloat = 6e-4
    backbone_learning_rate: PositiveFloat = 1e-4
    frozen_backbone_layers: int = Field(
        3, ge=0, le=11, description="The first layers see edges, which need no learning."
    )
    weight_decay: NonNegativeFloat = 0.05
    warmup_share: float = Field(0.05, ge=0, lt=1)
    tokens_dropped: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    caption_weight: NonNegativeFloat = 0.5
    search_weight: NonNegativeFloat = 0.5


class Recipe(_Group):
    """A whole recipe."""

    seed: int = 0
    start: Path | None = Field(None, description="A checkpoint folder to go on from; its sizes must be these.")
    backbone: Path | None = Field(None, description="A YOLO11 checkpoint of Ultralytics; None starts from noise.")
    photos: PhotosRecipe
    sizes: SizesRecipe = SizesRecipe()
    steps: StepsRecipe = StepsRecipe()

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """A recipe from a YAML file; paths in it are relative to the working folder.

        Raises:
            RecipeError: the file is missing, no YAML, or says something that no recipe says.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise RecipeError(path, error.strerror or str(error)) from error
        except yaml.YAMLError as error:
            raise RecipeError(path, f"no YAML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise RecipeError(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
