"""`npukit convert --precision int8` as a user types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.quantized_networks import write_accuracy, write_project

Command = Callable[..., Any]


def test_a_model_a_plan_a_report(npukit: Command, tmp_path: Path) -> None:
    path = write_project(
        tmp_path, precision="fp32", accuracy=write_accuracy(tmp_path, psnr_db=40.0)
    )
    said = npukit("convert", path, "--precision", "int8_mixed", "--calibration.frames",
                  tmp_path / "frames.npy", "--out", tmp_path / "out")  # fmt: skip
    assert said.code == 0, said.err
    assert "sensitivity: 3 layers, each alone in int8" in said.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"net.sim", "net.plan.yaml", "net.int8.onnx", "net.onnx", "net.build.json"}
    assert not [name for name in names if name.endswith(".rejected")]


def test_a_model_below_the_floor_is_no_success(npukit: Command, tmp_path: Path) -> None:
    path = write_project(tmp_path, wide=300.0, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    said = npukit("convert", path, "--out", tmp_path / "out")
    assert said.code == 1
    for part in ("int8 misses the floor: psnr_db is", "Conv_5", "--precision int8_mixed",
                 "kept aside", "note: int8"):  # fmt: skip
        assert part in said.err, part
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names
    assert all(name.endswith((".rejected", ".rejected.html")) for name in names)

    said = npukit("convert", path, "--out", tmp_path / "out", "--precision", "int8_mixed",
                  "--json")  # fmt: skip
    assert said.code == 0
    assert said.json["quantization"]["accepted"]
    assert said.json["quantization"]["fp16"] == ["Add_3/Conv_3", "Conv_5"]


def test_without_frames_it_says_how(npukit: Command, tmp_path: Path) -> None:
    path = write_project(tmp_path, precision="fp32", calibration=None)
    said = npukit("convert", path, "--precision", "int8")
    assert said.code == 1
    assert "--calibration.frames clip.mp4" in said.err
