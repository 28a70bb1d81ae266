"""The simulated HDMI connector: its canvas, its limits, its one user."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.decoded import decode, pattern, planes, psnr

from npukit.capture import open_source
from npukit.capture.pattern import read_counter
from npukit.display import open_sink
from npukit.display.hdmi import HdmiSink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame
from npukit.pipeline import Pipeline


@pytest.fixture(autouse=True)
def own_connector(tmp_path_factory, monkeypatch) -> None:
    """Not that of the machine, which someone may be using."""
    folder = str(tmp_path_factory.mktemp("connector"))
    monkeypatch.setattr(tempfile, "tempdir", folder)
    monkeypatch.setenv("TMPDIR", folder)


# The vendor pads 642 by 30 to 672, of which 14 on the left; (1920 - 672) / 2 + 14 = 638.
PLACES = {
    "1920x1080": (0, 0),
    "1280x720": (320, 180),
    "642x480": (638, 300),
    "640x480": (640, 300),
    "128x128": (896, 476),
}


@pytest.mark.parametrize("size", PLACES)
def test_pictures_are_1080p_with_the_frame_in_the_middle(tmp_path, size: str) -> None:
    frames = list(pattern(2, size))
    sink = open_sink(f"hdmi:{tmp_path}/out/")
    for frame, time_s in frames:
        sink.show(frame, time_s)
    sink.close(complete=True)
    left, top = PLACES[size]
    for index, (frame, _) in enumerate(frames):
        picture = cv2.imread(str(tmp_path / "out" / f"{index:06d}.png"))
        assert picture.shape == (1080, 1920, 3)
        middle = (slice(top, top + frame.height), slice(left, left + frame.width))
        np.testing.assert_array_equal(picture[middle], frame.to_bgr())
        picture[middle] = 0
        assert not picture.any()


def test_a_video_keeps_every_frame_and_its_time(tmp_path) -> None:
    path = tmp_path / "out.mp4"
    sink = open_sink(f"hdmi:{path}")
    assert sink.lossless
    assert sink.target == f"hdmi:{path}"
    report = Pipeline(open_source("pattern:320x240,fps=25,frames=20"), [], [sink]).run()
    assert report.complete
    assert report.frames_out == {sink.target: 20}
    assert f"20 frames in {path}" in report.notices
    decoded = decode(path)
    assert np.diff([item.time for item in decoded]) == pytest.approx(np.full(19, 0.04), abs=1e-4)
    for index, (item, (frame, _)) in enumerate(zip(decoded, pattern(20), strict=True)):
        seen = planes(item)
        assert seen.size == (1920, 1080)
        inner = Nv21Frame(
            seen.y[420:660, 800:1120], seen.vu[210:330, 400:560], frame.color
        )  # 320x240 at ((1920 - 320) / 2, (1080 - 240) / 2)
        assert read_counter(inner) == index
        assert psnr(inner.y, frame.y) > 36


def test_cut_short_is_passed_on(tmp_path) -> None:
    sink = open_sink(f"hdmi:{tmp_path}/out.mp4")
    for frame, time_s in pattern(3):
        sink.show(frame, time_s)
    sink.close(complete=False)
    assert "cut short" in sink.notices[0]
    assert len(decode(tmp_path / "out.part.mp4")) == 3


def test_alone_it_writes_nothing_and_still_checks(tmp_path, monkeypatch, noise) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink("hdmi")
    assert isinstance(sink, HdmiSink)
    assert sink.target == "hdmi"
    sink.show(noise(1, 128, 128), 0.0)
    with pytest.raises(DisplayError, match="the first frame was 128x128, this one is 130x128"):
        sink.show(noise(1, 130, 128), 0.1)
    sink.close(complete=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(126, 128), (128, 126), (2, 1080)])
def test_less_than_128_is_refused(noise, size: tuple[int, int]) -> None:
    sink = open_sink("hdmi")
    with pytest.raises(DisplayError, match=r"hdmi: .*too small.*at least 128x128"):
        sink.show(noise(1, *size), 0.0)
    sink.close(complete=False)


@pytest.mark.parametrize("size", [(1922, 1080), (1920, 1082), (3840, 2160)])
def test_more_than_the_canvas_is_refused(noise, size: tuple[int, int]) -> None:
    sink = open_sink("hdmi")
    with pytest.raises(DisplayError, match="does not fit on 1920x1080"):
        sink.show(noise(1, *size), 0.0)
    sink.close(complete=False)


# --- one user at a time --------------------------------------------------------------------------


@contextmanager
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    script = (
        "import time; from npukit.display import open_sink; sink = open_sink('hdmi'); "
        "print('open', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"open\n"
        yield process
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def test_a_second_user_is_refused_until_the_first_has_closed() -> None:
    first = open_sink("hdmi")
    with pytest.raises(DisplayError, match="hdmi: in use") as caught:
        open_sink("hdmi")
    assert "npukit-hdmi.lock" in caught.value.hint
    first.close(complete=True)
    first.close(complete=True)
    second = open_sink("hdmi")
    first.close(complete=True)  # the lock is not the first's any more
    with pytest.raises(DisplayError, match="in use"):
        open_sink("hdmi")
    second.close(complete=True)


def test_another_process_holds_it_until_it_is_killed() -> None:
    with another_process() as process:
        with pytest.raises(DisplayError, match="in use"):
            open_sink("hdmi")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        open_sink("hdmi").close(complete=True)


@pytest.mark.parametrize("inner", ["out.avi", "images:", "hdmi"])
def test_a_sink_behind_it_that_cannot_be_opened_leaves_it_free(
    tmp_path, monkeypatch, inner: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisplayError):
        open_sink(f"hdmi:{inner}")
    open_sink("hdmi").close(complete=True)


def test_programs_that_it_starts_do_not_hold_it() -> None:
    sink = open_sink("hdmi")
    with subprocess.Popen(["sleep", "600"], close_fds=False) as other:
        sink.close(complete=True)
        try:
            open_sink("hdmi").close(complete=True)
        finally:
            other.kill()


def test_a_lock_that_is_no_file_is_a_typed_error() -> None:
    Path(tempfile.gettempdir(), "npukit-hdmi.lock").symlink_to("/nowhere")
    with pytest.raises(DisplayError, match="hdmi: cannot be locked"):
        open_sink("hdmi")
