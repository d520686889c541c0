"""The vision tower: person crops become a short row of patch features. Pure.

Features of three strides are brought to one grid and joined with the mean colour of each cell: the deep ones say what
is there, the colour keeps "orange" and "yellow" apart, which deep features forget.

Legend: B crops, H rows and W columns of pixels, P patches, F features of a patch.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.backbone import Backbone, pyramid_channels

GRID_STRIDE_PX = 16
SHUFFLE = 2  # 2x2 cells of the grid become one patch


@dataclass(frozen=True, slots=True)
class VisionSizes:
    """How large a crop is read, and by which factors the backbone is wider and deeper than Lite0 (by default Lite2).

    Raises:
        ValueError: height or width is no positive multiple of 32.
    """

    height_px: int = 256
    width_px: int = 128
    backbone_width: float = 1.1
    backbone_depth: float = 1.2

    def __post_init__(self) -> None:
        if self.height_px % 32 or self.width_px % 32 or min(self.height_px, self.width_px) <= 0:
            raise ValueError(f"crop size must be multiples of 32, got {self.height_px}x{self.width_px}")

    @property
    def patches(self) -> int:
        """Patches of one crop."""
        return (self.height_px * self.width_px) // (GRID_STRIDE_PX * SHUFFLE) ** 2

    @property
    def patch_features(self) -> int:
        """Features of one patch: three strides and the colour, of 2x2 cells."""
        return SHUFFLE**2 * (sum(pyramid_channels(self.backbone_width)) + 3)


class VisionTower(nn.Module):
    """EfficientNet-Lite's backbone, its three strides joined."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.backbone = Backbone(sizes.backbone_width, sizes.backbone_depth)

    def forward(self, pixels: Tensor) -> Tensor:
        """Patch features (B, P, F) of pixels (B, H, W, 3) uint8 RGB."""
        planes = pixels.permute(0, 3, 1, 2).to(self.backbone.dtype) / 255  # (B, 3, H, W), channels last
        stride_8, stride_16, stride_32 = self.backbone.pyramid(planes)
        cells = torch.cat(
            [
                functional.avg_pool2d(stride_8, 2),
                stride_16,
                functional.interpolate(stride_32, scale_factor=2.0, mode="bilinear", align_corners=False),
                functional.avg_pool2d(planes, GRID_STRIDE_PX),
            ],
            dim=1,
        )  # (B, F / 4, H / 16, W / 16)
        patches = functional.pixel_unshuffle(cells, SHUFFLE)  # (B, F, H / 32, W / 32)
        return patches.flatten(2).transpose(1, 2)  # (B, P, F)


def resized(crop: NDArray[np.uint8], sizes: VisionSizes) -> NDArray[np.uint8]:
    """A crop (h, w, 3) uint8 RGB stretched to the size that the tower reads.

    Stretched, not padded: a crop's own pixels are the scarce thing, and the shape of a person box says little else.
    """
    shrinks = crop.shape[0] >= sizes.height_px and crop.shape[1] >= sizes.width_px
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (sizes.width_px, sizes.height_px), interpolation=method), dtype=np.uint8)
