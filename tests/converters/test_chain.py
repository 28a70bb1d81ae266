"""The whole conversion: the shipped builds can be made again, and no step fails unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from safetensors.torch import save_file  # noqa: E402 - after the skip
from support.graphs import graph  # noqa: E402

from npukit.capture import open_source  # noqa: E402
from npukit.color import Color  # noqa: E402
from npukit.errors import ConfigError, NpukitError  # noqa: E402
from npukit.frame import Nv21Frame  # noqa: E402
from npukit.preprocess import to_tensor  # noqa: E402
from npukit.runtime import load_model  # noqa: E402
from npukit.runtime.build import read_build, write_build  # noqa: E402
from npukit_convert.chain import convert, make_build  # noqa: E402
from npukit_convert.config import read_config  # noqa: E402
from npukit_convert.errors import ConversionError  # noqa: E402

SKILL = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting"
CONFIGS = {"landscape": "convert.yaml", "square": "convert_square.yaml"}

# The image and the previous alpha, 4 channels, to the next alpha.
NETWORK = """
import torch
from torch import nn

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(4, 1, 1)

    def forward(self, image, previous):
        return self.mix(torch.cat([image, previous], 1))

def build():
    return Recurrent()

def build_nothing():
    return None

def build_with_a_typo():
    return Recurrent().to_caffe()
"""
CONFIG: dict[str, Any] = {
    "name": "recurrent",
    "model": {"torch": "net:build", "weights": "net.safetensors"},
    "inputs": {
        "image": {"shape": [1, 3, 16, 32], "preprocess": {"scale": [0.003921569] * 3}},
        "alpha_prev": {"shape": [1, 1, 16, 32]},
    },
    "outputs": ["alpha"],
    "states": {"alpha_prev": "alpha"},
}
WEIGHTS = {"mix.weight": [0.25, 0.5, -0.25, 0.75], "mix.bias": [0.125]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a small recurrent network, its weights and its config."""
    (tmp_path / "net.py").write_text(NETWORK, "utf-8")
    write_weights(tmp_path / "net.safetensors")
    write_config(tmp_path)
    return tmp_path


def write_weights(path: Path, **changed: Any) -> None:
    values = {**WEIGHTS, **changed}
    tensors = {"mix.weight": torch.tensor(values["mix.weight"]).reshape(1, 4, 1, 1),
               "mix.bias": torch.tensor(values["mix.bias"])}  # fmt: skip
    save_file(tensors, path)


def write_config(project: Path, **changes: Any) -> Path:
    path = project / "convert.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}, sort_keys=False), "utf-8")
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_the_shipped_builds_are_made_of_the_shipped_weights(name: str, tmp_path: Path) -> None:
    shipped_path = SKILL / "model" / f"selfie_{name}.sim"
    shipped, made = read_build(str(shipped_path)), make_build(SKILL / "model" / CONFIGS[name])
    assert made.name == shipped.name == f"selfie_{name}"
    assert made.inputs == shipped.inputs
    assert made.outputs == shipped.outputs == ("alpha",)
    weights = (SKILL / "model" / f"selfie_{name}.safetensors").read_bytes()
    sources = shipped.record["sources"]
    assert sources[f"selfie_{name}.safetensors"] == hashlib.sha256(weights).hexdigest()
    for key in ("sources", "config_sha256"):
        assert made.record[key] == shipped.record[key], key
    if made.record["versions"] == shipped.record["versions"]:
        assert made.onnx == shipped.onnx, "the libraries are the same, so are the bytes"

    write_build(str(tmp_path / "made.sim"), made)
    one, other = load_model(str(shipped_path)), load_model(str(tmp_path / "made.sim"))
    frames = list(open_source(str(SKILL / "assets" / "demo.mp4")).frames())[::50]
    for captured in frames:
        bytes_in = one.inputs["image"].feed(captured.frame)
        alphas = [model.infer({"image": bytes_in})["alpha"] for model in (one, other)]
        np.testing.assert_allclose(*alphas, rtol=0, atol=1e-6)
        assert 0.1 < alphas[0].mean() < 0.9
    assert len(frames) == 3


