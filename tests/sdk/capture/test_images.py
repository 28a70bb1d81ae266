"""Pictures as frames: their order, their values, and files that are no pictures."""

import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from npukit.capture import open_source
from npukit.capture.images import ImageSource
from npukit.color import Color, Matrix, Range
from npukit.errors import CaptureError

COLOR = Color(Matrix.BT601, Range.LIMITED)


def picture(seed: int, width: int = 32, height: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), rgb[:, :, ::-1])
    return path


def assert_shows(frame, rgb: np.ndarray, itu: SimpleNamespace) -> None:
    assert frame.color == COLOR
    yuv = itu.yuv(rgb, COLOR)
    assert np.abs(frame.y - yuv[:, :, 0]).max() <= 1.0
    assert np.abs(frame.vu - itu.block_mean(yuv[:, :, [2, 1]])).max() <= 1.0


def test_a_folder_gives_its_pictures_by_name(tmp_path, itu: SimpleNamespace) -> None:
    names = ["10.png", "B.BMP", "a.png", "b.tif"]  # as sorted: capitals before small letters
    for seed in (2, 0, 3, 1):
        save(tmp_path / names[seed], picture(seed))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png.d").mkdir()
    source = open_source(str(tmp_path))
    assert isinstance(source, ImageSource)
    assert source.frame_count == 4
    frames = list(source.frames())
    assert [captured.index for captured in frames] == [0, 1, 2, 3]
    assert [captured.time_s for captured in frames] == pytest.approx(np.arange(4) / source.fps)
    for seed, captured in enumerate(frames):
        assert_shows(captured.frame, picture(seed), itu)
    assert source.notices == []


def test_one_picture_is_one_frame(tmp_path, itu: SimpleNamespace) -> None:
    path = save(tmp_path / "one.png", picture(5))
    for uri in (str(path), f"images:{path}"):
        source = open_source(uri)
        frames = list(source.frames())
        assert source.frame_count == len(frames) == 1
        assert_shows(frames[0].frame, picture(5), itu)


def test_gray_and_transparent_pictures_are_colour_pictures(tmp_path, itu: SimpleNamespace) -> None:
    gray = picture(1)[:, :, 0]
    cv2.imwrite(str(tmp_path / "a.png"), gray)
    rgb = picture(2)
    cv2.imwrite(str(tmp_path / "b.png"), np.dstack([rgb[:, :, ::-1], gray]))
    frames = [captured.frame for captured in open_source(str(tmp_path)).frames()]
    assert_shows(frames[0], np.dstack([gray] * 3), itu)
    assert_shows(frames[1], rgb, itu)


def test_odd_sizes_are_cropped_and_said_once(tmp_path, itu: SimpleNamespace) -> None:
    for seed in range(3):
        save(tmp_path / f"{seed}.png", picture(seed, 33, 25))
    source = open_source(str(tmp_path))
    frames = list(source.frames())
    for seed, captured in enumerate(frames):
        assert_shows(captured.frame, picture(seed, 33, 25)[:24, :32], itu)
    assert len(source.notices) == 1
    assert "33x25" in source.notices[0]
    assert "the last column and row is cropped" in source.notices[0]


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds no picture."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b""), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", png_header(32, 24)[:40], png_header(2**17, 2**17)],
    ids=["empty", "text", "cut", "too large"],
)
def test_what_is_no_picture_ends_the_run_behind_the_frames_before_it(tmp_path, content) -> None:
    save(tmp_path / "0.png", picture(0))
    (tmp_path / "1.png").write_bytes(content)
    save(tmp_path / "2.png", picture(2))
    frames = open_source(str(tmp_path)).frames()
    assert next(frames).index == 0
    with pytest.raises(CaptureError, match=r"1\.png: ") as caught:
        next(frames)
    assert caught.value.where == str(tmp_path / "1.png")


def test_a_picture_without_a_single_block_is_refused(tmp_path) -> None:
    save(tmp_path / "thin.png", picture(0, 1, 24))
    with pytest.raises(CaptureError, match=r"thin\.png: .*smaller than 2x2"):
        list(open_source(str(tmp_path)).frames())


def test_folders_without_pictures_and_missing_ones_are_refused(tmp_path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CaptureError, match="holds no pictures"):
        open_source(str(tmp_path))
    for uri in ("missing.png", "images:missing"):
        with pytest.raises(CaptureError, match=r"missing.*: no such folder or picture"):
            open_source(uri)
