"""What a recipe may say of a compact HumanVLM: the typed groups inside `trainer/configs/compact.yaml`."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from model.language_model import LanguageSizes
from model.network import NetworkSizes
from model.tokens import WordTokens
from model.vision_tower import VisionSizes

POSITIONS = 128


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SizesRecipe(_Group):
    """How large the network is; the vocabulary follows from the texts."""

    crop_height_px: PositiveInt = 256
    crop_width_px: PositiveInt = 128
    backbone_width: PositiveFloat = 1.1
    backbone_depth: PositiveFloat = 1.2
    width: PositiveInt = 192
    layers: PositiveInt = 4
    heads: PositiveInt = 6
    feed_forward: PositiveInt = 512
    embedding_width: PositiveInt = 128

    def vision(self) -> VisionSizes:
        """The vision tower's share of the sizes."""
        return VisionSizes(self.crop_height_px, self.crop_width_px, self.backbone_width, self.backbone_depth)

    def network(self, words: WordTokens) -> NetworkSizes:
        """The sizes of all parts, for a vocabulary."""
        language = LanguageSizes(len(words), self.width, self.layers, self.heads, self.feed_forward, POSITIONS)
        return NetworkSizes(self.vision(), language, self.embedding_width)


class StepsRecipe(_Group):
    """How the weights are moved."""

    learning_rate: PositiveFloat = 6e-4
    backbone_learning_rate: PositiveFloat = 1e-4
    frozen_backbone_layers: int = Field(
        3, ge=0, le=8, description="Stem and first stages see edges, which need no learning; 8 freeze it whole."
    )
    weight_decay: NonNegativeFloat = 0.05
    warmup_share: float = Field(0.05, ge=0, lt=1)
    tokens_dropped: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    answer_weight: NonNegativeFloat = 1.0
    caption_weight: NonNegativeFloat = 0.5
    search_weight: NonNegativeFloat = 0.5
    averaging_decay: float = Field(
        0.0, ge=0, lt=1, description="How much the running mean of the weights, which is what is written, keeps a step."
    )
    kept_of_start: float = Field(
        0.0, ge=0, lt=1, description="Share of the weights that the stage started from in what it writes."
    )


class WarmUpRecipe(_Group):
    """How a language model that has read nothing yet is taught to read, from texts alone, before stage 1."""

    steps: PositiveInt = 1500
    people_a_batch: PositiveInt = 48
    learning_rate: PositiveFloat = 1e-3
