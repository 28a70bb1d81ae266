"""The device's part: colour and scaling, exact."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import Color, Matrix, Range, yuv_to_rgb
from npukit.errors import FrameError
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess, to_tensor

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
Noise = Callable[..., Nv21Frame]
numbers = st.floats(-300, 300)  # float64: most are rounded to float32
evens = st.integers(1, 20).map(lambda half: 2 * half)


@given(
    seed=st.integers(0, 999),
    size=st.tuples(evens, evens),
    color=st.sampled_from(COLORS),
    to=st.sampled_from(["rgb", "bgr", "gray"]),
    mean=st.tuples(numbers, numbers, numbers),
    scale=st.tuples(numbers, numbers, numbers),
)
def test_a_tensor_is_the_integer_picture_and_one_float32_step_each(
    noise: Noise,
    seed: int,
    size: tuple[int, int],
    color: Color,
    to: str,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
) -> None:
    frame = noise(seed, *size, color)
    count = 1 if to == "gray" else 3
    spec = Preprocess(color=color, to=to, mean=mean[:count], scale=scale[:count])
    packed = frame.pack()
    packed.flags.writeable = False
    got = to_tensor(spec, packed)
    picture = {
        "rgb": lambda: yuv_to_rgb(frame.y, frame.vu, color),
        "bgr": lambda: yuv_to_rgb(frame.y, frame.vu, color)[:, :, ::-1],
        "gray": lambda: frame.y[:, :, np.newaxis],
    }[to]()
    expected = (picture.astype(np.float32) - np.float32(spec.mean)) * np.float32(spec.scale)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.shape == (1, count, size[1], size[0])
    assert np.array_equal(got[0], expected.transpose(2, 0, 1))


def test_the_mean_and_scale_of_imagenet() -> None:
    mean, scale = (123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)
    white = Nv21Frame.filled(2, 2, Color(), (235, 128, 128)).pack()
    got = to_tensor(Preprocess(mean=mean, scale=scale), white)[0, :, 0, 0]
    # White of limited range is 254.9 and its floor 254, by the vendor's coefficients.
    expected = (254 - np.array(mean)) * np.array(scale)
    assert got == pytest.approx(expected, rel=1e-6)


def test_gray_is_luma_as_it_is() -> None:
    frame = Nv21Frame.filled(4, 2, Color(), (0, 7, 250))
    frame.y[0, 0] = 255
    got = to_tensor(Preprocess(to="gray", mean=(0.0,), scale=(1.0,)), frame.pack())
    assert got.tolist() == [[[[255, 0, 0, 0], [0, 0, 0, 0]]]]


@pytest.mark.parametrize(
    "packed",
    [
        np.zeros((5, 4), np.uint8),
        np.zeros((6, 5), np.uint8),
        np.zeros((9, 4), np.uint8)[:8],
        np.zeros((6, 4), np.float32),
        np.zeros((1, 6, 4), np.uint8),
        np.zeros(24, np.uint8),
    ],
    ids=["height", "odd", "cut", "float", "3d", "flat"],
)
def test_bytes_that_are_no_picture_are_refused(packed: np.ndarray) -> None:
    with pytest.raises(FrameError):
        to_tensor(Preprocess(), packed)
