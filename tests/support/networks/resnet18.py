"""ResNet-18 (arXiv:1512.03385): the network that every converter is tried on first."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class BasicBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride != 1 or channels_in != channels:
            self.downsample.append(nn.Conv2d(channels_in, channels, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.downsample(x))


class ResNet18(nn.Module):
    """A picture of any size to `classes` scores.

    Its MaxPool is where Caffe, which rounds sizes up, gives 57 pixels for 56.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        widths = (64, 64, 128, 256, 512)
        self.layers = nn.Sequential()
        for narrow, wide in pairwise(widths):
            self.layers.append(BasicBlock(narrow, wide, 1 if narrow == wide else 2))
            self.layers.append(BasicBlock(wide, wide, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.pool(self.layers(self.stem(image)))
        scores: Tensor = self.fc(features.flatten(1))
        return scores
