"""Products with constant matrices: Gemm and MatMul."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, attribute, constant, operand
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.net import Parameter

_CONSTANT = "a product with constant weights; Caffe multiplies no two blobs as matrices"


class InnerProduct(Family):
    """InnerProduct over the last axis; transB, alpha and beta go into the weights."""

    operators: ClassVar[tuple[str, ...]] = ("Gemm", "MatMul")

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        matrix = constant(operand(node, 1))
        if matrix is None or constant(node.inputs[0]) is not None:
            net.refuse(node, "the second operand is no constant", _CONSTANT)
            return
        bottom = net.blob(node.inputs[0])
        rank = len(net.shapes[bottom])
        weights = _weights(node, matrix)
        if rank < 2 or weights is None:
            net.refuse(node, f"{rank} dimensions times {list(matrix.shape)}", "matrices")
            return
        bias = _bias(node, weights.shape[0])
        if isinstance(bias, str):
            net.refuse(node, bias, "a constant bias with one number for each column")
            return
        parameters: dict[str, Parameter] = {
            "num_output": weights.shape[0],
            "bias_term": bias is not None,
            "axis": rank - 1,
        }
        blobs = (weights,) if bias is None else (weights, bias)
        net.add(node, "InnerProduct", [bottom], {"inner_product_param": parameters}, blobs)


def _weights(node: ir.Node, matrix: Array) -> Array | None:
    """One row for each output, as Caffe has it; None for what is no one matrix."""
    if matrix.ndim < 2 or any(size != 1 for size in matrix.shape[:-2]):
        return None
    if node.op_type == "Gemm" and attribute(node, "transA", 0):
        return None
    matrix = matrix.reshape(matrix.shape[-2:])
    rows = matrix if node.op_type == "Gemm" and attribute(node, "transB", 0) else matrix.T
    return rows * np.float32(attribute(node, "alpha", 1.0))


def _bias(node: ir.Node, columns: int) -> Array | str | None:
    value = operand(node, 2)
    if value is None:
        return None
    bias = constant(value)
    if (
        bias is None
        or bias.size not in (1, columns)
        or bias.shape[-1:] not in ((), (1,), (columns,))
    ):
        return "the bias is no constant, or differs from row to row"
    return np.broadcast_to(bias.reshape(-1), (columns,)) * np.float32(attribute(node, "beta", 1.0))
