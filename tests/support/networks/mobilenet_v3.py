"""MobileNetV3-Small (arXiv:1905.02244, table 2): hard-swish, and gates with hard-sigmoid."""

from __future__ import annotations

from torch import Tensor, nn

# Kernel, widened to, channels, gated, hard-swish, stride.
_BLOCKS = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


def multiple_of_eight(channels: float) -> int:
    """The nearest multiple of 8, but not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def conv_norm(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(channels_out, eps=1e-3),
    )


class ChannelGate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = multiple_of_eight(channels / 4)
        self.factors = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors(x)


class Block(nn.Module):
    def __init__(
        self, channels_in: int, kernel: int, inside: int, channels_out: int, stride: int,
        activation: type[nn.Module], *, gated: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = nn.Sequential()
        if inside != channels_in:
            self.layers.extend([*conv_norm(channels_in, inside, 1), activation()])
        depthwise = conv_norm(inside, inside, kernel, stride=stride, groups=inside)
        self.layers.extend([*depthwise, activation()])
        if gated:
            self.layers.append(ChannelGate(inside))
        self.layers.extend([*conv_norm(inside, channels_out, 1)])
        self.has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.has_shortcut else y


class MobileNetV3Small(nn.Module):
    """A picture of any size to `classes` scores."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(3, 16, 3, stride=2), nn.Hardswish())
        self.blocks = nn.Sequential()
        channels = 16
        for kernel, inside, wanted, gated, swish, stride in _BLOCKS:
            activation = nn.Hardswish if swish else nn.ReLU
            self.blocks.append(
                Block(channels, kernel, inside, wanted, stride, activation, gated=gated)
            )
            channels = wanted
        self.head = nn.Sequential(
            *conv_norm(channels, 576, 1),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(576, 1024),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(1024, classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.blocks(self.stem(image)))
        return scores
