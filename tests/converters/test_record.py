"""What stands in the file beside the results is true of the results."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from support.small_networks import write_onnx

from npukit.runtime.build import read_build
from npukit_convert.chain import convert
from npukit_convert.conversion import Conversion
from npukit_convert.errors import ConversionError
from npukit_convert.record import to_record, versions, write_results
from npukit_convert.request import read_request


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "small.onnx"
    write_onnx(path)
    return path


@pytest.fixture(scope="module")
def made(network: Path) -> Conversion:
    request = read_request(str(network), {"route": "caffe"})
    return convert(request.config, request.folder)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_hashes_are_those_of_the_files(made: Conversion, network: Path, tmp_path: Path) -> None:
    files = write_results(made, tmp_path / "out", {".report.html": "<p>"})
    assert [*files][-1] == "small.build.json"
    record = json.loads(files.pop("small.build.json").read_text("utf-8"))
    assert record["sources"] == {"small.onnx": digest(network)}
    names = {"small.onnx", "small.prototxt", "small.caffemodel", "small.sim"}
    assert record["results"] == {name: digest(files[name]) for name in names}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *names, "small.report.html", "small.build.json"
    }  # fmt: skip
    assert files["small.onnx"].read_bytes() == made.onnx
    assert read_build(str(files["small.sim"])).onnx == made.onnx


def test_steps_and_figures(made: Conversion) -> None:
    record = json.loads(json.dumps(to_record(made)))
    assert [step["name"] for step in record["steps"]] == ["read", "simplify", "caffe", "build"]
    assert record["config"]["route"] == "caffe"
    assert record["caffe"]["layers"] == len(made.caffe.layers if made.caffe else ())
    for step, done in zip(record["steps"], made.steps, strict=True):
        assert (step["verified"] is None) == (done.verified is None) == (done.name == "read")
        for told, one in zip(step["passes"], done.passes, strict=True):
            assert told["max_abs"] == one.max_abs
            assert told["fp16_added"] == one.fp16_added
            assert told["changes"] == list(one.changes)
    lowered = {one["name"]: one for one in record["steps"][2]["passes"] if one["changes"]}
    assert lowered["lower_clip"]["stage"] == "lower"
    assert lowered["lower_clip"]["fp16_added"] is not None


def test_versions_are_those_installed() -> None:
    found = versions()
    for name in ("onnx", "onnxruntime"):
        assert found[name] == metadata.version(name).split("+")[0]
    assert found["npukit"]


def test_only_what_dead_runs_left_is_removed(made: Conversion, tmp_path: Path) -> None:
    done = subprocess.Popen(["true"])
    done.wait()
    dead, alive, other = (
        tmp_path / name
        for name in (f".small.{done.pid}.x", f".small.{os.getpid()}.x", f".smaller.{done.pid}.x")
    )
    for folder in (dead, alive, other):
        folder.mkdir()
    write_results(made, tmp_path)
    assert [folder.exists() for folder in (dead, alive, other)] == [False, True, True]


def test_a_place_that_is_no_folder(made: Conversion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")
    with pytest.raises(ConversionError, match="cannot be written") as caught:
        write_results(made, tmp_path / "file")
    assert caught.value.where == str(tmp_path / "file")
    assert caught.value.hint == "earlier results are as they were"
    assert (tmp_path / "file").read_text("utf-8") == "mine"
