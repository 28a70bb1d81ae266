"""MODNet: portrait matting without a trimap, with the parameter names of its authors.

The structure is that of Ke et al., "MODNet: Real-Time Trimap-Free Portrait Matting via Objective
Decomposition" (AAAI 2022), written anew for PyTorch. A network trained with the authors' code
(Apache-2.0) loads as it is; no weights come with npukit.

Three branches: the low-resolution one finds the person, the high-resolution one the outline, the
fusion branch puts both into an alpha matte. Everything is NCHW float32. Input: RGB in -1..1,
height and width multiples of 32; 512 pixels is what the authors trained for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

# The encoder halves the picture five times.
SIZE_MULTIPLE = 32
# Of the encoder: the layers whose results are used, and how many channels those have.
_HALF, _QUARTER, _LAST = 1, 3, 18
_HALF_CHANNELS, _QUARTER_CHANNELS, _EIGHTH_CHANNELS = 16, 24, 32
_SIXTEENTH_CHANNELS, _LAST_CHANNELS = 96, 1280
# Of MobileNetV2: widening, channels, number of blocks, stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def resized(x: Tensor, factor: float) -> Tensor:
    """Resize (N, C, H, W) bilinearly, at half pixels, to (N, C, H * factor, W * factor)."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def conv_norm(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Make a convolution without bias, padded by half its kernel, and its BatchNorm."""
    conv = nn.Conv2d(
        channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return [conv, nn.BatchNorm2d(channels_out)]


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen 1x1, filter each channel 3x3, narrow 1x1.

    Args:
        channels_in: Input channels.
        channels_out: Output channels.
        stride: 1, or 2 to halve H and W.
        widening: Factor of the channels inside; 1 leaves the first convolution out.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, widening: int) -> None:
        super().__init__()
        inside = channels_in * widening
        widen = [*conv_norm(channels_in, inside, 1), nn.ReLU6()] if widening > 1 else []
        self.conv = nn.Sequential(
            *widen,
            *conv_norm(inside, inside, 3, stride=stride, groups=inside),
            nn.ReLU6(),
            *conv_norm(inside, channels_out, 1),
        )
        self.has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H / stride, W / stride) for (N, channels_in, H, W)."""
        y: Tensor = self.conv(x)
        return x + y if self.has_shortcut else y


class MobileNetV2(nn.Module):
    """The layers of MobileNetV2 up to its classifier."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*conv_norm(in_channels, 32, 3, stride=2))]
        layers[0].append(nn.ReLU6())
        channels = 32
        for widening, wanted, count, first_stride in _STAGES:
            for index in range(count):
                stride = 1 if index else first_stride
                layers.append(InvertedResidual(channels, wanted, stride, widening))
                channels = wanted
        layers.append(nn.Sequential(*conv_norm(channels, _LAST_CHANNELS, 1), nn.ReLU6()))
        self.features = nn.Sequential(*layers)


class Backbone(nn.Module):
    """Picture to features at 1/2, 1/4 and 1/32 of its size."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.model = MobileNetV2(in_channels)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features with 16, 24 and 1280 channels."""
        layers = self.model.features
        half = layers[: _HALF + 1](image)
        quarter = layers[_HALF + 1 : _QUARTER + 1](half)
        return half, quarter, layers[_QUARTER + 1 : _LAST + 1](quarter)


