"""MODNet's three branches with ordinary 3x3 convolutions in place of MobileNetV2's."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

_WIDTHS = (32, 48, 64, 96, 160)  # of the encoder, at 1/2 to 1/32
_SIXTEENTH, _EIGHTH, _DETAIL = 96, 32, 32


def conv(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


def resized(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class MODNetDense(nn.Module):
    """A picture to an alpha matte of its size; H and W are multiples of 32.

    As in MODNet the picture is joined to features, which makes 35 and 99 channels.
    BatchNorm stands in place of IBNorm, so that it can be folded.
    """

    def __init__(self) -> None:
        super().__init__()
        half, *deeper = _WIDTHS
        self.to_half = conv(3, half, stride=2)
        self.deeper = nn.ModuleList()
        narrow = half
        for wide in deeper:
            self.deeper.append(nn.Sequential(conv(narrow, wide, stride=2), conv(wide, wide)))
            narrow = wide
        self.low16, self.low8 = conv(narrow, _SIXTEENTH), conv(_SIXTEENTH, _EIGHTH)
        d = _DETAIL
        self.from_half, self.from_quarter = conv(half, d, 1), conv(deeper[0], d, 1)
        self.detail2, self.detail4 = conv(d + 3, d, stride=2), conv(2 * d, 2 * d)
        self.quarter = nn.Sequential(
            conv(2 * d + _EIGHTH + 3, 2 * d), conv(2 * d, 2 * d), conv(2 * d, d)
        )
        self.half_size = nn.Sequential(conv(2 * d, 2 * d), conv(2 * d, d), conv(d, d), conv(d, d))
        self.fuse4, self.fuse2 = conv(_EIGHTH, d), conv(2 * d, d)
        self.fuse = conv(d + 3, d // 2)
        self.alpha = nn.Conv2d(d // 2, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        half: Tensor = self.to_half(image)
        x, found = half, []
        for stage in self.deeper:
            x = stage(x)
            found.append(x)
        eighth = self.low8(resized(self.low16(resized(x, 2)), 2))
        half = self.from_half(half)
        detail = self.detail2(torch.cat([resized(image, 1 / 2), half], dim=1))
        detail = self.detail4(torch.cat([detail, self.from_quarter(found[0])], dim=1))
        parts = [detail, resized(eighth, 2), resized(image, 1 / 4)]
        detail = resized(self.quarter(torch.cat(parts, dim=1)), 2)
        detail = self.half_size(torch.cat([detail, half], dim=1))
        fused = resized(self.fuse4(resized(eighth, 2)), 2)
        fused = resized(self.fuse2(torch.cat([fused, detail], dim=1)), 2)
        alpha: Tensor = self.alpha(self.fuse(torch.cat([fused, image], dim=1)))
        return torch.sigmoid(alpha)
