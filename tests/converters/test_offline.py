"""The .om for the simulator: AIPP to the bit, its configuration beside it, fp16 when asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from npukit.aipp import executor, parse
from npukit.capture import open_source
from npukit.frame import Nv21Frame
from npukit.om import read_om
from npukit.preprocess import Preprocess
from npukit.runtime import load_model
from npukit.runtime.build import SimulatorBuild, read_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.aipp_file import aipp_config
from npukit_convert.fp16 import emulate
from npukit_convert.offline import AIPP, FP16, measure, wrap_offline

SKILL = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting"
CLIP = SKILL / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def build() -> SimulatorBuild:
    return read_build(str(SKILL / "model" / "selfie_landscape.sim"))


@pytest.fixture(scope="module")
def frame() -> Nv21Frame:
    return next(iter(open_source(str(CLIP)).frames())).frame


def infer(onnx: bytes, tensor: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(onnx).run(["alpha"], {"image": tensor})[0]


def test_the_file_computes_what_aipp_and_the_network_do(
    build: SimulatorBuild, frame: Nv21Frame, tmp_path: Path
) -> None:
    data, config = wrap_offline(build, build.onnx)
    path = tmp_path / "model.om"
    path.write_bytes(data)
    model = load_model(str(path))
    packed = model.inputs["image"].feed(frame)
    spec = build.inputs["image"]
    assert spec.preprocess is not None
    tensor = executor(spec.preprocess, (256, 144))(packed)
    np.testing.assert_allclose(
        model.infer({"image": packed})["alpha"], infer(build.onnx, tensor), atol=1e-6
    )
    neutral = load_model(str(SKILL / "model" / "selfie_landscape.sim"))
    apart = np.abs(neutral.infer({"image": packed})["alpha"] - infer(build.onnx, tensor))
    assert 0 < apart.max() < 0.1, "the bare build is not Ascend's arithmetic, but near it"
    assert config is not None
    (op,) = parse(config).aipp_op
    assert (op.src_image_size_w, op.src_image_size_h, op.rbuv_swap_switch) == (256, 144, True)
    assert [node.name for node in read_om(str(path)).model.graph[0].op if node.type == "Aipp"]


def test_every_picture_has_its_block() -> None:
    picture = Preprocess(source="rgb888", to="rgb", scale=(1.0, 1.0, 1.0))
    config = aipp_config(
        {
            "state": InputSpec((1, 1, 8, 8)),
            "left": InputSpec((1, 3, 8, 16), picture),
            "right": InputSpec((1, 3, 4, 6), picture),
        }
    )
    blocks = [(op.related_input_rank, op.src_image_size_w) for op in config.aipp_op]
    assert blocks == [(1, 16), (2, 6)]


def test_a_network_without_pictures_has_no_configuration() -> None:
    assert aipp_config({"state": InputSpec((1, 1, 8, 8))}).aipp_op == ()


def test_what_ascends_arithmetic_changes(build: SimulatorBuild, frame: Nv21Frame) -> None:
    found = measure(build.onnx, build.inputs, [frame])
    assert 0 < found[AIPP].mean < found[AIPP].p99_9 < 0.05
    assert found[FP16].mean < 1e-3, "the mean; no network holds it in every pixel of fp16"
    assert 0 < found[FP16].above < 0.02
    tensor = executor(build.inputs["image"].preprocess, (256, 144))(
        load_model(str(SKILL / "model" / "selfie_landscape.sim")).inputs["image"].feed(frame)
    )
    expected = np.abs(infer(build.onnx, tensor) - infer(emulate(build.onnx), tensor)).max()
    assert found[FP16].max_abs == pytest.approx(expected, rel=0.2)
