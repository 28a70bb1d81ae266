"""Splits whose parts are all used: an unused part would be an output of a Caffe network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Rewriter


def split(rewriter: Rewriter, x: ir.Value, axis: int, sizes: Sequence[int]) -> list[ir.Value]:
    """The parts of a value along an axis; the value itself where it is one part."""
    if len(sizes) == 1:
        return [x]
    lengths = rewriter.constant(np.asarray(sizes, np.int64))
    first = rewriter.add("Split", [x, lengths], outputs=len(sizes), axis=axis)
    node = first.producer()
    return [first] if node is None else list(node.outputs)


def join(rewriter: Rewriter, parts: Sequence[ir.Value], axis: int) -> ir.Value:
    """The parts in a row; the part itself where there is one."""
    return parts[0] if len(parts) == 1 else rewriter.add("Concat", list(parts), axis=axis)


def picks(places: Sequence[int], size: int) -> tuple[list[int], list[int]] | None:
    """A gather along an axis as a split and a concatenation.

    Args:
        places: of the pixels wanted, in order; each from 0 to size - 1.
        size: of the axis.

    Returns:
        The sizes of the parts and the numbers of the parts in a row; None where a pixel is not
        used at all.
    """
    if set(places) != set(range(size)):
        return None
    cuts = {0, size}
    for i, place in enumerate(places):
        if i == 0 or place != places[i - 1] + 1:
            cuts.add(place)
            if i:
                cuts.add(places[i - 1] + 1)
    cuts.add(places[-1] + 1)
    points = sorted(cuts)
    number = {start: part for part, start in enumerate(points[:-1])}
    sizes = [end - start for start, end in pairwise(points)]
    return sizes, [number[place] for place in places if place in number]


def pick(
    rewriter: Rewriter, x: ir.Value, axis: int, places: Sequence[int], size: int
) -> ir.Value | None:
    """The gather of `picks` as nodes; None where a pixel is not used at all."""
    found = picks(places, size)
    if found is None:
        return None
    parts = split(rewriter, x, axis, found[0])
    return join(rewriter, [parts[number] for number in found[1]], axis)


def runs(numbers: Sequence[float]) -> list[int]:
    """Lengths of the runs of equal numbers."""
    lengths: list[int] = []
    for i, number in enumerate(numbers):
        if i and number == numbers[i - 1]:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths
