"""Small ONNX graphs as text, run through one pass alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnx.parser

from npukit_convert.passes.base import Pass
from npukit_convert.probes import probes
from npukit_convert.rewriting import Simplified, Step
from npukit_convert.simplify import run_passes


def graph(text: str, opset: int = 13, **weights: Any) -> bytes:
    """A model of `onnx.parser` text such as `(float[1,3,8,8] x) => (float[1,3,8,8] y) {...}`.

    The weights become initializers; floats become float32.
    """
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g {text}')
    for name, numbers in weights.items():
        array = np.asarray(numbers)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def operators(data: bytes) -> dict[str, int]:
    """How many nodes of each operator; constants are no nodes."""
    nodes = onnx.load_model_from_string(data).graph.node
    return dict(Counter(node.op_type for node in nodes if node.op_type != "Constant"))


def run(one: Pass, data: bytes, form: str = "caffe", tolerance: float = 1e-4) -> Simplified:
    """What the pass makes of a graph."""
    return run_passes(data, {"it": one}, form, probed=probes(data), tolerance=tolerance)


def only(result: Simplified) -> Step:
    """The single step, which must have been kept."""
    (step,) = result.steps
    assert step.kept, step.why
    return step


def noise(*size: int, seed: int = 0) -> Any:
    """Weights of a standard deviation of 0.3."""
    return 0.3 * np.random.default_rng(seed).standard_normal(size)
