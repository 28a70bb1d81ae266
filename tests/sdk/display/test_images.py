"""Numbered pictures: exact values, and pictures that are whole or not there."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from npukit.capture import open_source
from npukit.color import Color, Matrix, Range
from npukit.display import open_sink
from npukit.display.images import ImageSink
from npukit.errors import DisplayError

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_pictures_are_what_the_frames_show(
    tmp_path, noise, itu: SimpleNamespace, color: Color
) -> None:
    frames = [noise(seed, 34, 26, color) for seed in range(3)]
    sink = open_sink(f"images:{tmp_path / 'out'}")
    assert isinstance(sink, ImageSink)
    for index, frame in enumerate(frames):
        sink.show(frame, index / 30)
    sink.close(complete=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png"]
    for name, frame in zip(names, frames, strict=True):
        rgb = cv2.imread(str(tmp_path / "out" / name))[:, :, ::-1]
        wanted = np.clip(itu.rgb(itu.full_size(frame), color), 0, 255)
        assert np.abs(rgb - wanted).max() <= 4.0  # the integer formula of the board
        np.testing.assert_array_equal(rgb, frame.to_rgb())
    assert sink.notices == [f"3 pictures in {tmp_path / 'out'}"]


def test_what_was_written_can_be_read_as_a_source(tmp_path) -> None:
    sink = open_sink(f"{tmp_path}/out/")
    for captured in open_source("pattern:64x32,frames=12").frames():
        sink.show(captured.frame, captured.time_s)
    sink.close(complete=True)
    source = open_source(str(tmp_path / "out"))
    shown = [captured.frame for captured in source.frames()]
    wanted = [captured.frame for captured in open_source("pattern:64x32,frames=12").frames()]
    for seen, frame in zip(shown, wanted, strict=True):
        assert np.abs(seen.y.astype(int) - frame.y).mean() < 3


def test_sizes_may_change(tmp_path, noise) -> None:
    sink = open_sink(str(tmp_path))
    for index, width in enumerate((32, 64, 16)):
        sink.show(noise(0, width, 16), float(index))
    sink.close(complete=True)
    widths = [cv2.imread(str(path)).shape[1] for path in sorted(tmp_path.iterdir())]
    assert widths == [32, 64, 16]


def test_cut_short_the_pictures_stay_and_it_is_said(tmp_path, noise) -> None:
    sink = open_sink(str(tmp_path))
    sink.show(noise(0, 32, 16), 0.0)
    sink.close(complete=False)
    assert [path.name for path in tmp_path.iterdir()] == ["000000.png"]
    assert len(sink.notices) == 1
    assert "1 pictures" in sink.notices[0]
    assert "cut short" in sink.notices[0]


def test_a_picture_that_cannot_be_written_leaves_the_older_one(
    tmp_path, noise, monkeypatch
) -> None:
    (tmp_path / "000000.png").write_bytes(b"an older picture")
    sink = open_sink(str(tmp_path))
    monkeypatch.setattr(cv2, "imwrite", lambda *_: False)
    with pytest.raises(DisplayError, match=r"000000\.png: cannot write the picture"):
        sink.show(noise(0, 32, 16), 0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["000000.png"]
    assert (tmp_path / "000000.png").read_bytes() == b"an older picture"


def test_a_folder_that_goes_away_or_is_a_file_is_a_typed_error(tmp_path, noise) -> None:
    (tmp_path / "file").touch()
    for target in (f"images:{tmp_path}/file", f"{tmp_path}/file/", f"{tmp_path}/file/below/"):
        with pytest.raises(DisplayError, match="cannot make the folder"):
            open_sink(target)
    sink = open_sink(f"{tmp_path}/out/")
    (tmp_path / "out").rmdir()
    (tmp_path / "out").touch()
    with pytest.raises(DisplayError, match="cannot write the picture"):
        sink.show(noise(0, 32, 16), 0.0)


def test_the_folder_must_be_named() -> None:
    with pytest.raises(DisplayError, match="no folder given"):
        open_sink("images:")
