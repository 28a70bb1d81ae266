"""The preprocessing unit in plain integer arithmetic, step by step as the vendor documents it.

Slow and simple: what `npukit.aipp.execute` is compared with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npukit.aipp.config import InputFormat
from npukit.aipp.csc import Csc
from npukit.aipp.steps import Rounding, Steps
from npukit.arrays import U8, Array


def run(steps: Steps, packed: U8, rounding: Rounding = Rounding.TRUNCATE) -> Array:
    """What the network takes for the bytes of a picture.

    Args:
        steps: what to do.
        packed: uint8, `steps.nbytes` bytes in any shape.
        rounding: of the colour conversion.

    Returns:
        (C, H, W) float16.

    Raises:
        FrameError: the bytes are not those of such a picture.
    """
    channels = swap(steps, unpack(steps, packed))
    x, y, width, height = steps.crop
    channels = channels[:, y : y + height, x : x + width]
    if steps.csc is not None:
        channels = np.concatenate([convert(steps.csc, channels[:3], rounding), channels[3:]])
        channels = channels[: steps.channels]
    return pad(steps, normalise(steps, channels))


def unpack(steps: Steps, packed: U8) -> Array:
    """(C, H, W) int64: the channels as they lie in memory; chroma is that of its 2x2 block."""
    data = steps.bytes_of(packed).astype(np.int64)
    width, height = steps.source
    if steps.input_format != InputFormat.YUV420SP_U8:
        return np.moveaxis(data.reshape(height, width, steps.stored), 2, 0)
    luma = data[: width * height].reshape(height, width)
    pairs = data[width * height :].reshape(height // 2, width // 2, 2)
    row, column = np.mgrid[:height, :width]
    first, second = (pairs[row // 2, column // 2, item] for item in (0, 1))
    return np.stack([luma, first, second])


def swap(steps: Steps, channels: Array) -> Array:
    """The channels in the order in which the later steps count them."""
    if len(channels) == 4 and steps.ax_swap:
        channels = channels[[1, 2, 3, 0]]  # A or X, then three: it goes behind them
    if len(channels) >= 3 and steps.rbuv_swap:
        order = [0, 2, 1] if steps.input_format == InputFormat.YUV420SP_U8 else [2, 1, 0]
        channels = np.concatenate([channels[order], channels[3:]])
    return channels


def convert(csc: Csc, channels: Array, rounding: Rounding) -> Array:
    """(3, H, W) int64 levels: `(rows · (in - input_bias)) >> 8`, plus output_bias, clipped."""
    first, second, third = (channels[item] - csc.input_bias[item] for item in range(3))
    out = []
    for row, bias in zip(csc.rows, csc.output_bias):
        total = row[0] * first + row[1] * second + row[2] * third
        if rounding is Rounding.NEAREST:
            total = total + 128
        out.append(np.clip((total >> 8) + bias, 0, 255))
    return np.stack(out)


def normalise(steps: Steps, channels: Array) -> Array:
    """(C, H, W) float16: `(in - mean - min) * var_reci`, each step rounded to float16."""
    half = np.float16
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack(
            [
                (channel.astype(half) - half(mean) - half(minimum)) * half(var)
                for channel, mean, minimum, var in zip(
                    channels, steps.mean, steps.minimum, steps.var_reci
                )
            ]
        )


def pad(steps: Steps, channels: Array) -> Array:
    """The picture with its borders."""
    left, right, top, bottom = steps.padding
    value: Any = np.float16(steps.padding_value)
    return np.pad(channels, ((0, 0), (top, bottom), (left, right)), constant_values=value)
