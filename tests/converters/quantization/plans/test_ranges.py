"""Ranges: what numpy sees, whatever the order of the frames, and refused where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import graph, noise

from npukit_convert.errors import ConversionError, ExecutionError
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.quantization.plans.qdq import prepare
from npukit_convert.quantization.plans.ranges import Ranges, ranges
from npukit_convert.quantization.settings import QuantizationConfig

TEXT = """(float[1,2,8,8] x) => (float[1,3,8,8] y, float[1,3,8,8] k) {
    c = Conv(x, w) t = Tanh(c) y = Add(t, b) k = Mul(t, z) }"""
NETWORK = prepare(
    graph(TEXT, w=noise(3, 2, 1, 1), b=noise(1, 3, 1, 1, seed=1), z=np.zeros((1, 3, 1, 1)))
)


def frames(count: int = 6, seed: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [
        {"x": ((1 + place) * random.standard_normal((1, 2, 8, 8))).astype(np.float32)}
        for place in range(count)
    ]


def of(feeds: list[dict[str, Any]], **settings: Any) -> Ranges:
    return ranges(NETWORK, feeds, QuantizationConfig(**settings))


def test_min_and_max_are_those_of_every_tensor() -> None:
    feeds = frames()
    found = of(feeds)
    expected: dict[str, tuple[float, float]] = {}
    with OnnxRuntime(NETWORK, optimised=False) as runtime:
        for frame in feeds:
            for name, value in [*runtime.layers(frame), *frame.items()]:
                low, high = expected.get(name, (np.inf, -np.inf))
                expected[name] = min(low, float(value.min())), max(high, float(value.max()))
    assert dict(found.values) == expected
    assert found.seen == found.values
    assert found.constants() == {"k": 0.0}


@pytest.mark.parametrize("method", ["entropy", "percentile"])
def test_the_order_of_the_frames_does_not_matter(method: str) -> None:
    feeds = frames()
    one, other = of(feeds, method=method), of(feeds[::-1], method=method)
    assert one.values == other.values
    assert one.values["k"] == (0.0, 0.0), "a constant has no histogram"
    for name, (low, high) in one.values.items():
        assert one.seen[name][0] <= low <= high <= one.seen[name][1], name


def test_what_is_rare_is_cut_off() -> None:
    feeds = frames()
    feeds[3]["x"][0, 0, 0, 0] = 1000.0
    assert of(feeds).values["x"][1] == 1000.0
    everything = of(feeds, method="percentile", percentile=100.0).values["x"]
    most = of(feeds, method="percentile", percentile=99.0).values["x"]
    entropy = of(feeds, method="entropy").values["x"]
    assert everything == of(feeds).values["x"]
    assert most[1] < 100.0
    assert entropy[1] < 1000.0, "it chooses among more bins than there are levels"


def test_a_percentile_is_that_of_numpy_but_for_a_bin() -> None:
    feeds = frames()
    low, high = of(feeds, method="percentile", percentile=90.0).values["x"]
    values = np.concatenate([frame["x"].ravel() for frame in feeds])
    width = 2 * np.abs(values).max() / 2048
    np.testing.assert_allclose([low, high], np.percentile(values, [5, 95]), atol=3 * width)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_overflow_is_refused_by_name(value: float) -> None:
    data = prepare(graph("(float[1,4] x) => (float[1,4] y) { e = Exp(x) y = Neg(e) }"))
    feeds = [{"x": np.zeros((1, 4), np.float32)}, {"x": np.full((1, 4), 1000.0, np.float32)}]
    with pytest.raises(ConversionError, match=r"tensor 'e' reaches .*inf") as caught:
        ranges(data, feeds, QuantizationConfig())
    assert "overflows" in caught.value.hint


def test_there_must_be_frames_and_they_must_fit() -> None:
    with pytest.raises(ConversionError, match="no frames"):
        of([])
    with pytest.raises(ExecutionError, match="takes"):
        of([{"x": np.zeros((1, 2, 4, 4), np.float32)}])


def test_frames_are_taken_one_at_a_time() -> None:
    """Feeds may be made when they are asked for: none is held on to."""
    asked: list[int] = []

    class Lazy(list[dict[str, Any]]):
        def __iter__(self) -> Any:
            for place, frame in enumerate(frames()):
                asked.append(place)
                yield frame

    of(Lazy(frames()), method="percentile")
    assert asked == [*range(6)] * 3, "for the ends, the inputs' and the tensors' histograms"


def test_tensors_are_reduced_as_they_come() -> None:
    """Sixty tensors of 4 MB: a process of its own, as its memory is looked at."""
    code = """
import resource, sys
import numpy as np
from support.graphs import graph
from npukit_convert.quantization.plans.ranges import ranges
from npukit_convert.quantization.settings import QuantizationConfig
names = ["x", *(f"t{number}" for number in range(60)), "y"]
steps = " ".join(f"{b} = Neg({a})" for a, b in zip(names, names[1:]))
side = "float[1,4,512,512]"
data = graph(f"({side} x) => ({side} y) {{ {steps} }}")
feeds = [{"x": np.ones((1, 4, 512, 512), np.float32)}] * 3
ranges(data, feeds, QuantizationConfig())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    idle = code.replace("[1,4,512,512]", "[1,4,2,2]").replace("(1, 4, 512, 512)", "(1, 4, 2, 2)")
    used, base = (
        int(subprocess.run([sys.executable, "-c", one], check=True, capture_output=True,
                           cwd=Path(__file__).parents[3], text=True).stdout)
        for one in (code, idle)
    )  # fmt: skip
    assert used - base < 120, f"{used - base} MB; all tensors together are 240"
