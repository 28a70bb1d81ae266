"""The NV21 frame: two planes and how to read them.

`y` is (H, W), `vu` is (H/2, W/2, 2) with V first, both uint8, H and W even. Geometry works
on the planes; no full-size RGB picture is made on the way. The four luma samples of a 2x2
block surround their chroma sample, so one scale moves both planes alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np

from npukit.arrays import F64, U8
from npukit.color import Color, luma_floor, recolor_matrix, rgb_to_yuv, yuv_to_rgb
from npukit.errors import FrameError, did_you_mean

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
}
_BORDERS = {"constant": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}


class Rect(NamedTuple):
    """A rectangle in pixels of the frame, left and top inclusive."""

    x: int
    y: int
    width: int
    height: int

    @property
    def half(self) -> Rect:
        """The same rectangle on the chroma plane."""
        return Rect(*(value // 2 for value in self))


class Nv21Frame:
    """An NV21 picture of even size; the planes may be views and may be read-only."""

    __slots__ = ("color", "vu", "y")

    def __init__(self, y: U8, vu: U8, color: Color) -> None:
        """Wrap two planes without copying.

        Raises:
            FrameError: wrong dtype, odd size, or planes that do not belong together.
        """
        if y.dtype != np.uint8 or vu.dtype != np.uint8:
            raise FrameError("planes must be uint8, not {} and {}".format(y.dtype, vu.dtype))
        if y.ndim != 2 or not y.size:
            raise FrameError("y must be (H, W) and not empty, got {}".format(y.shape))
        _check_even("frame size", y.shape[1], y.shape[0])
        if vu.shape != (y.shape[0] // 2, y.shape[1] // 2, 2):
            raise FrameError("vu must be (H/2, W/2, 2) of y {}, got {}".format(y.shape, vu.shape))
        self.y = y
        self.vu = vu
        self.color = color

    def __repr__(self) -> str:
        return "Nv21Frame({}x{}, {})".format(self.width, self.height, self.color)

    @property
    def width(self) -> int:
        """Pixels across, even."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Pixels down, even."""
        return int(self.y.shape[0])

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    # --- made from other layouts -------------------------------------------------------

    @classmethod
    def empty(cls, width: int, height: int, color: Color) -> Nv21Frame:
        """A frame of undefined content."""
        _check_even("frame size", width, height)
        return cls(
            np.empty((height, width), np.uint8),
            np.empty((height // 2, width // 2, 2), np.uint8),
            color,
        )

    @classmethod
    def filled(cls, width: int, height: int, color: Color, yuv: Tuple[int, int, int]) -> Nv21Frame:
        """A frame of one colour, given as its (Y, U, V) bytes."""
        frame = cls.empty(width, height, color)
        frame.y[:] = yuv[0]
        frame.vu[:] = (yuv[2], yuv[1])
        return frame

    @classmethod
    def from_packed(cls, packed: U8, color: Color) -> Nv21Frame:
        """View of NV21 bytes (H*3//2, W), the layout that cameras and boards use."""
        y, chroma = _split_packed(packed)
        return cls(y, chroma.reshape(y.shape[0] // 2, y.shape[1] // 2, 2), color)

    @classmethod
    def from_nv12(cls, packed: U8, color: Color) -> Nv21Frame:
        """From NV12 bytes (H*3//2, W): as NV21 with U first; the chroma plane is copied."""
        frame = cls.from_packed(packed, color)
        return cls(frame.y, np.ascontiguousarray(frame.vu[:, :, ::-1]), color)

    @classmethod
    def from_i420(cls, packed: U8, color: Color) -> Nv21Frame:
        """From I420 bytes (H*3//2, W): Y plane, U plane, V plane; chroma is copied."""
        y, chroma = _split_packed(packed)
        u, v = chroma.reshape(2, y.shape[0] // 2, y.shape[1] // 2)
        return cls(y, cv2.merge([v, u]), color)

    @classmethod
    def from_rgb(cls, rgb: U8, color: Color) -> Nv21Frame:
        """From (H, W, 3) uint8 RGB."""
        return cls(*rgb_to_yuv(_check_rgb(rgb), color), color=color)

    @classmethod
    def from_bgr(cls, bgr: U8, color: Color) -> Nv21Frame:
        """From (H, W, 3) uint8 BGR."""
        return cls(*rgb_to_yuv(_check_rgb(bgr), color, bgr=True), color=color)

    # --- to other layouts --------------------------------------------------------------

    def pack(self, out: Optional[U8] = None) -> U8:
        """NV21 bytes (H*3//2, W) uint8, into `out` if given."""
        return _join_packed(self.y, self.vu, out)

    def to_nv12(self) -> U8:
        """NV12 bytes (H*3//2, W) uint8."""
        return _join_packed(self.y, self.vu[:, :, ::-1], None)

    def to_i420(self) -> U8:
        """I420 bytes (H*3//2, W) uint8."""
        return _join_packed(self.y, np.moveaxis(self.vu[:, :, ::-1], 2, 0), None)

    def to_rgb(self) -> U8:
        """(H, W, 3) uint8 RGB by the frame's own matrix and range."""
        return yuv_to_rgb(self.y, self.vu, self.color)

    def to_bgr(self) -> U8:
        """(H, W, 3) uint8 BGR by the frame's own matrix and range."""
        return yuv_to_rgb(self.y, self.vu, self.color, bgr=True)

    # --- geometry on planes ------------------------------------------------------------

    def crop(self, rect: Rect) -> Nv21Frame:
        """A view of `rect`; nothing is copied.

        Raises:
            FrameError: odd coordinates or a rectangle that leaves the frame.
        """
        _check_even("crop position", rect.x, rect.y, smallest=0)
        _check_even("crop size", rect.width, rect.height)
        if rect.x + rect.width > self.width or rect.y + rect.height > self.height:
            raise FrameError("crop {} leaves the {}x{} frame".format(tuple(rect), *self.size))
        half = rect.half
        return Nv21Frame(
            self.y[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width],
            self.vu[half.y : half.y + half.height, half.x : half.x + half.width],
            self.color,
        )

    def flip(self, out: Optional[Nv21Frame] = None) -> Nv21Frame:
        """Mirrored left to right, into `out` if given.

        Raises:
            FrameError: `out` has another size or colour.
        """
        if out is None:
            out = Nv21Frame.empty(self.width, self.height, self.color)
        out.check_takes(self)
        cv2.flip(self.y, 1, dst=out.y)
        cv2.flip(self.vu, 1, dst=out.vu)
        return out

    def rotate(self, degrees: int) -> Nv21Frame:
        """Turned clockwise by a multiple of 90 degrees."""
        codes = {
            90: cv2.ROTATE_90_CLOCKWISE,
            180: cv2.ROTATE_180,
            270: cv2.ROTATE_90_COUNTERCLOCKWISE,
        }
        turn = degrees % 360
        if turn == 0:
            return self
        if turn not in codes:
            raise FrameError("rotation must be a multiple of 90 degrees, not {}".format(degrees))
        return Nv21Frame(
            cv2.rotate(self.y, codes[turn]), cv2.rotate(self.vu, codes[turn]), self.color
        )

    def resize(self, width: int, height: int, interpolation: str = "linear") -> Nv21Frame:
        """Scaled to (width, height); itself when the size is already right."""
        _check_even("size", width, height)
        if (width, height) == self.size:
            return self
        flag = interpolation_flag(interpolation)
        return Nv21Frame(
            cv2.resize(self.y, (width, height), interpolation=flag),
            cv2.resize(self.vu, (width // 2, height // 2), interpolation=flag),
            self.color,
        )

    def letterbox(self, width: int, height: int, interpolation: str = "linear") -> Nv21Frame:
        """The whole picture, its aspect kept, centred on black; see `letterbox_rect`."""
        _check_even("size", width, height)
        rect = letterbox_rect(self.size, (width, height))
        out = Nv21Frame.filled(width, height, self.color, (luma_floor(self.color.range), 128, 128))
        out.crop(rect).paste(self.resize(rect.width, rect.height, interpolation))
        return out

    def warp_affine(
        self,
        matrix: F64,
        width: int,
        height: int,
        interpolation: str = "linear",
        border: str = "constant",
    ) -> Nv21Frame:
        """Both planes through one affine map.

        Args:
            matrix: (2, 3), from (x, y, 1) of this frame to (x, y) of the result, in luma
                pixels counted from pixel centres, as for `cv2.warpAffine`.
            width, height: size of the result, even.
            interpolation: nearest, linear or cubic.
            border: constant (black) or replicate.
        """
        _check_even("size", width, height)
        if border not in _BORDERS:
            raise FrameError(
                "unknown border {!r}".format(border), hint=did_you_mean(border, _BORDERS)
            )
        flag = interpolation_flag(interpolation)
        luma = np.asarray(matrix, np.float64)
        if luma.shape != (2, 3):
            raise FrameError("an affine matrix is (2, 3), got {}".format(luma.shape))
        # A luma point is 2c + 1/2 of its chroma point c.
        chroma = luma.copy()
        chroma[:, 2] = (luma[:, 2] + 0.5 * luma[:, :2].sum(axis=1) - 0.5) / 2.0
        black = luma_floor(self.color.range)
        return Nv21Frame(
            cv2.warpAffine(
                self.y, luma, (width, height), flags=flag,
                borderMode=_BORDERS[border], borderValue=(black, 0, 0, 0),
            ),
            cv2.warpAffine(
                self.vu, chroma, (width // 2, height // 2), flags=flag,
                borderMode=_BORDERS[border], borderValue=(128, 128, 0, 0),
            ),
            self.color,
        )  # fmt: skip

    def paste(self, other: Nv21Frame) -> None:
        """Copy the planes of an equally large frame into this one.

        Raises:
            FrameError: another size, or another colour than this frame's.
        """
        self.check_takes(other)
        np.copyto(self.y, other.y)
        np.copyto(self.vu, other.vu)

    def check_takes(self, other: Nv21Frame) -> None:
        """Refuse a frame whose pixels cannot be put into this one as they are.

        Raises:
            FrameError: another size, or another colour than this frame's.
        """
        if other.size != self.size:
            raise FrameError("cannot put {}x{} into {}x{}".format(*other.size, *self.size))
        if other.color != self.color:
            raise FrameError("cannot put {} into {}".format(other.color, self.color))

    # --- colour ------------------------------------------------------------------------

    def recolor(self, color: Color) -> Nv21Frame:
        """The same picture in another matrix and range; itself when that is its own."""
        if color == self.color:
            return self
        if color.matrix is self.color.matrix:
            # Only the range differs: each sample stands alone, a table does it.
            y, c = _range_tables(self.color, color)
            return Nv21Frame(cv2.LUT(self.y, y), cv2.LUT(self.vu, c), color)
        affine = recolor_matrix(self.color, color)
        half = cv2.resize(self.y, (self.width // 2, self.height // 2), interpolation=cv2.INTER_AREA)
        vu = cv2.transform(cv2.merge([half, self.vu]), affine[[2, 1]][:, [0, 2, 1, 3]])
        # Luma of the new matrix depends on chroma: add what the chroma of each block gives.
        shift = cv2.transform(self.vu.astype(np.float32), affine[:1, [2, 1, 3]])
        shift = cv2.resize(shift, self.size, interpolation=cv2.INTER_NEAREST)
        y = cv2.addWeighted(self.y, float(affine[0, 0]), shift, 1.0, 0.0, dtype=cv2.CV_8U)
        return Nv21Frame(y, vu, color)


def letterbox_rect(source: Tuple[int, int], target: Tuple[int, int]) -> Rect:
    """Where a (width, height) picture lies in a target of another aspect; all even."""
    scale = min(target[0] / source[0], target[1] / source[1])
    width = max(2, int(round(source[0] * scale / 2)) * 2)
    height = max(2, int(round(source[1] * scale / 2)) * 2)
    return Rect((target[0] - width) // 4 * 2, (target[1] - height) // 4 * 2, width, height)


def center_rect(source: Tuple[int, int], aspect: Tuple[int, int] = (1, 1)) -> Rect:
    """The largest centred rectangle of an aspect (width, height) in a picture; all even, from 2."""
    width, height = source
    fit_width = max(2, min(width, height * aspect[0] // aspect[1]) // 2 * 2)
    fit_height = max(2, min(height, width * aspect[1] // aspect[0]) // 2 * 2)
    return Rect((width - fit_width) // 4 * 2, (height - fit_height) // 4 * 2, fit_width, fit_height)


def interpolation_flag(name: str) -> int:
    """OpenCV's flag for an interpolation's name."""
    if name not in INTERPOLATIONS:
        raise FrameError(
            "unknown interpolation {!r}".format(name), hint=did_you_mean(name, INTERPOLATIONS)
        )
    return int(INTERPOLATIONS[name])


def _check_even(what: str, x: int, y: int, smallest: int = 2) -> None:
    if x % 2 or y % 2 or x < smallest or y < smallest:
        raise FrameError(
            "{} {}x{} is not even: NV21 shares chroma between 2x2 pixels".format(what, x, y)
            if x % 2 or y % 2
            else "{} {}x{} is too small".format(what, x, y),
            hint="use even numbers from {}".format(smallest),
        )


def _check_rgb(rgb: U8) -> U8:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise FrameError(
            "an RGB picture is (H, W, 3) uint8, got {} {}".format(rgb.shape, rgb.dtype)
        )
    _check_even("picture size", rgb.shape[1], rgb.shape[0])
    return rgb


def _split_packed(packed: U8) -> Tuple[U8, U8]:
    if packed.ndim != 2 or packed.dtype != np.uint8 or packed.shape[0] % 3:
        raise FrameError(
            "packed YUV 4:2:0 is (H*3//2, W) uint8, got {} {}".format(packed.shape, packed.dtype)
        )
    height = packed.shape[0] * 2 // 3
    _check_even("frame size", packed.shape[1], height)
    return packed[:height], packed[height:]


def _join_packed(y: U8, chroma: U8, out: Optional[U8]) -> U8:
    height, width = y.shape
    if out is None:
        out = np.empty((height * 3 // 2, width), np.uint8)
    elif (
        out.shape != (height * 3 // 2, width) or out.dtype != np.uint8 or not out.flags.c_contiguous
    ):
        raise FrameError(
            "out must be contiguous uint8 {}, got {} {}".format(
                (height * 3 // 2, width), out.shape, out.dtype
            )
        )
    out[:height] = y
    out[height:].reshape(chroma.shape)[...] = chroma
    return out


@lru_cache(maxsize=None)
def _range_tables(source: Color, target: Color) -> Tuple[U8, U8]:
    """What the 256 values of luma and of chroma become in another range of the same matrix."""
    affine = recolor_matrix(source, target)
    values = np.arange(256)
    luma, chroma = (
        np.clip(np.rint(affine[row, row] * values + affine[row, 3]), 0, 255).astype(np.uint8)
        for row in (0, 1)
    )
    return luma, chroma