class IBNorm(nn.Module):
    """BatchNorm on the first half of the channels, InstanceNorm on the second.

    InstanceNorm has neither weights nor running statistics: it uses those of each picture, in
    training and after, so it cannot be folded into a convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = (channels // 2, channels - channels // 2)
        self.bnorm = nn.BatchNorm2d(self.sizes[0])
        self.inorm = nn.InstanceNorm2d(self.sizes[1])

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        first, second = x.split(self.sizes, dim=1)
        return torch.cat([self.bnorm(first), self.inorm(second)], dim=1)


class ConvIBNormRelu(nn.Module):
    """Convolution with bias, padded by half its kernel, IBNorm and ReLU; or the first alone."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        bare: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2)
        )
        if not bare:
            self.layers.extend([IBNorm(channels_out), nn.ReLU()])

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H / stride, W / stride) for (N, channels_in, H, W)."""
        y: Tensor = self.layers(x)
        return y


class ChannelGate(nn.Module):
    """Squeeze-and-excite: every channel times a factor in 0..1 from the means of all."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        squeezed = channels // reduction
        self.fc = nn.Sequential(
            nn.Linear(channels, squeezed, bias=False),
            nn.ReLU(),
            nn.Linear(squeezed, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        factors: Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        # Multiplication broadcasts; expand_as would export as run-time shape arithmetic.
        return x * factors[:, :, None, None]


class LowResolutionBranch(nn.Module):
    """Where the person is: features at 1/8, and in training a coarse alpha at 1/16."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.se_block = ChannelGate(_LAST_CHANNELS, reduction=4)
        self.conv_lr16x = ConvIBNormRelu(_LAST_CHANNELS, _SIXTEENTH_CHANNELS, 5)
        self.conv_lr8x = ConvIBNormRelu(_SIXTEENTH_CHANNELS, _EIGHTH_CHANNELS, 5)
        self.conv_lr = ConvIBNormRelu(_EIGHTH_CHANNELS, 1, 3, stride=2, bare=True)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the encoder's features at 1/2 and 1/4, and this branch's at 1/8."""
        half, quarter, last = self.backbone(image)
        sixteenth = self.conv_lr16x(resized(self.se_block(last), 2))
        return half, quarter, self.conv_lr8x(resized(sixteenth, 2))

    def semantic(self, eighth: Tensor) -> Tensor:
        """Return the coarse alpha, (N, 1, H / 16, W / 16), that a training loss looks at."""
        return torch.sigmoid(self.conv_lr(eighth))


class HighResolutionBranch(nn.Module):
    """Where the outline is: features at 1/2, and in training an alpha for the outline."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels
        self.tohr_enc2x = ConvIBNormRelu(_HALF_CHANNELS, channels, 1)
        self.conv_enc2x = ConvIBNormRelu(channels + 3, channels, 3, stride=2)
        self.tohr_enc4x = ConvIBNormRelu(_QUARTER_CHANNELS, channels, 1)
        self.conv_enc4x = ConvIBNormRelu(double, double, 3)
        self.conv_hr4x = nn.Sequential(
            ConvIBNormRelu(double + _EIGHTH_CHANNELS + 3, double, 3),
            ConvIBNormRelu(double, double, 3),
            ConvIBNormRelu(double, channels, 3),
        )
        self.conv_hr2x = nn.Sequential(
            ConvIBNormRelu(double, double, 3),
            ConvIBNormRelu(double, channels, 3),
            ConvIBNormRelu(channels, channels, 3),
            ConvIBNormRelu(channels, channels, 3),
        )
        self.conv_hr = nn.Sequential(
            ConvIBNormRelu(channels + 3, channels, 3),
            ConvIBNormRelu(channels, 1, 1, bare=True),
        )

    def forward(self, image: Tensor, half: Tensor, quarter: Tensor, eighth: Tensor) -> Tensor:
        """Return features with `channels` channels at 1/2 from the RGB picture and features."""
        half = self.tohr_enc2x(half)
        detail = self.conv_enc2x(torch.cat([resized(image, 1 / 2), half], dim=1))
        detail = self.conv_enc4x(torch.cat([detail, self.tohr_enc4x(quarter)], dim=1))
        parts = [detail, resized(eighth, 2), resized(image, 1 / 4)]
        detail = self.conv_hr4x(torch.cat(parts, dim=1))
        y: Tensor = self.conv_hr2x(torch.cat([resized(detail, 2), half], dim=1))
        return y

    def detail(self, image: Tensor, features: Tensor) -> Tensor:
        """Return the alpha, (N, 1, H, W), whose outline a training loss looks at."""
        return torch.sigmoid(self.conv_hr(torch.cat([resized(features, 2), image], dim=1)))


class FusionBranch(nn.Module):
    """Both branches' features and the picture to alpha."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_lr4x = ConvIBNormRelu(_EIGHTH_CHANNELS, channels, 5)
        self.conv_f2x = ConvIBNormRelu(2 * channels, channels, 3)
        self.conv_f = nn.Sequential(
            ConvIBNormRelu(channels + 3, channels // 2, 3),
            ConvIBNormRelu(channels // 2, 1, 1, bare=True),
        )

    def forward(self, image: Tensor, eighth: Tensor, detail: Tensor) -> Tensor:
        """Return alpha, (N, 1, H, W), from RGB, features at 1/8 and features at 1/2."""
        quarter = self.conv_lr4x(resized(eighth, 2))
        half = self.conv_f2x(torch.cat([resized(quarter, 2), detail], dim=1))
        return torch.sigmoid(self.conv_f(torch.cat([resized(half, 2), image], dim=1)))


class MODNet(nn.Module):
    """RGB picture, or RGB picture and the alpha of the frame before, to an alpha matte.

    Args:
        in_channels: 3 for RGB, 4 for RGB and the previous alpha. The previous alpha goes to the
            encoder alone, so that only `backbone.model.features.0.0.weight` has another shape.
        hr_channels: Channels of the high-resolution and the fusion branch.

    Raises:
        ValueError: `in_channels` is neither 3 nor 4.
    """

    def __init__(self, in_channels: int = 3, hr_channels: int = 32) -> None:
        super().__init__()
        if in_channels not in (3, 4):
            raise ValueError(f"in_channels is {in_channels}: give 3, or 4 with the previous alpha")
        self.in_channels = in_channels
        self.backbone = Backbone(in_channels)
        # Under two names, as in the authors' checkpoints; the parameters are the same.
        self.lr_branch = LowResolutionBranch(self.backbone)
        self.hr_branch = HighResolutionBranch(hr_channels)
        self.f_branch = FusionBranch(hr_channels)

    def forward(
        self, image: Tensor, previous: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Compute the matte.

        Args:
            image: (N, 3, H, W) float32, RGB in -1..1; H and W multiples of 32.
            previous: (N, 1, H, W) float32 in 0..1, with `in_channels` 4. May instead be the
                fourth channel of `image`.

        Returns:
            Alpha, (N, 1, H, W), 1 is the person. In training mode: the coarse alpha at 1/16, the
            outline's alpha, and alpha.

        Raises:
            ValueError: the shapes do not fit.
        """
        # The exporter traces with tensors for sizes; comparing those would warn.
        if not torch.onnx.is_in_onnx_export():
            self._check(image, previous)
        stacked = image if previous is None else torch.cat([image, previous], dim=1)
        is_rgb = self.in_channels == 3 or previous is not None
        rgb = image if is_rgb else image[:, :3]
        half, quarter, eighth = self.lr_branch(stacked)
        features = self.hr_branch(rgb, half, quarter, eighth)
        alpha: Tensor = self.f_branch(rgb, eighth, features)
        if not self.training:
            return alpha
        return self.lr_branch.semantic(eighth), self.hr_branch.detail(rgb, features), alpha

    def _check(self, image: Tensor, previous: Tensor | None) -> None:
        given = [tensor.shape[1] for tensor in (image, previous) if tensor is not None]
        wanted = ([3],) if self.in_channels == 3 else ([3, 1], [4])
        if given not in wanted:
            raise ValueError(
                f"MODNet was built for {' or '.join(map(str, wanted))} channels and is given "
                f"{given}. `build_with_previous_alpha` makes a network that takes the previous "
                "alpha too, `build` one that does not."
            )
        height, width = image.shape[2:]
        if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(
                f"A picture of {height}x{width} does not fit: the encoder halves it five times. "
                f"Give a height and a width that are multiples of {SIZE_MULTIPLE}."
            )


def build() -> MODNet:
    """Build the network for single pictures, without weights, in evaluation mode."""
    return MODNet().eval()


def build_with_previous_alpha() -> MODNet:
    """Build the network that also takes the previous alpha, without weights, for evaluation."""
    return MODNet(in_channels=4).eval()
