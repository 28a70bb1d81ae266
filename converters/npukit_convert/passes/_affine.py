"""Nodes that scale and shift each channel by constants: BatchNormalization, Mul, Add and such."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, attribute, constant, operand, shape


@dataclass(frozen=True)
class Affine:
    """y = scale * x + shift, per channel (axis 1).

    Attributes:
        x: what it is computed of.
        scale, shift: float64, (C,).
    """

    x: ir.Value
    scale: Array
    shift: Array


def affine(node: ir.Node) -> Affine | None:
    """What a node does to each channel; None when it does something else."""
    if node.domain not in ("", "ai.onnx") or not node.inputs:
        return None
    if node.op_type == "BatchNormalization":
        return _batch_norm(node)
    if node.op_type in _BINARY and len(node.inputs) == 2:
        return _binary(node)
    return None


def _batch_norm(node: ir.Node) -> Affine | None:
    numbers = [constant(operand(node, index)) for index in range(1, 5)]
    if node.inputs[0] is None or any(array is None for array in numbers) or len(node.outputs) > 1:
        return None
    if attribute(node, "training_mode", 0):
        return None
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in numbers)
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return Affine(node.inputs[0], scale, beta - mean * scale)


def _binary(node: ir.Node) -> Affine | None:
    for place in (0, 1):
        x, numbers = node.inputs[place], constant(node.inputs[1 - place])
        size = shape(x)
        if x is None or numbers is None or size is None or constant(x) is not None:
            continue
        if numbers.dtype != np.float32 or shape(node.outputs[0]) != size:
            return None
        channels = per_channel(numbers, size)
        if channels is None:
            return None
        made = _BINARY[node.op_type](channels, place == 0)
        return None if made is None else Affine(x, *made)
    return None


def per_channel(numbers: Array, size: tuple[int, ...]) -> Array | None:
    """A constant that is broadcast to `size`, as float64 (C,); None when it varies otherwise."""
    if len(size) < 2 or numbers.ndim > len(size):
        return None
    full = numbers.reshape((1,) * (len(size) - numbers.ndim) + numbers.shape)
    if any(count != 1 for axis, count in enumerate(full.shape) if axis != 1):
        return None
    return np.broadcast_to(full.reshape(-1), (size[1],)).astype(np.float64)


def _multiplied(c: Array, _x_first: bool) -> tuple[Array, Array]:
    return c, np.zeros_like(c)


def _added(c: Array, _x_first: bool) -> tuple[Array, Array]:
    return np.ones_like(c), c


def _subtracted(c: Array, x_first: bool) -> tuple[Array, Array]:
    return (np.ones_like(c), -c) if x_first else (-np.ones_like(c), c)


def _divided(c: Array, x_first: bool) -> tuple[Array, Array] | None:
    return (1 / c, np.zeros_like(c)) if x_first and c.all() else None


_BINARY = {"Mul": _multiplied, "Add": _added, "Sub": _subtracted, "Div": _divided}
