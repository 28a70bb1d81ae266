"""Colour by the ITU definitions in float64, sharing nothing with npukit, and noise frames."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from npukit.color import DEFAULT_COLOR, Color
from npukit.frame import Nv21Frame

# Luma weights of red and blue; black and the spans of luma and chroma.
# ITU-R BT.601-7 section 2.5, BT.709-6 section 3; full range as in JFIF 1.02.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
SCALES = {"limited": (16.0, 219.0, 224.0), "full": (0.0, 255.0, 255.0)}


def float_yuv(rgb: np.ndarray, color: Color) -> np.ndarray:
    """(..., 3) RGB 0..255 to (..., 3) Y, U, V on the scale of bytes, neither rounded nor cut."""
    red, blue = WEIGHTS[color.matrix.value]
    black, luma_span, chroma_span = SCALES[color.range.value]
    r, g, b = np.moveaxis(np.asarray(rgb, np.float64) / 255.0, -1, 0)
    luma = red * r + (1.0 - red - blue) * g + blue * b
    u = (b - luma) / (2.0 * (1.0 - blue))
    v = (r - luma) / (2.0 * (1.0 - red))
    return np.stack(
        [black + luma_span * luma, 128.0 + chroma_span * u, 128.0 + chroma_span * v], axis=-1
    )


def float_rgb(yuv: np.ndarray, color: Color) -> np.ndarray:
    """(..., 3) Y, U, V bytes to (..., 3) RGB 0..255, neither rounded nor cut."""
    red, blue = WEIGHTS[color.matrix.value]
    black, luma_span, chroma_span = SCALES[color.range.value]
    y, u, v = np.moveaxis(np.asarray(yuv, np.float64), -1, 0)
    luma, u, v = (y - black) / luma_span, (u - 128.0) / chroma_span, (v - 128.0) / chroma_span
    r = luma + 2.0 * (1.0 - red) * v
    b = luma + 2.0 * (1.0 - blue) * u
    g = (luma - red * r - blue * b) / (1.0 - red - blue)
    return 255.0 * np.stack([r, g, b], axis=-1)


def full_size(frame: Nv21Frame) -> np.ndarray:
    """(H, W, 3) Y, U, V of each pixel, the chroma of a block in all four."""
    chroma = frame.vu.repeat(2, axis=0).repeat(2, axis=1)
    return np.dstack([frame.y, chroma[:, :, 1], chroma[:, :, 0]])


def block_mean(plane: np.ndarray) -> np.ndarray:
    """The mean of each 2x2 block of (H, W, ...)."""
    height, width = plane.shape[:2]
    blocks = plane.reshape(height // 2, 2, width // 2, 2, *plane.shape[2:])
    return blocks.mean(axis=(1, 3), dtype=np.float64)


@pytest.fixture(scope="session")
def itu() -> SimpleNamespace:
    return SimpleNamespace(yuv=float_yuv, rgb=float_rgb, full_size=full_size, block_mean=block_mean)


@pytest.fixture(scope="session")
def noise() -> Callable[..., Nv21Frame]:
    def make(
        seed: int, width: int, height: int, color: Color = DEFAULT_COLOR, extreme: bool = False
    ) -> Nv21Frame:
        """Random planes; `extreme`: of 0 and 255 alone."""
        random = np.random.default_rng(seed)
        y = random.integers(0, 256, (height, width), np.uint8)
        vu = random.integers(0, 256, (height // 2, width // 2, 2), np.uint8)
        if extreme:
            y, vu = (np.where(plane < 128, 0, 255).astype(np.uint8) for plane in (y, vu))
        return Nv21Frame(y, vu, color)

    return make
