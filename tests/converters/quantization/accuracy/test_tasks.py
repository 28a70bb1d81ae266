"""Every task measures what its formula says, and refuses a network that it does not fit."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from support.quantized import BYTE, PICTURE, SIZE, scenes

from npukit.color import Color, Matrix, Range
from npukit.errors import ConfigError
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess
from npukit.quality import QualityMeter
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.accuracy.tasks import TASKS, Case, Task

INPUTS = {"image": PICTURE}
SHAPES = {"alpha": (1, 1, SIZE, SIZE), "large": (1, 3, 2 * SIZE, 2 * SIZE)}
FULL = Color(Matrix.BT709, Range.FULL)


def task(name: str, output: str = "alpha", inputs: Any = None, shapes: Any = None) -> Task:
    return TASKS.get(name)(output, inputs or INPUTS, shapes or SHAPES, "accuracy.yaml, task")


def gray(plane: Any, color: Color = FULL) -> Nv21Frame:
    half = np.full((plane.shape[0] // 2, plane.shape[1] // 2, 2), 128, np.uint8)
    return Nv21Frame(plane, half, color)


@pytest.mark.parametrize("name", TASKS.names())
def test_every_task_says_what_it_is(name: str) -> None:
    kind = TASKS.get(name)
    assert kind.summary
    assert kind.consecutive >= 1
    for measure, (unit, higher_is_better) in kind.measures.items():
        assert measure.isidentifier()
        assert unit
        assert isinstance(higher_is_better, bool)


def test_all_tasks_can_be_imported() -> None:
    assert not TASKS.failures()
    assert {"generic", "matting", "super_resolution"} <= set(TASKS.names())


def test_generic_measures_nothing() -> None:
    one = task("generic")
    feeds = {"image": np.zeros(PICTURE.shape, np.float32)}
    assert one.prepare(feeds, None, None) == (feeds, None)
    meter = one.meter()
    meter.add(Case("a", feeds), {})
    assert meter.result() == {}


# --- matting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("range_", list(Range))
def test_the_exact_alpha_is_the_mean_of_what_a_cell_covers(range_: Range) -> None:
    """In full and in limited range alike: 255 or 235 is 1."""
    steps = np.zeros((4 * SIZE, 4 * SIZE), np.uint8)
    steps[:, 4 * 5 + 1 :] = 255  # column 5 is covered by three quarters
    exact = gray(steps).recolor(Color(Matrix.BT709, range_))
    feeds = {"image": np.zeros(PICTURE.shape, np.float32)}
    _, truth = task("matting").prepare(feeds, gray(steps), exact)
    assert truth is not None
    assert truth.shape == (SIZE, SIZE)
    np.testing.assert_allclose(truth[:, :5], 0.0, atol=1e-6)
    np.testing.assert_allclose(truth[:, 5], 0.75, atol=0.01)
    np.testing.assert_allclose(truth[:, 6:], 1.0, atol=1e-6)


def test_the_exact_alpha_goes_through_the_geometry_of_the_picture() -> None:
    """A disc in a wide frame, cut to its middle, covers the same cells in both."""
    rgb = np.zeros((64, 128, 3), np.uint8)
    cv2.circle(rgb, (70, 30), 20, (255, 255, 255), -1)
    picture, exact = Nv21Frame.from_rgb(rgb, FULL), gray(rgb[..., 0].copy())
    spec = Preprocess(geometry="center", resize="area", scale=(BYTE,) * 3)
    inputs = {"image": PICTURE._replace(preprocess=spec)}
    feeds = Feeder(inputs).frame(picture)
    _, truth = task("matting", inputs=inputs).prepare(feeds, picture, exact)
    assert truth is not None
    np.testing.assert_allclose(truth, feeds["image"][0, 1], atol=0.05)
    assert 0.2 < truth.mean() < 0.4


def test_matting_measures_each_run_of_frames_by_itself() -> None:
    random = np.random.default_rng(0)
    truths = random.uniform(0, 1, (5, SIZE, SIZE)).astype(np.float32)
    found = np.clip(truths + random.normal(0, 0.1, truths.shape), 0, 1).astype(np.float32)
    follows = [False, True, False, True, True]
    meter = task("matting").meter()
    for truth, alpha, after in zip(truths, found, follows, strict=True):
        meter.add(Case("it", {}, truth, after), {"alpha": alpha[None, None]})
    result = meter.result()
    whole, runs = QualityMeter(), [QualityMeter(), QualityMeter()]
    for place, (truth, alpha) in enumerate(zip(truths, found, strict=True)):
        whole.add(alpha, truth)
        runs[place >= 2].add(alpha, truth)
    wanted = whole.errors()._asdict()
    wanted["dtssd"] = (runs[0].errors().dtssd + 2 * runs[1].errors().dtssd) / 3
    for name, value in wanted.items():
        assert result[name] == pytest.approx(value), name


@pytest.mark.parametrize(
    ("output", "inputs", "message"),
    [
        ("large", None, "an alpha is"),
        ("alpha", {"image": InputSpec((1, 3, SIZE, SIZE))}, "one input with a `preprocess:`"),
        ("alpha", {"a": PICTURE, "b": PICTURE}, "one input with a `preprocess:`"),
    ],
)
def test_matting_refuses_other_networks(output: str, inputs: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task("matting", output, inputs)


def test_matting_needs_pictures_and_an_alpha_of_their_size() -> None:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    with pytest.raises(CalibrationError, match="not on arrays"):
        task("matting").prepare({}, None, gray(plane))
    with pytest.raises(CalibrationError, match="the exact alpha is 16x16, the picture 32x16"):
        task("matting").prepare({}, gray(np.zeros((16, 32), np.uint8)), gray(plane))


# --- super-resolution ----------------------------------------------------------------------------


def test_the_truth_is_the_picture_that_the_input_was_made_of() -> None:
    frame = Nv21Frame.from_rgb(scenes(1, size=64)[0], FULL)
    one = task("super_resolution", "large")
    feeds, truth = one.prepare(Feeder(INPUTS).frame(frame), frame, None)
    assert truth is not None
    assert feeds["image"].shape == PICTURE.shape
    assert truth.shape == SHAPES["large"]
    shrunk = truth.reshape(1, 3, SIZE, 2, SIZE, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(feeds["image"], shrunk, atol=0.03)


def test_psnr_is_that_of_the_formula() -> None:
    spec = Preprocess(mean=(127.5,) * 3, scale=(2 * BYTE,) * 3)  # -1 .. 1
    one = task("super_resolution", "large", {"image": PICTURE._replace(preprocess=spec)})
    meter = one.meter()
    for error in (0.02, 0.2):
        truth = np.zeros(SHAPES["large"], np.float32)
        meter.add(Case("it", {}, truth), {"large": truth + np.float32(error)})
    wanted = np.mean([20 * math.log10(2 / error) for error in (0.02, 0.2)])
    assert meter.result()["psnr"] == pytest.approx(wanted, rel=1e-5)
    meter = one.meter()
    white = np.ones(SHAPES["large"], np.float32)
    meter.add(Case("it", {}, white), {"large": white * 1.5})  # no display shows more than white
    assert meter.result()["psnr"] == math.inf


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 32, 32), "no enlarged"),
        ((1, 3, 32, 48), "no enlarged"),
        ((1, 3, 8, 8), "no enlarged"),
        ((1, 10), "no enlarged"),
    ],
)
def test_super_resolution_refuses_other_networks(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task("super_resolution", "it", shapes={"it": shape})
    with pytest.raises(CalibrationError, match="not on arrays"):
        task("super_resolution", "large").prepare({}, None, None)
