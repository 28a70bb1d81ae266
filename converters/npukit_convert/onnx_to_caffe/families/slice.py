"""Split, and what slices the passes leave."""

from __future__ import annotations

from itertools import accumulate
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, constant, operand, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class Slice(Family):
    """Caffe's Slice, with every part used: an unused one would be a network output."""

    operators: ClassVar[tuple[str, ...]] = ("Split", "Slice")

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        bottom = net.blob(node.inputs[0])
        size = net.shapes[bottom]
        if node.op_type == "Slice":
            if shape(node.outputs[0]) == size and not _reverses(node):
                net.pass_through(node, bottom)
            else:
                net.refuse(
                    node,
                    f"{list(size)} to {list(shape(node.outputs[0]) or ())}: it is along the "
                    "batch, backwards along height or width, or depends on data",
                    "slices of channels, or forward slices of height and width",
                )
        elif len(node.outputs) == 1:
            net.pass_through(node, bottom)
        else:
            _split(node, net, bottom)


def _reverses(node: ir.Node) -> bool:
    """A slice that keeps the whole size changes something only by a negative step."""
    steps = constant(operand(node, 4))
    return steps is not None and bool((steps < 0).any())


def _split(node: ir.Node, net: NetBuilder, bottom: str) -> None:
    axis = int(attribute(node, "axis", 0)) % len(net.shapes[bottom])
    sizes = [(shape(value) or ())[axis] for value in node.outputs]
    points = list(accumulate(sizes))[:-1]
    net.add_split(node, "Slice", [bottom], {"slice_param": {"axis": axis, "slice_point": points}})
