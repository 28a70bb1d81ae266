"""A candidate is worth what its figures say, and misses its floors where they say so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest
from support.graphs import graph, noise
from support.quantized import PICTURE, SIZE, alpha_network, int8, state_network

from npukit.preprocess import Preprocess
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.figures import difference
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation
from npukit_convert.quantization.accuracy.judge import Judge
from npukit_convert.quantization.accuracy.tasks import TASKS, Case

INPUTS = {"image": PICTURE}
SHAPES = {"alpha": (1, 1, SIZE, SIZE)}


def pictures(count: int, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.uniform(0, 1, PICTURE.shape).astype(np.float32) for _ in range(count)]


def evaluation(cases: list[Case], task: str = "generic", inputs: Any = None) -> Evaluation:
    made = TASKS.get(task)("alpha", inputs or INPUTS, SHAPES, "here")
    return Evaluation(cases, inputs or INPUTS, {}, made, "some")


def scaled(factor: float, offset: float = 0.0) -> bytes:
    """alpha = red times a factor."""
    return graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) { alpha = Conv(image, w, b) }""",
        w=np.array([factor, 0.0, 0.0]).reshape(1, 3, 1, 1),
        b=np.array([offset]),
    )


CASES = [Case(f"frame {place}", {"image": image}) for place, image in enumerate(pictures(4))]


def test_figures_are_those_of_the_formulas() -> None:
    judge = Judge(scaled(1), Accuracy(floors={"psnr_db": 20}), evaluation(CASES))
    found = judge.judge(scaled(0.5, 0.25)).outputs["alpha"]
    reds = np.stack([case.feeds["image"][0, 0] for case in CASES]).astype(np.float64)
    error = 0.5 * reds - 0.25
    mse, span = np.mean(error**2), np.ptp(reds)
    assert found.psnr_db == pytest.approx(10 * math.log10(span**2 / mse), abs=1e-3)
    assert found.snr_db == pytest.approx(10 * math.log10(np.mean(reds**2) / mse), abs=1e-3)
    assert found.max_abs == pytest.approx(np.abs(error).max(), abs=1e-5)
    cosines = [difference(one, 0.5 * one + 0.25).cosine for one in reds.astype(np.float32)]
    assert found.cosine == pytest.approx(min(cosines), abs=1e-6)


def test_the_same_network_holds_every_floor() -> None:
    floors = {"psnr_db": 100.0, "snr_db": 100.0, "cosine": 1.0, "max_abs": 0.0}
    network = alpha_network()
    found = Judge(network, Accuracy(floors=floors), evaluation(CASES)).judge(network)
    assert not found.missed
    assert found.margin >= 0.0
    assert found.outputs["alpha"].psnr_db == math.inf


def test_missed_floors_are_told_with_what_was_measured() -> None:
    floors = {"psnr_db": 60.0, "max_abs": 1.0, "cosine": 0.9999999}
    network = alpha_network()
    judge = Judge(network, Accuracy(floors=floors), evaluation(CASES))
    found = judge.judge(int8(network, [case.feeds for case in CASES]))
    assert {floor.metric for floor in found.missed} == {"psnr_db", "cosine"}
    assert found.margin < 0.0
    psnr = next(floor for floor in found.floors if floor.metric == "psnr_db")
    assert psnr.measured == found.outputs["alpha"].psnr_db
    assert 25 < psnr.measured < 60


def test_the_margin_grows_as_the_network_gets_better() -> None:
    judge = Judge(scaled(1), Accuracy(), evaluation(CASES))
    margins = [judge.judge(scaled(1 + error)).margin for error in (0.5, 0.1, 0.05, 0.01, 0.0)]
    assert margins == sorted(margins)
    assert margins[0] < 0 < margins[-1]


