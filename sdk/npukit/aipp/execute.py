"""The preprocessing unit for the simulator: equal to `npukit.aipp.reference` bit for bit, fast.

Colour conversion is one affine map in OpenCV whose offset turns rounding into the floor of
`>> 8`; the arithmetic in float16 is a table of 256 values a channel.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import cv2
import numpy as np

from npukit.aipp import reference
from npukit.aipp.config import InputFormat
from npukit.aipp.csc import Csc
from npukit.aipp.lower import lower
from npukit.aipp.steps import Rounding, Steps, steps
from npukit.arrays import F32, F64, U8
from npukit.preprocess.spec import Preprocess

# Below this, sums in 1/512 are exact in float32; OpenCV computes 8-bit pictures in no more.
_EXACT = 2**22


class Executor:
    """Executes one configuration on many pictures; threads may share one."""

    def __init__(self, steps: Steps, rounding: Rounding = Rounding.TRUNCATE) -> None:
        """Prepare the tables.

        Args:
            steps: what to do.
            rounding: of the colour conversion.
        """
        self.steps = steps
        self._rounding = rounding
        self._affine = None if steps.csc is None else _affine(steps.csc, rounding)
        levels = np.tile(np.arange(256), (steps.channels, 1, 1))
        # float32 holds every float16: what a network on the host is given.
        self._tables = reference.normalise(steps, levels).astype(np.float32).reshape(-1, 256)
        self._border = np.float32(np.float16(steps.padding_value))

    def __call__(self, packed: U8) -> F32:
        """What the network takes for the bytes of a picture.

        Args:
            packed: uint8, `steps.nbytes` bytes in any shape.

        Returns:
            (1, C, H, W) float32, each value one of float16.

        Raises:
            FrameError: the bytes are not those of such a picture.
        """
        planes = self._planes(self.steps.bytes_of(packed))
        width, height = self.steps.size
        left, _, top, _ = self.steps.padding
        out = np.empty((1, self.steps.channels, height, width), np.float32)
        if any(self.steps.padding):
            out[:] = self._border
        for plane, table, target in zip(planes, self._tables, out[0]):
            inner = target[top : top + plane.shape[0], left : left + plane.shape[1]]
            if inner.flags.c_contiguous:
                cv2.LUT(plane, table, dst=inner)
            else:
                inner[:] = cv2.LUT(plane, table)
        return out

    def _planes(self, data: U8) -> List[U8]:
        """A (H, W) plane of levels for each channel, cut and converted."""
        steps = self.steps
        x, y, width, height = steps.crop
        across, down = steps.source
        if steps.input_format == InputFormat.YUV420SP_U8:
            planes = self._yuv(data)
        else:
            picture = data.reshape(down, across, steps.stored)[y : y + height, x : x + width]
            planes = list(cv2.split(np.ascontiguousarray(picture)))
            planes = [planes[item] for item in _order(steps)]
        if steps.csc is None:
            return planes
        if self._affine is None:
            exact = reference.convert(
                steps.csc, np.stack(planes[:3]).astype(np.int64), self._rounding
            )
            return [*exact.astype(np.uint8), *planes[3:]][: steps.channels]
        converted = cv2.transform(cv2.merge(planes[:3]), self._affine)
        return [*cv2.split(converted), *planes[3:]][: steps.channels]

    def _yuv(self, data: U8) -> List[U8]:
        """Y, U and V planes of the part, chroma repeated for the four pixels of its block."""
        x, y, width, height = self.steps.crop
        across, down = self.steps.source
        luma = data[: across * down].reshape(down, across)[y : y + height, x : x + width]
        pairs = data[across * down :].reshape(down // 2, across // 2, 2)
        # A block that is cut through still gives its chroma to the pixels that are left.
        blocks = pairs[y // 2 : (y + height + 1) // 2, x // 2 : (x + width + 1) // 2]
        left, top = x % 2, y % 2
        chroma = [
            _doubled(plane)[top : top + height, left : left + width]
            for plane in cv2.split(np.ascontiguousarray(blocks))
        ]
        return [np.ascontiguousarray(luma), *(chroma[::-1] if self.steps.rbuv_swap else chroma)]


def _doubled(plane: U8) -> U8:
    """Each value four times, as a 2x2 block (faster than `cv2.resize`)."""
    height, width = plane.shape
    out = np.empty((height, 2, 2 * width), np.uint8)
    out[:] = cv2.merge([plane, plane]).reshape(height, 1, 2 * width)
    return out.reshape(2 * height, 2 * width)


def _order(steps: Steps) -> List[int]:
    """Which channel of the memory each channel is."""
    if steps.stored < 3:
        return [0]
    order = [1, 2, 3, 0] if steps.stored == 4 and steps.ax_swap else list(range(steps.stored))
    return [order[2], order[1], order[0], *order[3:]] if steps.rbuv_swap else order


def _affine(csc: Csc, rounding: Rounding) -> Optional[F64]:
    """(3, 4), or None where float32 would not be exact."""
    rows = np.array(csc.rows, np.float64)
    bias = np.array(csc.input_bias, np.float64)
    if (np.abs(rows) @ (255.0 + np.abs(bias))).max() + 256.0 * 255.0 > _EXACT:
        return None
    # Half a level down and 1/512 up turns rounding, which knows no ties then, into the floor.
    down = 0.0 if rounding is Rounding.NEAREST else 0.5
    offset = -(rows @ bias) / 256.0 + np.array(csc.output_bias) - down + 1.0 / 512.0
    return np.column_stack([rows / 256.0, offset])


def executor(
    spec: Preprocess, size: Tuple[int, int], rounding: Rounding = Rounding.TRUNCATE
) -> Executor:
    """What an Ascend chip does for a declaration, as `npukit.preprocess.to_tensor` does in float32.

    Args:
        spec: the declaration.
        size: (width, height) of the network's input.
        rounding: of the colour conversion.

    Raises:
        AippExpressionError: the declaration cannot be lowered.
    """
    return Executor(steps(lower(spec), size), rounding)
