"""`npukit convert` up to the vendor's compiler, as a user types it; the compilers are stand-ins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.compilers import flags_of, install
from support.sshd import SshServer

from npukit.om import unwrap

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'npukit[convert]'")

from onnx import TensorProto, helper  # noqa: E402 - after the skip

Command = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["image"], ["alpha"], "relu")],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 12])],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 3, 8, 12])],
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(made, tmp_path / "net.onnx")
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    for name in ("ASCEND_TOOLKIT_HOME", "DDK_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Path("net.onnx")


def test_dry_run_shows_the_command(npukit: Command, model: Path) -> None:
    said = npukit("convert", model, "--target", "ascend310", "--dry-run", "--json")
    assert said.code == 0
    assert said.json["steps"][-1]["does"].startswith("atc --framework=5 --model=net.onnx")
    assert not Path("build").exists()


def test_the_compilers_output_is_seen_and_its_model_is_a_result(
    npukit: Command, model: Path
) -> None:
    install(Path("tools"), "atc", print=["compiling relu"])
    said = npukit("convert", model, "--target", "ascend310", "--out", "out")
    assert said.code == 0
    assert "compiling relu" in said.err
    assert str(Path("out/net.om")) in said.out
    flags = flags_of(Path("out/net.om").read_bytes())
    assert flags["input_shape"] == "image:1,3,8,12"


def test_without_compiler_the_command_is_told(npukit: Command, model: Path) -> None:
    said = npukit("convert", model, "--target", "ascend310", "--out", "out")
    assert said.code == 0
    assert "atc is not installed on this machine" in said.err
    assert "in the folder of the results: atc --framework=5" in said.err
    assert unwrap("out/net.om").name == "net", "the simulator's, in its place"
    assert Path("out/net.sim").exists()


def test_a_refusal_is_the_users_to_mend_and_leaves_older_results(
    npukit: Command, model: Path
) -> None:
    install(Path("tools"), "atc")
    assert npukit("convert", model, "--target", "ascend310", "--out", "out").code == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    install(Path("tools"), "atc", fail="E19010: No parser is registered for Op [relu, optype [X]].")
    said = npukit("convert", model, "--target", "ascend310", "--out", "out")
    assert said.code == 1
    assert "operator X of 'relu' is not known (E19010)" in said.err
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


def test_over_ssh(npukit: Command, model: Path, tmp_path: Path) -> None:
    server = SshServer(tmp_path / "ssh", install(tmp_path / "board_tools", "atc"))
    server.client(tmp_path / "tools")
    server.start()
    try:
        said = npukit(
            "convert", model, "--target", "ascend310", "--compiler", "ssh://board", "--out", "out"
        )
    finally:
        server.stop()
    assert said.code == 0, said.err
    record = json.loads(Path("out/net.build.json").read_text("utf-8"))
    assert record["compile"]["host"] == "ssh://board"
    assert record["compile"]["tool"] == str(tmp_path / "board_tools" / "atc")
    assert flags_of(Path("out/net.om").read_bytes())["model"] == "net.onnx"
    assert not list(server.board.iterdir())
