"""`npukit inspect`: what it says of each kind of file, by content, without executing anything."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.interpreters import REPOSITORY
from support.om_files import VERSION_2, container, tiny

from npukit.om import OmGraph, OmNode, OmTensor, wire, write_wrapped
from npukit.runtime.build import read_build
from npukit_convert.om_graph import om_graph

SKILL = REPOSITORY / "skills" / "portrait_matting"
BUILD = SKILL / "model" / "selfie_landscape.sim"
CFG = REPOSITORY / "aipp_configs" / "nv21_to_rgb_bt601_narrow_0_1.cfg"
PROTOTXT = """name: "small"
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 6
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
"""
Command = Callable[..., Any]


def caffemodel() -> bytes:
    blob = wire.put_bytes(7, *wire.put_bytes(7, *wire.put_bytes(1, b"\x04\x03\x03\x03")))
    layer = wire.put_bytes(
        100, *wire.put_bytes(1, b"conv"), *wire.put_bytes(2, b"Convolution"), *blob
    )
    return b"".join([*wire.put_bytes(1, b"small"), *layer])


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrapped") / "net.om"
    build = read_build(str(BUILD))
    write_wrapped(str(path), build, om_graph(build.onnx), {"image": {"input_format": 1}})
    return path


def inspected(npukit: Command, path: object) -> Any:
    said = npukit("inspect", path, "--json")
    assert said.code == 0, said.err
    assert said.err == ""
    assert npukit("inspect", path).code == 0
    return said.json


# --- offline models ---


def test_the_vendors_model(npukit: Command, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("om/landmark68_template_model.om")
    found = inspected(npukit, path)
    assert found["kind"] == "offline model"
    assert sum(found["operators"].values()) == 34
    assert found["operators"]["Convolution"] == 4
    assert found["inputs"] == [
        {"name": "data", "dtype": "float32", "shape": [1, 1, 40, 40], "format": "NCHW",
         "nbytes": 6400},
    ]  # fmt: skip
    assert found["outputs"][0]["shape"] == [1, 136, 1, 1]
    assert found["platform"] == "1.11.z.0"
    assert found["target"] == "Ascend 310 (MINI)"
    assert found["aipp"] == {}
    assert (found["parameters"], found["weight_bytes"], found["memory_bytes"]) == (
        122_972, 279_552, 108_032,
    )  # fmt: skip
    words = npukit("inspect", path).out
    for text in ("34 operators", "1x1x40x40", "1x136x1x1", "1.11.z.0", "6400", "122,972"):
        assert text in words


def test_a_boards_model_with_aipp(npukit: Command, tmp_path: Path) -> None:
    (tmp_path / "net.om").write_bytes(tiny(VERSION_2, aipp=True))
    found = inspected(npukit, tmp_path / "net.om")
    assert found["inputs"][0]["format"] == "YUV420SP_U8"
    assert (found["inputs"][0]["dtype"], found["inputs"][0]["nbytes"]) == ("uint8", 36)
    assert found["aipp"]["data"] == {
        "input_format": 1, "csc_switch": True, "crop": 0, "var_reci_chn_0": 0.5,
    }  # fmt: skip
    assert found["parameters"] == 4 * 3 * 4 + 4
    assert "AIPP of data" in npukit("inspect", tmp_path / "net.om").out


def test_a_wrapped_build(npukit: Command, wrapped: Path) -> None:
    found = inspected(npukit, wrapped)
    assert found["kind"] == "simulator build in an offline model"
    assert found["target"] == found["platform"] == "simulator"
    assert found["inputs"][0] == {
        "name": "image", "dtype": "uint8", "shape": [216, 256], "format": "nv21", "nbytes": 55296,
    }  # fmt: skip
    assert found["outputs"][0]["name"] == "alpha"
    assert found["operators"]["Convolution"] == 43
    assert found["aipp"] == {"image": {"input_format": 1}}
    assert found["facts"]["record"]["versions"]["npukit"]


def test_an_encrypted_model(npukit: Command, tmp_path: Path) -> None:
    (tmp_path / "net.om").write_bytes(container({0: b"\xff" * 99}, encrypt=1))
    found = inspected(npukit, tmp_path / "net.om")
    assert found["kind"] == "encrypted offline model"
    assert found["platform"] == "1.75.22.0.220"
    assert (found["operators"], found["parameters"], found["aipp"]) == ({}, None, None)
    assert "only the header can be read" in found["notes"][0]


# --- other kinds ---


def test_a_simulator_build(npukit: Command) -> None:
    found = inspected(npukit, BUILD)
    assert found["kind"] == "simulator build"
    assert found["inputs"][0]["nbytes"] == 55296
    assert found["outputs"][0]["shape"] == [1, 1, 144, 256]
    assert found["operators"]["Conv"] == 54
    assert found["facts"]["preprocess image"]["source"] == "nv21"


def test_an_onnx_network(npukit: Command, tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(read_build(str(BUILD)).onnx)
    found = inspected(npukit, tmp_path / "net")
    assert found["kind"] == "ONNX network"
    assert found["inputs"][0]["shape"] == [1, 3, 144, 256]
    assert found["facts"]["opset"] == {"ai.onnx": 13}
    assert found["parameters"] == 108_409
    assert found["weight_bytes"] == 433_636


def test_a_prototxt(npukit: Command, tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text(PROTOTXT, "utf-8")
    found = inspected(npukit, tmp_path / "net.txt")
    assert found["kind"] == "Caffe definition (prototxt)"
    assert found["name"] == "small"
    assert found["inputs"][0]["shape"] == [1, 3, 8, 6]
    assert found["inputs"][0]["nbytes"] == 4 * 3 * 8 * 6
    assert found["operators"] == {"Convolution": 1, "ReLU": 1}


def test_a_caffemodel(npukit: Command, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(caffemodel())
    found = inspected(npukit, tmp_path / "net.bin")
    assert found["kind"] == "Caffe weights (caffemodel)"
    assert (found["parameters"], found["weight_bytes"]) == (108, 432)


def test_an_aipp_configuration(npukit: Command) -> None:
    found = inspected(npukit, CFG)
    assert found["kind"] == "AIPP configuration"
    assert found["text"] == CFG.read_text("utf-8")
    assert found["aipp"]["input 0"]["input_format"] == "YUV420SP_U8"
    assert found["aipp"]["input 0"]["rbuv_swap_switch"] is True
    assert found["notes"] == []
    assert "input_format: YUV420SP_U8" in npukit("inspect", CFG).out


def test_an_aipp_configuration_with_mistakes(npukit: Command, tmp_path: Path) -> None:
    path = tmp_path / "one.cfg"
    path.write_text("aipp_op {\n  aipp_mode: static\n  input_fromat: RGB888_U8\n}\n", "utf-8")
    refused = npukit("inspect", path)
    assert refused.code == 1
    assert "input_format" in refused.err
    assert f"{path}, line 3, column 3" in refused.err
    path.write_text(
        "aipp_op { aipp_mode: static input_format: YUV400_U8 csc_switch: true }", "utf-8"
    )
    (note,) = inspected(npukit, path)["notes"]
    assert note.startswith("the compiler refuses it: ")


@pytest.mark.parametrize("name", [SKILL, "portrait_matting", SKILL / "skill.yaml"], ids=str)
def test_a_skill(npukit: Command, name: object) -> None:
    found = inspected(npukit, name)
    assert found["kind"] == "skill"
    assert found["name"] == "portrait_matting"
    assert found["inputs"][0]["name"] == "landscape.image"
    assert found["inputs"][0]["nbytes"] == 55296
    assert found["parts"]["model/selfie_landscape.sim"]["kind"] == "simulator build"
    assert "model/selfie_landscape.om (for ascend310) is not there" in found["notes"]


def test_a_skill_whose_code_must_not_run(npukit: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SKILL, folder, ignore=shutil.ignore_patterns("assets", "*.om"))
    trap = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nraise SystemExit\n"
    for file in ("skill.py", "main.py", "model/net.py"):
        (folder / file).write_text(trap, "utf-8")
    (folder / "model" / "selfie_square.sim").write_bytes(b"NPUKSIM1 cut")
    found = inspected(npukit, folder)
    assert not list(folder.rglob("ran"))
    assert any(
        note.startswith("model/selfie_square.sim: the file is cut") for note in found["notes"]
    )


def test_nothing_is_executed(plain: dict[str, str], wrapped: Path) -> None:
    """In a process of its own: neither ONNX Runtime nor torch is even loaded."""
    code = (
        "import sys; from npukit_cli.main import invoke; "
        f"codes = [invoke(['inspect', name, '--json']) for name in {[str(SKILL), str(wrapped)]}]; "
        "print(codes, sorted({'onnxruntime', 'torch', 'av', 'hilens'} & sys.modules.keys()), "
        "file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=plain, capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stderr.strip() == "[0, 0] []"


def test_a_name_says_nothing(npukit: Command, tmp_path: Path) -> None:
    kinds = set()
    for number, content in enumerate(
        [tiny(), BUILD.read_bytes(), read_build(str(BUILD)).onnx, PROTOTXT.encode(), caffemodel(),
         CFG.read_bytes()]
    ):  # fmt: skip
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        kinds.add(inspected(npukit, path)["kind"])
    assert len(kinds) == 6


# --- refused ---


@pytest.mark.parametrize(
    ("content", "message", "next_step"),
    [
        (b"", "a file of an unknown kind", "are known"),
        (b"hello world\n", "a text of an unknown kind", "are known"),
        (b"\x00\x01\x02" * 99, "a file of an unknown kind", "are known"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a file of an unknown kind", "are known"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"),
        (b"\x1f\x8b\x08" + bytes(99), "compressed with gzip", "unpack"),
        (b"PK\x03\x04" + bytes(99), "a ZIP archive", "unpack"),
        (b"PICO" + bytes(300), "SVP family", "compile the network for Ascend"),
        (tiny()[:-1], "the offline model is damaged", "copy the file again"),
        (BUILD.read_bytes()[:-1], "cut short or changed", "copy the file again"),
        (read_build(str(BUILD)).onnx[:-9], "the ONNX network is damaged", "copy the file again"),
        (caffemodel()[:-1], "the caffemodel is damaged", "copy the file again"),
        (b"layer { name: 'x' ", "not protobuf text", ""),
    ],
    ids=range(13),
)
def test_what_cannot_be_shown_is_exit_code_1(
    npukit: Command, tmp_path: Path, content: bytes, message: str, next_step: str
) -> None:
    (tmp_path / "net.om").write_bytes(content)
    said = npukit("inspect", tmp_path / "net.om", "--json")
    assert said.code == 1, said.out
    error = said.json["error"]
    assert message in error["message"]
    assert str(tmp_path / "net.om") in error["where"]
    assert next_step in error.get("next", "")


def damaged(content: bytes, seed: int) -> bytes:
    pick = random.Random(seed)
    changed = bytearray(content)
    for _ in range(pick.randint(1, 4)):
        at = pick.randrange(min(len(changed), pick.choice([40, 400, len(changed)])))
        changed[at : at + pick.randint(1, 4)] = pick.randbytes(pick.randint(0, 4))
    return bytes(changed)


@pytest.mark.parametrize("kind", ["om", "sim", "onnx", "prototxt", "caffemodel", "cfg"])
def test_a_damaged_file_is_never_a_bug(npukit: Command, tmp_path: Path, kind: str) -> None:
    content = {
        "om": tiny(VERSION_2, aipp=True), "sim": BUILD.read_bytes(),
        "onnx": read_build(str(BUILD)).onnx, "prototxt": PROTOTXT.encode(),
        "caffemodel": caffemodel(), "cfg": CFG.read_bytes(),
    }[kind]  # fmt: skip
    path = tmp_path / "net"
    for seed in range(60):
        path.write_bytes(damaged(content, seed))
        for arguments in ((), ("--json",)):
            assert npukit("inspect", path, *arguments).code in (0, 1), seed


def test_numbers_that_json_does_not_have_are_no_bug(npukit: Command, tmp_path: Path) -> None:
    build = read_build(str(BUILD))
    for number in (float("inf"), float("nan"), 2**62, -1):
        write_wrapped(str(tmp_path / "net.om"), build, None, {"image": {"input_format": number}})
        said = npukit("inspect", tmp_path / "net.om", "--json")
        assert said.code == 0
        assert "NaN" not in said.out
        assert "Infinity" not in said.out
    (tmp_path / "net.om").write_bytes(tiny().replace(b"tiny", b"t\xffny"))
    assert "t\ufffdny" in npukit("inspect", tmp_path / "net.om").out


def test_a_file_that_is_not_there(npukit: Command, tmp_path: Path) -> None:
    said = npukit("inspect", tmp_path / "absent.om")
    assert said.code == 1
    assert "cannot be read: No such file" in said.err
    assert npukit("inspect", REPOSITORY / "docs").code == 1, "a folder without a manifest"


def test_names_with_marks_of_the_terminal_are_shown_as_they_are(
    npukit: Command, tmp_path: Path
) -> None:
    build = read_build(str(BUILD))
    tensors = {"image": OmTensor("float32", (1, 3, 144, 256))}
    node = OmNode("n", "[red]Odd[/]", ("image",), ("alpha",), {"x": float("inf")})
    graph = OmGraph("g", (node,), ("image",), ("alpha",), tensors)
    write_wrapped(str(tmp_path / "net.om"), build, graph)
    assert "[red]Odd[/]" in npukit("inspect", tmp_path / "net.om").out
    assert (
        json.loads(npukit("inspect", tmp_path / "net.om", "--json").out)["operators"]["[red]Odd[/]"]
        == 1
    )
