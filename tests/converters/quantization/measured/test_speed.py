"""The clock tells a network with much more work from one with less."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.graphs import graph, noise

from npukit_convert.errors import CalibrationError, ExecutionError
from npukit_convert.quantization.measured.speed import measure_speed

FEEDS = [{"x": np.ones((1, 16, 64, 64), np.float32)}] * 2


def network(layers: int) -> bytes:
    names = ["x", *(f"t{place}" for place in range(layers - 1)), "y"]
    body = "\n".join(f"{out} = Conv<pads=[1,1,1,1]>({into}, w)" for into, out in pairwise(names))
    text = f"(float[1,16,64,64] x) => (float[1,16,64,64] y) {{ {body} }}"
    return graph(text, w=noise(16, 16, 3, 3))


@pytest.mark.parametrize("threads", [1, 2])
def test_six_times_the_work_takes_longer(threads: int) -> None:
    found = measure_speed(network(6), network(1), FEEDS, threads)
    assert found.ratio > 2
    assert found.fp32_ms > found.quantised_ms > 0
    assert found.threads == threads
    assert found.rounds >= 5


def test_a_network_is_as_fast_as_itself() -> None:
    assert 0.8 < measure_speed(network(3), network(3), FEEDS, 1).ratio < 1.25


def test_what_cannot_be_timed() -> None:
    with pytest.raises(CalibrationError, match="nothing to time"):
        measure_speed(network(1), network(1), [], 1)
    with pytest.raises(ExecutionError, match="refuses"):
        measure_speed(network(1), b"no network", FEEDS, 1)
