"""What the cases do not show: limits of OMG, and the geometry behind convolutions and resizes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lowering import lower
from support.onnx_cases.case import Case
from support.onnx_cases.spatial import CASES, chain, noise, padded, pool, resized

from npukit_convert.graph import constant, operand, read_graph
from npukit_convert.interpolation import Axis
from npukit_convert.onnx_to_caffe.families.convolution import window_fields
from npukit_convert.onnx_to_caffe.profiles._omg_rules import MIB, deconvolution_bytes
from npukit_convert.passes._parts import picks, runs
from npukit_convert.windows import Axis as Window
from npukit_convert.windows import symmetric_conv, symmetric_transposed, transposed_axes

BY_TITLE = {case.title: case for case in CASES}
IN_OMG = {
    "ConvTranspose of 2 groups": {"ConvTranspose": 1},
    "ConvTranspose over 1 MiB for OMG: in parts": {"ConvTranspose": 2, "Concat": 1},
    "ConvTranspose depthwise over 1 MiB for OMG: in groups of parts": {
        "Split": 1,
        "ConvTranspose": 4,
        "Concat": 1,
    },
    "GlobalAveragePool of 128x144 pixels": {"AveragePool": 1, "GlobalAveragePool": 1},
    "GlobalAveragePool of 127x131 pixels": {"AveragePool": 1, "GlobalAveragePool": 1},
    "Resize linear align_corners": {"Resize": 1},
    "Resize nearest x1.5": {"Split": 2, "Concat": 2},
    "Resize of 1x1 to 6x5, nearest": {"Resize": 1},
}


@pytest.mark.parametrize("title", IN_OMG)
def test_omg_gets_nodes_of_its_own(title: str) -> None:
    model = read_graph(lower(BY_TITLE[title].model(), "caffe-omg")[0])
    assert Counter(node.op_type for node in model.graph) == IN_OMG[title]


def test_every_transposed_convolution_for_omg_is_within_its_limits() -> None:
    seen = 0
    for case in CASES:
        for node in read_graph(lower(case.model(), "caffe-omg")[0]).graph:
            if node.op_type != "ConvTranspose":
                continue
            weights = constant(operand(node, 1))
            assert weights is not None
            windows = transposed_axes(node, weights.shape[2:])
            assert windows is not None
            for axis in windows:
                assert axis.begin == axis.end <= axis.kernel - 1
                assert axis.dilation == 1
            assert "group" not in node.attributes
            channels, kernel = weights.shape[:2], weights.shape[2:]
            wide = windows[1]
            assert deconvolution_bytes(channels, kernel, wide.size, wide.stride) <= MIB
            seen += 1
    assert seen > 20


@given(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3),
    st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip
def test_a_convolution_padded_alike_computes_the_same(
    size: int, kernel: int, stride: int, dilation: int, begin: int, end: int
) -> None:
    span = (kernel - 1) * dilation + 1
    if size + begin + end < span:
        return
    out = (size + begin + end - span) // stride + 1
    weights, x = noise(1, 1, kernel), noise(size, seed=5)
    axis = Window(size, out, kernel, stride, dilation, begin, end)
    new, fitted = symmetric_conv(weights, 2, axis)
    assert fitted.begin == fitted.end
    wanted = _convolved(x, weights[0, 0], axis)
    np.testing.assert_array_equal(_convolved(x, new[0, 0], fitted), wanted)


@given(
    st.integers(1, 8), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3),
    st.integers(0, 4), st.integers(-2, 4),
)  # fmt: skip
def test_a_transposed_convolution_cropped_alike_computes_the_same(
    size: int, kernel: int, stride: int, dilation: int, begin: int, end: int
) -> None:
    out = (size - 1) * stride + (kernel - 1) * dilation + 1 - begin - end
    if out < 1:
        return
    weights, x = noise(1, 1, kernel), noise(size, seed=5)
    axis = Window(size, out, kernel, stride, dilation, begin, end)
    new, fitted = symmetric_transposed(weights, 2, axis)
    assert fitted.begin == fitted.end <= fitted.kernel - 1
    assert fitted.dilation == 1
    wanted = _transposed(x, weights[0, 0], axis)
    np.testing.assert_array_equal(_transposed(x, new[0, 0], fitted), wanted)


def _convolved(x: np.ndarray, weights: np.ndarray, axis: Window) -> np.ndarray:
    wide = np.pad(x, (axis.begin, axis.end))
    starts = [i * axis.stride for i in range((len(wide) - axis.span) // axis.stride + 1)]
    taps = [wide[start : start + axis.span : axis.dilation] for start in starts]
    return np.array([_sum(one, weights) for one in taps])


def _transposed(x: np.ndarray, weights: np.ndarray, axis: Window) -> np.ndarray:
    full = [[0.0] for _ in range((axis.size - 1) * axis.stride + axis.span + max(-axis.end, 0))]
    for i, pixel in enumerate(x):
        for j, weight in enumerate(weights):
            full[i * axis.stride + j * axis.dilation].append(float(pixel) * float(weight))
    sums = np.array([sum(terms) for terms in full])
    return sums[axis.begin : axis.begin + axis.out]


def _sum(one: np.ndarray, other: np.ndarray) -> float:
    return sum(float(a) * float(b) for a, b in zip(one, other, strict=True))


@given(st.integers(1, 9), st.data())
def test_picks_put_every_pixel_in_its_place(size: int, data: st.DataObject) -> None:
    more = data.draw(st.lists(st.integers(0, size - 1), max_size=12))
    places = data.draw(st.permutations([*range(size), *more]))
    found = picks(places, size)
    assert found is not None
    sizes, order = found
    parts = np.split(np.arange(size), np.cumsum(sizes)[:-1])
    assert np.concatenate([parts[number] for number in order]).tolist() == list(places)
    assert set(order) == set(range(len(sizes)))


def test_picks_refuse_to_leave_a_pixel_out() -> None:
    assert picks([0, 2, 2], 3) is None


def test_runs_are_of_equal_numbers() -> None:
    assert runs([1.5, 1, 1, 1, 1.5]) == [1, 3, 1]


@pytest.mark.parametrize("stride", [2, 3, 4, 8])
def test_the_filter_of_a_linear_resize_is_the_triangle(stride: int) -> None:
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    axis = Axis(11, 11 * stride, float(stride), tuple(how.items()), 18)
    found = axis.filter()
    assert found is not None
    count = 2 * stride - stride % 2
    triangle = 1 - np.abs(np.arange(count) - (count - 1) / 2) / stride
    np.testing.assert_allclose(found.weights, triangle, atol=1e-6)
    assert (found.enlarges, found.stride, found.edge) == (True, stride, 1)
    assert found.begin == found.end == stride + (stride - 1 + 1) // 2  # s + ceil((s - 1) / 2)


def test_a_resize_by_no_whole_factor_has_no_filter() -> None:
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    assert Axis(8, 16, None, tuple(how.items()), 18).filter() is None


def test_square_windows_are_written_in_one_number() -> None:
    square = Window(8, 4, 3, 2, 1, 1, 1)
    assert window_fields([square, square]) == {"kernel_size": 3, "stride": 2, "pad": 1}
    wide = Window(8, 8, 5, 1, 1, 2, 2)
    assert window_fields([square, wide]) == {
        "kernel_h": 3, "kernel_w": 5, "stride_h": 2, "stride_w": 1, "pad_h": 1, "pad_w": 2,
    }  # fmt: skip


def test_zeros_are_no_padding_of_a_maximum() -> None:
    case = chain("", (1, 2, 6, 6), (), padded(0, 0, 1, 1, 0, 0, 1, 1), pool("MaxPool", 3, 1))
    lowered, changes = lower(case.model(), "caffe")
    assert [node.op_type for node in read_graph(lowered).graph] == ["Conv", "MaxPool"]
    assert [change.partition(": ")[2] for change in changes] == ["Pad as a convolution"]


def test_a_padding_that_another_node_takes_too_stays() -> None:
    pads, weights = [0, 0, 1, 1, 0, 0, 1, 1], noise(3, 2, 3, 3)
    constants = {"pads": pads, "w": weights}
    body = "p = Pad(x, pads) y = Conv(p, w) z = Relu(p)"
    case = Case("", {"x": (1, 2, 6, 6)}, body, constants=constants, outputs=("y", "z"))
    model = read_graph(lower(case.model(), "caffe")[0])
    assert [node.op_type for node in model.graph] == ["Conv", "Conv", "Relu"]
    both = Case(
        "",
        {"x": (1, 2, 6, 6)},
        body.replace("Relu(p)", "Conv(p, w)"),
        constants=constants,
        outputs=("y", "z"),
    )
    model = read_graph(lower(both.model(), "caffe")[0])
    assert [tuple(node.attributes["pads"].value) for node in model.graph] == [(1, 1, 1, 1)] * 2


def test_one_message_per_resize_names_what_it_became() -> None:
    case = chain("", (1, 2, 6, 6), (), resized((2, 2), "half_pixel"))
    changes = lower(case.model(), "caffe")[1]
    assert changes[0].endswith(": Resize as ConvTranspose")
    assert changes[1].endswith("Pad of mode edge as Split and Concat")
