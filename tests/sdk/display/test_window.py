"""Windows on a real X server: what is seen in them, how they end, what happens without one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.decoded import counters, pattern
from support.desktop import Desktop, desktop
from support.interpreters import REPOSITORY, cached_venv, clean_environment

from npukit.capture import open_source
from npukit.display import open_sink
from npukit.display.window import WindowSink
from npukit.errors import DisplayClosed, DisplayError
from npukit.frame import Nv21Frame
from npukit.pipeline import Packet, Pipeline, Stage

SIZE = "640x480"
SEEN_S = 10.0  # for what was shown to appear


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with desktop(tmp_path_factory.mktemp("x")) as (screen, _):
        yield screen


@pytest.fixture
def screen(running: Desktop, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    monkeypatch.setenv("DISPLAY", running.name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return running


def difference(screen: Desktop, title: str, frame: Nv21Frame) -> float:
    """The mean difference between a frame and what the screen shows of its window."""
    x, y, width, height = screen.place(screen.window(title))
    seen = screen.screenshot()[y : y + height, x : x + width]
    if seen.shape != (frame.height, frame.width, 3):
        return 255.0
    return float(np.abs(seen.astype(int) - frame.to_bgr()).mean())


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SEEN_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def show_until_it_ends(sink: WindowSink) -> DisplayError:
    """Go on showing, as a pipeline does, until the sink says that it is over."""
    deadline = time.monotonic() + SEEN_S
    (frame, _), *_ = pattern(1, SIZE)
    while time.monotonic() < deadline:
        try:
            sink.show(frame, 0.0)
        except DisplayError as error:
            return error
        time.sleep(0.02)
    raise AssertionError("it went on")


@pytest.mark.parametrize("title", ["", "Ünïcode: a title"])
def test_a_window_shows_the_frames(screen: Desktop, title: str) -> None:
    sink = open_sink(f"window:{title}" if title else "window")
    assert isinstance(sink, WindowSink)
    assert not sink.lossless
    frames = [frame for frame, _ in pattern(40, SIZE)]
    for place in (0, 39):
        sink.show(frames[place], place / 30)
        assert eventually(lambda: difference(screen, title or "npukit", frames[place]) < 1.0)  # noqa: B023
    # The two are not alike, so that the second was really shown.
    assert np.abs(frames[0].to_bgr().astype(int) - frames[39].to_bgr()).mean() > 2.0
    sink.close(complete=True)
    assert eventually(lambda: not screen.find(title or "npukit"))
    assert sink.notices == []


def test_one_after_the_other_and_two_at_a_time(screen: Desktop) -> None:
    frames = [frame for frame, _ in pattern(2, SIZE)]
    first, second = open_sink("window:one"), open_sink("window:two")
    first.show(frames[0], 0.0)
    second.show(frames[1], 0.0)
    assert screen.window("one") != screen.window("two")
    first.close(complete=True)
    second.show(frames[0], 0.1)
    assert eventually(lambda: difference(screen, "two", frames[0]) < 1.0)
    second.close(complete=True)
    third = open_sink("window:one")
    third.show(frames[1], 0.0)
    assert eventually(lambda: difference(screen, "one", frames[1]) < 1.0)
    third.close(complete=True)


HOW = {
    "the cross": Desktop.close,
    "q": lambda screen, window: screen.press(window, "q"),
    "Escape": lambda screen, window: screen.press(window, "Escape"),
}


@pytest.mark.parametrize("how", HOW)
def test_the_user_closes_it(screen: Desktop, how: str) -> None:
    sink = open_sink("window:to be closed")
    for frame, time_s in pattern(3, SIZE):
        sink.show(frame, time_s)
    HOW[how](screen, screen.window("to be closed"))
    error = show_until_it_ends(sink)
    assert isinstance(error, DisplayClosed)
    assert "closed" in str(error)
    with pytest.raises(DisplayClosed):
        sink.show(frame, 1.0)
    sink.close(complete=True)
    assert eventually(lambda: not screen.find("to be closed"))


def test_another_key_closes_nothing(screen: Desktop) -> None:
    sink = open_sink("window:keys")
    (frame, _), *_ = pattern(1, SIZE)
    sink.show(frame, 0.0)
    screen.press(screen.window("keys"), "x")
    for _ in range(20):
        sink.show(frame, 0.0)
        time.sleep(0.02)
    sink.close(complete=True)


@pytest.mark.parametrize("live", [False, True])
def test_closing_it_ends_the_run_and_other_sinks_get_every_frame_until_then(
    screen: Desktop, tmp_path: Path, live: bool
) -> None:
    source = open_source(f"pattern:{SIZE},frames=100000")
    source.live = live
    closed = []

    def close_after_30(packet: Packet) -> None:
        time.sleep(0.01)
        if packet.index >= 30 and not closed:  # a live source may drop the one
            HOW["q"](screen, screen.window("watched"))
            closed.append(packet.index)

    sinks = [open_sink("window:watched"), open_sink(str(tmp_path / "out.h264"))]
    report = Pipeline(source, [Stage("slow", close_after_30)], sinks).run()
    assert report.stopped
    assert report.error is None
    assert not report.interrupted
    assert report.complete == live
    assert report.to_dict()["stopped"] is True
    assert 30 < report.frames_in < 5000
    # A recording from a camera is whole when the user ends it; of a clip it is a part.
    written = counters(tmp_path / ("out.h264" if live else "out.part.h264"))
    if not live:
        assert written == list(range(report.frames_in))
    assert len(written) == report.frames_out[str(tmp_path / "out.h264")]


def test_when_the_server_dies_the_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desktop(tmp_path) as (screen, server):
        monkeypatch.setenv("DISPLAY", screen.name)
        sink = open_sink("window:doomed")
        server.kill()
        error = show_until_it_ends(sink)
    assert not isinstance(error, DisplayClosed)
    assert re.search("the window is gone: .*(X11|xcb)", str(error))
    assert error.where == "window:doomed"
    sink.close(complete=False)


# --- where no window can be ----------------------------------------------------------------------


def test_without_a_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DisplayError, match=r"neither DISPLAY nor WAYLAND_DISPLAY") as caught:
        open_sink("window")
    assert "out.mp4" in caught.value.hint


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_that_cannot_be_reached_is_a_typed_error(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Qt ends its process by abort() then."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv(name, ":1987")
    with pytest.raises(DisplayError, match=r"OpenCV opens no window: .*display") as caught:
        open_sink("window")
    assert "\n" not in str(caught.value)


def test_an_opencv_without_windows_is_a_typed_error() -> None:
    try:
        python = cached_venv(Path(sys.executable), "numpy", "opencv-python-headless<5")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT CHECKED: OpenCV without a GUI: pip cannot install it here ({error})")
    script = (
        "from npukit.display import open_sink\n"
        "from npukit.errors import DisplayError\n"
        "try:\n    open_sink('window')\n"
        "except DisplayError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [python, "-c", script],
        env=clean_environment(PYTHONPATH=str(REPOSITORY / "sdk"), DISPLAY=":1987"),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "OpenCV opens no window" in done.stdout
    assert "The function is not implemented" in done.stdout
    assert "Traceback" not in done.stdout
