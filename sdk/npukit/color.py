"""Colour: which matrix and range a YUV picture uses, and the arithmetic to RGB and back.

The one place of that arithmetic. YUV → RGB is the integer formula that Ascend documents
for its AIPP unit, `out = clip((m · (yuv - bias)) >> 8)`, with the chroma of a 2x2 block
shared by its four pixels, so that a picture looks to the model here as it does on the board.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Dict, NamedTuple, Tuple

import cv2
import numpy as np

from npukit.arrays import F64, U8

Rows = Tuple[Tuple[int, int, int], ...]


class Matrix(str, Enum):
    """YUV matrix, named by its ITU recommendation."""

    BT601 = "bt601"
    BT709 = "bt709"


class Range(str, Enum):
    """Limited: luma 16..235, chroma 16..240. Full: both 0..255 (JPEG)."""

    LIMITED = "limited"
    FULL = "full"


class Color(NamedTuple):
    """How the bytes of a YUV picture are to be read."""

    matrix: Matrix = Matrix.BT601
    range: Range = Range.LIMITED

    def __str__(self) -> str:
        return "{} {}".format(self.matrix.value, self.range.value)


DEFAULT_COLOR = Color()  # what cameras and OpenCV mean when they do not say

# Source: Ascend CANN, AIPP configuration, "CSC configuration" (8-bit fixed point, YUV420SP to RGB).
_TO_RGB: Dict[Color, Rows] = {
    Color(Matrix.BT601, Range.FULL): ((256, 0, 359), (256, -88, -183), (256, 454, 0)),
    Color(Matrix.BT601, Range.LIMITED): ((298, 0, 409), (298, -100, -208), (298, 516, 0)),
    Color(Matrix.BT709, Range.FULL): ((256, 0, 403), (256, -48, -120), (256, 475, 0)),
    Color(Matrix.BT709, Range.LIMITED): ((298, 0, 459), (298, -55, -136), (298, 541, 0)),
}

# Source: ITU-R BT.601-7 section 2.5.1 and BT.709-6 section 3.2: luma weights of R and B.
_LUMA_WEIGHTS = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}


def to_rgb_matrix(color: Color) -> Tuple[Rows, Tuple[int, int, int]]:
    """The integer matrix (rows R, G, B over Y, U, V, in 1/256) and the input bias."""
    return _TO_RGB[color], (luma_floor(color.range), 128, 128)


def luma_floor(range_: Range) -> int:
    """The luma value of black."""
    return 16 if range_ is Range.LIMITED else 0


def from_rgb_matrix(color: Color) -> F64:
    """(3, 4) float matrix from (R, G, B, 1) in 0..255 to (Y, U, V) bytes, by definition."""
    red, blue = _LUMA_WEIGHTS[color.matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    u = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue))
    v = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red))
    y_gain, c_gain = (219 / 255, 224 / 255) if color.range is Range.LIMITED else (1.0, 1.0)
    offset = np.array([luma_floor(color.range), 128.0, 128.0])
    return np.column_stack([np.stack([luma * y_gain, u * c_gain, v * c_gain]), offset])


@lru_cache(maxsize=None)
def recolor_matrix(source: Color, target: Color) -> F64:
    """(3, 4) float matrix from the (Y, U, V, 1) bytes of one colour to those of another."""
    forward, backward = from_rgb_matrix(target), from_rgb_matrix(source)
    linear = forward[:, :3] @ np.linalg.inv(backward[:, :3])
    matrix = np.column_stack([linear, forward[:, 3] - linear @ backward[:, 3]])
    matrix.flags.writeable = False  # shared by all that ask
    return matrix


def yuv_to_rgb(
    y: U8,
    vu: U8,
    color: Color,
    bgr: bool = False,
) -> U8:
    """NV21 planes to RGB (or BGR), equal to the integer formula bit for bit.

    Args:
        y: (H, W) uint8. vu: (H/2, W/2, 2) uint8, V first.
        color: how to read them.
        bgr: B first.

    Returns:
        (H, W, 3) uint8.
    """
    rows, bias = to_rgb_matrix(color)
    matrix = np.array(rows[::-1] if bgr else rows, np.float64)
    # In 1/256 every product is exact; half a level down and 1/512 up turns OpenCV's
    # rounding into the floor of `>> 8` (no ties), and its saturation is the clip.
    offset = -(matrix @ np.array(bias)) / 256.0 - 0.5 + 1.0 / 512.0
    affine = np.column_stack([matrix / 256.0, offset])
    height, width = y.shape
    full = cv2.resize(vu, (width, height), interpolation=cv2.INTER_NEAREST)
    rgb: U8 = cv2.transform(cv2.merge([y, full]), affine[:, [0, 2, 1, 3]])
    return rgb


def rgb_to_yuv(rgb: U8, color: Color, bgr: bool = False) -> Tuple[U8, U8]:
    """RGB (or BGR) to NV21 planes; chroma is the mean of its 2x2 block.

    Args:
        rgb: (H, W, 3) uint8, H and W even.

    Returns:
        y (H, W) uint8 and vu (H/2, W/2, 2) uint8.
    """
    matrix = from_rgb_matrix(color)
    if bgr:
        matrix = matrix[:, [2, 1, 0, 3]]
    height, width = rgb.shape[:2]
    # One row keeps OpenCV off its 10-bit fixed-point path, which is a level off.
    y = cv2.transform(rgb, matrix[:1])
    half = cv2.resize(
        rgb.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA
    )
    vu = cv2.transform(half, matrix[[2, 1]])
    return y, np.clip(np.rint(vu), 0, 255).astype(np.uint8)
