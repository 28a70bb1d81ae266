"""From ONNX to a Caffe network by the lowering passes alone: no onnxsim, no verification."""

from __future__ import annotations

import onnx_ir as ir

from npukit_convert.graph import read_graph, tidy, write_graph
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.passes import PASSES
from npukit_convert.passes.base import Stage

_ROUNDS = 8


def lower(onnx: bytes, form: str) -> tuple[bytes, list[str]]:
    """The graph when no pass changes it any more, and what changed."""
    model = read_graph(onnx)
    changes: list[str] = []
    for _ in range(_ROUNDS):
        made = _round(model, form)
        changes += made
        if not made:
            return write_graph(model), changes
    raise AssertionError(f"passes do not come to an end: {changes}")


def convert(onnx: bytes, form: str) -> CaffeNet:
    """Lowered, then converted."""
    return to_caffe(read_graph(lower(onnx, form)[0]), form)


def _round(model: ir.Model, form: str) -> list[str]:
    changes = []
    for name in PASSES.names():
        kind = PASSES.get(name)
        if kind.stage == Stage.LOWER and form in kind.formats:
            changes += kind().apply(model, form)
            tidy(model)
    return changes
