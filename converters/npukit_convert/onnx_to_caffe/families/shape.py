"""Operators that only say the sizes anew."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class Shape(Family):
    """Reshape, or Flatten for all but the batch."""

    operators: ClassVar[tuple[str, ...]] = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand")

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        bottom = net.blob(node.inputs[0])
        old, new = net.shapes[bottom], shape(node.outputs[0])
        if old == new:
            net.pass_through(node, bottom)
        elif not new:
            net.refuse(node, "its result has no dimension", "a result of shape [1]")
        elif node.op_type == "Expand":
            net.refuse(node, f"{list(old)} to {list(new)}", "arithmetic that broadcasts by itself")
        elif node.op_type == "Flatten" and attribute(node, "axis", 1) == 1 and len(old) > len(new):
            net.add(node, "Flatten", [bottom], {"flatten_param": {"axis": 1}})
        else:
            # 0 keeps the bottom's size: the batch can then be changed in the prototxt alone.
            batch = 0 if old[:1] == new[:1] else new[0]
            net.add(node, "Reshape", [bottom], {"reshape_param": {"shape": [batch, *new[1:]]}})
