"""Softmax along one axis."""

from __future__ import annotations

import math
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family

_ONE_AXIS = 13  # from this opset on; before it, all axes from `axis` on are one


class Softmax(Family):
    """Caffe's Softmax, which is along one axis too."""

    operators: ClassVar[tuple[str, ...]] = ("Softmax",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        bottom = net.blob(node.inputs[0])
        size = net.shapes[bottom]
        graph = node.graph
        opset = _ONE_AXIS if graph is None else graph.opset_imports.get("", _ONE_AXIS)
        axis = int(attribute(node, "axis", -1 if opset >= _ONE_AXIS else 1)) % len(size)
        if opset < _ONE_AXIS and math.prod(size[axis + 1 :]) != 1:
            net.refuse(
                node,
                f"in opset {opset} it is over axes {axis} to {len(size) - 1} together",
                f"an export with opset {_ONE_AXIS} or later",
            )
            return
        net.add(node, "Softmax", [bottom], {"softmax_param": {"axis": axis}})
