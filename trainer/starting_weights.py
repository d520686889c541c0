"""The weights that a vision tower starts from."""

from pathlib import Path

from torch import Tensor

from model.backbone import fused_weights
from model.ultralytics_loading import ultralytics_tamed
from trainer.errors import RecipeError


def backbone_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The weights of our backbone in a YOLO11 checkpoint of Ultralytics.

    Raises:
        RecipeError: there is no such file.
    """
    if not checkpoint.is_file():
        raise RecipeError(checkpoint, "backbone: there is no such file")
    with ultralytics_tamed():
        from ultralytics import YOLO

    return dict(fused_weights(YOLO(checkpoint).model.float().eval().fuse(verbose=False)))
