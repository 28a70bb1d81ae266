"""The torch module of `benchmarks.heavy`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

# MobileNetV2: expansion, channels, repeats, stride.
_BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_DEEP = 1280


class Matting(nn.Module):
    """Meaning at 1/32, details at 1/4 and 1/2, fused at full size."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.gate = Gate(_DEEP)
        self.coarse16 = Unit(_DEEP, 96, 5)
        self.coarse8 = Unit(96, 32, 5)
        self.skip2 = Unit(16, 32, 1)
        self.skip4 = Unit(24, 32, 1)
        self.down = Unit(32 + 3, 32, 3, stride=2)
        self.join4 = Unit(64, 64, 3)
        self.detail4 = nn.Sequential(Unit(64 + 32 + 3, 64, 3), Unit(64, 64, 3), Unit(64, 32, 3))
        self.detail2 = nn.Sequential(
            Unit(64, 64, 3), Unit(64, 32, 3), Unit(32, 32, 3), Unit(32, 32, 3)
        )
        self.fuse4 = Unit(32, 32, 5)
        self.fuse2 = Unit(64, 32, 3)
        self.fuse = nn.Sequential(Unit(32 + 3, 16, 3), nn.Conv2d(16, 1, 1), nn.Sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, h, w) to (1, 1, h, w)."""
        at2, at4, deep = self.encoder(image)
        image2, image4 = _scaled(image, 0.5), _scaled(image, 0.25)

        coarse = self.coarse16(_scaled(self.gate(deep), 2))
        coarse8 = self.coarse8(_scaled(coarse, 2))
        coarse4 = _scaled(coarse8, 2)

        near2 = self.skip2(at2)
        near4 = self.down(torch.cat((image2, near2), 1))
        near4 = self.join4(torch.cat((near4, self.skip4(at4)), 1))
        near4 = self.detail4(torch.cat((near4, coarse4, image4), 1))
        near2 = self.detail2(torch.cat((_scaled(near4, 2), near2), 1))

        both2 = self.fuse2(torch.cat((_scaled(self.fuse4(coarse4), 2), near2), 1))
        alpha: Tensor = self.fuse(torch.cat((_scaled(both2, 2), image), 1))
        return alpha


class Encoder(nn.Module):
    """MobileNetV2's layers; gives what it has at 1/2, 1/4 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width = 32
        for expansion, channels, repeats, stride in _BLOCKS:
            for index in range(repeats):
                blocks.append(Bottleneck(width, channels, expansion, stride if not index else 1))
                width = channels
        self.to2 = nn.Sequential(*_plain(3, 32, 3, 2), blocks[0])
        self.to4 = nn.Sequential(*blocks[1:3])
        self.to32 = nn.Sequential(*blocks[3:], *_plain(width, _DEEP, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """16, 24 and 1280 channels."""
        at2 = self.to2(image)
        at4 = self.to4(at2)
        return at2, at4, self.to32(at4)


class Bottleneck(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow; add where the shape stays."""

    def __init__(self, width: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = width * expansion
        self.layers = nn.Sequential(
            *(_plain(width, wide, 1) if expansion > 1 else ()),
            *_plain(wide, wide, 3, stride, groups=wide),
            *_plain(wide, channels, 1)[:-1],
        )
        self.adds = stride == 1 and width == channels

    def forward(self, x: Tensor) -> Tensor:
        """Same size, or half with stride 2."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class Gate(nn.Module):
    """Squeeze and excitation: each channel times what all channels say of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels // 4, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        y: Tensor = x * self.layers(x)
        return y


class Unit(nn.Module):
    """Convolution, then batch norm of one half and instance norm of the other, ReLU."""

    def __init__(self, width: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, channels, kernel, stride, kernel // 2)
        self.batch = nn.BatchNorm2d(channels // 2)
        self.instance = nn.InstanceNorm2d(channels - channels // 2)
        self.split = channels // 2

    def forward(self, x: Tensor) -> Tensor:
        """`channels` channels, the size divided by the stride."""
        x = self.conv(x)
        halves = self.batch(x[:, : self.split]), self.instance(x[:, self.split :])
        return torch.relu(torch.cat(halves, 1))


def _plain(
    width: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(width, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
    )


def _scaled(x: Tensor, factor: float) -> Tensor:
    return interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