def test_a_recurrent_network_from_torch_to_the_simulated_board(project: Path) -> None:
    build = make_build(project / "convert.yaml")
    write_build(str(project / "net.sim"), build)
    model = load_model(str(project / "net.sim"))
    assert build.states == model.states == {"alpha_prev": "alpha"}
    random = np.random.default_rng(0)
    for _ in range(2):
        previous = np.zeros((16, 32))
        for _ in range(4):
            packed = random.integers(0, 256, (24, 32), np.uint8)
            frame = Nv21Frame.from_packed(packed, Color())
            assert np.array_equal(model.inputs["image"].feed(frame), packed)
            spec = build.inputs["image"].preprocess
            assert spec is not None
            rgb = to_tensor(spec, packed)[0]
            mix = np.array(WEIGHTS["mix.weight"])
            previous = np.tensordot(mix[:3], rgb, 1) + mix[3] * previous + WEIGHTS["mix.bias"]
            alpha = model.infer({"image": packed})["alpha"]
            np.testing.assert_allclose(alpha[0, 0], previous, atol=1e-5)
        model.reset()


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"verify": {"max_abs": 1e-30}},
            ConversionError,
            r"ONNX \(exported\) differs from torch by \S+ on noise",
        ),
        ({"model": {"torch": "net:bulid", "weights": "net.safetensors"}}, ConfigError, "no bulid"),
        ({"model": {"torch": "nett:build", "weights": "net.safetensors"}}, ConfigError, "no file"),
        (
            {"model": {"torch": "net:build_nothing", "weights": "net.safetensors"}},
            ConversionError,
            "build_nothing gives None, no torch.nn.Module",
        ),
        (
            {"model": {"torch": "net:build_with_a_typo", "weights": "net.safetensors"}},
            ConversionError,
            "the network cannot be made: AttributeError: .*to_caffe",
        ),
        (
            {"model": {"torch": "net:build", "weights": "absent.safetensors"}},
            ConversionError,
            "cannot read the weights",
        ),
        (
            {"inputs": {"image": CONFIG["inputs"]["image"]}, "states": {}},
            ConversionError,
            "torch.onnx.export refuses the module",
        ),
        (
            {"inputs": {**CONFIG["inputs"], "alpha_prev": {"shape": [1, 1, 8, 8]}}},
            ConversionError,
            "torch.onnx.export refuses the module",
        ),
    ],
    ids=["impossible", "factory", "file", "nothing", "typo", "weights", "one-input", "shape"],
)
def test_what_is_wrong_is_a_typed_error(
    project: Path, changes: dict[str, Any], kind: type[NpukitError], message: str
) -> None:
    path = write_config(project, **changes)
    with pytest.raises(kind, match=message):
        make_build(path)


def test_a_wrong_factory_names_the_nearest(project: Path) -> None:
    path = write_config(project, model={"torch": "net:bulid_nothing", "weights": "net.safetensors"})
    with pytest.raises(ConfigError) as caught:
        make_build(path)
    assert caught.value.where == f"{path}, model.torch"
    assert caught.value.hint.startswith("did you mean 'build_nothing'? known: Recurrent, build")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "net.py").write_text("import nowhere"), "No module named"),
        (lambda folder: (folder / "net.py").write_text("def"), "SyntaxError"),
        (
            lambda folder: save_file({"other": torch.zeros(2)}, folder / "net.safetensors"),
            "missing keys: mix.bias, mix.weight; unexpected keys: other",
        ),
        (
            lambda folder: write_weights(
                folder / "net.safetensors", **{"mix.bias": [float("nan")]}
            ),
            "holds .* NaN or infinity on noise",
        ),
    ],
    ids=["import", "syntax", "other-weights", "not-a-number"],
)
def test_broken_parts_are_a_conversion_error(
    project: Path, break_it: Callable[[Path], object], message: str
) -> None:
    break_it(project)
    with pytest.raises(ConversionError, match=message):
        make_build(project / "convert.yaml")


@pytest.mark.parametrize("pads", [(0, 0, 1, 1), (1, 1, 0, 0), (1, 0, 2, 1)])
def test_what_onnx_runtime_optimises_wrongly_is_no_build(
    tmp_path: Path, pads: tuple[int, int, int, int]
) -> None:
    """It takes a Pad of zeros before a MaxPool for one of -infinity."""
    top, left, bottom, right = pads
    high, wide = (1 + (8 + sum(ends) - 3) // 2 for ends in ((top, bottom), (left, right)))
    text = f"""(float[1,3,8,8] x) => (float[1,3,{high},{wide}] y) {{
        s = Sigmoid(x) n = Neg(s) p = Pad(n, pads)
        y = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(p) }}"""
    ends = np.array([0, 0, top, left, 0, 0, bottom, right])
    (tmp_path / "net.onnx").write_bytes(graph(text, pads=ends))
    keys = {"model": {"onnx": "net.onnx"}, "inputs": {"x": {"shape": [1, 3, 8, 8]}}}
    path = tmp_path / "convert.yaml"
    path.write_text(yaml.safe_dump({"name": "net", **keys, "outputs": ["y"]}), "utf-8")
    with pytest.raises(ConversionError) as caught:
        make_build(path)
    message = "ONNX Runtime's optimisations change what the network computes"
    assert caught.value.message.startswith(message), caught.value
    assert "simulator build differs from ONNX (simplified) by" in caught.value.message
    assert "let the pooling do the padding" in caught.value.hint
    config = read_config(path, {"route": "caffe"})
    with pytest.raises(ConversionError, match="ONNX Runtime's optimisations"):
        convert(config, tmp_path)  # the Caffe network before it was right
