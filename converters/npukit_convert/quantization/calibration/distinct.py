"""Which frames of many are worth to be calibrated on: distinct ones, spread over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from npukit.arrays import F32, Array
from npukit.frame import Nv21Frame
from npukit.runtime.declaration import InputSpec
from npukit_convert.quantization.calibration.samples import Sample, limits

ALIKE = 1.0
"""Frames nearer than this are one frame: levels of 0..255, RMS over a thumbnail.

In clips of a person before a still camera the noise of the camera and the encoder is 0.2 to 0.6
from frame to frame; two photographs are 50 to 110 apart.
"""

_SIDE = 16  # of a thumbnail: each cell the mean of what it covers, so noise is gone
_CANDIDATES = 8  # for every frame that is wanted
_LEVELS = 255.0
_LONGEST = 1024  # numbers of what is no picture


def thumbnail(sample: Sample, inputs: Mapping[str, InputSpec]) -> F32:
    """A few hundred numbers that stand for a frame, in levels of 0..255.

    Of a picture the luma of 16x16 cells and the chroma of 8x8; of a tensor that a picture was
    made into the channels of 16x16 cells; of other tensors every n-th number, as it is.
    """
    if sample.frame is not None:
        return _of_frame(sample.frame)
    parts = [
        _of_picture(value, inputs[name])
        if inputs[name].preprocess is not None
        else np.ravel(value)[:: -(-value.size // _LONGEST)]
        for name, value in sample.tensors.items()
    ]
    return np.concatenate(parts).astype(np.float32)


def in_levels(thumbnails: Sequence[F32], sample: Sample, inputs: Mapping[str, InputSpec]) -> F32:
    """All thumbnails (N, M); numbers without a known range stretched to 0..255 over all."""
    table: F32 = np.stack(thumbnails)
    pictures = sample.frame is not None or all(
        inputs[name].preprocess is not None for name in sample.tensors
    )
    if pictures:
        return table
    span = float(np.ptp(table))
    return table * np.float32(_LEVELS / span) if span else table


def apart(table: F32, one: F32) -> F32:
    """RMS distance of each row to one."""
    distance: F32 = np.sqrt(np.mean(np.square(table - one), axis=1))
    return distance


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` places of 0 .. count - 1 at even distances, first and last among them."""
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))


def choose(table: F32, wanted: int) -> list[int]:
    """At most `wanted` distinct rows, spread evenly over the order.

    Of the candidates, eight for each that is wanted and at even distances, one is kept that is
    not `ALIKE` any kept before it; what is kept is thinned evenly. The same rows always give the
    same choice.

    Args:
        table: thumbnails in levels, in the order of time.
        wanted: how many.

    Returns:
        Rising row numbers.
    """
    kept: list[int] = []
    for row in spread(len(table), _CANDIDATES * wanted):
        if not kept or apart(table[kept], table[row]).min() >= ALIKE:
            kept.append(row)
    return [kept[place] for place in spread(len(kept), wanted)]


def _of_frame(frame: Nv21Frame) -> F32:
    luma = _shrunk(frame.y, _SIDE)
    chroma = _shrunk(frame.vu, _SIDE // 2)
    return np.concatenate([luma.ravel(), chroma.ravel()]).astype(np.float32)


def _of_picture(tensor: F32, spec: InputSpec) -> F32:
    low, high = (ends.reshape(1, 1, -1) for ends in limits(spec))
    cells = _shrunk(np.moveaxis(tensor[0], 0, -1), _SIDE)
    cells = cells.reshape(*cells.shape[:2], -1)
    return np.ravel((cells - low) * (np.float32(_LEVELS) / (high - low)))


def _shrunk(planes: Array, side: int) -> Array:
    shrunk: Array = cv2.resize(
        np.ascontiguousarray(planes), (side, side), interpolation=cv2.INTER_AREA
    )
    return shrunk
