"""Alpha compositing on NV21 planes, in 8 bits, without an RGB round trip.

Blending is linear and so is the step from RGB to YUV: blending the planes is blending the
colours. Luma takes the alpha of its pixel, chroma the mean alpha of its 2x2 block.
"""

from __future__ import annotations

import math
from typing import Optional, Tuple

import cv2
import numpy as np

from npukit.arrays import F32, U8
from npukit.errors import FrameError
from npukit.frame import Nv21Frame, Rect

# How still a pixel is by the change of its luma, the mean of 3x3 pixels of alpha, in levels:
# noise changes it by less than three.
_STILL = np.exp(-np.square(np.arange(256, dtype=np.float32) / 3.0))


def to_8bit(alpha: F32) -> U8:
    """Alpha 0..1 float32 of any shape (1, 1, H, W) or (H, W) to (H, W) uint8 0..255.

    Raises:
        FrameError: more than one plane.
    """
    if alpha.ndim < 2 or alpha.size != alpha.shape[-2] * alpha.shape[-1]:
        raise FrameError(
            "alpha is one plane, (1, 1, H, W) or (H, W), got {}".format(alpha.shape),
            hint="take the plane that is alpha, such as output[:, 1]",
        )
    plane = alpha.reshape(alpha.shape[-2:])
    scaled: U8 = cv2.convertScaleAbs(np.clip(plane, 0.0, 1.0), alpha=255.0)
    return scaled


