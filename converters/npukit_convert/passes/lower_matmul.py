"""Products of matrices brought to the one form that Caffe has: a blob times constant weights."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, constant, shape, source
from npukit_convert.passes.base import CAFFE, Pass, Stage


class LowerMatmul(Pass):
    """Constant on the left: (W x) = (x^T W^T)^T. A transposed operand: a Transpose before.

    Ascend's compiler multiplies along axis 1 alone: for it a product over the last of three or
    four axes is a 1x1 convolution between two Transposes.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "MatMul and Gemm with the constant on the right"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            if node.op_type == "Gemm" and attribute(node, "transA", 0) and _gemm(node):
                changes.append(f"{node.name}: transA as a Transpose")
            elif node.op_type == "MatMul" and _left(node):
                changes.append(f"{node.name}: MatMul with the constant on the right")
            elif node.op_type == "MatMul" and form == "caffe-omg" and _convolved(node):
                changes.append(f"{node.name}: MatMul over the last axis as a 1x1 convolution")
        return changes


def _gemm(node: ir.Node) -> bool:
    if constant(node.inputs[0]) is not None:
        return False
    node.replace_input_with(0, Rewriter(node).add("Transpose", [node.inputs[0]], perm=[1, 0]))
    node.attributes["transA"] = ir.AttrInt64("transA", 0)
    return True


def _left(node: ir.Node) -> bool:
    matrix, size = _matrix(node.inputs[0]), shape(node.inputs[1])
    if matrix is None or size is None or constant(node.inputs[1]) is not None or len(size) < 2:
        return False
    order = [*range(len(size) - 2), len(size) - 1, len(size) - 2]
    rewriter = Rewriter(node)
    turned = rewriter.add("Transpose", [source(node, 1)], perm=order)
    product = rewriter.add("MatMul", [turned, rewriter.constant(matrix.T)])
    rewriter.replace(rewriter.add("Transpose", [product], perm=order))
    return True


def _convolved(node: ir.Node) -> bool:
    size, matrix = shape(node.inputs[0]), _matrix(node.inputs[1])
    if matrix is None or size is None or len(size) not in (3, 4):
        return False
    rewriter = Rewriter(node)
    value, (sum_, bias) = source(node), _bias_after(node, matrix.shape[1])
    if len(size) == 3:
        value = rewriter.reshape(value, (size[0], 1, *size[1:]))
    value = rewriter.add("Transpose", [value], perm=[0, 3, 1, 2])
    weights = [rewriter.constant(matrix.T[:, :, None, None])]
    if bias is not None:
        weights.append(rewriter.constant(bias))
    value = rewriter.add("Conv", [value, *weights], kernel_shape=[1, 1])
    value = rewriter.add("Transpose", [value], perm=[0, 2, 3, 1])
    if len(size) == 3:
        value = rewriter.reshape(value, (*size[:2], matrix.shape[1]))
    (rewriter if sum_ is None else Rewriter(sum_)).replace(value)
    return True


def _bias_after(node: ir.Node, columns: int) -> tuple[ir.Node | None, Array | None]:
    """The Add that takes the product alone and adds one constant to each column, if there is."""
    output = node.outputs[0]
    uses = list(output.uses())
    if len(uses) != 1 or output.is_graph_output() or uses[0].node.op_type != "Add":
        return None, None
    bias = constant(uses[0].node.inputs[1 - uses[0].idx])
    if bias is None or bias.size != columns or bias.shape[-1] != columns:
        return None, None
    return uses[0].node, bias.reshape(-1)


def _matrix(value: ir.Value | None) -> Array | None:
    """A constant that is one matrix, whatever ones stand before it."""
    array = constant(value)
    if array is None or array.ndim < 2 or int(np.prod(array.shape[:-2])) != 1:
        return None
    return array.reshape(array.shape[-2:])
