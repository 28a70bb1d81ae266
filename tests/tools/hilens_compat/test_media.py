"""cvt_color and Preprocessor, against OpenCV and against bytes made by hand."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

Gray = Callable[..., np.ndarray]

CODES = {"BGR2YUV_NV12": 0, "RGB2YUV_NV12": 1, "BGR2YUV_NV21": 2, "RGB2YUV_NV21": 3}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def nv21() -> np.ndarray:
    """128x96 noise."""
    return np.random.default_rng(4).integers(0, 256, (144, 128), np.uint8)


# --- cvt_color ---


@pytest.mark.parametrize("name", CODES)
def test_cvt_color_is_opencv_i420_interleaved(
    hilens: ModuleType, picture: np.ndarray, name: str
) -> None:
    assert getattr(hilens, name) == CODES[name]
    i420 = cv2.cvtColor(picture, getattr(cv2, "COLOR_" + name[:3] + "2YUV_I420"))
    expected = i420.copy()
    u, v = i420[48:60].reshape(-1), i420[60:].reshape(-1)
    first, second = (v, u) if name.endswith("21") else (u, v)
    expected[48:].reshape(-1)[0::2] = first
    expected[48:].reshape(-1)[1::2] = second
    found = hilens.cvt_color(picture, getattr(hilens, name))
    assert found.dtype == np.uint8
    assert found.shape == (72, 64)
    assert np.array_equal(found, expected)


def test_a_flat_colour_by_the_bt601_numbers(hilens: ModuleType) -> None:
    red = np.full((2, 4, 3), (255, 0, 0), np.uint8)
    packed = hilens.cvt_color(red, hilens.RGB2YUV_NV21)
    # ITU-R BT.601-7, limited range; OpenCV's integers are up to one level off.
    y, u, v = 81.48, 90.20, 240.0
    assert np.abs(packed - [[y] * 4, [y] * 4, [v, u, v, u]]).max() <= 1
    swapped = hilens.cvt_color(red, hilens.RGB2YUV_NV12)
    assert np.abs(swapped - [[y] * 4, [y] * 4, [u, v, u, v]]).max() <= 1
    assert np.array_equal(hilens.cvt_color(red[:, :, ::-1], hilens.BGR2YUV_NV21), packed)


def test_cvt_color_takes_views(hilens: ModuleType, picture: np.ndarray) -> None:
    mirrored = picture[:, ::-1]
    whole = np.ascontiguousarray(mirrored)
    code = hilens.BGR2YUV_NV21
    assert np.array_equal(hilens.cvt_color(mirrored, code), hilens.cvt_color(whole, code))


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((3, 4, 3), np.uint8),
        np.zeros((4, 3, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=lambda source: f"{source.shape} {source.dtype}",
)
def test_cvt_color_refuses_other_pictures(hilens: ModuleType, source: np.ndarray) -> None:
    with pytest.raises(ValueError, match="src"):
        hilens.cvt_color(source, hilens.RGB2YUV_NV21)


@pytest.mark.parametrize("code", [-1, 4, None])
def test_cvt_color_refuses_other_codes(
    hilens: ModuleType, picture: np.ndarray, code: int | None
) -> None:
    with pytest.raises(ValueError, match="code"):
        hilens.cvt_color(picture, code)


# --- Preprocessor ---


def test_crop_copies_the_bytes_of_both_planes(hilens: ModuleType, nv21: np.ndarray) -> None:
    found = hilens.Preprocessor().crop(nv21, 10, 6, 64, 66, 0)
    expected = np.concatenate([nv21[6:72, 10:74], nv21[96 + 3 : 96 + 36, 10:74]])
    assert np.array_equal(found, expected)
    assert not np.shares_memory(found, nv21)


def test_crop_to_nv12_swaps_the_chroma_bytes(hilens: ModuleType, nv21: np.ndarray) -> None:
    preprocessor = hilens.Preprocessor()
    as_nv21 = preprocessor.crop(nv21, 0, 0, 64, 64, 0)
    as_nv12 = preprocessor.crop(nv21, 0, 0, 64, 64, 1)
    assert np.array_equal(as_nv12[:64], as_nv21[:64])
    assert np.array_equal(as_nv12[64:, 0::2], as_nv21[64:, 1::2])
    assert np.array_equal(as_nv12[64:, 1::2], as_nv21[64:, 0::2])


@pytest.mark.parametrize("t", [0, 1])
def test_resize_scales_luma_and_chroma_alike(hilens: ModuleType, nv21: np.ndarray, t: int) -> None:
    found = hilens.Preprocessor().resize(nv21, 192, 128, t)
    luma = cv2.resize(nv21[:96], (192, 128))
    v, u = (cv2.resize(nv21[96:, start::2], (96, 64)) for start in (0, 1))
    pair = (u, v) if t else (v, u)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.concatenate([luma, np.dstack(pair).reshape(64, 192)]))


def test_the_same_size_is_a_copy(hilens: ModuleType, nv21: np.ndarray) -> None:
    found = hilens.Preprocessor().resize(nv21, 128, 96, 0)
    assert np.array_equal(found, nv21)
    assert not np.shares_memory(found, nv21)


@pytest.mark.parametrize("size", [(64, 64), (1920, 1080), (64, 1080), (1920, 64)])
def test_the_limits_are_allowed(hilens: ModuleType, gray: Gray, size: tuple[int, int]) -> None:
    preprocessor = hilens.Preprocessor()
    width, height = size
    source = gray(width, height, 77)
    assert np.array_equal(preprocessor.crop(source, 0, 0, width, height, 0), source)
    assert np.array_equal(preprocessor.resize(source, 64, 64, 0), gray(64, 64, 77))
    assert np.array_equal(preprocessor.resize(gray(64, 64, 77), width, height, 0), source)


BAD_SIZES = [(62, 64), (64, 62), (1922, 1080), (1920, 1082), (65, 64), (64, 65), (0, 0), (-64, 64)]


@pytest.mark.parametrize("size", BAD_SIZES, ids=str)
def test_other_target_sizes_fail(
    hilens: ModuleType, gray: Gray, capsys: pytest.CaptureFixture[str], size: tuple[int, int]
) -> None:
    preprocessor = hilens.Preprocessor()
    source = gray(1920, 1080)
    with pytest.raises(ValueError, match=r"^failed to resize$"):
        preprocessor.resize(source, *size, 0)
    with pytest.raises(ValueError, match=r"^failed to crop$"):
        preprocessor.crop(source, 0, 0, *size, 0)
    assert capsys.readouterr().out.count("{}x{}".format(*size)) == 2


@pytest.mark.parametrize("size", [(62, 64), (64, 62), (1922, 64), (64, 1082)], ids=str)
def test_other_source_sizes_fail(hilens: ModuleType, gray: Gray, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"^failed to resize$"):
        hilens.Preprocessor().resize(gray(*size), 64, 64, 0)
    with pytest.raises(ValueError, match=r"^failed to crop$"):
        hilens.Preprocessor().crop(gray(*size), 0, 0, 64, 64, 0)


@pytest.mark.parametrize("position", [(1, 0), (0, 1), (-2, 0), (66, 0), (0, 34), (2000, 0)])
def test_a_rectangle_that_is_odd_or_leaves_the_picture_fails(
    hilens: ModuleType, nv21: np.ndarray, position: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=r"^failed to crop$"):
        hilens.Preprocessor().crop(nv21, *position, 64, 64, 0)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((96, 128, 3), np.uint8),
        np.zeros((144, 128), np.float32),
        np.zeros((143, 128), np.uint8),
        np.zeros(144 * 128, np.uint8),
    ],
    ids=lambda source: f"{source.shape} {source.dtype}",
)
def test_what_is_not_nv21_fails(hilens: ModuleType, source: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^failed to resize$"):
        hilens.Preprocessor().resize(source, 64, 64, 0)


def test_other_output_types_fail(hilens: ModuleType, nv21: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^failed to resize$"):
        hilens.Preprocessor().resize(nv21, 64, 64, 2)


def test_every_argument_is_required(hilens: ModuleType, nv21: np.ndarray) -> None:
    preprocessor: Any = hilens.Preprocessor()
    with pytest.raises(TypeError, match="'t'"):
        preprocessor.resize(nv21, 64, 64)
    with pytest.raises(TypeError, match="'t'"):
        preprocessor.crop(nv21, 0, 0, 64, 64)
    with pytest.raises(TypeError):
        hilens.Preprocessor(nv21)


def test_sizes_are_whole_numbers(hilens: ModuleType, nv21: np.ndarray) -> None:
    with pytest.raises(TypeError):
        hilens.Preprocessor().resize(nv21, 128 / 2, 64, 0)
    with pytest.raises(TypeError):
        hilens.Preprocessor().crop(nv21, 128 / 2, 0, 64, 64, 0)
