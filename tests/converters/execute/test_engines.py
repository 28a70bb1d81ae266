"""Torch, ONNX Runtime and the simulated board: one network, the same numbers, by every door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import ExecutionError
from npukit_convert.execute import open_model

MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True))
        self.act = nn.ReLU()

    def forward(self, image):
        return self.act(1 - self.act(self.body(image) - 1))

def build():
    torch.manual_seed(0)
    return Net()

def build_two():
    return nn.LSTM(4, 5)

def build_failing():
    class Failing(nn.Module):
        def forward(self, image):
            raise RuntimeError("no such luck")
    return Failing()
"""


def network(dynamic: bool = False) -> bytes:
    """relu(image * 2 - 1), then the position of the largest channel."""
    shape = ["n" if dynamic else 1, 3, 2, 4]
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2))),
        helper.make_node("Mul", ["image", "two"], ["double"]),
        helper.make_node("Sub", ["double", "one"], ["shifted"]),
        helper.make_node("Relu", ["shifted"], ["out"]),
        helper.make_node("ArgMax", ["out"], ["place"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None),
         helper.make_tensor_value_info("place", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.float32(1), "one")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 3, 2, 4)).astype(np.float32)


def test_onnx_outputs_and_layers(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(network())
    for model in (network(), tmp_path / "net.onnx", str(tmp_path / "net.onnx")):
        net = open_model(model)
        assert (net.inputs, net.outputs) == ({"image": (1, 3, 2, 4)}, ("out", "place"))
        found = net.run({"image": IMAGE})
        np.testing.assert_array_equal(found["out"], np.maximum(2 * IMAGE - 1, 0))
        assert found["place"].dtype == np.float32
        np.testing.assert_array_equal(found["place"], found["out"].argmax(1))
        layers = dict(net.layers({"image": IMAGE}))
        assert list(layers) == ["double", "shifted", "out"], "no constants, no integers"
        np.testing.assert_array_equal(layers["shifted"], 2 * IMAGE - 1)


def test_layers_come_in_batches_that_bound_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(open_model(network()).layers({"image": IMAGE}))
    monkeypatch.setattr("npukit_convert.execute.onnx_runtime._BATCH_BYTES", 100)
    single = list(open_model(network()).layers({"image": IMAGE}))
    assert [name for name, _ in whole] == [name for name, _ in single]
    for (_, one), (_, other) in zip(whole, single, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dynamic_side_takes_any_size() -> None:
    net = open_model(network(dynamic=True))
    assert net.inputs == {"image": (None, 3, 2, 4)}
    assert net.run({"image": np.repeat(IMAGE, 5, 0)})["out"].shape == (5, 3, 2, 4)
    with pytest.raises(ExecutionError, match=r"takes \(None, 3, 2, 4\), got \(1, 3, 3, 4\)"):
        net.run({"image": np.zeros((1, 3, 3, 4), np.float32)})


def test_a_simulator_build_is_recognised_by_its_content(tmp_path: Path) -> None:
    preprocess = Preprocess(scale=(0.5, 0.5, 0.5))
    spec = InputSpec((1, 3, 2, 4), preprocess)
    build = SimulatorBuild("net", {"image": spec}, ("out",), network())
    path = tmp_path / "net.whatever"
    write_build(str(path), build)
    net = open_model(path)
    assert (net.engine, net.outputs) == ("simulated board", ("out",))
    assert net.preprocess == {"image": preprocess}
    np.testing.assert_array_equal(
        net.run({"image": IMAGE})["out"], open_model(network()).run({"image": IMAGE})["out"]
    )
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ExecutionError, match="cut short or changed"):
        open_model(path)


def test_torch_outputs_and_layers(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")
    (tmp_path / "net.py").write_text(MODULE, "utf-8")
    net = open_model(f"{tmp_path}/net.py:build")
    assert (net.inputs, net.outputs) == ({"image": None}, ())
    given = IMAGE.copy()
    found = net.run({"image": IMAGE})
    assert np.array_equal(given, IMAGE)
    layers = dict(net.layers({"image": IMAGE}))
    # The container gives what its last module gave; `act` is called twice.
    assert list(layers) == ["body.0", "body.1", "act", "act#2"]
    assert layers["body.0"].min() < 0, "taken before the in-place ReLU"
    np.testing.assert_array_equal(layers["body.1"], np.maximum(layers["body.0"], 0))
    np.testing.assert_array_equal(layers["act#2"], found["output"])
    assert net.outputs == ("output",)


def test_torch_gives_several_outputs_and_fails_typed(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

    class Two(torch.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, a: object, b: object, c: int = 3) -> dict[str, object]:
            return {"alpha": a, "sum": a + b}  # type: ignore[operator]

    net = open_model(Two())
    assert list(net.inputs) == ["a", "b"]
    ones = np.ones((2, 2), np.float32)
    assert net.run({"a": ones, "b": ones})["sum"].max() == 2
    (tmp_path / "net.py").write_text(MODULE, "utf-8")
    with pytest.raises(ExecutionError, match="torch fails: RuntimeError: no such luck"):
        open_model(f"{tmp_path}/net.py:build_failing").run({"image": ones})


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("absent.onnx", None, "cannot be read: No such file", ""),
        ("cut.onnx", network()[:-40], "ONNX Runtime refuses", "whole .onnx"),
        ("text.onnx", b"hello", "ONNX Runtime refuses", "whole .onnx"),
        ("empty.onnx", b"", "ONNX Runtime refuses|has no", ""),
        ("net.caffemodel", b"x", "not a model that runs here", "give the .prototxt"),
        ("net.pth", b"x", "not a model that runs here", "MODULE.py:FACTORY"),
        ("board.om", b"IMOD", "not a model that runs here", "runs on a board"),
        ("net.prototxt", b"", "no .*caffemodel|cannot be read", "beside the .prototxt"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str, hint: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExecutionError, match=message) as caught:
        open_model(path)
    assert hint in caught.value.hint


def test_weights_for_a_model_that_takes_none(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(network())
    with pytest.raises(ExecutionError, match="takes no weights"):
        open_model(tmp_path / "net.onnx", weights=tmp_path / "w.safetensors")
