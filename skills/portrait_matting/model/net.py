"""Selfie segmentation: a small network that cuts a person out of a picture.

The structure is that of the two networks in MediaPipe Selfie Segmentation (Google,
Apache-2.0), read from their TensorFlow Lite graphs and written anew for PyTorch: a
MobileNetV3-like encoder, a context block that has seen the whole picture, and a three-stage
decoder with gated skip connections. Both networks have the same layers at two input sizes; the
weights differ.

Everything here is NCHW float32. Input: RGB in 0..1. Output: alpha in 0..1, 1 is the person.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

# The encoder halves the picture four times, and `halving_conv` holds for even sizes only.
SIZE_MULTIPLE = 16


def same_conv(channels_in: int, channels_out: int, kernel: int, groups: int = 1) -> nn.Conv2d:
    """Make a convolution that keeps H and W; `kernel` is odd."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, groups=groups)


def halving_conv(channels_in: int, channels_out: int, kernel: int, groups: int = 1) -> nn.Conv2d:
    """Make a convolution with stride 2 that equals TensorFlow's SAME padding on even sizes.

    For an odd kernel of side k, SAME pads k - 2 pixels in all and puts the odd one at the end:
    (0, 1) for 3x3, (1, 2) for 5x5. Neither PyTorch's nor Caffe's convolution can pad unevenly,
    and F.pad exports as a swarm of Slice, Concat and Cast. So the kernel is one larger: its first
    row and column are zero, and (k - 1) / 2 pixels on every side give the same numbers exactly.
    """
    return nn.Conv2d(
        channels_in, channels_out, kernel + 1, stride=2, padding=(kernel - 1) // 2, groups=groups
    )


class HardSwish(nn.Module):
    """`x * hardsigmoid(x)`: two operators, because ONNX has HardSwish only from opset 14."""

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        return x * F.hardsigmoid(x)


class ChannelGate(nn.Module):
    """Squeeze-and-excite: one factor in 0..1 per channel, from the mean of each channel."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, 1, 1) factors for (N, C, H, W)."""
        squeezed = F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        return torch.sigmoid(self.excite(squeezed))


