"""The graph of ONNX networks in neutral terms: the vendor's names, shapes, weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import ge_proto
from support.netron import read_with_netron

from npukit.om import OmTensor, parse_om, wrap, write_wrapped
from npukit.runtime.build import read_build
from npukit_convert.errors import ConversionError
from npukit_convert.om_graph import VENDOR_TYPES, om_graph

SKILL = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting"
FLOAT = TensorProto.FLOAT


def network(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any],
            weights: dict[str, np.ndarray] | None = None) -> bytes:  # fmt: skip
    def described(values: dict[str, Any]) -> list[Any]:
        return [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in values.items()]

    graph = helper.make_graph(
        nodes, "net", described(inputs), described(outputs),
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def test_a_network_in_the_vendors_names() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "d"], ["e"], group=4, kernel_shape=[1, 1]),
        helper.make_node("Tanh", ["e"], ["t"]),
        helper.make_node("MaxPool", ["t"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["p", "", "s"], ["r"], mode="linear"),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
        helper.make_node("Erf", ["y"], ["z"]),
    ]
    weights = {
        "w": np.ones((4, 3, 3, 3), np.float32), "b": np.zeros(4, np.float32),
        "d": np.ones((4, 1, 1, 1), np.float32), "s": np.array([1, 1, 2, 2], np.float32),
        "g": np.ones((64, 5), np.float32),
    }  # fmt: skip
    graph = om_graph(network(nodes, {"x": (1, 3, 16, 16)}, {"z": (1, 5)}, weights))
    assert [node.type for node in graph.nodes] == [
        "Convolution", "ConvolutionDepthwise", "Activation", "Pooling", "ResizeBilinear",
        "Flatten", "FullConnection", "Erf",
    ]  # fmt: skip
    conv, depthwise, tanh, pool = graph.nodes[:4]
    assert conv.name == "conv"
    assert conv.attrs == {
        "stride": [2, 2], "pad": [1, 1, 1, 1], "bias_term": True, "num_output": 4,
        "onnx_type": "Conv",
    }  # fmt: skip
    assert depthwise.name == "e"
    assert depthwise.attrs["bias_term"] is False
    assert tanh.attrs["mode"] == 2
    assert pool.attrs["window"] == [2, 2]
    assert graph.nodes[4].inputs == ("p", "", "s")
    assert (graph.inputs, graph.outputs) == (("x",), ("z",))
    assert graph.tensors["c"] == OmTensor("float32", (1, 4, 8, 8))
    assert graph.tensors["r"] == OmTensor("float32", (1, 4, 8, 8))
    assert set(graph.weights) == set(weights)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"value": numpy_helper.from_array(np.array([2.0], np.float32))}, [2.0]),
        ({"value_float": 2.0}, 2.0),
        ({"value_ints": [1, 2]}, [1, 2]),
    ],
)
def test_constants_become_weights(given: dict[str, Any], expected: Any) -> None:
    nodes = [helper.make_node("Constant", [], ["k"], **given),
             helper.make_node("Identity", ["k"], ["out"])]  # fmt: skip
    model = helper.make_model(
        helper.make_graph(nodes, "net", [], [helper.make_empty_tensor_value_info("out")])
    )
    graph = om_graph(model.SerializeToString())
    assert graph.weights["k"].tolist() == expected
    assert [node.type for node in graph.nodes] == ["Identity"]


def test_dynamic_axes_and_types_without_a_name_are_kept_open() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    content = network([node], {"x": ("n", 3)}, {"y": ("n", 3)})
    assert om_graph(content).tensors["x"] == OmTensor("float32", (-1, 3))
    texts = helper.make_tensor("t", TensorProto.STRING, [2], [b"a", b"b"])
    graph = helper.make_graph(
        [node], "net", [], [helper.make_empty_tensor_value_info("y")], [texts]
    )
    described = om_graph(helper.make_model(graph).SerializeToString())
    assert described.weights["t"].dtype == np.uint8


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"IMOD" + bytes(300)])
def test_what_is_no_network_is_refused(content: bytes) -> None:
    with pytest.raises(ConversionError, match=r"net\.onnx: "):
        om_graph(content, "net.onnx")


def test_the_vendors_names_are_names_of_onnx_operators() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert VENDOR_TYPES.keys() <= known


def test_the_shipped_network_wrapped(tmp_path: Path) -> None:
    build = read_build(str(SKILL / "model" / "selfie_landscape.sim"))
    graph = om_graph(build.onnx)
    content = wrap(build, graph)
    assert content == wrap(build, om_graph(build.onnx)), "the same bytes each time"
    om = parse_om(memoryview(content), "net.om")
    network = onnx.load_model_from_string(build.onnx).graph
    wanted = {item.name: numpy_helper.to_array(item) for item in network.initializer}
    found = {op.name: bytes(data) for op, _, data in om.constants()}
    for name, array in wanted.items():
        assert found[name] == array.tobytes()
    model = ge_proto.ModelDef.FromString(bytes(om.partitions[0].data))
    assert ge_proto.unknown_fields(model) == 0
    write_wrapped(str(tmp_path / "net.om"), build, graph)
    (shown,) = read_with_netron(tmp_path / "net.om")["graphs"]
    executed = sum(node.op_type != "Constant" for node in network.node)
    assert len(shown["nodes"]) == executed + 2  # Data and NetOutput
    kernels = [tensor for node in shown["nodes"] if node["type"] == "Convolution"
               for tensor in node["inputs"][1:2]]  # fmt: skip
    assert len(kernels) == 43
    assert all(size for _, _, size in kernels)
