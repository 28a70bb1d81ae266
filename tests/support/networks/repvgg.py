"""A small RepVGG (arXiv:2101.03697) as it is trained: what re-parameterisation starts from."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

# Channels and number of blocks; the first of each halves the picture.
_STAGES = ((16, 1), (24, 2), (48, 3), (96, 2))


class RepBlock(nn.Module):
    """Sum of a 3x3 convolution, a 1x1 convolution and, where shapes allow it, the input.

    Each with its own BatchNorm, the identity too; equal to one 3x3 convolution with bias.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.pointwise = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        has_identity = stride == 1 and channels_in == channels_out
        self.identity = nn.BatchNorm2d(channels_in) if has_identity else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.dense(x) + self.pointwise(x)
        return F.relu(y if self.identity is None else y + self.identity(x))


class RepVGG(nn.Module):
    """A picture of any size to `classes` scores."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        channels = 3
        for wanted, count in _STAGES:
            for index in range(count):
                self.blocks.append(RepBlock(channels, wanted, 1 if index else 2))
                channels = wanted
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.classify(self.pool(self.blocks(image)).flatten(1))
        return scores
