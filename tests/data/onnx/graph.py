"""An ONNX graph, written node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

OPSET = 13
# What opset 13 came with; a newer one would shut out older readers for nothing.
_IR_VERSION = 7


class Graph:
    """Nodes and constants in the order in which they are added; float32 throughout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node named like its only output; return that name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add a constant, int64 if of whole numbers, else float32; return its name."""
        dtype = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float32
        contiguous = np.ascontiguousarray(values, dtype)
        self.constants[name] = numpy_helper.from_array(contiguous, name)
        return name

    def model(self, inputs: dict[str, Any], outputs: dict[str, Any], origin: str) -> bytes:
        """Return the checked model; inputs and outputs are given as shapes by name."""
        described = [
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in shapes.items()
            ]
            for shapes in (inputs, outputs)
        ]
        graph = helper.make_graph(
            self.nodes, self.name, *described, initializer=list(self.constants.values())
        )
        model: ModelProto = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            doc_string=origin,
        )
        checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data
