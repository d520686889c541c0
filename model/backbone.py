"""EfficientNet-Lite without its classifier, which turns pixels into features at strides 8, 16 and 32. Pure.

After https://arxiv.org/abs/1905.11946 and the *Lite* variants of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: no squeeze-and-excitation, ReLU6, one
stem, and a first and a last stage that no factor makes deeper. Batch norms are folded into the convolutions, so a
crop's features never depend on the crops beside it.

Legend: B batch, C channels, H rows, W columns.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN, SPREAD = 127 / 255, 128 / 255  # of the pixels that the published weights were trained on
_STEM_CHANNELS, _NORM_EPSILON = 32, 1e-3


@dataclass(frozen=True, slots=True)
class _Stage:
    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_PYRAMID = (3, 5, 7)  # the stages, counted from 1, whose features are the last at strides 8, 16 and 32


class ConvBlock(nn.Module):
    """A convolution that keeps, or by its stride halves, the picture's size, then ReLU6 unless told otherwise."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, *, groups: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        # TensorFlow's padding: where a stride halves an even size, what cannot be shared goes right and below, which
        # the convolution itself, that pads without a copy, cannot do.
        before, odd = (kernel - stride) // 2, (kernel - stride) % 2
        self._pads = (before, before + odd, before, before + odd) if odd else ()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, 0 if odd else before, groups=groups)
        self._relu = relu

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (B, C_out, H / stride, W / stride)."""
        padded = functional.pad(features, self._pads) if self._pads else features
        if self.training and self.conv.groups > 1:
            # Going backwards through a depthwise convolution takes a CPU longer in bfloat16 than in float32.
            with torch.autocast(padded.device.type, enabled=False):
                convolved = self.conv(padded.float())
        else:
            convolved = self.conv(padded)
        return functional.relu6(convolved) if self._relu else convolved


class InvertedBottleneck(nn.Module):
    """Few channels are made many, each looks around itself, and they are made few again (MBConv)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.expand = ConvBlock(channels_in, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvBlock(hidden, hidden, kernel, stride, groups=hidden)
        self.project = ConvBlock(hidden, channels_out, 1, relu=False)
        self._has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (B, C_out, H / stride, W / stride)."""
        worked: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + worked if self._has_shortcut else worked


class Backbone(nn.Sequential):
    """The stem and the seven stages of an EfficientNet-Lite."""

    def __init__(self, width: float, depth: float) -> None:
        """Weights of noise.

        Args:
            width: Factor of the stages' channels; 1.1 is Lite2.
            depth: Factor of the stages' blocks; 1.2 is Lite2.
        """
        stages: list[nn.Module] = [ConvBlock(3, _STEM_CHANNELS, 3, 2)]
        channels = _STEM_CHANNELS
        for stage, channels_out in zip(_STAGES, _widths(width), strict=True):
            blocks = []
            for index in range(stage.blocks if stage in (_STAGES[0], _STAGES[-1]) else math.ceil(stage.blocks * depth)):
                stride = stage.stride if index == 0 else 1
                blocks.append(InvertedBottleneck(channels, channels_out, stage.kernel, stride, stage.expansion))
                channels = channels_out
            stages.append(nn.Sequential(*blocks))
        super().__init__(*stages)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, which pixels must have too."""
        return next(self.parameters()).dtype

    def pyramid(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 8, 16 and 32 of pixels (B, 3, H, W) in 0..1; H and W are multiples of 32."""
        kept = {}
        features = (pixels - MEAN) / SPREAD
        for index, stage in enumerate(self):
            features = stage(features)
            kept[index] = features
        stride_8, stride_16, stride_32 = (kept[index] for index in _PYRAMID)
        return stride_8, stride_16, stride_32


def pyramid_channels(width: float) -> tuple[int, int, int]:
    """Channels of the features at strides 8, 16 and 32."""
    widths = _widths(width)
    stride_8, stride_16, stride_32 = (widths[stage - 1] for stage in _PYRAMID)
    return stride_8, stride_16, stride_32


def folded_weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a `Backbone` from those of EfficientNet-Lite-PyTorch, its batch norms folded in.

    Args:
        published: By the names of https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch; the classifier's are
            passed over.
    """
    folded = _folded(published, "_conv_stem", "_bn0", into="0.conv")
    numbers = sorted({int(name.split(".")[1]) for name in published if name.startswith("_blocks.")})
    stage, block = 0, 0
    channels = 0
    for number in numbers:
        source = f"_blocks.{number}."
        begins_stage = published[f"{source}_project_conv.weight"].shape[0] != channels
        channels = published[f"{source}_project_conv.weight"].shape[0]
        stage, block = (stage + 1, 0) if begins_stage else (stage, block + 1)
        parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
        for part, (conv, norm) in {**parts, "project": ("_project_conv", "_bn2")}.items():
            if f"{source}{conv}.weight" in published:
                folded |= _folded(published, source + conv, source + norm, into=f"{stage}.{block}.{part}.conv")
    return folded


def _folded(published: Mapping[str, Tensor], conv: str, norm: str, *, into: str) -> dict[str, Tensor]:
    scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + _NORM_EPSILON).sqrt()
    shift = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
    return {f"{into}.weight": published[f"{conv}.weight"] * scale[:, None, None, None], f"{into}.bias": shift}


def _widths(width: float) -> tuple[int, ...]:
    """Channels of each stage: multiples of 8, none a tenth narrower than asked."""
    widths = []
    for stage in _STAGES:
        asked = stage.channels * width
        rounded = max(8, int(asked + 4) // 8 * 8)
        widths.append(rounded + 8 if rounded < 0.9 * asked else rounded)
    return tuple(widths)
