"""Swapped channels are told from right ones by how a network answers to another swap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.graphs import graph, noise
from support.quantized import PICTURE, SIZE, alpha_network, scenes

from npukit.color import Color
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess
from npukit.runtime.declaration import InputSpec
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.findings.color_order import ColorOrder, color_order, levels, swap
from npukit_convert.quantization.findings.probe import Probe

ODD = Preprocess(mean=(10, 20, 30), scale=(0.01, -0.02, 0.03))


def feeds(seed: int, inputs: Any, bgr: bool = False, count: int = 8) -> list[dict[str, Any]]:
    """Scenes that are warm on average."""
    made = []
    for rgb in scenes(count, seed):
        seen = np.ascontiguousarray(rgb[:, :, ::-1]) if bgr else rgb
        made.append(Feeder(inputs).frame(Nv21Frame.from_rgb(seen, Color())))
    return made


def order(calibration: Any, evaluation: Any, inputs: Any) -> ColorOrder:
    found = color_order(Probe(alpha_network()), calibration, evaluation, inputs)
    assert found is not None
    return found


@pytest.mark.parametrize("to", ["rgb", "bgr"])
def test_swapped_frames_answer_the_opposite_way(to: str) -> None:
    inputs = {"image": PICTURE._replace(preprocess=Preprocess(to=to, scale=(1 / 255,) * 3))}
    right = order(feeds(0, inputs), feeds(1, inputs), inputs)
    wrong = order(feeds(0, inputs, bgr=True), feeds(1, inputs), inputs)
    assert right.likeness > 0.3
    assert not right.swapped
    assert wrong.likeness == pytest.approx(-right.likeness, abs=0.05)
    assert wrong.swapped
    assert wrong.opposite > 0.9
    assert wrong.red < wrong.blue - 30
    assert wrong.expected[0] > wrong.expected[1] + 30
    assert (right.red, right.blue) == pytest.approx((wrong.blue, wrong.red), abs=3)


def test_the_same_frames_are_their_own_likeness() -> None:
    inputs = {"image": PICTURE}
    found = order(feeds(0, inputs), feeds(0, inputs), inputs)
    assert found.likeness > 0.5
    turned = [swap(feed, inputs) for feed in feeds(0, inputs)]
    assert order(turned, feeds(0, inputs), inputs).likeness == pytest.approx(-found.likeness)


def test_gray_frames_say_nothing() -> None:
    inputs = {"image": PICTURE}
    gray = [{"image": np.repeat(feed["image"][:, 1:2], 3, axis=1)} for feed in feeds(0, inputs)]
    assert not order(gray, feeds(1, inputs), inputs).swapped
    assert not order(feeds(0, inputs, bgr=True), gray, inputs).swapped


def test_there_is_no_order_without_colour_or_convolutions() -> None:
    gray = {"x": InputSpec((1, 1, SIZE, SIZE), Preprocess(to="gray", mean=(0.0,), scale=(1.0,)))}
    plain = {"x": InputSpec((1, 3, SIZE, SIZE))}
    network = graph(
        "(float[1,1,16,16] x) => (float[1,1,16,16] y) { y = Conv(x, w) }", w=noise(1, 1, 1, 1)
    )
    given = [{"x": np.ones((1, 1, SIZE, SIZE), np.float32)}]
    assert color_order(Probe(network), given, given, gray) is None
    assert color_order(Probe(network), given, given, plain) is None
    flat = graph("(float[1,3,16,16] image) => (float[1,3,16,16] y) { y = Relu(image) }")
    inputs = {"image": PICTURE}
    assert color_order(Probe(flat), feeds(0, inputs), feeds(1, inputs), inputs) is None
    assert color_order(Probe(alpha_network()), [], feeds(1, inputs), inputs) is None


def test_a_swap_keeps_mean_and_scale_in_their_places() -> None:
    inputs = {"image": PICTURE._replace(preprocess=ODD), "state": InputSpec((1, 2))}
    rgb = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE)).astype(np.float32)
    mean, scale = (np.float32(one).reshape(3, 1, 1) for one in (ODD.mean, ODD.scale))
    state = np.ones((1, 2), np.float32)
    feed = {"image": ((rgb - mean) * scale)[None], "state": state}
    found = swap(feed, inputs)
    np.testing.assert_allclose(found["image"][0], (rgb[::-1] - mean) * scale, atol=1e-4)
    np.testing.assert_allclose(levels(feed["image"], inputs["image"]), rgb, atol=1e-3)
    assert found["state"] is state
    np.testing.assert_allclose(swap(found, inputs)["image"], feed["image"], atol=1e-4)


def verdict(likeness: float, first: float, opposite: float, frames: int) -> bool:
    return ColorOrder(likeness, first, opposite, frames, 0, 0, (0, 0)).swapped


def test_the_weaker_rule_asks_for_both_layers_and_for_more_frames() -> None:
    assert verdict(-0.35, 0.5, 0.95, 4)
    assert not verdict(-0.35, 0.5, 0.8, 16)
    assert verdict(-0.15, -0.5, 0.8, 16)
    assert not verdict(-0.15, -0.5, 0.8, 4)
    assert not verdict(-0.15, -0.3, 1.0, 16)
    assert not verdict(-0.05, -0.9, 1.0, 16)
    assert not verdict(0.3, 0.9, 0.0, 16)
