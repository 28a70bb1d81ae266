"""Steps that several lowering passes share, on values of four dimensions (N,C,H,W)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike

from npukit_convert.graph import Rewriter

MOST_POOLED = 10_000
"""Places that a global pooling of Ascend's compiler takes at most."""
_KERNEL = 255  # the largest


def in_four(size: Sequence[int]) -> tuple[int, ...]:
    """The shape with ones after it up to four dimensions."""
    return (*size, *[1] * (4 - len(size)))


def first_stage(size: Sequence[int]) -> list[int] | None:
    """Kernel and stride of a pooling before the global one; None where none is needed.

    Windows of equal sizes that cover everything: the mean of their means is the mean of all.
    None, too, where the height's and width's divisors are too large to be a kernel.
    """
    height, width = size[2:]
    if height * width <= MOST_POOLED:
        return None
    fits = [
        (max(kh, kw), kh, kw)
        for kh in _divisors(height)
        for kw in _divisors(width)
        if (height // kh) * (width // kw) <= MOST_POOLED
    ]
    return list(min(fits)[1:]) if fits else None


def _divisors(number: int) -> list[int]:
    return [k for k in range(1, min(number, _KERNEL) + 1) if number % k == 0]


def channel_matrix(rewriter: Rewriter, x: ir.Value, matrix: ArrayLike) -> ir.Value:
    """Each output channel a weighted sum of the input's: a 1x1 convolution, one row for each."""
    weights = np.asarray(matrix, np.float32)[:, :, None, None]
    return rewriter.add("Conv", [x, rewriter.constant(weights)], kernel_shape=[1, 1])


def spread(rewriter: Rewriter, x: ir.Value, old: Sequence[int], new: Sequence[int]) -> ir.Value:
    """Repeat a value along the channels, height and width in which it has a size of 1."""
    if old[1] != new[1]:
        x = channel_matrix(rewriter, x, [[1.0]] * new[1])
    factors = [1.0, 1.0, new[2] / old[2], new[3] / old[3]]
    if factors != [1.0] * 4:
        x = rewriter.add(
            "Resize",
            [x, None, rewriter.constant(np.array(factors, np.float32))],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    return x
