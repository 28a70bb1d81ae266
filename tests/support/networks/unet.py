"""A small U-Net (arXiv:1505.04597): pooling, and either way of making features larger again."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

_WIDTHS = (16, 32, 64, 128)


def double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv2d(channels, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


def enlarge(wide: int, narrow: int, *, transposed: bool) -> nn.Module:
    if transposed:
        return nn.ConvTranspose2d(wide, narrow, 2, stride=2)
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(wide, narrow, 1),
    )


class UNet(nn.Module):
    """A picture to a mask of its size; H and W are multiples of 8.

    Args:
        transposed: enlarge by transposed convolutions, else bilinearly.
    """

    def __init__(self, *, transposed: bool) -> None:
        super().__init__()
        pairs = list(pairwise(_WIDTHS))
        self.first = double_conv(3, _WIDTHS[0])
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(double_conv(narrow, wide) for narrow, wide in pairs)
        self.up = nn.ModuleList(
            enlarge(wide, narrow, transposed=transposed) for narrow, wide in reversed(pairs)
        )
        self.merge = nn.ModuleList(double_conv(2 * narrow, narrow) for narrow, _ in reversed(pairs))
        self.last = nn.Conv2d(_WIDTHS[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.first(image)
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(self.pool(x))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return torch.sigmoid(self.last(x))
