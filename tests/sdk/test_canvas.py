"""A picture on black: where it lies, and that nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.canvas import centred, on_black
from npukit.color import Color, Matrix, Range
from npukit.errors import FrameError
from npukit.frame import Rect

EVEN = st.integers(1, 200).map(lambda half: 2 * half)


@pytest.mark.parametrize(
    ("picture", "canvas", "align", "expected"),
    [
        ((1920, 1080), (1920, 1080), 32, Rect(0, 0, 1920, 1080)),
        ((1280, 720), (1920, 1080), 32, Rect(320, 180, 1280, 720)),
        # 642 is padded by 30 to 672: 14 on the left, so that chroma stays whole.
        ((642, 480), (1920, 1080), 32, Rect(624 + 14, 300, 642, 480)),
        ((640, 480), (1920, 1080), 2, Rect(640, 300, 640, 480)),
        ((2, 2), (4, 8), 2, Rect(0, 2, 2, 2)),
    ],
)
def test_where_it_lies(picture, canvas, align: int, expected: Rect) -> None:
    assert centred(picture, canvas, align) == expected


@given(width=EVEN, height=EVEN, wider=EVEN, higher=EVEN, align=st.sampled_from([2, 16, 32]))
def test_it_is_even_and_in_the_middle(
    width: int, height: int, wider: int, higher: int, align: int
) -> None:
    canvas = (-(-width // align) * align + wider, height + higher)
    rect = centred((width, height), canvas, align)
    right = canvas[0] - rect.x - rect.width
    below = canvas[1] - rect.y - rect.height
    assert (rect.width, rect.height) == (width, height)
    assert rect.x % 2 == rect.y % 2 == 0
    assert rect.x >= 0
    assert rect.y >= 0
    # Rounding down to even: twice for the width (in the padded one, and that on the canvas).
    assert 0 <= right - rect.x <= 4
    assert 0 <= below - rect.y <= 2


@pytest.mark.parametrize("picture", [(1922, 1080), (1920, 1082), (1890, 1082)])
def test_what_is_larger_is_refused(picture: tuple[int, int]) -> None:
    with pytest.raises(FrameError, match="does not fit on 1920x1080"):
        centred(picture, (1920, 1080), 32)


def test_the_padding_counts() -> None:
    assert centred((98, 4), (98, 4)) == Rect(0, 0, 98, 4)
    with pytest.raises(FrameError, match="128x4 picture does not fit on 98x4"):
        centred((98, 4), (98, 4), 32)


@pytest.mark.parametrize("color", [Color(m, r) for m in Matrix for r in Range], ids=str)
def test_the_rest_is_black_in_the_colour_of_the_frame(noise, color: Color) -> None:
    frame = noise(1, 66, 50, color)
    before = frame.pack().copy()
    out = on_black(frame, 160, 120, 32)
    assert out.size == (160, 120)
    assert out.color == color
    rect = centred((66, 50), (160, 120), 32)
    rows, columns = slice(rect.y, rect.y + 50), slice(rect.x, rect.x + 66)
    np.testing.assert_array_equal(out.y[rows, columns], frame.y)
    half = slice(rect.y // 2, rect.y // 2 + 25), slice(rect.x // 2, rect.x // 2 + 33)
    np.testing.assert_array_equal(out.vu[half], frame.vu)
    outside = np.ones((120, 160), bool)
    outside[rows, columns] = False
    assert set(out.to_rgb()[outside].ravel()) == {0}
    assert set(out.vu[outside[::2, ::2]].ravel()) == {128}
    np.testing.assert_array_equal(frame.pack(), before)
    assert not np.shares_memory(out.y, frame.y)


def test_each_canvas_is_its_own(noise) -> None:
    first = on_black(noise(1, 32, 32), 64, 64)
    kept = first.pack().copy()
    on_black(noise(2, 32, 32), 64, 64)
    np.testing.assert_array_equal(first.pack(), kept)
