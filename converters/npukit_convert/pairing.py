"""Which tensor of a model is which of another.

Names come first, but they cannot be trusted alone: an exporter that folds a BatchNorm into the
convolution before it keeps the convolution's name for what the BatchNorm gave. So layers are
paired in three steps: those that are named as pairs by the caller; those of corresponding names
whose values agree; and the rest in the order of execution (the alignment of highest score), where
agreeing values count most, then corresponding names, then a high correlation. Layers of different
shapes never pair; axes of length 1 do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npukit.arrays import F32, F64
from npukit_convert.errors import ComparisonError
from npukit_convert.execute.base import Shape

_SAMPLES = 512
_AGREE = 1e-3  # of the largest value
_ALIKE = 0.95  # correlation
_SCORE_AGREE, _SCORE_NAMED, _SCORE_ALIKE = 3, 2, 1


@dataclass(frozen=True)
class Layer:
    """What is remembered of a layer to find its partner.

    Attributes:
        shape: without axes of length 1.
        samples: up to 512 values, at the same places in layers of the same shape, float64.
    """

    name: str
    shape: tuple[int, ...]
    samples: F64

    @classmethod
    def of(cls, name: str, value: F32) -> Layer:
        """Remember a layer."""
        shape = tuple(side for side in value.shape if side != 1)
        places = np.linspace(0, max(value.size - 1, 0), min(value.size, _SAMPLES)).astype(int)
        return cls(name, shape, value.reshape(-1)[places].astype(np.float64))


def pair_names(one: Sequence[str], other: Sequence[str]) -> dict[str, str]:
    """Inputs or outputs by name, the rest in order if as many are left on both sides."""
    pairs = {name: name for name in one if name in other}
    free = {canonical(name): name for name in other if name not in pairs}
    for name in one:
        if name not in pairs and canonical(name) in free:
            pairs[name] = free.pop(canonical(name))
    left = [name for name in one if name not in pairs]
    right = [name for name in other if name not in pairs.values()]
    if len(left) == len(right):
        pairs.update(zip(left, right, strict=True))
    return {name: pairs[name] for name in one if name in pairs}


def pair_inputs(one: Mapping[str, Shape], other: Mapping[str, Shape]) -> dict[str, str]:
    """The inputs of two models.

    Raises:
        ComparisonError: their number differs, or a shape.
    """
    pairs = pair_names(list(one), list(other))
    if len(pairs) != len(one) or len(pairs) != len(other):
        raise ComparisonError(f"the models have different inputs: {dict(one)} and {dict(other)}")
    for left, right in pairs.items():
        common_shape(one[left], other[right], f"input {left!r}")
    return pairs


def common_shape(one: Shape, other: Shape, what: str) -> Shape:
    """The shape that two shapes allow.

    Raises:
        ComparisonError: there is none.
    """
    if one is None or other is None:
        return other if one is None else one
    if len(one) != len(other) or any(
        left != right
        for left, right in zip(one, other, strict=True)
        if left is not None and right is not None
    ):
        raise ComparisonError(f"{what} is {one} in one model and {other} in the other")
    return tuple(right if left is None else left for left, right in zip(one, other, strict=True))


def pair_layers(
    one: Sequence[Layer], other: Sequence[Layer], names: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Layers of one model and of the other, see the module; in the order of `one`.

    Args:
        one, other: in the order of execution.
        names: pairs that are known.
    """
    sides = {layer.name: layer for layer in other}
    pairs = {
        layer.name: names[layer.name]
        for layer in one
        if names
        and names.get(layer.name) in sides
        and sides[names[layer.name]].shape == layer.shape
    }
    left = [layer for layer in one if layer.name not in pairs]
    right = [layer for layer in other if layer.name not in pairs.values()]
    named = _corresponding(left, right)
    for layer in left:
        partner = sides.get(named.get(layer.name, ""))
        if partner and partner.shape == layer.shape and _agree(layer, partner):
            pairs[layer.name] = partner.name
    left = [layer for layer in left if layer.name not in pairs]
    taken = set(pairs.values())
    pairs.update(_align(left, [layer for layer in right if layer.name not in taken], named))
    return {layer.name: pairs[layer.name] for layer in one if layer.name in pairs}


def canonical(name: str) -> str:
    """A name as converters write it: `enc_Conv` of `/enc/Conv_output_0` and of `_enc_Conv`."""
    bare = re.sub(r"_output_0$", "", name)
    return re.sub(r"[^A-Za-z0-9_]", "_", bare).strip("_")


def module_path(name: str) -> str:
    """The torch module that a tensor is named after: `a.0.c` of `/a/a.0/c/Conv_output_0`."""
    path: list[str] = []
    for part in name.split("/")[1:-1]:
        if path and part.startswith(path[-1] + "."):
            path.pop()
        path.append(part)
    return ".".join(path)


def _corresponding(one: Sequence[Layer], other: Sequence[Layer]) -> dict[str, str]:
    """Pairs of names that mean the same, whatever the values; each name once."""
    there = {layer.name for layer in other}
    sanitised = {canonical(layer.name): layer.name for layer in other}
    last_of = {module_path(layer.name): layer.name for layer in other}  # a module's last tensor
    found: dict[str, str] = {}
    taken: set[str] = set()
    for layer in one:
        exact = layer.name if layer.name in there else None
        partner = exact or sanitised.get(canonical(layer.name)) or last_of.get(layer.name)
        if partner and partner not in taken:
            found[layer.name] = partner
            taken.add(partner)
    if not any("/" in layer.name for layer in one):
        return found
    backwards = {module_path(layer.name): layer.name for layer in one}
    for layer in other:
        name = backwards.get(layer.name)
        if name and name not in found and layer.name not in taken:
            found[name] = layer.name
            taken.add(layer.name)
    return found


def _agree(one: Layer, other: Layer) -> bool:
    if not one.samples.size:
        return True
    top = max(np.abs(one.samples).max(), np.abs(other.samples).max())
    return bool(np.abs(one.samples - other.samples).max() <= _AGREE * top)  # not if NaN


def _correlation(one: Layer, other: Layer) -> float:
    left, right = (layer.samples - layer.samples.mean() for layer in (one, other))
    size = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / size if size > 0.0 else 0.0


def _score(one: Layer, other: Layer, named: Mapping[str, str]) -> int:
    if one.shape != other.shape:
        return 0
    if _agree(one, other):
        return _SCORE_AGREE
    if named.get(one.name) == other.name:
        return _SCORE_NAMED
    return _SCORE_ALIKE if _correlation(one, other) >= _ALIKE else 0


def _align(
    one: Sequence[Layer], other: Sequence[Layer], named: Mapping[str, str]
) -> dict[str, str]:
    """The pairs, in order on both sides, whose scores have the largest sum."""
    rows, columns = len(one), len(other)
    scores = [[_score(left, right, named) for right in other] for left in one]
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            paired = scores[row][column] + best[row + 1][column + 1]
            best[row][column] = max(paired, best[row + 1][column], best[row][column + 1])
    pairs, row, column = {}, 0, 0
    while row < rows and column < columns:
        score = scores[row][column]
        if score and best[row][column] == score + best[row + 1][column + 1]:
            pairs[one[row].name] = other[column].name
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs
