"""Transpose."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class Transpose(Family):
    """Permute; Reshape where only axes of size 1 move, nothing where none does."""

    operators: ClassVar[tuple[str, ...]] = ("Transpose",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        bottom, new = net.blob(node.inputs[0]), shape(node.outputs[0])
        old = net.shapes[bottom]
        order = [int(axis) for axis in attribute(node, "perm", range(len(old))[::-1])]
        moved = [axis for axis in order if old[axis] != 1]
        if moved != sorted(moved):
            net.add(node, "Permute", [bottom], {"permute_param": {"order": order}})
        elif old == new:
            net.pass_through(node, bottom)
        else:
            net.add(node, "Reshape", [bottom], {"reshape_param": {"shape": list(new or ())}})
