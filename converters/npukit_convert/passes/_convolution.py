"""Scales and shifts taken into the weights of the node before or after them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, constant, operand
from npukit_convert.passes._affine import Affine, affine

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm")


def fold_affine(graph: ir.Graph, kinds: tuple[str, ...]) -> list[str]:
    """Fold affine nodes of these operators into a Conv, ConvTranspose or Gemm next to them.

    Returns:
        One line per node that is gone.
    """
    changes = []
    for node in list(graph):
        if node.op_type not in kinds or node.graph is None:
            continue
        found = affine(node)
        if found is None:
            continue
        into = _into_producer(node, found) or _into_consumer(node, found)
        if into:
            changes.append(f"{node.name}: {node.op_type} in the weights of {into}")
    return changes


def _into_producer(node: ir.Node, found: Affine) -> str | None:
    producer = found.x.producer()
    if producer is None or producer.op_type not in _WEIGHTED:
        return None
    if len(found.x.uses()) > 1 or found.x.is_graph_output():
        return None
    weights, bias = _numbers(producer)
    if weights is None or bias is None:
        return None
    out_axis, group = _channels_out(producer)
    channels = weights.shape[out_axis] * group
    if channels != found.scale.size:
        return None
    if producer.op_type == "ConvTranspose":  # (in, out / group, ...)
        parts = weights.reshape(group, -1, *weights.shape[1:])
        scale = found.scale.reshape(group, 1, -1, *(1,) * (weights.ndim - 2))
        weights = (parts * scale).reshape(weights.shape)
    else:
        weights = weights * _along(found.scale, out_axis, weights.ndim)
    _reweigh(producer, weights, bias * found.scale + found.shift)
    Rewriter(node).replace(found.x)
    return producer.name or producer.op_type


def _into_consumer(node: ir.Node, found: Affine) -> str | None:
    """Scales go into any Conv or Gemm, shifts only where no zeros are padded in."""
    result = node.outputs[0]
    users = [use.node for use in result.uses()]
    if not users or result.is_graph_output() or len(set(users)) != len(users):
        return None
    if not all(_takes(user, result, found) for user in users):
        return None
    names = [user.name or user.op_type for user in users]
    for user in users:
        weights, bias = _numbers(user)
        assert weights is not None  # noqa: S101 - checked by _takes
        assert bias is not None  # noqa: S101
        in_axis = 1 - _channels_out(user)[0]
        scale, shift = (_inputs(user, weights, one) for one in (found.scale, found.shift))
        others = tuple(axis for axis in range(weights.ndim) if axis != 1 - in_axis)
        bias = bias + (weights * shift).sum(axis=others)
        _reweigh(user, weights * scale, bias)
    Rewriter(node).replace(found.x)
    return ", ".join(names)


def _takes(user: ir.Node, value: ir.Value, found: Affine) -> bool:
    if user.op_type not in ("Conv", "Gemm") or user.inputs[0] is not value:
        return False
    if any(number is None for number in _numbers(user)):
        return False
    if user.op_type == "Gemm":
        return not attribute(user, "transA", 0)
    padded = any(attribute(user, "pads", ())) or attribute(user, "auto_pad", "NOTSET") in (
        "SAME_UPPER",
        "SAME_LOWER",
    )
    return not (padded and found.shift.any())


def _inputs(user: ir.Node, weights: Array, numbers: Array) -> Array:
    """Numbers per input channel, in the shape of the weights that they meet."""
    out_axis, _ = _channels_out(user)
    if user.op_type == "Gemm":
        return _along(numbers, 1 - out_axis, 2)
    group = attribute(user, "group", 1)
    per_group = numbers.reshape(group, -1)
    rows = np.repeat(per_group, weights.shape[0] // group, axis=0)
    return rows.reshape(*rows.shape, *(1,) * (weights.ndim - 2))


def _numbers(node: ir.Node) -> tuple[Array | None, Array | None]:
    """Weights and bias in float64, a Gemm's alpha and beta taken in; None for what is computed."""
    weights, bias = constant(operand(node, 1)), constant(operand(node, 2))
    if weights is None:
        return None, None
    axis, group = _channels_out(node)
    channels = weights.shape[axis] * group
    if operand(node, 2) is None:
        bias = np.zeros(channels)
    elif bias is not None and (bias.size == 1 or bias.size == bias.shape[-1] == channels):
        bias = np.broadcast_to(bias.reshape(-1), (channels,))
    else:
        return None, None
    alpha, beta = (
        (attribute(node, name, 1.0) for name in ("alpha", "beta"))
        if node.op_type == "Gemm"
        else (1.0, 1.0)
    )
    return weights.astype(np.float64) * alpha, bias.astype(np.float64) * beta


def _channels_out(node: ir.Node) -> tuple[int, int]:
    """The weights' axis of output channels, and into how many groups these are cut."""
    if node.op_type == "Gemm":
        return (0 if attribute(node, "transB", 0) else 1), 1
    if node.op_type == "ConvTranspose":
        return 1, attribute(node, "group", 1)
    return 0, 1


def _along(numbers: Array, axis: int, rank: int) -> Array:
    return numbers.reshape(tuple(-1 if one == axis else 1 for one in range(rank)))


def _reweigh(node: ir.Node, weights: Array, bias: Array) -> None:
    rewriter = Rewriter(node)
    node.resize_inputs(3)
    node.replace_input_with(1, rewriter.constant(weights))
    node.replace_input_with(2, rewriter.constant(bias))
    for name in ("alpha", "beta"):  # of a Gemm, taken in by _numbers
        node.attributes.pop(name, None)
