"""What a recipe may say of a LLaVA: the typed groups inside `trainer/configs/humanvlm-8b-*.yaml`."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraRecipe(_Group):
    """Low-rank adapters (https://arxiv.org/abs/2106.09685): they learn in the weights' place; export merges them."""

    rank: PositiveInt = 128
    alpha: PositiveInt = 256
    dropout: float = Field(0.05, ge=0, lt=1)
    reaches_vision_tower: bool = Field(True, description="Whether the vision tower gets adapters too.")


class LlavaSteps(_Group):
    """How the weights are moved: AdamW, warmed up and then cooled along a cosine."""

    learning_rate: PositiveFloat = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    warmup_share: float = Field(0.03, ge=0, lt=1)
    checkpoints_gradients: bool = Field(
        True, description="Whether activations are computed twice instead of kept: less memory, a third more time."
    )
    unfreezes_vision_tower: bool = Field(False, description="Whether stage 2 moves the vision tower itself.")
