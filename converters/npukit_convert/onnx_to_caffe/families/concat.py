"""Concat."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, constant
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class Concat(Family):
    """Caffe's Concat."""

    operators: ClassVar[tuple[str, ...]] = ("Concat",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        if any(constant(value) is not None for value in node.inputs):
            net.refuse(node, "one of its parts is constant", "a constant that the network computes")
            return
        bottoms = [net.blob(value) for value in node.inputs]
        if len(bottoms) == 1:
            net.pass_through(node, bottoms[0])
            return
        axis = int(attribute(node, "axis", 1)) % len(net.shapes[bottoms[0]])
        net.add(node, "Concat", bottoms, {"concat_param": {"axis": axis}})
