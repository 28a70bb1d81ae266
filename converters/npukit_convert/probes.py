"""Inputs that two versions of a network are compared on, and what the network makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from npukit.preprocess import to_tensor
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import ConversionError
from npukit_convert.graph import Array

Feeds = Mapping[str, Array]
Outputs = Mapping[str, Array]

# Amplitude and offset of the noise: a faithful rewrite is faithful for small activations, where
# constants cancel badly, for large ones, where clamps bite, and for ones far from zero.
_REGIMES = ((1.0, 0.0), (0.02, 0.0), (0.01, 5.0), (30.0, 0.0))
# Above this many numbers in, one input holds all the regimes side by side.
LARGE = 300_000
# Differences are relative to the largest output, but never to less than this.
_FLOOR = 0.1
# A rewrite rounds anew in its layers, a changed input once; but above the second number anything
# could hide.
_LAYERS, _STEEPEST = 4.0, 1e-2


@dataclass(frozen=True)
class Probes:
    """Inputs that networks are compared on.

    Attributes:
        feeds: the inputs, by name.
        usual: the first so many are of a size that networks meet; fp16 is judged on them, as
            others may overflow.
        large: executing the network takes long; it is to be done seldom.
    """

    feeds: tuple[Feeds, ...]
    usual: int
    large: bool = False


def session(onnx: bytes) -> Any:
    """An ONNX Runtime session that computes the graph as it is written, node by node.

    Raises:
        ConversionError: ONNX Runtime refuses the graph.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the types of ONNX Runtime's binding are not public
        raise ConversionError(f"ONNX Runtime refuses the network: {error}") from error


def outputs(onnx: bytes, probes: Sequence[Feeds]) -> list[Outputs]:
    """All outputs of a network, for each of the probes.

    Raises:
        ConversionError: ONNX Runtime refuses the network or fails in it.
    """
    running = session(onnx)
    names = [item.name for item in running.get_outputs()]
    try:
        return [dict(zip(names, running.run(names, dict(one)), strict=True)) for one in probes]
    except Exception as error:
        raise ConversionError(f"ONNX Runtime fails in the network: {error}") from error


def probes(
    onnx: bytes,
    inputs: Mapping[str, InputSpec] | None = None,
    feeds: Sequence[Feeds] = (),
) -> Probes:
    """Inputs for a comparison: the given ones, then noise from a fixed seed.

    The noise is of standard deviation 1 and 0.02, 5 +- 0.01, and of standard deviation 30; a
    large network takes all four in one input, side by side. A picture's noise is that of its
    bytes, through its own preprocessing.

    Args:
        onnx: the network.
        inputs: shapes where the network leaves them open, and preprocessing of pictures.
        feeds: real inputs, by name.

    Raises:
        ConversionError: an input has no fixed size, or is no number.
    """
    described = {item.name: item for item in session(onnx).get_inputs()}
    shapes = {name: _shape(item, inputs) for name, item in described.items()}
    large = sum(int(np.prod(shape)) for shape in shapes.values()) > LARGE
    regimes = (_REGIMES,) if large else tuple((regime,) for regime in _REGIMES)
    random = np.random.default_rng(0)
    noise = [
        {
            name: _noise(described[name], shape, parts, (inputs or {}).get(name), random)
            for name, shape in shapes.items()
        }
        for parts in regimes
    ]
    usual = max(len(feeds), 1) if large else len(feeds) + len(noise) - 1
    return Probes((*feeds, *noise), usual, large)


def difference(before: Sequence[Outputs], after: Sequence[Outputs]) -> tuple[float, float]:
    """The largest difference of two versions: absolute, and relative to the largest output.

    The second is per output and input, relative to at least 0.1. Infinite when an output is
    missing, has another shape, or holds a NaN where the other does not.
    """
    absolute = relative = 0.0
    for one, other in zip(before, after, strict=True):
        if set(one) != set(other):
            return np.inf, np.inf
        for name, value in one.items():
            worst = _largest(value, other[name])
            finite = value[np.isfinite(value)]
            scale = max(_FLOOR, float(np.abs(finite).max()) if finite.size else 0.0)
            absolute, relative = max(absolute, worst), max(relative, worst / scale)
    return absolute, relative


def conditions(onnx: bytes, feeds: Sequence[Feeds], found: Sequence[Outputs]) -> list[float]:
    """How much of the difference of two versions may be rounding, relative, for each of the feeds.

    A network can be so steep at an input that no two orders of summation agree: what it makes of
    the same input with the last digit of each number changed says how steep.

    Args:
        onnx, feeds: a network and what it was given.
        found: its outputs.
    """
    random = np.random.default_rng(0)
    shaken = [{name: _shaken(value, random) for name, value in one.items()} for one in feeds]
    return [
        min(_STEEPEST, _LAYERS * difference([one], [other])[1])
        for one, other in zip(found, outputs(onnx, shaken), strict=True)
    ]


def _shaken(value: Array, random: np.random.Generator) -> Array:
    if value.dtype != np.float32:
        return value
    towards: Array = np.where(random.integers(0, 2, value.shape), np.inf, -np.inf)
    return np.nextafter(value, towards.astype(np.float32))


def _largest(one: Array, other: Array) -> float:
    if one.shape != other.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        distance = np.abs(one.astype(np.float64) - other.astype(np.float64))
    distance[(one == other) | (np.isnan(one) & np.isnan(other))] = 0.0
    distance[np.isnan(distance)] = np.inf
    return float(distance.max(initial=0.0))


def _shape(item: Any, inputs: Mapping[str, InputSpec] | None) -> tuple[int, ...]:
    if inputs and item.name in inputs:
        return inputs[item.name].shape
    if not all(isinstance(size, int) for size in item.shape):
        raise ConversionError(
            f"input {item.name} is {item.shape}: a size is open",
            hint="give the shape in `inputs`, or export the network with fixed sizes",
        )
    return tuple(item.shape)


def _noise(
    item: Any,
    shape: tuple[int, ...],
    regimes: Sequence[tuple[float, float]],
    spec: InputSpec | None,
    random: np.random.Generator,
) -> Array:
    if spec is not None and spec.preprocess is not None:
        height, width = shape[-2:]
        nv21 = spec.preprocess.source == "nv21"
        size = (height * 3 // 2, width) if nv21 else (3, height, width)
        levels = random.integers(0, 256, size)
        quiet = 128 + (levels - 128) // 16
        strips: list[Array] = [quiet if amplitude < 1 else levels for amplitude, _ in regimes]
        packed = side_by_side(strips).astype(np.uint8)
        return to_tensor(spec.preprocess, packed if nv21 else packed.transpose(1, 2, 0).copy())
    if item.type != "tensor(float)":
        kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
        if item.type not in kinds:
            raise ConversionError(f"input {item.name} is {item.type}, float32 is expected")
        return random.integers(0, 2, shape).astype(kinds[item.type])
    unit = random.standard_normal(shape)
    strips = [amplitude * unit + offset for amplitude, offset in regimes]
    return side_by_side(strips).astype(np.float32)


def side_by_side(pictures: Sequence[Array]) -> Array:
    """One array with each picture's own share of the last axis."""
    if len(pictures) == 1 or pictures[0].shape[-1] < len(pictures):
        return pictures[0]
    shares = [np.array_split(picture, len(pictures), axis=-1) for picture in pictures]
    return np.concatenate([share[index] for index, share in enumerate(shares)], axis=-1)
