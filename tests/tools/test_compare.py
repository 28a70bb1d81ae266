"""`npukit compare`: as a user types it, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.caffe_files import input_layer, write_net

from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit_cli.comparing import assign_weights

Command = Callable[..., Any]
BUNDLED = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting"
LANDSCAPE = BUNDLED / "model" / "selfie_landscape.sim"
CLIP = BUNDLED / "assets" / "demo.mp4"
RANDOM = np.random.default_rng(1)
WEIGHT = RANDOM.standard_normal((2, 3, 1, 1)).astype(np.float32)
SCALES = Preprocess(scale=(1 / 255, 1 / 255, 1 / 255))


def network(path: Path, weight: Any = WEIGHT, channels: int = 3, size: int = 8) -> Path:
    """Conv, Relu, Neg: `image` to `alpha`."""
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["/conv/Conv_output_0"]),
        helper.make_node("Relu", ["/conv/Conv_output_0"], ["/act/Relu_output_0"]),
        helper.make_node("Neg", ["/act/Relu_output_0"], ["alpha"]),
    ]
    shape = [1, channels, size, size]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 2, size, size])],
        [numpy_helper.from_array(np.asarray(weight, np.float32), "weight")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def caffe(folder: Path, weight: Any = WEIGHT) -> Path:
    text = input_layer("image", 1, 3, 8, 8) + (
        'layer { name: "conv_Conv" type: "Convolution" bottom: "image" top: "conv_Conv"\n'
        "  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }\n"
        'layer { name: "act_Relu" type: "ReLU" bottom: "conv_Conv" top: "act_Relu" }\n'
        'layer { name: "alpha" type: "Power" bottom: "act_Relu" top: "alpha"\n'
        "  power_param { scale: -1 } }\n"
    )
    return write_net(folder, text, {"conv_Conv": ("Convolution", [weight])})


def build(path: Path, preprocess: Preprocess = SCALES) -> Path:
    data = network(path.with_suffix(".tmp")).read_bytes()
    spec = InputSpec((1, 3, 8, 8), preprocess)
    write_build(str(path), SimulatorBuild("net", {"image": spec}, ("alpha",), data))
    return path


def test_onnx_and_caffe_agree(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    caffe(here)
    said = npukit("compare", "net.onnx", "net.prototxt", "--layers")
    assert said.code == 0, said.err
    assert "reference: net.onnx (ONNX Runtime)" in said.out
    assert "measured: net.prototxt (Caffe (OpenCV))" in said.out
    assert "conv_Conv" in said.out
    assert "no layer is past the thresholds; without a partner: 0 and 0" in said.out
    assert said.out.endswith("within: max abs 0.0001, cosine 0.9999 allowed\n")
    data = npukit("compare", "net.onnx", "net.prototxt", "--layers", "--json").json
    assert data["past"] is False
    assert [(row["one"], row["other"]) for row in data["layers"]] == [
        ("/conv/Conv_output_0", "conv_Conv"), ("/act/Relu_output_0", "act_Relu"),
        ("alpha", "alpha"),
    ]  # fmt: skip
    assert data["cases"] == ["noise of 1", "noise of 0.1", "noise of 0.01"]


def test_a_changed_weight_is_exit_code_1_and_named(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    changed = WEIGHT.copy()
    changed[0, 0] += 0.5
    caffe(here, changed)
    said = npukit("compare", "net.onnx", "net.prototxt", "--html", "page.html")
    assert said.code == 1
    assert (
        "first layer past the thresholds: /conv/Conv_output_0 (conv_Conv in the other)" in said.out
    )
    assert "too far apart: max abs 0.0001, cosine 0.9999 allowed" in said.out
    page = (here / "page.html").read_text("utf-8")
    assert page.count("<circle") == 3
    assert 'class="first"><td>/conv/Conv_output_0</td>' in page
    assert "http" not in page, "nothing from elsewhere"
    loose = npukit("compare", "net.onnx", "net.prototxt", "--max-abs", "5", "--cosine", "0")
    assert loose.code == 0


def test_torch_and_its_simulator_build_on_a_clip(npukit: Command, here: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="needs torch")
    pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")
    torch_side = f"{BUNDLED}/model/net.py:build_landscape"
    good = BUNDLED / "model/selfie_landscape.safetensors"
    common = ("compare", torch_side, LANDSCAPE, "--input", CLIP, "--frames", 2, "--json")
    said = npukit(*common, "--weights", good)
    assert said.code == 0, said.err
    assert said.json["cases"] == ["frame 0", "frame 119"]
    assert said.json["notes"] == []
    assert said.json["outputs"][0]["max_abs"] < 1e-4
    weights = safetensors.load_file(good)
    (name,) = (key for key in weights if key.endswith("to_sixteenth.2.expand.weight"))
    weights[name] = weights[name] * 1.02
    safetensors.save_file(weights, here / "changed.safetensors")
    said = npukit(*common, "--weights", here / "changed.safetensors", "--layers")
    assert said.code == 1
    assert said.json["first_layer_past"] == name.removesuffix(".weight")


def test_arrays_of_a_file(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    caffe(here)
    array = RANDOM.standard_normal((1, 3, 8, 8))
    np.save(here / "one.npy", array)
    np.savez(here / "named.npz", image=array)
    for file in ("one.npy", "named.npz"):
        said = npukit("compare", "net.onnx", "net.prototxt", "--input", file, "--json")
        assert (said.code, said.json["cases"]) == (0, [file])
    array[0, 0, 0, 0] = np.nan
    np.save(here / "nan.npy", array)
    said = npukit("compare", "net.onnx", "net.onnx", "--input", "nan.npy", "--json")
    assert (said.code, said.json["outputs"][0]["max_abs"]) == (1, None)
    assert "not finite" in npukit("compare", "net.onnx", "net.onnx", "-i", "nan.npy").out


def test_a_picture_says_which_preprocessing_was_assumed(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    cv2.imwrite("red.png", np.full((20, 30, 3), (0, 0, 255), np.uint8))
    said = npukit("compare", "net.onnx", "net.onnx", "--input", "red.png")
    assert said.code == 0
    assert "note: no preprocessing is declared for 'image'" in said.err
    assert "as RGB 0..1" in said.err


def test_builds_of_different_preprocessing_get_their_own(npukit: Command, here: Path) -> None:
    build(here / "one.sim")
    build(here / "other.sim", Preprocess(scale=(1 / 255,) * 3, to="bgr"))
    said = npukit("compare", "one.sim", "other.sim", "--input", CLIP, "--frames", 1)
    assert said.code == 1
    assert "the models declare different preprocessing" in said.err
    assert npukit("compare", "one.sim", "one.sim", "--input", CLIP, "--frames", 1).code == 0


def test_a_config_declares_preprocessing_and_shapes(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    build(here / "net.sim")
    config = BUNDLED / "model/convert.yaml"
    text = config.read_text("utf-8").replace("[1, 3, 144, 256]", "[1, 3, 8, 8]")
    (here / "convert.yaml").write_text(text, "utf-8")
    said = npukit("compare", "net.onnx", "net.onnx", "-i", CLIP, "--config", "convert.yaml")
    assert (said.code, said.err) == (0, "")
    said = npukit("compare", "net.onnx", "net.onnx", "--config", config)
    assert said.code == 1
    assert "input 'image' is (1, 3, 8, 8) in one model" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.onnx", "absent.onnx"), "the file cannot be read: No such file"),
        (("net.onnx", "large.onnx"), "input 'image' is (1, 3, 8, 8) in one model"),
        (("net.onnx", "gray.onnx"), "input 'image' is (1, 3, 8, 8) in one model"),
        (("net.onnx", "cut.onnx"), "ONNX Runtime refuses the network"),
        (("net.onnx", "cut.sim"), "the file is cut short or changed"),
        (("net.onnx", "alone.prototxt"), "the file cannot be read: No such file"),
        (("net.onnx", "cut.prototxt"), "not a caffemodel, or cut short"),
        (("net.onnx", "net.onnx", "--input", "short.npy"), "input 'image' takes (1, 3, 8, 8)"),
        (("net.onnx", "net.onnx", "--input", "other.npz"), "the models have no input 'imag'"),
        (("net.onnx", "net.onnx", "--input", "bad.npz"), "the arrays cannot be read"),
        (("net.onnx", "net.onnx", "--input", "absent.mp4"), "no such file or folder"),
        (("gray.onnx", "gray.onnx", "--input", "photo.png"), "no input takes a picture"),
        (("net.onnx", "net.onnx", "--weights", "w.caffemodel"), "no model takes the weights"),
        (("net.onnx", "net.onnx", "--caffe-python", "python"), "--caffe-python is for a .prototxt"),
        (("net.onnx", "net.onnx", "--shape", "image=1,x"), "--shape takes NAME=1,3,H,W"),
        (("net.onnx", "net.onnx", "--shape", "imag=1,3,8,8"), "the models have no input 'imag'"),
        (("net.py:build", "net.onnx"), "no file net.py"),
    ],
)
def test_what_is_wrong_is_told(
    npukit: Command, here: Path, arguments: tuple[str, ...], message: str
) -> None:
    network(here / "net.onnx")
    network(here / "large.onnx", size=16)
    network(here / "gray.onnx", RANDOM.standard_normal((2, 5, 1, 1)), channels=5)
    (here / "cut.onnx").write_bytes((here / "net.onnx").read_bytes()[:-30])
    (here / "cut.sim").write_bytes(LANDSCAPE.read_bytes()[:-1])
    path = caffe(here)
    (here / "alone.prototxt").write_bytes(path.read_bytes())
    (here / "cut.prototxt").write_bytes(path.read_bytes())
    (here / "cut.caffemodel").write_bytes(path.with_suffix(".caffemodel").read_bytes()[:-3])
    np.save(here / "short.npy", np.zeros((1, 3, 8, 7)))
    np.savez(here / "other.npz", imag=np.zeros((1, 3, 8, 8)))
    (here / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    cv2.imwrite("photo.png", np.zeros((8, 8, 3), np.uint8))
    said = npukit("compare", *arguments, "--json")
    assert said.code == 1, said.err
    assert message in said.json["error"]["message"]


def test_a_shape_that_nobody_fixes_must_be_given(npukit: Command, here: Path) -> None:
    model = onnx.load_from_string(network(here / "net.onnx").read_bytes())
    for item in (*model.graph.input, *model.graph.output):
        for axis in (2, 3):
            item.type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    (here / "dynamic.onnx").write_bytes(model.SerializeToString())
    said = npukit("compare", "dynamic.onnx", "dynamic.onnx")
    assert said.code == 1
    assert "give --shape image=1,3,H,W" in said.err
    odd = ("compare", "dynamic.onnx", "dynamic.onnx", "--shape", "image=1,3,7,9")
    assert npukit(*odd).code == 0
    assert npukit(*odd, "--input", CLIP, "--frames", 1).code == 0
    assert npukit("compare", "dynamic.onnx", "net.onnx").code == 0, "the other fixes it"


@pytest.mark.parametrize(
    ("models", "files", "given"),
    [
        (("a.py:f", "b.onnx"), ("w",), ["w", None]),
        (("a.py:f", "b.py:f"), ("w",), ["w", "w"]),
        (("a.py:f", "b.py:f"), ("w", "v"), ["w", "v"]),
        (("a.py:f", "b.prototxt"), ("b.caffemodel", "w"), ["w", "b.caffemodel"]),
    ],
)
def test_whose_weights_they_are(
    models: tuple[str, str], files: tuple[str, ...], given: list[str | None]
) -> None:
    assert assign_weights(models, files) == given


def test_a_page_that_cannot_be_written_leaves_the_old_one(npukit: Command, here: Path) -> None:
    network(here / "net.onnx")
    (here / "page.html").mkdir()
    said = npukit("compare", "net.onnx", "net.onnx", "--html", "page.html")
    assert said.code == 1
    assert "cannot write the page" in said.err
    assert list((here / "page.html").iterdir()) == []
