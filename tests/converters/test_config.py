"""`convert.yaml` is read strictly: whatever is wrong is named, with the file and the key."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from npukit.color import Color, Matrix, Range
from npukit.errors import ConfigError
from npukit_convert.config import read_config

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = sorted((REPOSITORY / "skills").glob("*/model/convert*.yaml"))
GOOD: dict[str, Any] = {
    "name": "matting",
    "model": {"torch": "net:build", "weights": "net.safetensors"},
    "inputs": {
        "image": {
            "shape": [1, 3, 144, 256],
            "preprocess": {"matrix": "bt709", "range": "full", "scale": [0.5, 0.5, 0.5]},
        },
        "alpha_prev": {"shape": [1, 1, 144, 256]},
    },
    "outputs": ["alpha"],
    "states": {"alpha_prev": "alpha"},
    "verify": {"max_abs": 0.5},
}
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    def to_file(data: Any) -> Path:
        path = tmp_path / "convert.yaml"
        path.write_text(
            data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False), "utf-8"
        )
        return path

    return to_file


def test_a_good_file(write: Callable[[Any], Path]) -> None:
    config = read_config(write(GOOD))
    assert config.name == "matting"
    assert config.model.torch == "net:build"
    assert list(config.inputs) == ["image", "alpha_prev"]
    assert config.inputs["image"].shape == (1, 3, 144, 256)
    assert config.outputs == ("alpha",)
    assert config.states == {"alpha_prev": "alpha"}
    assert config.verify.max_abs == 0.5
    spec = config.preprocess("image")
    assert spec is not None
    assert spec.color == Color(Matrix.BT709, Range.FULL)
    assert spec.scale == (0.5, 0.5, 0.5)
    assert config.preprocess("alpha_prev") is None


def test_what_may_be_left_out(write: Callable[[Any], Path]) -> None:
    data = {key: GOOD[key] for key in ("name", "model", "inputs", "outputs")}
    config = read_config(write(data))
    assert config.states == {}
    assert config.verify.max_abs == 1e-4


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_files_of_the_skills_are_good(path: Path) -> None:
    config = read_config(path)
    assert (path.parent / config.model.weights).is_file()


def test_there_are_files_of_skills() -> None:
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize(
    ("change", "message", "place", "hint"),
    [
        (
            lambda data: data.update(outptus=["alpha"]),
            "unknown key 'outptus'",
            ", outptus",
            "did you mean 'outputs'? known: accuracy, calibration, compiler, inputs",
        ),
        (
            lambda data: data["model"].update(weight="x"),
            "unknown key 'weight'",
            ", model.weight",
            "did you mean 'weights'? known: onnx, torch, weights",
        ),
        (
            lambda data: data["inputs"]["image"].update(shap=[1]),
            "unknown key 'shap'",
            ", inputs.image.shap",
            "did you mean 'shape'? known: preprocess, shape",
        ),
        (
            lambda data: data["inputs"]["image"]["preprocess"].update(geometri="full"),
            "unknown key 'geometri'",
            ", inputs.image.preprocess",
            "did you mean 'geometry'?",
        ),
        (
            lambda data: data["inputs"]["image"]["preprocess"].update(matrix="bt2020"),
            "unknown matrix 'bt2020'",
            ", inputs.image.preprocess",
            "known: bt601, bt709",
        ),
        (
            lambda data: data["verify"].update(max_ab=1),
            "unknown key 'max_ab'",
            ", verify.max_ab",
            "did you mean 'max_abs'?",
        ),
        (lambda data: data.pop("name"), "Field required", ", name", ""),
        (lambda data: data["model"].pop("torch"), "give either torch or onnx", ", model", ""),
        (lambda data: data["model"].update(torch="net"), "should match", ", model.torch", ""),
        (lambda data: data.update(outputs=[]), "at least 1 item", ", outputs", ""),
        (lambda data: data.update(inputs={}), "at least 1 item", ", inputs", ""),
        (lambda data: data["verify"].update(max_abs=0), "greater than 0", ", verify.max_abs", ""),
        (lambda data: data["verify"].update(max_abs="x"), "valid number", ", verify.max_abs", ""),
        (
            lambda data: data["inputs"]["image"].update(shape=[1, 3, 0, 256]),
            "greater than 0",
            ", inputs.image.shape.2",
            "",
        ),
        (
            lambda data: data["inputs"]["image"].update(shape=[1, 1, 144, 256]),
            "a rgb picture is [1, 3, H, W] with even H and W, not [1, 1, 144, 256]",
            ", inputs.image.shape",
            "",
        ),
        (
            lambda data: data["inputs"]["image"].update(shape=[1, 3, 144, 255]),
            "not [1, 3, 144, 255]",
            ", inputs.image.shape",
            "",
        ),
        (
            lambda data: data["inputs"]["image"].update(shape=[144, 256]),
            "not [144, 256]",
            ", inputs.image.shape",
            "",
        ),
        (
            lambda data: data.update(states={"alpha_pref": "alpha"}),
            "no input 'alpha_pref'",
            ", states",
            "did you mean 'alpha_prev'? known: alpha_prev, image",
        ),
        (
            lambda data: data.update(states={"alpha_prev": "alfa"}),
            "no output 'alfa'",
            ", states",
            "did you mean 'alpha'? known: alpha",
        ),
    ],
)
def test_what_is_wrong_is_named(
    write: Callable[[Any], Path], change: Change, message: str, place: str, hint: str
) -> None:
    data = copy.deepcopy(GOOD)
    change(data)
    path = write(data)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert message in caught.value.message
    assert caught.value.where == f"{path}{place}"
    assert hint in caught.value.hint
    assert bool(caught.value.hint) == bool(hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "valid dict"), ("- a\n", "valid dict"), ("a: [1\n", "not valid YAML"), ("5", "valid")],
    ids=["empty", "list", "unclosed", "number"],
)
def test_a_file_that_holds_no_mapping(
    write: Callable[[Any], Path], text: str, message: str
) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(path)
    assert caught.value.where == str(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, content in ((tmp_path / "absent.yaml", None), (tmp_path / "latin.yaml", b"n: \xe4")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            read_config(path)
        assert caught.value.where == str(path)