class Matte:
    """Alpha for a frame, stored only where it is not zero.

    Attributes:
        size: (width, height) of the frame.
        rect: the even rectangle outside which alpha is zero; None when it is zero everywhere.
        y: (rect.height, rect.width) uint8, alpha of luma.
        vu: (rect.height/2, rect.width/2, 2) uint8, the mean of each 2x2 block, for V and U.
    """

    __slots__ = ("rect", "size", "vu", "y")

    def __init__(self, alpha: U8, size: Tuple[int, int]) -> None:
        """Scale an alpha of any resolution, covering the whole frame, to the frame's size.

        Args:
            alpha: (h, w) uint8.
            size: (width, height) of the frame, even.
        """
        if alpha.ndim != 2 or alpha.dtype != np.uint8 or not alpha.size:
            raise FrameError("alpha is (h, w) uint8, got {} {}".format(alpha.shape, alpha.dtype))
        self.size = size
        self.rect: Optional[Rect] = None
        self.y = self.vu = np.empty((0, 0), np.uint8)
        part = _opaque_part(alpha, size)
        if part is None:
            return
        small, self.rect = part
        self.y = cv2.resize(
            alpha[small.y : small.y + small.height, small.x : small.x + small.width],
            (self.rect.width, self.rect.height),
            interpolation=cv2.INTER_LINEAR,
        )
        half = cv2.resize(
            self.y, (self.rect.width // 2, self.rect.height // 2), interpolation=cv2.INTER_AREA
        )
        self.vu = cv2.merge([half, half])

    def to_plane(self) -> U8:
        """The whole alpha, (height, width) uint8."""
        plane = np.zeros(self.size[::-1], np.uint8)
        if self.rect is not None:
            rect = self.rect
            plane[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = self.y
        return plane


def blend(
    foreground: Nv21Frame, background: Nv21Frame, matte: Matte, out: Optional[Nv21Frame] = None
) -> Nv21Frame:
    """`alpha * foreground + (1 - alpha) * background`, within one level of exact arithmetic.

    Exactly the foreground where alpha is 255, exactly the background where it is 0.

    Args:
        foreground, background: frames of one size and colour.
        matte: alpha of that size.
        out: a frame to write into; may be neither of the inputs.

    Raises:
        FrameError: sizes or colours differ.
    """
    if not foreground.size == background.size == matte.size:
        raise FrameError(
            "foreground {}, background {} and alpha {} differ in size".format(
                foreground.size, background.size, matte.size
            )
        )
    if foreground.color != background.color:
        raise FrameError(
            "foreground is {}, background {}".format(foreground.color, background.color),
            hint="recolor the background once, with Nv21Frame.recolor",
        )
    out = out or Nv21Frame.empty(foreground.width, foreground.height, foreground.color)
    out.check_takes(background)
    if matte.rect is None:
        out.paste(background)
    else:
        _blend_plane(foreground.y, background.y, matte.y, matte.rect, out.y)
        _blend_plane(foreground.vu, background.vu, matte.vu, matte.rect.half, out.vu)
    return out


def sharpen_edge(alpha: U8, low: float = 0.25, high: float = 0.75) -> U8:
    """Steepen alpha by a smoothstep between `low` and `high` (0..1); one table look-up."""
    x = np.clip((np.arange(256) / 255.0 - low) / max(high - low, 1e-6), 0.0, 1.0)
    steeper: U8 = cv2.LUT(alpha, np.rint(255.0 * x * x * (3.0 - 2.0 * x)).astype(np.uint8))
    return steeper


def guided_filter(alpha: U8, luma: U8, radius: int = 2, eps: float = 1e-3) -> U8:
    """Draw alpha to the edges of the picture.

    The guided filter of He, Sun and Tang (ECCV 2010), its coefficients found at the size
    of `alpha` and applied at the size of `luma` (He and Sun, Fast Guided Filter, 2015).

    Args:
        alpha: (h, w) uint8. luma: (H, W) uint8, covering the same picture.
        radius: of the window, in pixels of `alpha`.
        eps: regularisation, for values in 0..1.

    Returns:
        (H, W) uint8.
    """
    height, width = alpha.shape
    scale = 1.0 / 255.0
    guide = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    guide *= scale
    target = alpha.astype(np.float32) * scale
    window = (2 * radius + 1, 2 * radius + 1)
    mean_i, mean_p = cv2.blur(guide, window), cv2.blur(target, window)
    covariance = cv2.blur(guide * target, window) - mean_i * mean_p
    variance = cv2.blur(guide * guide, window) - mean_i * mean_i
    slope = covariance / (variance + eps)
    offset = mean_p - slope * mean_i
    full = luma.shape[::-1]
    wide_slope, wide_offset = (cv2.resize(cv2.blur(part, window), full) for part in (slope, offset))
    refined = wide_slope * (luma.astype(np.float32) * scale) + wide_offset
    result: U8 = np.rint(np.clip(refined, 0.0, 1.0) * 255.0).astype(np.uint8)
    return result


def shrink(plane: U8, size: Tuple[int, int]) -> U8:
    """(H, W, ...) to a smaller size: means by halves as far as they go, the rest linearly.

    As calm as `cv2.INTER_AREA` in a fifth of its time. Itself where it has the size.
    """
    height, width = plane.shape[:2]
    while width >= 2 * size[0] and height >= 2 * size[1]:
        width, height = width // 2, height // 2
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return plane if (width, height) == size else cv2.resize(plane, size)


class TemporalFilter:
    """Recursive smoothing of alpha, where the picture stands still or alpha changes little.

    The weight of the previous alpha is `strength exp(-(change of luma / 3 levels)^2)`, or
    `strength - 4 (change of alpha in 0..1)` where that is more. No delay.
    """

    def __init__(self, strength: float) -> None:
        """`strength` 0 (off) to below 1: the weight of the previous alpha where little moves."""
        if not 0.0 <= strength < 1.0:
            raise FrameError("smoothing strength must be in [0, 1), not {}".format(strength))
        self._strength = strength
        self._previous: Optional[F32] = None
        self._seen: Optional[U8] = None

    def reset(self) -> None:
        """Forget the previous frame (a new source begins)."""
        self._previous = self._seen = None

    def __call__(self, alpha: U8, luma: Optional[U8] = None) -> U8:
        """The smoothed alpha of the next frame, (h, w) uint8.

        Args:
            alpha: (h, w) uint8.
            luma: (H, W) uint8, covering the same picture; without it, alpha alone decides.
        """
        current = alpha.astype(np.float32)
        small = None if luma is None else shrink(luma, (alpha.shape[1], alpha.shape[0]))
        previous, seen = self._previous, self._seen
        self._previous, self._seen = current, small
        if previous is None or previous.shape != current.shape:
            return alpha
        change = current - previous
        # From a quarter of the scale on, a change counts as motion and is followed at once.
        keep = np.maximum(self._strength - np.abs(change) * (4.0 / 255.0), 0.0)
        if small is not None and seen is not None:
            moved = cv2.blur(cv2.absdiff(small, seen), (3, 3))
            keep = np.maximum(keep, cv2.LUT(moved, self._strength * _STILL))
        self._previous = current - keep * change
        return np.rint(self._previous).astype(np.uint8)


def _blend_plane(front: U8, back: U8, alpha: U8, rect: Rect, out: U8) -> None:
    """Blend within `rect`, which `alpha` covers; around it is the background."""
    rows = slice(rect.y, rect.y + rect.height)
    columns = slice(rect.x, rect.x + rect.width)
    out[: rows.start] = back[: rows.start]
    out[rows.stop :] = back[rows.stop :]
    out[rows, : columns.start] = back[rows, : columns.start]
    out[rows, columns.stop :] = back[rows, columns.stop :]
    scale = 1.0 / 255.0
    lit = cv2.multiply(front[rows, columns], alpha, scale=scale)
    rest = cv2.multiply(back[rows, columns], cv2.bitwise_not(alpha), scale=scale)
    cv2.add(lit, rest, dst=out[rows, columns])


def _opaque_part(alpha: U8, size: Tuple[int, int]) -> Optional[Tuple[Rect, Rect]]:
    """The part of `alpha` that is not zero, on its own grid and on the frame's.

    Both rectangles are cut where the two grids meet on an even pixel, with a pixel of zeros
    around, so that scaling the part gives the values that scaling the whole would give (but for
    a level in a few pixels of a million: OpenCV's float32 coordinates depend on the offset).
    """
    columns = _span(alpha.max(axis=0), size[0])
    rows = _span(alpha.max(axis=1), size[1])
    if columns is None or rows is None:
        return None
    (x, width, left, full_width), (y, height, top, full_height) = columns, rows
    return Rect(x, y, width, height), Rect(left, top, full_width, full_height)


def _span(profile: U8, full: int) -> Optional[Tuple[int, int, int, int]]:
    """Start and length of the non-zero part, on the grid of `profile` and of `full` pixels."""
    used = np.flatnonzero(profile)
    if not used.size:
        return None
    count = len(profile)
    step = count // math.gcd(count, full // 2)  # every `step` cells the grids meet, evenly
    start = max(int(used[0]) - 1, 0) // step * step
    stop = min(-(-(int(used[-1]) + 2) // step) * step, count)
    return start, stop - start, start * full // count, (stop - start) * full // count