def test_one_layer_of_huge_range_misses_the_default_floor() -> None:
    """A channel of 1000 in a tensor of 1: eight bits of that range leave the others nothing."""
    network = graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) {
          a = Conv<pads=[1,1,1,1]>(image, w0)
          b = Relu(a)
          alpha = Conv(b, w1)
        }""",
        w0=noise(8, 3, 3, 3) * np.float32([3000] + [1] * 7).reshape(8, 1, 1, 1),
        w1=noise(1, 8, 1, 1, seed=1) * np.float32([0.0003] + [1] * 7).reshape(1, 8, 1, 1),
    )
    judge = Judge(network, Accuracy(), evaluation(CASES))
    feeds = [case.feeds for case in CASES]
    assert judge.judge(int8(network, feeds)).missed
    first = onnx.load_from_string(network).graph.node[0].name
    kept = int8(network, feeds, nodes_to_exclude=[first, "Relu_1", "Conv_2"])
    assert not judge.judge(kept).missed


def test_not_a_number_misses_everything() -> None:
    floors = {"psnr_db": 0.0, "snr_db": 0.0, "cosine": -0.5, "max_abs": 1e9}
    judge = Judge(scaled(1), Accuracy(floors=floors), evaluation(CASES))
    found = judge.judge(scaled(math.nan))
    assert len(found.missed) == len(floors)
    assert found.margin == -math.inf
    with pytest.raises(
        CalibrationError, match="float32 gives NaN or infinity in 'alpha' on frame 0"
    ):
        Judge(scaled(math.inf), Accuracy(), evaluation(CASES))
    with pytest.raises(CalibrationError, match="nothing to judge on"):
        Judge(scaled(1), Accuracy(), evaluation([]))


def test_a_constant_output_has_figures() -> None:
    judge = Judge(scaled(0, 0.5), Accuracy(), evaluation(CASES))
    assert judge.judge(scaled(0, 0.5)).outputs["alpha"].psnr_db == math.inf
    off = judge.judge(scaled(0, 0.55)).outputs["alpha"]
    assert off.psnr_db == pytest.approx(20 * math.log10(0.5 / 0.05), abs=1e-3)


def test_a_silent_frame_has_no_cosine() -> None:
    """Where nobody is seen alpha is 0, and any error turns the angle."""
    dark = Case("dark", {"image": np.zeros(PICTURE.shape, np.float32)})
    judge = Judge(scaled(1), Accuracy(), evaluation([*CASES, dark]))
    assert judge.judge(scaled(1, 1e-4)).outputs["alpha"].cosine > 0.999


def test_what_is_lost_of_a_measure_is_counted_in_its_own_unit() -> None:
    truths = [case.feeds["image"][0, 0] for case in CASES]
    cases = [case._replace(truth=truth) for case, truth in zip(CASES, truths, strict=True)]
    floors = {"mad_loss": 0.02, "mad": 0.04, "dtssd_loss": 0.0}
    judge = Judge(
        scaled(1, 0.01), Accuracy(task="matting", floors=floors), evaluation(cases, "matting")
    )
    found = judge.judge(scaled(1, 0.05))
    assert found.task["mad"].fp32 == pytest.approx(0.01, abs=1e-6)
    assert found.task["mad"].quantised == pytest.approx(0.05, abs=1e-6)
    by_metric = {floor.metric: floor for floor in found.floors}
    assert by_metric["mad_loss"].measured == pytest.approx(0.04, abs=1e-6)
    assert by_metric["mad"].measured == pytest.approx(0.05, abs=1e-6)
    assert [floor.metric for floor in found.missed] == ["mad_loss", "mad"]
    assert found.margin == pytest.approx((0.02 - 0.04) / 0.02, abs=1e-3)


def test_the_worst_frames_are_shown_worst_first_one_of_each_place() -> None:
    """The error is blue, so the frames with most blue are the worst."""
    blues = [0.1, 0.9, 0.8, 0.5, 0.2, 0.3]
    cases = []
    for place, blue in enumerate(blues):
        image = pictures(1, place)[0]
        image[0, 2] = blue
        cases.append(Case(f"frame {place}", {"image": image}, follows=place == 2))
    wrong = graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) { alpha = Conv(image, w) }""",
        w=np.array([1.0, 0.0, 0.1]).reshape(1, 3, 1, 1),
    )
    found = Judge(scaled(1), Accuracy(), evaluation(cases)).judge(wrong).worst
    assert [one.name for one in found] == ["frame 1", "frame 3", "frame 5"]
    for one in found:
        case = next(case for case in cases if case.name == one.name)
        image = case.feeds["image"][0]
        assert one.output == "alpha"
        assert one.picture is not None
        levels = image.transpose(1, 2, 0) * 255
        np.testing.assert_allclose(one.picture, levels, atol=0.501)
        np.testing.assert_allclose(one.fp32, image[0], atol=1e-6)
        np.testing.assert_allclose(one.quantised, image[0] + 0.1 * image[2], atol=1e-6)


@pytest.mark.parametrize(("to", "order"), [("rgb", [0, 1, 2]), ("bgr", [2, 1, 0])])
def test_pictures_are_shown_in_rgb(to: str, order: list[int]) -> None:
    spec = Preprocess(to=to, mean=(10, 20, 30), scale=(0.01, 0.02, 0.03))
    rgb = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE))
    mean, scale = (np.float32(one).reshape(3, 1, 1) for one in (spec.mean, spec.scale))
    image = ((rgb[order] - mean) * scale).astype(np.float32)[None]
    inputs = {"image": PICTURE._replace(preprocess=spec)}
    judge = Judge(scaled(1), Accuracy(), evaluation([Case("a", {"image": image})], inputs=inputs))
    (worst,) = judge.judge(scaled(0.9)).worst
    assert worst.picture is not None
    np.testing.assert_array_equal(worst.picture, rgb.transpose(1, 2, 0))


def test_errors_of_a_state_add_up() -> None:
    """A candidate that forgets less drifts away from float32, although each step is right."""
    inputs = {"image": PICTURE, "before": InputSpec((1, 1, SIZE, SIZE))}
    zero = np.zeros(inputs["before"].shape, np.float32)
    cases = [
        Case(f"frame {place}", {"image": image, "before": zero}, follows=place > 0)
        for place, image in enumerate(pictures(6))
    ]
    made = TASKS.get("generic")("sum", inputs, {"sum": zero.shape}, "here")
    judge = Judge(
        state_network(), Accuracy(), Evaluation(cases, inputs, {"before": "sum"}, made, "some")
    )
    forgetful = onnx.load_from_string(state_network())
    half = next(one for one in forgetful.graph.initializer if one.name == "half")
    half.CopyFrom(onnx.numpy_helper.from_array(np.float32(0.6), "half"))
    found = judge.judge(forgetful.SerializeToString())
    assert found.worst[0].psnr_db < 40
    assert found.outputs["sum"].max_abs > 0.1
