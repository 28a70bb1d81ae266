"""A matting network that has one of nearly everything that matting networks are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

# Widening, channels, stride, gated: three halvings after that of the stem.
_BLOCKS = (
    (1, 16, 1, False),
    (6, 24, 2, False),
    (6, 24, 1, False),
    (6, 32, 2, True),
    (6, 32, 1, True),
    (6, 64, 2, False),
    (6, 64, 1, True),
)
# Where features for the decoder are taken: at 1/2, 1/4 and 1/8.
_TAPS = {0: 16, 2: 24, 4: 32}


def conv_norm(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1,
    dilation: int = 1,
) -> nn.Sequential:  # fmt: skip
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class ChannelGate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return x * F.hardsigmoid(self.excite(squeezed))


class InvertedResidual(nn.Module):
    def __init__(
        self, channels_in: int, channels_out: int, stride: int, widening: int, *, gated: bool
    ) -> None:
        super().__init__()
        inside = channels_in * widening
        self.layers = nn.Sequential()
        if widening > 1:
            self.layers.extend([*conv_norm(channels_in, inside, 1), nn.ReLU6()])
        depthwise = conv_norm(inside, inside, 3, stride=stride, groups=inside)
        self.layers.extend([*depthwise, nn.ReLU6()])
        if gated:
            self.layers.append(ChannelGate(inside))
        self.layers.extend([*conv_norm(inside, channels_out, 1)])
        self.has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.has_shortcut else y


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling (arXiv:1706.05587) with its branch for the whole picture."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(conv_norm(channels_in, channels, kernel, dilation=dilation), nn.ReLU())
            for kernel, dilation in ((1, 1), (3, 2), (3, 4))
        )
        # Without BatchNorm: it has one pixel, on which there are no statistics.
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels_in, channels, 1), nn.ReLU()
        )
        self.project = nn.Sequential(conv_norm(4 * channels, channels, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        # The size is asked of the tensor, as networks do: simplification makes it a constant.
        whole = F.interpolate(
            self.whole(x), size=x.shape[-2:], mode="bilinear", align_corners=False
        )
        parts = [*(branch(x) for branch in self.branches), whole]
        y: Tensor = self.project(torch.cat(parts, dim=1))
        return y


class IBNorm(nn.Module):
    """BatchNorm on half of the channels, InstanceNorm with weights on the others; by slices."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.batch = nn.BatchNorm2d(self.half)
        self.instance = nn.InstanceNorm2d(channels - self.half, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.batch(x[:, : self.half]), self.instance(x[:, self.half :])], dim=1)


class MattingMobileNetV2(nn.Module):
    """RGB picture in -1..1, H and W multiples of 16, to foreground and alpha of its size.

    The foreground, (N, 3, H, W), comes premultiplied with alpha, (N, 1, H, W): an output that is
    also the operand of another one, and broadcast there.

    Args:
        instance_norm: with one IBNorm, else BatchNorm alone. Caffe's MVN is another function of
            nearly constant maps than InstanceNorm.
    """

    def __init__(self, *, instance_norm: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(3, 16, 3, stride=2), nn.ReLU6())
        self.blocks = nn.ModuleList()
        channels = 16
        for widening, wanted, stride, gated in _BLOCKS:
            self.blocks.append(InvertedResidual(channels, wanted, stride, widening, gated=gated))
            channels = wanted
        self.aspp = Aspp(channels, 32)
        self.to_eighth = nn.Sequential(*conv_norm(32 + 32, 32, 3), nn.Hardswish())
        self.to_quarter = nn.Sequential(*conv_norm(32 + 24, 24, 3), nn.SiLU())
        self.enlarge = nn.ConvTranspose2d(24, 16, 4, stride=2, padding=1)
        self.to_half = nn.Sequential(*conv_norm(16 + 16, 16, 3), nn.PReLU(16))
        self.refine = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1),
            IBNorm(16) if instance_norm else nn.BatchNorm2d(16),
            nn.LeakyReLU(0.1),
        )
        self.to_full = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x: Tensor = self.stem(image)
        skips = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                skips.append(x)
        x = self.aspp(x)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.to_eighth(torch.cat([x, skips.pop()], dim=1))
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = self.to_quarter(torch.cat([x, skips.pop()], dim=1))
        x = self.to_half(torch.cat([self.enlarge(x), skips.pop()], dim=1))
        y = self.to_full(self.refine(x))
        alpha = torch.sigmoid(y[:, :1])
        foreground = (0.5 * (image + y[:, 1:]) + 0.5).clamp(0, 1) * alpha
        return foreground, alpha