class InvertedResidual(nn.Module):
    """Widen 1x1, filter each channel, gate, narrow 1x1; add the input where shapes allow it.

    Args:
        channels_in: Input channels.
        expanded: Channels inside the block.
        channels_out: Output channels.
        kernel: Side of the per-channel filter, odd.
        activation: Non-linearity after widening and after filtering.
        stride: 1, or 2 to halve H and W.
        squeezed: Channels inside the gate; 0 for a block without one.
    """

    def __init__(
        self,
        channels_in: int,
        expanded: int,
        channels_out: int,
        kernel: int,
        activation: type[nn.Module],
        *,
        stride: int = 1,
        squeezed: int = 0,
    ) -> None:
        super().__init__()
        conv = halving_conv if stride == 2 else same_conv
        self.expand = nn.Conv2d(channels_in, expanded, 1)
        self.depthwise = conv(expanded, expanded, kernel, groups=expanded)
        self.gate = ChannelGate(expanded, squeezed) if squeezed else None
        self.project = nn.Conv2d(expanded, channels_out, 1)
        self.activation = activation()
        self.has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H / stride, W / stride) for (N, channels_in, H, W)."""
        y: Tensor = self.activation(self.expand(x))
        y = self.activation(self.depthwise(y))
        if self.gate is not None:
            y = y * self.gate(y)
        y = self.project(y)
        return y + x if self.has_shortcut else y


class Encoder(nn.Module):
    """Picture to features at 1/2, 1/4, 1/8 and 1/16 of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(halving_conv(3, 16, 3), HardSwish())
        self.to_quarter = InvertedResidual(16, 16, 16, 3, nn.ReLU, stride=2, squeezed=8)
        self.to_eighth = nn.Sequential(
            InvertedResidual(16, 72, 24, 3, nn.ReLU, stride=2),
            InvertedResidual(24, 88, 24, 3, nn.ReLU),
        )
        self.to_sixteenth = nn.Sequential(
            InvertedResidual(24, 96, 32, 5, HardSwish, stride=2, squeezed=24),
            InvertedResidual(32, 128, 32, 5, HardSwish, squeezed=32),
            InvertedResidual(32, 128, 32, 5, HardSwish, squeezed=32),
            InvertedResidual(32, 96, 32, 5, HardSwish, squeezed=24),
            InvertedResidual(32, 96, 32, 5, HardSwish, squeezed=24),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features with 16, 16, 24 and 32 channels at 1/2, 1/4, 1/8 and 1/16."""
        half: Tensor = self.stem(image)
        quarter: Tensor = self.to_quarter(half)
        eighth: Tensor = self.to_eighth(quarter)
        sixteenth: Tensor = self.to_sixteenth(eighth)
        return half, quarter, eighth, sixteenth


class Context(nn.Module):
    """Features times one factor per channel taken from the whole picture (lite R-ASPP)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels_in, channels_out, 1)
        self.factor = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W) for (N, channels_in, H, W)."""
        features = F.relu(self.features(x))
        return features * torch.sigmoid(self.factor(F.adaptive_avg_pool2d(x, 1)))


class DecoderStage(nn.Module):
    """Double the size of coarse features and merge the encoder's features of that size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels_in, channels_out, 1)
        self.gate = ChannelGate(channels_out, channels_out)
        self.merge = nn.Conv2d(channels_out, channels_out, 1)
        self.refine = same_conv(channels_out, channels_out, 3, groups=channels_out)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Merge (N, channels_in, H, W) into `skip`, (N, channels_out, 2H, 2W); its shape."""
        # A constant factor: from a target size the exporter derives run-time shape arithmetic.
        larger = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        larger = self.reduce(larger)
        merged = F.relu(self.merge(skip * self.gate(skip + larger) + larger))
        return merged + F.relu(self.refine(merged))


class SelfieSegmenter(nn.Module):
    """RGB picture to alpha matte: MediaPipe Selfie Segmentation (Google, Apache-2.0).

    Args:
        height: Input height in pixels, a multiple of 16.
        width: Input width in pixels, a multiple of 16.

    Raises:
        ValueError: The size is not made of positive multiples of 16.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        if min(height, width) <= 0 or height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(
                f"Input size {height}x{width} does not fit: the network halves the picture four "
                f"times. Give a height and a width that are multiples of {SIZE_MULTIPLE}."
            )
        self.input_shape = (1, 3, height, width)
        self.encoder = Encoder()
        self.context = Context(32, 128)
        self.decode_eighth = DecoderStage(128, 24)
        self.decode_quarter = DecoderStage(24, 16)
        self.decode_half = DecoderStage(16, 16)
        self.to_alpha = nn.ConvTranspose2d(16, 1, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the matte of one picture.

        Args:
            image: (1, 3, height, width) float32, RGB in 0..1.

        Returns:
            (1, 1, height, width) float32, 0 is background and 1 is the person.

        Raises:
            ValueError: `image` has another shape.
        """
        # The exporter traces with tensors for sizes; comparing those would warn.
        if not torch.onnx.is_in_onnx_export() and tuple(image.shape) != self.input_shape:
            raise ValueError(
                f"The picture has shape {tuple(image.shape)}, but this network was built for "
                f"{self.input_shape}. Resize it, or bring it into the order N, C, H, W."
            )
        half, quarter, eighth, sixteenth = self.encoder(image)
        features = self.decode_eighth(self.context(sixteenth), eighth)
        features = self.decode_quarter(features, quarter)
        features = self.decode_half(features, half)
        return torch.sigmoid(self.to_alpha(features))


def build_landscape() -> SelfieSegmenter:
    """Build the network for video, (1, 3, 144, 256), without weights, in evaluation mode."""
    return SelfieSegmenter(144, 256).eval()


def build_square() -> SelfieSegmenter:
    """Build the network for stills, (1, 3, 256, 256), without weights, in evaluation mode."""
    return SelfieSegmenter(256, 256).eval()
