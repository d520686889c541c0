"""The connector: patch features become image tokens in the language model's width. Pure.

After LLaVA's two-layer projector (https://arxiv.org/abs/2310.03744), with a norm before it, because a convolutional
backbone's features are not normalised, and a learned position, because they do not say where they are.

Legend: B crops, P patches, F features of a patch, D width of the language model.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Connector(nn.Module):
    """LayerNorm - Linear - (+ position) - GELU - Linear."""

    def __init__(self, patches: int, patch_features: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(patch_features)
        self.inward = nn.Linear(patch_features, width)
        self.position = nn.Parameter(torch.zeros(patches, width))
        self.outward = nn.Linear(width, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Image tokens (B, P, D) of patch features (B, P, F)."""
        placed = self.inward(self.norm(patches)) + self.position
        return self.outward(functional.gelu(placed))  # type: ignore[no-any-return]
