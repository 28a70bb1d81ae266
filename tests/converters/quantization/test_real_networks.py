"""The shipped matting networks on real frames: harm is seen, and what is right is left in peace."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import pytest
from support.quantized import int8

from npukit.capture import open_source
from npukit.runtime.build import SimulatorBuild, read_build
from npukit_convert.fp16 import emulate
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy, read_accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation, evaluate
from npukit_convert.quantization.accuracy.judge import Judge
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet, read_calibration
from npukit_convert.quantization.findings.color_order import color_order
from npukit_convert.quantization.findings.find import find
from npukit_convert.quantization.findings.probe import Probe
from npukit_convert.quantization.settings import CalibrationConfig

SKILL = Path(__file__).resolve().parents[3] / "skills" / "portrait_matting"
DEMO = SKILL / "assets" / "demo.mp4"
NETWORKS = ("selfie_landscape", "selfie_square")


def calibrated(build: SimulatorBuild, path: Path, samples: int = 16) -> CalibrationSet:
    config = CalibrationConfig(frames=path.name, samples=samples)
    return read_calibration(config, path.parent, build.inputs, {}, build.onnx, "convert.yaml")


@cache
def build_of(name: str) -> SimulatorBuild:
    return read_build(str(SKILL / "model" / f"{name}.sim"))


@cache
def judged(name: str) -> Evaluation:
    """Eight frames of the demo."""
    build = build_of(name)
    other = calibrated(build, SKILL / "assets" / "astronaut.png")
    return evaluate(Accuracy(frames=DEMO, samples=8), other, build.inputs, {}, build.onnx)


def likeness(name: str, path: Path) -> float:
    build = build_of(name)
    calibration = calibrated(build, path)
    cases = [case.feeds for case in judged(name).cases]
    found = color_order(Probe(build.onnx), calibration.feeds, cases, build.inputs)
    assert found is not None
    return found.likeness


@pytest.fixture(scope="module")
def bgr(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Every eighth frame of a clip, its RGB written where BGR is expected."""

    def write(clip: Path) -> Path:
        folder = tmp_path_factory.mktemp("bgr")
        for item in open_source(str(clip)).frames():
            if item.index % 8 == 0:
                cv2.imwrite(str(folder / f"{item.index:04}.png"), item.frame.to_rgb())
        return folder

    return write


def test_four_bgr_frames_are_caught_for_both_reasons(bgr: Callable[[Path], Path]) -> None:
    build = build_of("selfie_landscape")
    calibration = calibrated(build, bgr(DEMO), samples=4)
    codes = [one.code for one in find(calibration, judged("selfie_landscape"), build.onnx)]
    assert codes == ["color-order", "few-frames"]


def test_the_order_of_frames_of_the_same_place_is_beyond_doubt(bgr: Callable[[Path], Path]) -> None:
    assert likeness("selfie_square", DEMO) > 0.8
    assert likeness("selfie_square", bgr(DEMO)) < -0.8


@pytest.mark.parametrize("picture", ["astronaut.png", "launch_pad.jpg", "background.jpg"])
def test_photographs_of_other_things_are_no_alarm(picture: str) -> None:
    build = build_of("selfie_landscape")
    calibration = calibrated(build, SKILL / "assets" / picture)
    codes = [one.code for one in find(calibration, judged("selfie_landscape"), build.onnx)]
    assert "color-order" not in codes
    assert "few-frames" in codes


@pytest.mark.parametrize("clip", ["asl_book", "asl_walk", "composite_gt"])
def test_frames_of_another_place(
    clip: str, shared_data: Callable[[str], Path], bgr: Callable[[Path], Path]
) -> None:
    """Right ones are no alarm; swapped ones never look right."""
    build, file = build_of("selfie_landscape"), shared_data(f"video/{clip}.mp4")
    calibration = calibrated(build, file, samples=64)
    codes = [one.code for one in find(calibration, judged("selfie_landscape"), build.onnx)]
    assert set(codes) <= {"aspect"}
    assert likeness("selfie_landscape", file) > 0.1
    assert likeness("selfie_landscape", bgr(file)) < -0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_floors_that_are_shipped_tell_fp16_from_int8(name: str) -> None:
    build, accuracy = build_of(name), read_accuracy(SKILL / "accuracy.yaml")
    calibration = calibrated(build, DEMO)
    evaluation = evaluate(accuracy, calibration, build.inputs, {}, build.onnx)
    assert (len(evaluation.cases), evaluation.shared) == (32, 0)
    judge = Judge(build.onnx, accuracy, evaluation)
    fp16 = judge.judge(emulate(build.onnx))
    assert not fp16.missed
    assert fp16.outputs["alpha"].psnr_db > 60
    found = judge.judge(int8(build.onnx, calibration.feeds))
    assert {floor.metric for floor in found.missed} == set(accuracy.floors)
    assert all(one.picture is not None and one.picture.shape[2] == 3 for one in found.worst)
    assert len({one.name for one in found.worst}) == 3
    assert found.task["mad"].fp32 < 0.009
