"""What the words of a command line mean: a config, the folder of its files, and overrides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.small_networks import SIDES, onnx_model, write_onnx

from npukit.errors import ConfigError
from npukit_convert.errors import ConversionError
from npukit_convert.request import moved, parse_overrides, read_request


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; a network lies in `sub` below it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    write_onnx(tmp_path / "sub" / "net.onnx")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ([], {}),
        (["--route", "caffe"], {"route": "caffe"}),
        (["--verify.max_abs=1e-5"], {"verify.max_abs": "1e-5"}),
        (["--verify.max_abs", "0.5"], {"verify.max_abs": 0.5}),
        (["--inputs.input.1.shape", "[1, 3, 8, 8]"], {"inputs.input.1.shape": [1, 3, 8, 8]}),
        (["--name=a=b"], {"name": "a=b"}),
        (["--target="], {"target": None}),
    ],
)
def test_options_are_keys_and_yaml(words: list[str], keys: dict[str, Any]) -> None:
    assert parse_overrides(words) == keys


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["route"], "'route' is no option", "options are --KEY VALUE"),
        (["--route"], "--route has no value", "convert.yaml"),
        (["--route", "--name", "x"], "--route has no value", "convert.yaml"),
        (["--outputs", "[a"], r"--outputs: '\[a' is not valid YAML", ""),
    ],
)
def test_words_that_are_no_options(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_overrides(words)
    assert hint in caught.value.hint


def test_an_onnx_file_gets_a_config(here: Path) -> None:
    request = read_request("sub/net.onnx", {"route": "caffe"})
    assert (request.folder, request.where) == (Path("sub"), "sub/net.onnx")
    config = request.config
    assert (config.name, config.model.onnx, config.route) == ("net", "net.onnx", "caffe")
    assert {name: tuple(one.shape) for name, one in config.inputs.items()} == {"x": SIDES}
    assert tuple(config.outputs) == ("y",)


def test_an_input_whose_name_has_dots(here: Path) -> None:
    write_onnx(here / "open.onnx", onnx_model(("N", 3, "H", 12), into="input.1.image"))
    with pytest.raises(ConversionError, match="a size is open") as caught:
        read_request("open.onnx", {})
    assert caught.value.where == "open.onnx"
    (option, value) = caught.value.hint.removeprefix("fix it: ").split(" ", 1)
    keys = parse_overrides([option, value.strip('"')])
    shapes = read_request("open.onnx", keys).config.inputs
    assert {name: list(one.shape) for name, one in shapes.items()} == {
        "input.1.image": [1, 3, 256, 12]
    }


def test_files_of_options_are_found_from_the_working_folder(here: Path) -> None:
    (here / "frames").mkdir()
    request = read_request("sub/net.onnx", {"verify.frames": "frames"})
    assert request.config.verify.frames == "../frames"
    assert (request.folder / "../frames").resolve() == here / "frames"


def test_files_of_options_are_found_below_a_linked_folder(here: Path) -> None:
    elsewhere = here / "far" / "away" / "model"
    elsewhere.mkdir(parents=True)
    write_onnx(elsewhere / "net.onnx")
    (here / "frames").mkdir()
    (here / "linked").symlink_to(elsewhere.parent)
    request = read_request("linked/model/net.onnx", {"verify.frames": "frames"})
    assert (request.folder / str(request.config.verify.frames)).is_dir()
    # Also for what takes `x/..` for nothing.
    assert Path(os.path.normpath(request.folder / str(request.config.verify.frames))).is_dir()


def test_files_of_a_config_are_found_beside_it(here: Path) -> None:
    data = {
        "name": "n",
        "model": {"onnx": "net.onnx"},
        "inputs": {"x": {"shape": [*SIDES]}},
        "outputs": ["y"],
    }
    (here / "sub" / "convert.yaml").write_text(yaml.safe_dump(data), "utf-8")
    request = read_request("sub/convert.yaml", {})
    assert (request.folder / str(request.config.model.onnx)).exists()
    write_onnx(here / "other.onnx")
    other = read_request("sub/convert.yaml", {"model.onnx": "other.onnx"})
    assert other.config.model.onnx == "../other.onnx"


def test_a_config_moved_elsewhere_names_the_same_files(here: Path) -> None:
    (here / "a" / "b").mkdir(parents=True)
    config = moved(read_request("sub/net.onnx", {}), Path("a/b"))
    assert config.model.onnx == "../../sub/net.onnx"
    assert moved(read_request("sub/net.onnx", {}), Path("sub")).model.onnx == "net.onnx"


@pytest.mark.parametrize("source", ["net.tflite", "net", "sub"])
def test_another_kind_of_file(here: Path, source: str) -> None:
    with pytest.raises(ConfigError, match=r"not a config \(\.yaml\), a network") as caught:
        read_request(source, {})
    assert caught.value.where == source


def test_a_module_does_not_say_what_it_takes(here: Path) -> None:
    with pytest.raises(ConfigError, match="does not say what it takes") as caught:
        read_request("net.py:build", {})
    assert caught.value.where == "net.py:build"
    assert "--inputs.image.shape" in caught.value.hint
