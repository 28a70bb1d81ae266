"""How much memory the feature maps of a network take at the fullest moment."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate

import onnx_ir as ir

from npukit_convert.graph import shape
from npukit_convert.workload import FREE, Format, tensor_bytes


def peak_bytes(model: ir.Model, form: Format, fused: Collection[ir.Node] = ()) -> int:
    """The largest sum of the maps that are alive together.

    A map lives from the node that makes it to the last that reads it, inputs from the start and
    outputs to the end. Nodes run in the order of the graph.

    Args:
        model: static sizes.
        form: how they are stored.
        fused: nodes that write where their input lies.
    """
    lives = _lives(model, fused)
    change = [0] * (len(model.graph) + 3)  # before the first node, after each, after the last
    for value, (born, dies) in lives.items():
        size = tensor_bytes(shape(value) or (), form)
        change[born + 1] += size
        change[dies + 2] -= size
    return max(accumulate(change))


def _lives(model: ir.Model, fused: Collection[ir.Node]) -> dict[ir.Value, tuple[int, int]]:
    """The places of the nodes that make and last read each map; -1 and past the end outside."""
    lives = {value: (-1, -1) for value in model.graph.inputs if not value.is_initializer()}
    same: dict[ir.Value, ir.Value] = {}  # value to the one whose bytes it shares
    for place, node in enumerate(model.graph):
        given = [same.get(one, one) for one in node.inputs if one is not None]
        for one in given:
            if one in lives:
                lives[one] = (lives[one][0], place)
        shares = (node in fused or node.op_type in FREE) and given and given[0] in lives
        if shares:
            same[node.outputs[0]] = given[0]
        else:
            made = [one for one in node.outputs if one.name and shape(one) is not None]
            lives |= dict.fromkeys(made, (place, place))
    for value in model.graph.outputs:
        kept = same.get(value, value)
        if kept in lives:
            lives[kept] = (lives[kept][0], len(model.graph))
    return lives
