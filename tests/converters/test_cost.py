"""The cost model against layers computed by hand, and networks against published counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.graphs import graph

from npukit.errors import ConfigError
from npukit.preprocess import Preprocess
from npukit.profiles import boards, load_board, load_target
from npukit.runtime.declaration import InputSpec
from npukit_convert.cost import Machine, estimate, make_machine
from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph
from npukit_convert.memory import peak_bytes
from npukit_convert.published import apart, compared
from npukit_convert.reference_networks import NETWORKS
from npukit_convert.workload import Convolution, Format, Work, tensor_bytes, work_of

FP16, INT8 = Format(16, 2), Format(32, 1)
MACHINE = Machine("board", "fp16", ops=1e9, bandwidth=1e6, copy_bandwidth=None, format=FP16,
                  sources={})  # fmt: skip


def model(text: str, **weights: Any) -> Any:
    return read_graph(graph(text, **weights))


def zeros(*size: int) -> Any:
    import numpy as np

    return np.zeros(size, np.float32)


def only(text: str, form: Format = FP16, **weights: Any) -> Work:
    (node,) = model(text, **weights).graph
    return work_of(node, form)


# --- single layers, by hand -----------------------------------------------------------------------


def test_a_3x3_convolution() -> None:
    """20 channels fill 32, 33 fill 48; 8 x 10 places are five blocks of 16."""
    work = only(
        "(float[1,20,8,10] x) => (float[1,33,8,10] y) { y = Conv <pads=[1,1,1,1]> (x, w) }",
        w=zeros(33, 20, 3, 3),
    )
    assert work == Work(
        macs=80 * 9 * 20 * 33,
        padded_macs=80 * 9 * 32 * 48,
        read=80 * 32 * 2,
        weights=9 * 32 * 48 * 2,
        written=80 * 48 * 2,
    )


def test_places_are_filled_too() -> None:
    """7 x 7 = 49 places are computed as 64."""
    work = Convolution((1, 16, 7, 7), (1, 16, 7, 7), (1, 1)).work(FP16)
    assert (work.macs, work.padded_macs) == (49 * 16 * 16, 64 * 16 * 16)


def test_int8_has_blocks_of_32_and_half_the_bytes() -> None:
    work = Convolution((1, 16, 4, 4), (1, 16, 4, 4), (3, 3)).work(INT8)
    assert work == Work(16 * 9 * 256, 16 * 9 * 32 * 16, 16 * 32, 9 * 32 * 16, 16 * 32)


def test_a_depthwise_convolution_fills_its_blocks_with_zeros() -> None:
    """24 groups of one channel are two blocks of 16 x 16, of which the diagonal is needed."""
    work = only(
        "(float[1,24,4,4] x) => (float[1,24,4,4] y) { y = Conv <group=24, pads=[1,1,1,1]> (x, w) }",
        w=zeros(24, 1, 3, 3),
    )
    assert work.macs == 16 * 9 * 24
    assert work.padded_macs == 16 * 9 * 2 * 16 * 16
    assert work.weights == 9 * 2 * 16 * 16 * 2


def test_groups_share_blocks_only_as_far_as_they_must() -> None:
    """Four groups of 8 channels: two to a block. Of 32: one to two blocks."""
    eights = Convolution((1, 32, 4, 4), (1, 32, 4, 4), (1, 1), 4).work(FP16)
    assert eights.padded_macs == 16 * 2 * 16 * 16
    large = Convolution((1, 128, 4, 4), (1, 128, 4, 4), (1, 1), 4).work(FP16)
    assert large.padded_macs == large.macs == 16 * 4 * 32 * 32


def test_a_transposed_convolution_multiplies_the_zeros_between() -> None:
    work = only(
        "(float[1,16,4,4] x) => (float[1,16,8,8] y) { y = ConvTranspose <strides=[2,2]> (x, w) }",
        w=zeros(16, 16, 2, 2),
    )
    assert work.macs == 16 * 4 * 256
    assert work.padded_macs == 64 * 4 * 256


def test_a_fully_connected_layer_fills_a_block_with_one_row() -> None:
    work = only("(float[1,100] x) => (float[1,10] y) { y = Gemm <transB=1> (x, w) }",
                w=zeros(10, 100))  # fmt: skip
    assert (work.macs, work.padded_macs) == (1000, 16 * 112 * 16)
    assert (work.read, work.weights, work.written) == (224, 112 * 16 * 2, 32)


def test_matmul_of_two_maps_reads_both() -> None:
    text = "(float[2,3,8,16] x, float[2,3,16,32] z) => (float[2,3,8,32] y) { y = MatMul (x, z) }"
    work = only(text)
    assert work.macs == 6 * 8 * 16 * 32
    assert work.padded_macs == 6 * 16 * 16 * 32
    assert work.weights == 0


def test_joins_move_and_compute_nothing() -> None:
    add = only("(float[1,20,4,4] a, float[1,20,4,4] b) => (float[1,20,4,4] y) { y = Add (a, b) }")
    assert add == Work(read=2 * 16 * 32 * 2, written=16 * 32 * 2)
    concat = only(
        "(float[1,8,4,4] a, float[1,8,4,4] b) => (float[1,16,4,4] y) { y = Concat <axis=1> (a, b) }"
    )
    assert concat == Work(read=2 * 512, written=512)


def test_instance_norm_reads_twice() -> None:
    work = only(
        "(float[1,16,4,4] x) => (float[1,16,4,4] y) { y = InstanceNormalization (x, s, b) }",
        s=zeros(16), b=zeros(16),
    )  # fmt: skip
    assert (work.read, work.written) == (1024, 512)


@given(
    inner=st.integers(1, 70), outer=st.integers(1, 70), side=st.integers(1, 20),
    kernel=st.integers(1, 5), groups=st.integers(1, 4),
)  # fmt: skip
def test_filling_only_adds(inner: int, outer: int, side: int, kernel: int, groups: int) -> None:
    conv = Convolution(
        (1, inner * groups, side, side), (1, outer * groups, side, side), (kernel, kernel), groups
    )
    padded, bare = conv.work(FP16), conv.work(FP16.bare())
    assert padded.macs == bare.macs == bare.padded_macs
    assert padded.padded_macs >= padded.macs
    assert padded.padded_macs % (16 * 16 * 16) == 0
    assert padded.read >= bare.read == inner * groups * side * side * 2
    assert padded.weights >= bare.weights == inner * outer * groups * kernel**2 * 2


# --- the whole ------------------------------------------------------------------------------------

CHAIN = """(float[1,16,8,8] x) => (float[1,16,8,8] y) {
    a = Conv <pads=[1,1,1,1]> (x, w)
    b = Relu (a)
    y = Add (b, x)
}"""


def test_a_layer_takes_the_longer_of_both_times() -> None:
    done = estimate(model(CHAIN, w=zeros(16, 16, 3, 3)), MACHINE)
    names = [(layer.operator, layer.fused) for layer in done.layers]
    assert names == [("Copy", ()), ("Cast", ()), ("Conv", ("Relu",)), ("Add", ()), ("Cast", ()),
                     ("Copy", ())]  # fmt: skip
    conv = done.layers[2]
    assert conv.compute_s == pytest.approx(2 * 64 * 9 * 256 / 1e9)
    assert conv.memory_s == pytest.approx((2048 + 4608 + 2048) / 1e6)
    assert (conv.bound, conv.seconds) == ("memory", conv.memory_s)
    add, copy = done.layers[3], done.layers[0]
    assert add.seconds == pytest.approx(3 * 2048 / 1e6)
    assert copy.seconds == pytest.approx(2 * 4096 / 1e6), "float32, written and read"
    assert done.seconds == pytest.approx(sum(layer.seconds for layer in done.layers))
    assert done.macs == 64 * 9 * 256
    assert done.weights == 4608
    assert done.dominant(1) == [conv]


def test_a_link_of_its_own_has_its_own_speed() -> None:
    linked = Machine("board", "fp16", 1e9, 1e6, 4e3, FP16, {})
    done = estimate(model(CHAIN, w=zeros(16, 16, 3, 3)), linked)
    assert done.layers[0].seconds == pytest.approx(4096 / 4e3)


def test_what_is_read_twice_is_not_fused() -> None:
    text = """(float[1,16,8,8] x) => (float[1,16,8,8] y) {
        a = Conv (x, w)
        b = Sigmoid (a)
        y = Mul (a, b)
    }"""
    done = estimate(model(text, w=zeros(16, 16, 1, 1)), MACHINE)
    assert [layer.operator for layer in done.layers[2:5]] == ["Conv", "Sigmoid", "Mul"]


def test_a_picture_comes_in_as_bytes_and_through_aipp() -> None:
    net = model("(float[1,3,8,16] x) => (float[1,3,8,16] y) { y = Relu (x) }")
    spec = InputSpec((1, 3, 8, 16), Preprocess())
    copy, aipp, *_ = estimate(net, MACHINE, {"x": spec}).layers
    assert (copy.operator, copy.work.read) == ("Copy", 8 * 16 * 3 // 2)
    assert (aipp.operator, aipp.work) == (
        "Aipp", Work(read=8 * 16 * 3 // 2, written=8 * 16 * 16 * 2)
    )  # fmt: skip


def test_memory_at_the_fullest() -> None:
    """x lives to the Add, so it, the Conv's result and the sum are there together."""
    net = model(CHAIN, w=zeros(16, 16, 3, 3))
    one = tensor_bytes((1, 16, 8, 8), FP16)
    relu = [node for node in net.graph if node.op_type == "Relu"]
    assert peak_bytes(net, FP16, relu) == 3 * one
    assert estimate(net, MACHINE).peak == 3 * one + 4608
    straight = """(float[1,16,8,8] x) => (float[1,64,8,8] y) {
        a = Conv (x, w)
        b = Reshape (a, s)
        y = Reshape (b, s)
    }"""
    import numpy as np

    net = model(straight, w=zeros(64, 16, 1, 1), s=np.array([1, 64, 8, 8]))
    assert peak_bytes(net, FP16) == 5 * one, "names cost nothing"


