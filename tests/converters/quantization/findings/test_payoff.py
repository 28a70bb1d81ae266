"""Whether int8 pays is said from the graph alone, and agrees with what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.graphs import graph, noise

from npukit.runtime.build import read_build
from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph
from npukit_convert.quantization.findings.payoff import LITTLE, PAYS, SLOWER, Payoff, payoff
from npukit_convert.quantization.measured.cpu_time import BETWEEN, DENSE, DEPTHWISE, FLOAT
from npukit_convert.quantization.plans.kernels import find_layers
from npukit_convert.quantization.plans.plan import make_plan
from npukit_convert.quantization.plans.qdq import prepare, quantise
from npukit_convert.quantization.plans.ranges import ranges
from npukit_convert.quantization.settings import QuantizationConfig

REPOSITORY = Path(__file__).resolve().parents[4]
TRAINED = REPOSITORY / "tests" / "data" / "onnx"
# float32 : int8 in time and int8 : float32 in bytes, as `python -m benchmarks --only quantization`
# measured them: one thread of a CPU with VNNI.
MEASURED = {
    "esrgan_slim_x2": (2.4, 0.267),
    "blazeface": (0.75, 0.385),
    "face_landmark": (0.74, 0.294),
    "selfie_landscape": (0.62, 0.427),
    "selfie_square": (0.68, 0.427),
}


def network(name: str) -> bytes:
    if name.startswith("selfie"):
        folder = REPOSITORY / "skills" / "portrait_matting" / "model"
        return prepare(read_build(str(folder / f"{name}.sim")).onnx)
    return prepare((TRAINED / f"{name}.onnx").read_bytes())


def dense(operator: str = "", channels: int = 32, side: int = 64, groups: int = 1) -> bytes:
    """Three convolutions with something after each."""
    size = f"1,{channels},{side},{side}"
    steps = "".join(
        f"c{i} = Conv<pads = [1,1,1,1], group = {groups}>({before}, w) "
        + (f"x{i} = {operator}(c{i}) " if operator else f"x{i} = Relu(c{i}) ")
        for i, before in enumerate(("x", "x0", "x1"))
    )
    text = f"(float[{size}] x) => (float[{size}] y) {{ {steps} y = Identity(x2) }}"
    return prepare(graph(text, w=noise(channels, channels // groups, 3, 3)))


@pytest.mark.parametrize("name", MEASURED)
def test_the_estimate_is_near_what_was_measured(name: str) -> None:
    expected, (speed, size) = payoff(network(name)), MEASURED[name]
    assert expected.speed_ratio == pytest.approx(speed, rel=0.3)
    assert expected.size_ratio == pytest.approx(size, rel=0.1)
    assert (expected.verdict == PAYS) == (speed > 1)


@pytest.mark.parametrize("name", ["selfie_landscape", "face_landmark"])
def test_a_network_that_gets_slower_is_told_so_with_numbers(name: str) -> None:
    (finding,) = payoff(network(name)).findings()
    assert finding.code == "will-not-pay"
    assert "does not pay" in finding.text
    assert "conversions between float and int8" in finding.text
    assert " ms" in finding.text
    assert "fp16" in finding.remedy


def test_the_operators_without_a_kernel_are_named() -> None:
    assert "23 PRelu" in payoff(network("face_landmark")).findings()[0].text
    assert "11 HardSigmoid" in payoff(network("selfie_square")).findings()[0].text


def test_a_network_that_pays_has_no_warning() -> None:
    found = payoff(network("esrgan_slim_x2"))
    assert found.findings() == ()
    assert found.text.startswith("int8 pays on a CPU: expected 2.")


def test_dense_convolutions_gain_and_depthwise_ones_do_not() -> None:
    assert payoff(dense()).speed_ratio > 2
    assert payoff(dense(groups=32)).speed_ratio < 1


def test_work_is_counted_by_family() -> None:
    (family,) = [one for one in payoff(dense()).families if one.name == DENSE]
    assert family.layers == 3
    assert family.macs == 3 * 32 * 32 * 9 * 64 * 64
    (family,) = [one for one in payoff(dense(groups=32)).families if one.name == DEPTHWISE]
    assert family.macs == 3 * 32 * 9 * 64 * 64


def test_every_island_of_float_costs_two_conversions() -> None:
    families = {one.name: one for one in payoff(dense("Tanh")).families}
    # Three islands, the last of which gives the output in float.
    assert families[FLOAT].layers == 3
    assert families[BETWEEN].layers == 5
    assert BETWEEN not in {one.name for one in payoff(dense()).families}


def test_more_islands_make_it_slower() -> None:
    assert payoff(dense("Tanh")).speed_ratio < payoff(dense()).speed_ratio


def test_the_size_is_that_of_the_quantised_network() -> None:
    given = dense(channels=64, side=8)
    feeds = [{"x": noise(1, 64, 8, 8, seed=seed).astype(np.float32)} for seed in range(2)]
    settings = QuantizationConfig()
    plan = make_plan("int8", find_layers(read_graph(given, raised=False)), settings)
    made = quantise(given, ranges(given, feeds, settings), plan).onnx
    assert payoff(given).size_ratio == pytest.approx(len(made) / len(given), rel=0.1)


def test_a_network_without_a_layer_gains_nothing() -> None:
    found = payoff(prepare(graph("(float[1,4] x) => (float[1,4] y) { y = Tanh(x) }")))
    assert found.speed_ratio == 1
    assert found.verdict == SLOWER
    assert found.size_ratio == 1


def test_a_quantised_network_is_refused() -> None:
    text = (
        "(float[1,4] x) => (float[1,4] y) { q = QuantizeLinear(x, s) y = DequantizeLinear(q, s) }"
    )
    with pytest.raises(ConversionError, match="quantised already"):
        payoff(graph(text, s=np.float32(0.1)))


def test_verdicts() -> None:
    verdicts = [Payoff(ratio, 0.3, (), ()).verdict for ratio in (3.0, 1.4, 1.2, 1.0, 0.5)]
    assert verdicts == [PAYS, PAYS, LITTLE, SLOWER, SLOWER]
    (hardly,) = Payoff(1.2, 0.3, (), ()).findings()
    assert "board" in hardly.remedy
