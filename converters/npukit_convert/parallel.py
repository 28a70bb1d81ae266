"""Convolutions of one input whose results are summed, as one convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from npukit_convert.graph import Array


@dataclass(frozen=True)
class Branch:
    """One convolution.

    Attributes:
        kernel: (O, I / groups, kh, kw), float64.
        bias: (O,), float64.
        pads: zeros at the top, left, bottom, right.
        strides, dilations: along y and x.
        groups: of channels.
    """

    kernel: Array
    bias: Array
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def offsets(self) -> tuple[range, range]:
        """Where, from the place of the result, each tap reads: rows and columns."""
        (top, left, _, _), sides = self.pads, self.kernel.shape[2:]
        rows, columns = (
            range(-pad, side * dilation - pad, dilation)
            for pad, side, dilation in zip((top, left), sides, self.dilations, strict=True)
        )
        return rows, columns


def pointwise(scale: Array, shift: Array, groups: int) -> Branch:
    """Per channel scale * x + shift, as a 1x1 convolution of so many groups."""
    channels = scale.size
    kernel = np.zeros((channels, channels // groups, 1, 1))
    kernel[np.arange(channels), np.arange(channels) % (channels // groups), 0, 0] = scale
    return Branch(kernel, shift.astype(np.float64), groups=groups)


def merge(branches: Sequence[Branch]) -> Branch | None:
    """One convolution that computes the sum of some; None when no one of them can hold the rest.

    The one with the most taps takes in the others: every tap of theirs must fall on one of its
    own, and strides and groups must be the same. So the result never costs more than it did.
    """
    host = max(branches, key=lambda one: one.kernel[0, 0].size)
    rows, columns = host.offsets
    kernel, bias = host.kernel.copy(), host.bias.copy()
    for one in branches:
        if one is host:
            continue
        if (one.strides, one.groups) != (host.strides, host.groups):
            return None
        if one.kernel.shape[:2] != kernel.shape[:2]:
            return None
        its_rows, its_columns = one.offsets
        if not (set(its_rows) <= set(rows) and set(its_columns) <= set(columns)):
            return None
        at = np.ix_(
            *map(range, kernel.shape[:2]),
            [rows.index(y) for y in its_rows],
            [columns.index(x) for x in its_columns],
        )
        kernel[at] += one.kernel
        bias += one.bias
    return replace(host, kernel=kernel, bias=bias)