def test_a_size_that_depends_on_data_is_refused() -> None:
    net = model("(float[1,N] x) => (float[1,N] y) { y = Relu (x) }")
    with pytest.raises(ConversionError, match="depends on data"):
        estimate(net, MACHINE)


# --- boards ---------------------------------------------------------------------------------------


def machine(name: str, precision: str = "fp16") -> Machine:
    board = load_board(name)
    return make_machine(board, load_target(board.target), precision)


@pytest.mark.parametrize(
    ("name", "precision", "ops", "bandwidth"),
    [
        ("hilens_kit", "fp16", 8e12, 51.2e9),
        ("hilens_kit", "int8", 16e12, 51.2e9),
        ("atlas_200dk", "fp16", 11.14e12, 51.2e9),
        ("atlas_200dk", "int8", 22e12, 51.2e9),
        ("orangepi_aipro", "fp16", 4e12, 25.6e9),
    ],
)
def test_the_figures_of_the_boards(name: str, precision: str, ops: float, bandwidth: float) -> None:
    found = machine(name, precision)
    assert (found.ops, found.bandwidth) == (pytest.approx(ops), pytest.approx(bandwidth))
    assert found.format == (FP16 if precision == "fp16" else INT8)
    assert len(found.sources) == 4
    assert all(": " in source for source in found.sources.values())


