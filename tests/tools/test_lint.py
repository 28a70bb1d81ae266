"""`npukit lint`: as a user types it, right and wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import graph

from npukit_cli.networks import overrides, pixels

Command = Callable[..., Any]
BUNDLED = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting" / "model"
LANDSCAPE, SQUARE = BUNDLED / "selfie_landscape.sim", BUNDLED / "selfie_square.sim"
OLD = ("--table", "ascend310_onnx_cann20_1")


def network(path: Path, operator: str = "Relu", opset: int = 13) -> Path:
    weight = np.full((16, 3, 5, 5), 0.01, np.float32)
    text = f"""(float[1,3,32,32] image) => (float[1,16,32,32] out) {{
        a = Conv <pads=[2,2,2,2]> (image, weight)
        out = {operator} (a)
    }}"""
    path.write_bytes(graph(text, opset, weight=weight))
    return path


def test_a_network_without_fault(npukit: Command) -> None:
    said = npukit("lint", LANDSCAPE, "--target", "ascend310")
    assert said.code == 0
    assert said.err == ""
    assert "advice; times are estimated for atlas_200dk in fp16" in said.out
    assert "ascend310_onnx_cann20_1 would refuse: 11 HardSigmoid, 1 ConvTranspose" in said.out
    assert "0 unsupported, 0 limited" in said.out.splitlines()[-1]


def test_an_unsupported_operator_is_exit_code_1(npukit: Command) -> None:
    said = npukit("lint", LANDSCAPE, "--target", "ascend310", *OLD)
    assert said.code == 1
    assert "against ATC of CANN 20.1, ONNX (ascend310_onnx_cann20_1)" in said.out
    assert "/to_alpha/ConvTranspose" in said.out
    assert "use nearest Resize and a 3x3 Conv" in said.out
    assert "12 unsupported, 1 limited" in said.out.splitlines()[-1]


def test_the_json_says_all(npukit: Command) -> None:
    said = npukit("lint", SQUARE, "--target", "ascend310", "--json", *OLD)
    assert said.code == 1
    data = said.json
    assert data["counts"]["unsupported"] == 12
    assert (data["board"], data["precision"], data["content"]) == ("atlas_200dk", "fp16",
                                                                   [1280, 720])  # fmt: skip
    assert data["other_tables"] == {"ascend310_onnx_cann5": {}}
    assert {"rule", "severity", "node", "operator", "module", "reason", "remedy", "cost_ms",
            "saved_ms"} == data["findings"][0].keys()  # fmt: skip
    assert sum(one["severity"] == "advice" for one in data["findings"]) == data["counts"]["advice"]
    (aspect,) = [one for one in data["findings"] if one["rule"] == "aspect"]
    assert "256x256, pictures are 1280x720" in aspect["reason"]
    assert aspect["saved_ms"] > 0


def test_as_caffe_for_the_kit(npukit: Command) -> None:
    said = npukit("lint", LANDSCAPE, "--target", "ascend310", "--route", "caffe", "--json")
    assert said.code == 0
    assert (said.json["table"], said.json["board"]) == ("ascend310_caffe_ddk", "hilens_kit")
    said = npukit("lint", LANDSCAPE, "--target", "ascend310b", "--route", "caffe", "--json")
    assert (said.json["table"], said.json["board"]) == ("ascend310b_caffe_cann8", "orangepi_aipro")
    assert said.json["content"] is None, "no camera is fitted"


def test_a_config_names_the_target_and_the_route(npukit: Command, here: Path) -> None:
    network(here / "net.onnx", "Erf")
    config = {
        "name": "net", "model": {"onnx": "net.onnx"}, "outputs": ["out"], "target": "ascend310",
        "route": "caffe", "inputs": {"image": {"shape": [1, 3, 32, 32]}},
    }  # fmt: skip
    (here / "convert.yaml").write_text(json.dumps(config), "utf-8")
    said = npukit("lint", "convert.yaml")
    assert said.code == 1
    assert "Caffe has no error function" in said.out
    assert npukit("lint", "convert.yaml", "--route", "onnx").code == 0


def test_advice_that_saves_little_is_counted(npukit: Command) -> None:
    few = npukit("lint", LANDSCAPE, "--target", "ascend310").out
    all_of_it = npukit("lint", LANDSCAPE, "--target", "ascend310", "--all").out
    assert "more, each under 1% of the time: see --all" in few
    assert "see --all" not in all_of_it
    assert len(all_of_it.splitlines()) > len(few.splitlines()) + 10


def test_an_open_size_is_given(npukit: Command, here: Path) -> None:
    text = "(float[1,3,H,W] image) => (float[1,3,H,W] out) { out = Relu (image) }"
    (here / "open.onnx").write_bytes(graph(text))
    said = npukit("lint", "open.onnx", "--target", "ascend310")
    assert said.code == 1
    assert "a size is open" in said.err
    given = ("--shape", "image=1,3,32,64")
    assert npukit("lint", "open.onnx", "--target", "ascend310", *given).code == 0


def test_pictures_of_another_shape(npukit: Command) -> None:
    common = ("lint", SQUARE, "--target", "ascend310", "--json", "--content")
    rules = {one["rule"] for one in npukit(*common, "720x720").json["findings"]}
    assert "aspect" not in rules
    (found,) = [one for one in npukit(*common, "720x1280").json["findings"]
                if one["rule"] == "aspect"]  # fmt: skip
    assert found["remedy"] == "export it as 128x256"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.onnx",), "no target is named"),
        (("net.onnx", "--target", "ascend301"), "unknown target 'ascend301'"),
        (("net.onnx", "--target", "simulator"), "nothing is compiled for Simulator"),
        (("net.onnx", "--target", "ascend310", "--table", "x"), "no operator table 'x'"),
        (("net.onnx", "--target", "ascend310", "--route", "tf"), "Input should be 'onnx' or"),
        (("net.onnx", "--target", "ascend310", "--board", "kit"), "unknown board 'kit'"),
        (("net.onnx", "--target", "ascend310b", "--board", "hilens_kit"), "carries ascend310"),
        (("net.onnx", "--target", "ascend310", "--precision", "int4"), "no peak of atlas_200dk"),
        (("net.onnx", "--target", "ascend310", "--content", "big"), "a size is WIDTHxHEIGHT"),
        (("net.onnx", "--target", "ascend310", "--shape", "image=1,x"), "--shape takes NAME="),
        (("absent.onnx", "--target", "ascend310"), "the network cannot be read"),
        (("net.txt", "--target", "ascend310"), "not a config (.yaml), a network (.onnx)"),
        (("cut.sim", "--target", "ascend310"), "cut short or changed"),
        (("cut.onnx", "--target", "ascend310"), "not an ONNX network, or cut short"),
    ],
)
def test_what_is_wrong_is_told(
    npukit: Command, here: Path, arguments: tuple[str, ...], message: str
) -> None:
    data = network(here / "net.onnx").read_bytes()
    (here / "net.txt").write_text("x")
    (here / "cut.onnx").write_bytes(data[:-40])
    (here / "cut.sim").write_bytes(LANDSCAPE.read_bytes()[:-1])
    said = npukit("lint", *arguments, "--json")
    assert said.code == 1, said.err
    assert message in said.json["error"]["message"]


def test_options_as_keys() -> None:
    assert overrides("caffe", ("a=1,3,8,8",)) == {"route": "caffe", "inputs.a.shape": [1, 3, 8, 8]}
    assert overrides(None, ()) == {}
    assert pixels("1280x720") == (1280, 720)
