"""Exported graphs are static and named, compute what the module does, and doubt is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from npukit.preprocess import Preprocess  # noqa: E402 - after the skip
from npukit.runtime.declaration import InputSpec  # noqa: E402
from npukit_convert.errors import ConversionError  # noqa: E402
from npukit_convert.torch_to_onnx import OPSET, export, largest_difference  # noqa: E402

PICTURE = InputSpec((1, 3, 8, 16), Preprocess(scale=(1 / 255,) * 3))
STATE = InputSpec((1, 1, 8, 16))
BOTH = {"image": PICTURE, "alpha_prev": STATE}


class Mixer(torch.nn.Module):
    """Two inputs, two outputs, and layers that behave differently in training."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(4, 2, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, image: Any, previous: Any) -> Any:
        y = self.drop(self.norm(self.conv(torch.cat([image, previous], 1))))
        return y[:, :1], y[:, 1:].sigmoid()


class Calls(torch.nn.Module):
    """A module of one function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.seen: list[Any] = []

    def forward(self, *inputs: Any) -> Any:
        self.seen.append([one.detach().clone() for one in inputs])
        return self.function(*inputs)


def session(onnx: bytes) -> Any:
    return onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])


def test_names_order_and_shapes_are_those_declared() -> None:
    network = session(export(Mixer(), BOTH, ["raw", "alpha"]))
    described = [[(item.name, item.shape, item.type) for item in items]
                 for items in (network.get_inputs(), network.get_outputs())]  # fmt: skip
    assert described == [
        [("image", [1, 3, 8, 16], "tensor(float)"), ("alpha_prev", [1, 1, 8, 16], "tensor(float)")],
        [("raw", [1, 1, 8, 16], "tensor(float)"), ("alpha", [1, 1, 8, 16], "tensor(float)")],
    ]


def test_the_opset_is_the_one_that_compilers_read() -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'npukit[convert]'")
    model = onnx.load_from_string(export(Mixer(), BOTH, ["raw", "alpha"]))
    assert [(item.domain, item.version) for item in model.opset_import] == [("", OPSET)]
    assert OPSET >= 13


def test_a_module_in_training_is_exported_for_inference() -> None:
    module = Mixer().train()
    data = export(module, BOTH, ["raw", "alpha"])
    feeds = {name: np.full(spec.shape, 0.25, np.float32) for name, spec in BOTH.items()}
    module.eval()
    with torch.no_grad():
        expected = module(*(torch.from_numpy(feed) for feed in feeds.values()))
    for one, other in zip(expected, session(data).run(["raw", "alpha"], feeds), strict=True):
        np.testing.assert_allclose(other, one.numpy(), atol=1e-6)


def test_the_same_module_gives_the_same_bytes() -> None:
    assert export(Mixer(), BOTH, ["raw", "alpha"]) == export(Mixer(), BOTH, ["raw", "alpha"])


def test_a_faithful_graph_differs_by_rounding_alone() -> None:
    module = Mixer()
    onnx = export(module, BOTH, ["raw", "alpha"])
    assert largest_difference(module, onnx, BOTH, ["raw", "alpha"]) < 1e-6


@pytest.mark.parametrize("output", [0, 1])
def test_a_difference_in_any_output_is_found(output: int) -> None:
    module = Mixer()
    onnx = export(module, BOTH, ["raw", "alpha"])
    with torch.no_grad():
        module.norm.bias[output] += 0.125
    found = largest_difference(module, onnx, BOTH, ["raw", "alpha"])
    assert found == pytest.approx(0.125, abs=1e-5) if output == 0 else 0.02 < found < 0.04


def test_pictures_are_compared_on_what_their_bytes_can_be() -> None:
    module = Calls(lambda image, state: image.mean(1, keepdim=True) + state)
    onnx = export(module, BOTH, ["alpha"])
    module.seen.clear()
    largest_difference(module, onnx, BOTH, ["alpha"])
    (image, state), (large_image, large_state) = module.seen
    for picture in (image, large_image):
        assert picture.shape == PICTURE.shape
        assert 0 <= picture.min() <= picture.max() <= 1
    assert large_image.std() > 3 * image.std()
    assert 0.05 < state.std() < 0.2
    assert 0.5 < large_state.std() < 2


def test_the_comparison_is_the_same_every_time() -> None:
    module = Mixer()
    onnx = export(module, BOTH, ["raw", "alpha"])
    with torch.no_grad():
        module.conv.weight *= 1.01
    first, second = (largest_difference(module, onnx, BOTH, ["raw", "alpha"]) for _ in range(2))
    assert first == second > 0


def test_not_a_number_is_not_taken_for_equal() -> None:
    module = Calls(lambda image: torch.sqrt(image - 2))
    onnx = export(module, {"image": PICTURE}, ["alpha"])
    assert np.isnan(largest_difference(module, onnx, {"image": PICTURE}, ["alpha"]))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (torch.lgamma, "lgamma"),
        (lambda image, other: image + other, "other"),
        (lambda image: image.reshape(7, 7), "reshape|shape"),
    ],
    ids=["unknown-operator", "missing-input", "wrong-shape"],
)
def test_what_the_exporter_refuses_is_a_typed_error(function: Any, reason: str) -> None:
    with pytest.raises(ConversionError, match=f"(?s)torch.onnx.export refuses.*({reason})"):
        export(Calls(function), {"image": PICTURE}, ["alpha"])


def test_more_outputs_named_than_there_are() -> None:
    with pytest.raises(ConversionError, match="outputs"):
        export(Calls(lambda image: image), {"image": PICTURE}, ["alpha", "beta"])


def test_fewer_outputs_named_than_there_are() -> None:
    onnx = export(Mixer(), BOTH, ["raw"])
    with pytest.raises(ConversionError, match="has 2 outputs, 1 are named"):
        largest_difference(Mixer().eval(), onnx, BOTH, ["raw"])


def test_a_module_that_refuses_the_size_it_was_exported_for() -> None:
    def picky(image: Any) -> Any:
        if not torch.onnx.is_in_onnx_export():
            raise ValueError("not this size")
        return image

    module = Calls(picky)
    onnx = export(module, {"image": PICTURE}, ["alpha"])
    with pytest.raises(ConversionError, match="refuses its inputs: not this size"):
        largest_difference(module, onnx, {"image": PICTURE}, ["alpha"])
