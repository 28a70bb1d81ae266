"""Resize as convolutions, averages, or products with matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Rewriter, attribute, constant, operand, shape
from npukit_convert.interpolation import Axis, Filter
from npukit_convert.passes._parts import pick
from npukit_convert.passes.base import CAFFE, Pass, Stage

_PARTS = 1000  # inputs of a Concat that OMG takes
# What chooses axes or sizes; what is left says how pixels are computed.
_ELSEWHERE = ("axes", "keep_aspect_ratio_policy")


class LowerResize(Pass):
    """Along each axis a resize is a matrix; where that is a convolution, it becomes one.

    Whole factors, up or down, are convolutions after repeating the pixels at the edges. Anything
    else is a product with the matrix in `caffe`; in `caffe-omg`, nearest pixels become Split and
    Concat, and linear with aligned corners stays for its Interp layer.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "Resize as (transposed) Conv, AveragePool, or MatMul and Transpose"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        opset = model.graph.opset_imports.get("", 18)
        changes = []
        for node in list(model.graph):
            how = _lower(node, form, opset) if node.op_type == "Resize" else ""
            if how:
                changes.append(f"{node.name}: Resize as {how}")
        return changes


def _lower(node: ir.Node, form: str, opset: int) -> str:
    size, out = shape(node.inputs[0]), shape(node.outputs[0])
    if size is None or out is None or len(size) != 4 or size[:2] != out[:2]:
        return ""
    if form == "caffe-omg" and (size[2:] == (1, 1) or _aligned(node)) and size != out:
        return _interpolated(node, out)
    axes = [_axis(node, place, size[place], out[place], opset) for place in (2, 3)]
    height, width = axes
    if height is None or width is None:
        return ""
    rewriter, x = Rewriter(node), node.inputs[0]
    assert x is not None  # noqa: S101 - the operator's own schema
    filters = [axis.filter() for axis in (height, width)]
    made = _both(rewriter, x, size[1], filters)
    if made is None:
        made = _in_turn(rewriter, x, size, (height, width), filters, form)
    if made is None:
        return ""
    if made is x:
        rewriter.replace(rewriter.add("Identity", [x]))
        return "nothing"
    rewriter.replace(made)
    operator = made.producer()
    return operator.op_type if operator is not None else ""


def _axis(node: ir.Node, place: int, size: int, out: int, opset: int) -> Axis | None:
    kept = {name: one.value for name, one in node.attributes.items() if name not in _ELSEWHERE}
    if kept.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    if attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    scales = constant(operand(node, 2))
    scale = None
    if scales is not None and scales.size:
        chosen = [axis % 4 for axis in attribute(node, "axes", (0, 1, 2, 3))]
        scale = float(scales[chosen.index(place)]) if place in chosen else 1.0
    return Axis(size, out, scale, tuple(sorted(kept.items())), opset)


def _aligned(node: ir.Node) -> bool:
    how = attribute(node, "mode"), attribute(node, "coordinate_transformation_mode")
    return how == ("linear", "align_corners")


def _interpolated(node: ir.Node, out: tuple[int, ...]) -> str:
    """For the family, which has an Interp layer; one pixel is the same in every mode."""
    if _aligned(node):
        return ""
    rewriter = Rewriter(node)
    sizes = rewriter.constant(np.asarray(out, np.int64))
    rewriter.replace(
        rewriter.add(
            "Resize",
            [node.inputs[0], None, None, sizes],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
    )
    return "one of mode linear"


# --- as convolutions --------------------------------------------------------------------------


def _both(
    rewriter: Rewriter, x: ir.Value, channels: int, filters: Sequence[Filter | None]
) -> ir.Value | None:
    """One convolution for both axes; None where one has none, or one grows and one shrinks."""
    known = [one for one in filters if one is not None]
    if len(known) < len(filters):
        return None
    kinds = {one.enlarges for one in known if not one.copies}
    if not kinds:
        return x
    if len(kinds) > 1:
        return None
    edges = [one.edge for one in known]
    if any(edges):
        wide = rewriter.constant(np.asarray([0, 0, *edges] * 2, np.int64))
        x = rewriter.add("Pad", [x, wide], mode="edge")
    strides = [one.stride for one in known]
    if not kinds.pop():
        kernel = [len(one.weights) for one in known]
        if kernel == strides and all(len(set(one.weights)) == 1 for one in known):
            return rewriter.add("AveragePool", [x], kernel_shape=kernel, strides=strides)
        weights = _depthwise(rewriter, channels, known)
        return rewriter.add("Conv", [x, weights], strides=strides, group=channels)
    pads = [one.begin for one in known] + [one.end for one in known]
    weights = _depthwise(rewriter, channels, known)
    return rewriter.add("ConvTranspose", [x, weights], strides=strides, pads=pads, group=channels)


def _depthwise(rewriter: Rewriter, channels: int, filters: Sequence[Filter]) -> ir.Value:
    rows, columns = (np.asarray(one.weights) for one in filters)
    kernel = np.multiply.outer(rows, columns)
    return rewriter.constant(np.tile(kernel, (channels, 1, 1, 1)))


# --- one axis after the other -----------------------------------------------------------------


def _in_turn(
    rewriter: Rewriter,
    x: ir.Value,
    size: tuple[int, ...],
    axes: tuple[Axis, Axis],
    filters: Sequence[Filter | None],
    form: str,
) -> ir.Value | None:
    nothing = Filter(True, 1, (1.0,))
    for place, (axis, how) in enumerate(zip(axes, filters, strict=True)):
        if how is not None:
            pair = [how, nothing] if place == 0 else [nothing, how]
            made = _both(rewriter, x, size[1], pair)
        elif form == "caffe-omg":
            made = _nearest(rewriter, x, place + 2, axis)
        else:
            made = _product(rewriter, x, place + 2, axis)
        if made is None:
            return None
        x = made
    return x


def _nearest(rewriter: Rewriter, x: ir.Value, place: int, axis: Axis) -> ir.Value | None:
    """Rows or columns, some of them several times."""
    matrix = axis.matrix()
    if not np.isin(matrix, (0, 1)).all() or axis.out > _PARTS:
        return None
    return pick(rewriter, x, place, matrix.argmax(axis=1).tolist(), axis.size)


def _product(rewriter: Rewriter, x: ir.Value, place: int, axis: Axis) -> ir.Value:
    weights = rewriter.constant(axis.matrix().T)
    if place == 3:
        return rewriter.add("MatMul", [x, weights])
    turned = rewriter.add("Transpose", [x], perm=[0, 1, 3, 2])
    return rewriter.add("Transpose", [rewriter.add("MatMul", [turned, weights])], perm=[0, 1, 3, 2])
