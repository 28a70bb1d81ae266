"""Exported graphs are static and named, compute what the module does, and doubt is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from npukit_convert.errors import ConversionError  # noqa: E402 - after the skip
from npukit_convert.graph import OPSET  # noqa: E402
from npukit_convert.torch_to_onnx import export  # noqa: E402

PICTURE = (1, 3, 8, 16)
BOTH = {"image": PICTURE, "alpha_prev": (1, 1, 8, 16)}


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
    network = session(export(Mixer(), BOTH, ["raw", "alpha"])[0])
    described = [[(item.name, item.shape, item.type) for item in items]
                 for items in (network.get_inputs(), network.get_outputs())]  # fmt: skip
    assert described == [
        [("image", [1, 3, 8, 16], "tensor(float)"), ("alpha_prev", [1, 1, 8, 16], "tensor(float)")],
        [("raw", [1, 1, 8, 16], "tensor(float)"), ("alpha", [1, 1, 8, 16], "tensor(float)")],
    ]


def test_the_opset_is_the_one_that_compilers_read() -> None:
    model = onnx.load_from_string(export(Mixer(), BOTH, ["raw", "alpha"])[0])
    assert [(item.domain, item.version) for item in model.opset_import] == [("", OPSET)]
    assert OPSET >= 13


def test_a_module_in_training_is_exported_for_inference() -> None:
    module = Mixer().train()
    data, _ = export(module, BOTH, ["raw", "alpha"])
    feeds = {name: np.full(shape, 0.25, np.float32) for name, shape in BOTH.items()}
    module.eval()
    with torch.no_grad():
        expected = module(*(torch.from_numpy(feed) for feed in feeds.values()))
    for one, other in zip(expected, session(data).run(["raw", "alpha"], feeds), strict=True):
        np.testing.assert_allclose(other, one.numpy(), atol=1e-6)


def test_the_same_module_gives_the_same_bytes() -> None:
    assert export(Mixer(), BOTH, ["raw", "alpha"])[0] == export(Mixer(), BOTH, ["raw", "alpha"])[0]


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


def test_a_decision_that_is_taken_once_and_for_all_is_named() -> None:
    def forks(image: Any) -> Any:
        return image * 2 if image.mean() > 0 else image

    _, notes = export(Calls(forks), {"image": PICTURE}, ["alpha"])
    assert len(notes) == 1
    assert __file__ in notes[0]
    assert "Python boolean" in notes[0]


def test_a_faithful_export_has_nothing_to_say() -> None:
    assert export(Mixer(), BOTH, ["raw", "alpha"])[1] == []