def test_a_stand_in_says_so() -> None:
    assert "stand-in" in machine("orangepi_aipro").sources["ddr_bandwidth"]


@pytest.mark.parametrize(("name", "precision"), [("simulator", "fp16"), ("hilens_kit", "fp32")])
def test_without_a_peak_there_is_no_estimate(name: str, precision: str) -> None:
    with pytest.raises(ConfigError, match=f"no peak of {name} in {precision}"):
        machine(name, precision)


def test_every_board_but_the_simulator_has_an_estimate() -> None:
    net = NETWORKS["squeezenet"]()
    for name in boards():
        if name != "simulator":
            assert 0 < estimate(net, machine(name)).seconds < 1


# --- published networks ---------------------------------------------------------------------------

# Millions of multiply-adds and of parameters: torchvision's model cards where it has the network
# (BatchNorm's parameters taken off), else the papers.
COUNTS = {
    "alexnet": (714, 61.1),
    "mobilenet_v1": (569, 4.2),
    "mobilenet_v2": (301, 3.5),
    "resnet18": (1814, 11.7),
    "resnet50": (4089, 25.5),
    "resnet101": (7801, 44.5),
    "squeezenet": (777, 1.25),
    "vgg16": (15470, 138.4),
    "yolov3": (70300, 61.9),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_have_the_published_size(name: str) -> None:
    net = NETWORKS[name]()
    parameters = sum(
        math.prod(value.shape)
        for value in net.graph.initializers.values()  # type: ignore[arg-type]
    )
    macs = estimate(net, machine("atlas_200dk")).macs
    assert macs / 1e6 == pytest.approx(COUNTS[name][0], rel=0.003)
    assert parameters / 1e6 == pytest.approx(COUNTS[name][1], rel=0.01)


def test_published_times_are_compared_and_sourced() -> None:
    rows = compared()
    assert len(rows) >= 10
    assert {row.network for row in rows} == set(NETWORKS)
    for row in rows:
        assert row.url.startswith("https://")
        assert row.how
        assert row.error == pytest.approx(row.estimated_ms / row.published_ms - 1)
    assert [one.published_ms for one in apart()] == [44, 33.6]
    assert all(one.why and one.source for one in apart())
