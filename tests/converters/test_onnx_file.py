"""Every refusal of an ONNX file says what, where and, if there is something to do, what next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.small_networks import SIDES, onnx_model

from npukit_convert.errors import ConversionError
from npukit_convert.onnx_file import (
    check_onnx,
    fix_sizes,
    input_shapes,
    open_sizes,
    output_names,
    read_onnx,
)

_RELU, _NEG = (helper.make_node(kind, ["x"], ["y"], kind) for kind in ("Relu", "Neg"))


def data_of(**options: Any) -> bytes:
    data: bytes = onnx_model(**options).SerializeToString()
    return data


def saved_outside(folder: Path) -> Path:
    path = folder / "net.onnx"
    onnx.save_model(
        onnx_model(), path, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    return path


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data_of())
    assert read_onnx(tmp_path / "net.onnx") == data_of()
    check_onnx(data_of(), "net.onnx")


def test_data_in_other_files_is_read_in(tmp_path: Path) -> None:
    data = read_onnx(saved_outside(tmp_path))
    (tmp_path / "w.bin").unlink()
    (found,) = [one for one in onnx.load_from_string(data).graph.initializer if one.name == "w"]
    (given,) = [one for one in onnx_model().graph.initializer if one.name == "w"]
    np.testing.assert_array_equal(numpy_helper.to_array(found), numpy_helper.to_array(given))


@pytest.mark.parametrize(
    ("spoil", "message", "hint"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file", ""),
        (lambda path: path.write_bytes(b""), "it holds no graph", ""),
        (lambda path: path.write_bytes(b"no network"), "or cut short", "export the file again"),
        (lambda path: path.write_bytes(data_of()[:-30]), "or cut short", "export the file again"),
        (
            lambda path: (path.parent / "w.bin").unlink(),
            "external data cannot be read",
            "into one folder",
        ),
    ],
    ids=["absent", "empty", "other", "cut", "external"],
)
def test_what_cannot_be_read(
    tmp_path: Path, spoil: Callable[[Path], object], message: str, hint: str
) -> None:
    path = saved_outside(tmp_path)
    spoil(path)
    with pytest.raises(ConversionError) as caught:
        read_onnx(path)
    assert message in caught.value.message
    assert caught.value.where == str(path)
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": []}, "the network has no operators"),
        ({"nodes": [_RELU, _NEG]}, "names given to two values: y"),
        ({"kind": TensorProto.DOUBLE, "nodes": [_RELU]}, "input 'x' is DOUBLE, not FLOAT"),
        ({"kind": TensorProto.INT64, "nodes": [_NEG]}, "input 'x' is INT64, not FLOAT"),
        ({"shape": (1, 3, 2, 8, 12), "rank": 5, "nodes": [_RELU]}, "'x' has 5 dimensions"),
        (
            {"nodes": [helper.make_node("Swirl", ["x"], ["y"], "s", domain="acme")],
             "opsets": (("", 13), ("acme", 1))},
            "Swirl of domain 'acme' (node 's')",
        ),
        ({"nodes": [helper.make_node("Swirl", ["x"], ["y"], "s")]}, "ONNX's own checker refuses"),
        (
            {"nodes": [helper.make_node("Add", ["x", "k"], ["y"])],
             "weights": [numpy_helper.from_array(np.ones(1), "k")]},
            "weights in float64: k (export model.float())",
        ),
    ],
    ids=["empty", "twice", "double", "int", "five", "custom", "unknown", "weights"],
)  # fmt: skip
def test_what_no_step_could_handle(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        check_onnx(data_of(**options), "here.onnx")
    assert message in caught.value.message
    assert caught.value.where == "here.onnx"


def test_all_of_it_is_told_in_one_go() -> None:
    with pytest.raises(ConversionError, match=r"two values: y; input 'x' is DOUBLE"):
        check_onnx(data_of(nodes=[_RELU, _NEG], kind=TensorProto.DOUBLE), "")


def test_ends_of_a_network() -> None:
    data = data_of(shape=("N", 3, "H", 12))
    assert input_shapes(data) == open_sizes(data) == {"x": ("N", 3, "H", 12)}
    assert output_names(data) == ("y",)
    assert input_shapes(data_of()) == {"x": SIDES}
    assert open_sizes(data_of()) == {}


def test_open_sizes_are_set() -> None:
    fixed = fix_sizes(data_of(shape=("N", 3, "H", 12)), {"x": (1, 3, 16, 12)}, "net.onnx")
    assert input_shapes(fixed) == {"x": (1, 3, 16, 12)}
    assert fix_sizes(data_of(), {"x": SIDES}, "net.onnx") == data_of()


@pytest.mark.parametrize(
    ("shapes", "message", "hint"),
    [
        ({"z": SIDES}, r"takes \['x'\], the config says \['z'\]", False),
        ({}, r"the config says \[\]", False),
        ({"x": (1, 3, 8)}, "the config says", True),
        ({"x": (1, 4, 16, 12)}, r"\['N', 3, 'H', 12\], the config says \[1, 4, 16, 12\]", True),
    ],
    ids=["name", "none", "rank", "fixed"],
)
def test_sizes_that_do_not_fit(
    shapes: dict[str, tuple[int, ...]], message: str, hint: bool
) -> None:
    with pytest.raises(ConversionError, match=message) as caught:
        fix_sizes(data_of(shape=("N", 3, "H", 12)), shapes, "net.onnx")
    assert caught.value.where == "net.onnx"
    assert caught.value.hint.startswith("correct the config") == hint
