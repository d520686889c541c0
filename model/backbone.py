"""The convolutional half of YOLO11n, which turns pixels into features at strides 8, 16 and 32. Pure.

After https://github.com/ultralytics/ultralytics (`cfg/models/11/yolo11.yaml`, layers 0 to 10). Batch norms are folded
into the convolutions, so a crop's features never depend on the crops beside it. Parameter names are those of a fused
Ultralytics checkpoint, so its weights load as they are.

Legend: B batch, C channels, H rows, W columns, N positions (H x W).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE_8_LAYER, STRIDE_16_LAYER, STRIDE_32_LAYER = 4, 6, 10


class ConvBlock(nn.Module):
    """A convolution that keeps (or by its stride divides) the picture's size, then SiLU unless told otherwise."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        silu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups)
        self.silu = silu

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (B, C_out, H / stride, W / stride)."""
        convolved: Tensor = self.conv(features)
        return functional.silu(convolved, inplace=not convolved.requires_grad) if self.silu else convolved


class Bottleneck(nn.Module):
    """Two 3x3 convolutions with a shortcut around them."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels, hidden, 3)
        self.cv2 = ConvBlock(hidden, channels, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        return features + self.cv2(self.cv1(features))  # type: ignore[no-any-return]


class C3k(nn.Module):
    """Two bottlenecks on half of the channels, joined with the other half."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 2
        self.cv1 = ConvBlock(channels, hidden)
        self.cv2 = ConvBlock(channels, hidden)
        self.cv3 = ConvBlock(2 * hidden, channels)
        self.m = nn.Sequential(Bottleneck(hidden, hidden), Bottleneck(hidden, hidden))

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        joined = torch.cat([self.m(self.cv1(features)), self.cv2(features)], dim=1)
        return self.cv3(joined)  # type: ignore[no-any-return]


class C3k2(nn.Module):
    """A split of channels, one of whose halves goes through a deeper block; everything is joined at the end."""

    def __init__(self, channels_in: int, channels_out: int, *, hidden: int, deep: bool) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels_in, 2 * hidden)
        self.cv2 = ConvBlock(3 * hidden, channels_out)
        self.m = nn.ModuleList([C3k(hidden) if deep else Bottleneck(hidden, hidden // 2)])

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (B, C_out, H, W)."""
        kept, worked = self.cv1(features).chunk(2, dim=1)
        return self.cv2(torch.cat([kept, worked, self.m[0](worked)], dim=1))  # type: ignore[no-any-return]


class PyramidPooling(nn.Module):
    """What lies around each position, at three growing distances (SPPF)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels, channels // 2)
        self.cv2 = ConvBlock(2 * channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        views = [self.cv1(features)]
        for _ in range(3):
            views.append(functional.max_pool2d(views[-1], 5, 1, 2))
        return self.cv2(torch.cat(views, dim=1))  # type: ignore[no-any-return]


class PositionAttention(nn.Module):
    """Attention of every position to every other; a depthwise convolution says where each one is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(channels // 64, 1)
        self.head_width = channels // self.heads
        self.key_width = self.head_width // 2
        self.qkv = ConvBlock(channels, channels + 2 * self.key_width * self.heads, silu=False)
        self.proj = ConvBlock(channels, channels, silu=False)
        self.pe = ConvBlock(channels, channels, 3, groups=channels, silu=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        batch, channels, rows, columns = features.shape
        joint = self.qkv(features).reshape(batch, self.heads, -1, rows * columns)  # (B, heads, 2 keys + head, N)
        query, key, value = joint.split([self.key_width, self.key_width, self.head_width], dim=2)
        weights = (query.transpose(2, 3) @ key * self.key_width**-0.5).softmax(dim=-1)  # (B, heads, N, N)
        mixed = (value @ weights.transpose(2, 3)).reshape(batch, channels, rows, columns)
        return self.proj(mixed + self.pe(value.reshape(batch, channels, rows, columns)))  # type: ignore[no-any-return]


class AttentionBlock(nn.Module):
    """Position attention and a feed-forward layer, each with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attn = PositionAttention(channels)
        self.ffn = nn.Sequential(ConvBlock(channels, 2 * channels), ConvBlock(2 * channels, channels, silu=False))

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        attended = features + self.attn(features)
        return attended + self.ffn(attended)  # type: ignore[no-any-return]


class C2PSA(nn.Module):
    """A split of channels, one of whose halves goes through attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels, channels)
        self.cv2 = ConvBlock(channels, channels)
        self.m = nn.Sequential(AttentionBlock(channels // 2))

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        kept, worked = self.cv1(features).chunk(2, dim=1)
        return self.cv2(torch.cat([kept, self.m(worked)], dim=1))  # type: ignore[no-any-return]


class Backbone(nn.Sequential):
    """Layers 0 to 10 of YOLO11, as wide as `base_channels` says (16 is YOLO11n)."""

    def __init__(self, base_channels: int = 16) -> None:
        c = base_channels
        super().__init__(
            ConvBlock(3, c, 3, 2),
            ConvBlock(c, 2 * c, 3, 2),
            C3k2(2 * c, 4 * c, hidden=c, deep=False),
            ConvBlock(4 * c, 4 * c, 3, 2),
            C3k2(4 * c, 8 * c, hidden=2 * c, deep=False),
            ConvBlock(8 * c, 8 * c, 3, 2),
            C3k2(8 * c, 8 * c, hidden=4 * c, deep=True),
            ConvBlock(8 * c, 16 * c, 3, 2),
            C3k2(16 * c, 16 * c, hidden=8 * c, deep=True),
            PyramidPooling(16 * c),
            C2PSA(16 * c),
        )

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, which pixels must have too."""
        return next(self.parameters()).dtype

    def pyramid(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 8, 16 and 32 of pixels (B, 3, H, W) in 0..1; H and W are multiples of 32."""
        kept = {}
        features = pixels
        for index, layer in enumerate(self):
            features = layer(features)
            kept[index] = features
        return kept[STRIDE_8_LAYER], kept[STRIDE_16_LAYER], kept[STRIDE_32_LAYER]


def fused_weights(fused: nn.Module) -> Mapping[str, Tensor]:
    """Weights for a `Backbone` from a YOLO11 of Ultralytics whose batch norms are folded in (`DetectionModel.fuse`)."""
    names = {name.removeprefix("model."): tensor for name, tensor in fused.state_dict().items()}
    return {name: tensor.float() for name, tensor in names.items() if int(name.split(".")[0]) <= STRIDE_32_LAYER}
