"""How far an alpha is from the exact one: the five measures of the matting field.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009, for
single frames; Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015,
for flicker. All pixels count (the papers count those of a trimap's unknown part alone). Every
measure is 0 for the exact alpha. Results are in the units below, without the factors that
tables are usually printed with:

    measure       unit                                  range            printed in papers
    mad           alpha, mean over pixels               0 .. 1           x 1e3
    mse           alpha squared, mean over pixels       0 .. 1           x 1e3
    gradient      sum over pixels, grows with the size  0 .. 7.7 H W     / 1e3
    connectivity  sum over pixels, grows with the size  0 .. H W         / 1e3
    dtssd         alpha, root mean square over pixels   0 .. 2           x 1e2
"""

from __future__ import annotations

import math
from typing import List, NamedTuple, Optional, Tuple

import cv2
import numpy as np

from npukit.arrays import F32, F64, U8, Array
from npukit.errors import FrameError

_SIGMA = 1.4  # of the derivative of the Gaussian, pixels (Rhemann et al.)
_SMALLEST = 1e-2  # where the Gaussian is below this, its kernel ends
_LEVELS = tuple(level / 10.0 for level in range(11))
_THETA = 0.15  # a distance below this is not seen (Rhemann et al.)


class Errors(NamedTuple):
    """Means over the frames of a clip; `dtssd` over its pairs of frames. Units as above."""

    mad: float
    mse: float
    gradient: float
    connectivity: float
    dtssd: float


def mad(alpha: Array, exact: Array) -> float:
    """Mean absolute difference, `mean |a - a*|`.

    Args:
        alpha, exact: (H, W), either uint8 0..255 or float 0..1, as in all measures here.

    Raises:
        FrameError: sizes differ, or one is no such plane.
    """
    return float(np.mean(np.abs(_difference(alpha, exact)), dtype=np.float64))


def mse(alpha: Array, exact: Array) -> float:
    """Mean squared difference, `mean (a - a*)^2`."""
    return float(np.mean(np.square(_difference(alpha, exact)), dtype=np.float64))


def gradient_error(alpha: Array, exact: Array) -> float:
    """How differently steep the two are, `sum (|grad a| - |grad a*|)^2`.

    The gradient is a convolution with the first derivatives of a Gaussian of 1.4 pixels, 9x9,
    each kernel of unit L2 norm, the border replicated: a vertical step from 0 to 1 has |grad| of
    2.66 beside it (Rhemann et al., with exponent 2).
    """
    _difference(alpha, exact)
    gap = _steepness(_plane(alpha)) - _steepness(_plane(exact))
    return float(np.sum(np.square(gap), dtype=np.float64))


def connectivity_error(alpha: Array, exact: Array) -> float:
    """How differently the two hang together, `sum |phi(a) - phi(a*)|`.

    `phi(a) = 1 - d [d >= 0.15]` with `d = a - l`. `l` is the last of the levels 0, 0.1, ... 1 up
    to which the pixel belongs to the largest 4-connected region where both are at least that
    level (Rhemann et al., exponent 1, by levels as it is usually evaluated). Sees islands, and
    of a part that is cut off the cut; lets small differences of connected pixels pass.
    """
    _difference(alpha, exact)
    first, second = _plane(alpha), _plane(exact)
    both = np.minimum(first, second)
    last = np.ones_like(both)
    inside = np.ones(both.shape, bool)
    for place, below in enumerate(_LEVELS[:-1]):
        region = _largest_region(both >= np.float32(_LEVELS[place + 1]))
        last[inside & ~region] = below
        inside &= region
    gap = _connectedness(first, last) - _connectedness(second, last)
    return float(np.sum(np.abs(gap), dtype=np.float64))


def dtssd(before: Array, alpha: Array, exact_before: Array, exact: Array) -> float:
    """Flicker of two frames, `sqrt(mean ((a_t - a_t-1) - (a*_t - a*_t-1))^2)`.

    How differently the two change with time (Erofeev et al., with the mean over the
    pixels under the root, as in Lin et al., "Robust High-Resolution Video Matting", WACV 2022).
    """
    change = _difference(alpha, exact) - _difference(before, exact_before)
    return math.sqrt(float(np.mean(np.square(change), dtype=np.float64)))


class QualityMeter:
    """Measures a clip frame by frame."""

    def __init__(self) -> None:
        self._rows: List[Tuple[float, float, float, float]] = []
        self._flicker: List[float] = []
        self._previous: Optional[F32] = None

    @property
    def frames(self) -> int:
        """How many frames were measured."""
        return len(self._rows)

    def add(self, alpha: Array, exact: Array) -> None:
        """Measure the next frame, see `mad`.

        Raises:
            FrameError: sizes differ, from each other or from the frame before.
        """
        difference = _difference(alpha, exact)
        if self._previous is not None:
            change = _difference(difference, self._previous)
            self._flicker.append(math.sqrt(float(np.mean(np.square(change), dtype=np.float64))))
        self._previous = difference
        self._rows.append(
            (
                float(np.mean(np.abs(difference), dtype=np.float64)),
                float(np.mean(np.square(difference), dtype=np.float64)),
                gradient_error(alpha, exact),
                connectivity_error(alpha, exact),
            )
        )

    def errors(self) -> Errors:
        """The means so far; `dtssd` is 0 before the second frame.

        Raises:
            FrameError: nothing was measured.
        """
        if not self._rows:
            raise FrameError("no frame was measured")
        flicker = float(np.mean(self._flicker)) if self._flicker else 0.0
        means = [float(value) for value in np.mean(self._rows, axis=0)]
        return Errors(means[0], means[1], means[2], means[3], flicker)


def _plane(alpha: Array) -> F32:
    if alpha.ndim != 2 or not alpha.size or alpha.dtype.kind not in "uf":
        raise FrameError(
            "alpha is (H, W) uint8 or float, got {} {}".format(alpha.shape, alpha.dtype)
        )
    if alpha.dtype == np.uint8:
        return alpha.astype(np.float32) / np.float32(255.0)
    return alpha.astype(np.float32)


def _difference(alpha: Array, exact: Array) -> F32:
    if alpha.shape != exact.shape:
        raise FrameError("alpha is {}, the exact one {}".format(alpha.shape, exact.shape))
    return _plane(alpha) - _plane(exact)


def _kernels() -> Tuple[F64, F64]:
    """The Gaussian and its derivative, each of unit L2 norm: so is their product."""
    reach = -2.0 * math.log(math.sqrt(2.0 * math.pi) * _SIGMA * _SMALLEST)
    half = int(math.ceil(_SIGMA * math.sqrt(reach)))
    at = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-np.square(at) / (2.0 * _SIGMA**2))
    slope = -at * gauss
    return gauss / np.linalg.norm(gauss), slope / np.linalg.norm(slope)


def _steepness(plane: F32) -> F32:
    gauss, slope = _kernels()
    across, down = (
        cv2.sepFilter2D(plane, cv2.CV_32F, kx, ky, borderType=cv2.BORDER_REPLICATE)
        for kx, ky in ((slope, gauss), (gauss, slope))
    )
    length: F32 = cv2.magnitude(across, down)
    return length


def _largest_region(mask: Array) -> Array:
    bits: U8 = mask.astype(np.uint8)
    count, labels = cv2.connectedComponents(bits, connectivity=4)
    if count < 2:
        return np.zeros(mask.shape, bool)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _connectedness(plane: F32, last: F32) -> F32:
    distance = plane - last
    return np.where(distance >= np.float32(_THETA), np.float32(1.0) - distance, np.float32(1.0))
