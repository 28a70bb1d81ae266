"""The parameter block of dynamic AIPP, byte by byte."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.aipp import Executor, InputFormat, load_preset, steps
from npukit.aipp.csc import Csc, yuv_to_rgb
from npukit.aipp.dynamic import (
    HEADER,
    PICTURE,
    DynamicParameters,
    PictureParameters,
    pack,
    unpack,
)
from npukit.aipp.errors import AippExpressionError
from npukit.color import DEFAULT_COLOR
from npukit.errors import AippError
from npukit.frame import Rect

PARAMETERS = DynamicParameters(
    InputFormat.YUV420SP_U8,
    (320, 240),
    rbuv_swap=True,
    csc=yuv_to_rgb(DEFAULT_COLOR),
    pictures=(
        PictureParameters(
            crop=Rect(2, 4, 200, 100),
            padding=(1, 2, 3, 4),
            mean=(123, 116, 103, 0),
            minimum=(0.675, 0.5, 0.25, 0.0),
            var_reci=(0.5, 0.25, 2.0, 1.0),
        ),
        PictureParameters(),
    ),
)

# The C structures, written down a second time with their reserved places.
# Source: tagAippDynamicPara and tagAippDynamicBatchPara of dynamic_aipp.h.
C_HEADER = struct.Struct("<B4b3xii9h6x3B3B2x16x")
C_PICTURE = struct.Struct("<4b4x4i4i4i4h4e4e16x")


def test_the_sizes_are_the_vendors() -> None:
    assert HEADER.itemsize == C_HEADER.size == 64
    assert PICTURE.itemsize == C_PICTURE.size == 96
    assert len(pack(PARAMETERS)) == 64 + 2 * 96
    assert len(pack(PARAMETERS, batch=8)) == 64 + 8 * 96


def test_every_field_lies_where_the_vendor_has_it() -> None:
    block = pack(PARAMETERS)
    assert C_HEADER.unpack(block[:64]) == (
        1, 1, 1, 0, 2, 320, 240,
        298, 0, 409, 298, -100, -208, 298, 516, 0,
        0, 0, 0, 16, 128, 128,
    )  # fmt: skip
    assert C_PICTURE.unpack(block[64:160]) == (
        1, 0, 1, 0, 2, 4, 200, 100, 0, 0, 0, 0,
        3, 4, 1, 2,
        123, 116, 103, 0, float(np.float16(0.675)), 0.5, 0.25, 0.0, 0.5, 0.25, 2.0, 1.0,
    )  # fmt: skip
    assert C_PICTURE.unpack(block[160:]) == (0,) * 24 + (1.0,) * 4


def made(seed: int) -> DynamicParameters:
    """Any block, by its seed: every number of it anywhere in its range."""
    random = np.random.default_rng(seed)

    def ints(low: int, high: int, count: int) -> tuple[int, ...]:
        return tuple(int(value) for value in random.integers(low, high + 1, count))

    def halves() -> tuple[float, ...]:
        return tuple(float(np.float16(value)) for value in random.uniform(-65504, 65504, 4))

    rows = tuple(ints(-(2**15), 2**15 - 1, 3) for _ in range(3))
    csc = Csc(rows, ints(0, 255, 3), ints(0, 255, 3))  # type: ignore[arg-type]
    pictures = tuple(
        PictureParameters(
            crop=Rect(*ints(1, 4096, 4)) if random.random() < 0.5 else None,
            padding=ints(0, 32, 4),  # type: ignore[arg-type]
            mean=ints(-(2**15), 2**15 - 1, 4),
            minimum=halves(),
            var_reci=halves(),
        )
        for _ in range(random.integers(1, 4))
    )
    rbuv, ax, converts = (bool(value) for value in ints(0, 1, 3))
    return DynamicParameters(
        InputFormat(ints(0, 20, 1)[0]),
        ints(1, 4096, 2),  # type: ignore[arg-type]
        rbuv,
        ax,
        csc if converts else None,
        pictures,
    )


blocks = st.integers(0, 2**32 - 1).map(made)


@given(blocks, st.integers(3, 5))
def test_what_is_packed_is_unpacked(parameters: DynamicParameters, batch: int) -> None:
    assert unpack(pack(parameters)) == parameters
    assert unpack(pack(parameters, batch)) == parameters


@given(st.binary(max_size=300) | blocks.flatmap(lambda given: st.binary(max_size=64).map(
    lambda end: pack(given)[: 64 + 96] + end)))  # fmt: skip
@settings(max_examples=60)
def test_any_bytes_are_read_or_refused(block: bytes) -> None:
    try:
        unpack(block)
    except AippError:
        assert (
            len(block) != 64 + 96 or block[4] != 1 or any(block[item] for item in (0, 65, 66, 67))
        )


def test_a_static_file_and_its_block_do_the_same() -> None:
    static = steps(load_preset("nv21_to_rgb_bt709_wide_imagenet"), (32, 16))
    block = pack(DynamicParameters.from_steps([static, replace(static, crop=Rect(2, 4, 8, 6))]))
    first, second = unpack(block).steps()
    packed = np.random.default_rng(0).integers(0, 256, static.nbytes, np.uint8)
    whole = Executor(static)(packed)
    assert np.array_equal(Executor(first)(packed), whole)
    assert np.array_equal(Executor(second)(packed), whole[:, :, 4:10, 2:10])


def test_gray_takes_one_channel() -> None:
    static = steps(load_preset("nv12_to_gray_0_1"), (4, 4))
    (back,) = unpack(pack(DynamicParameters.from_steps([static]))).steps()
    assert back.channels == len(back.mean) == 1


def damaged(offset: int, value: int) -> bytes:
    block = bytearray(pack(PARAMETERS))
    block[offset] = value
    return bytes(block)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"", "64 bytes at least, not 0"),
        (pack(PARAMETERS)[:-1], "2 pictures has 256 bytes, not 255"),
        (pack(PARAMETERS)[:160], "2 pictures has 256 bytes, not 160"),
        (damaged(4, 0), "0 pictures"),
        (damaged(4, 255), "-1 pictures"),
        (damaged(0, 99), "no input format 99"),
        (damaged(64 + 1, 1), "asks for resize"),
        (damaged(64 + 3, 1), "asks for rotation"),
        (damaged(64 + 2, 4), "borders that repeat"),
    ],
)
def test_blocks_that_cannot_be_read(block: bytes, message: str) -> None:
    with pytest.raises(AippError, match=message):
        unpack(block)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"csc": Csc(((2**15, 0, 0),) * 3, (0, 0, 0), (0, 0, 0))}, "matrix .* does not fit"),
        ({"csc": Csc(((0, 0, 0),) * 3, (256, 0, 0), (0, 0, 0))}, "input_bias .* does not fit"),
        ({"pictures": ()}, "a batch of 0 pictures"),
        ({"pictures": (PictureParameters(mean=(0, 0, 0)),)}, "mean .* does not fit"),
        ({"pictures": (PictureParameters(var_reci=(1e5,) * 4),)}, "var_reci .* does not fit"),
    ],
)
def test_numbers_that_have_no_place(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(AippError, match=message):
        pack(replace(PARAMETERS, **wrong))  # type: ignore[arg-type]


def test_a_batch_larger_than_the_models() -> None:
    with pytest.raises(AippError, match="a batch of 2 pictures does not fit 1"):
        pack(PARAMETERS, batch=1)


def test_what_a_block_cannot_say() -> None:
    static = steps(load_preset("rgb_to_rgb_raw"), (4, 4))
    with pytest.raises(AippExpressionError, match="share format"):
        DynamicParameters.from_steps([static, replace(static, rbuv_swap=True)])
    with pytest.raises(AippExpressionError, match="padding value"):
        DynamicParameters.from_steps([replace(static, padding=(1, 0, 0, 0), padding_value=1.0)])


@pytest.mark.parametrize("crop", [Rect(0, 0, 322, 2), Rect(-2, 0, 2, 2), Rect(0, 0, 0, 2)])
def test_a_part_that_leaves_the_picture(crop: Rect) -> None:
    parameters = replace(PARAMETERS, pictures=(PictureParameters(crop=crop),))
    with pytest.raises(AippError, match="leaves the 320x240 picture"):
        unpack(pack(parameters)).steps()
