"""Video4Linux cameras, with a STAND-IN for the device: that a camera works is not shown here.

`tests/support/camera.py` takes the place of the one function that touches a device; all above it is
what runs with a real camera.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.camera import LIMITED, Plug, pattern

from npukit.capture import _v4l2, open_source
from npukit.capture.base import Captured, Source
from npukit.capture.pattern import read_counter
from npukit.color import Color, Matrix, Range
from npukit.errors import CaptureError

FULL = Color(Matrix.BT601, Range.FULL)
RAW = {"NV12": [(320, 240, 60), (640, 480, 30)]}


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev with two devices, the second of a name."""
    for name in ("dev", "names/video0", "names/video2", "dev/v4l/by-id"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("video0", "video2"):
        (tmp_path / "dev" / name).touch()
    (tmp_path / "names/video2/name").write_text("Desk camera\n")
    monkeypatch.setattr(_v4l2, "DEV", str(tmp_path / "dev"))
    monkeypatch.setattr(_v4l2, "NAMES", str(tmp_path / "names"))
    return tmp_path / "dev"


@pytest.fixture
def plug_in(
    dev: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Source, Plug]]]:
    sources: list[Source] = []
    plugs: list[Plug] = []

    def call(
        uri: str, modes: dict[str, list[tuple[int, int, int]]] = RAW, **given: Any
    ) -> tuple[Source, Plug]:
        plugs.append(Plug(modes))
        for name, value in given.items():
            setattr(plugs[-1], name, value)
        monkeypatch.setattr(_v4l2, "open_device", plugs[-1].open)
        sources.append(open_source(uri))
        return sources[-1], plugs[-1]

    yield call
    for plug in plugs:
        plug.stuck.clear()
    for source in sources:
        source.close()


def read(frames: Iterator[Captured], count: int) -> list[Captured]:
    return list(islice(frames, count))


def refused(uri: str) -> str:
    with pytest.raises(CaptureError) as caught:
        open_source(uri)
    return str(caught.value)


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["NV12", "YUYV"])
def test_raw_pictures_come_exactly(name: str, plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60", {name: [(320, 240, 60)]})
    captured = read(source.frames(), 10)
    assert (source.live, source.fps, plug.opened) == (True, 60, [0])
    drawn = pattern(320, 240, 30)
    for item in captured:
        want = drawn[read_counter(item.frame)]
        np.testing.assert_array_equal(item.frame.y, want.y)
        np.testing.assert_array_equal(item.frame.vu, want.vu)
        assert item.frame.color == LIMITED
    assert [item.index for item in captured] == list(range(10))
    times = [item.time_s for item in captured]
    assert times[0] == 0
    assert 0.1 < times[-1] < 1
    assert (np.diff(times) > 0).all()
    source.close()
    assert plug.released == 1


def test_the_chroma_of_two_rows_is_averaged(dev) -> None:
    data = np.random.default_rng(1).integers(0, 256, (6, 8, 2), np.uint8)
    source = open_source("pattern:")
    frame = _v4l2.to_nv21(data, _v4l2.Mode(8, 6, 30, "YUYV"), source)
    assert frame is not None
    np.testing.assert_array_equal(frame.y, data[:, :, 0])
    pairs = data[:, :, 1].reshape(3, 2, 4, 2).mean(axis=1)  # rows, U and V
    assert np.abs(frame.vu[:, :, ::-1] - pairs).max() <= 0.5


def test_jpeg_pictures_are_full_range(plug_in) -> None:
    source, _ = plug_in("camera:0,320x240,fps=60", {"MJPG": [(320, 240, 60)]})
    drawn = pattern(320, 240, 30)
    for item in read(source.frames(), 5):
        want = drawn[read_counter(item.frame)].recolor(FULL)
        assert item.frame.color == FULL
        assert np.abs(item.frame.y.astype(int) - want.y).mean() < 2
        assert np.abs(item.frame.vu.astype(int) - want.vu).mean() < 2


def test_a_backend_that_gives_bgr_all_the_same(plug_in) -> None:
    source, _ = plug_in("camera:0,320x240,fps=60", {"YUYV": [(320, 240, 60)]}, raw=False)
    assert read_counter(next(source.frames()).frame) < 20


def test_a_format_of_no_use_is_left_to_opencv(plug_in) -> None:
    source, _ = plug_in("camera:0,320x240,fps=60", {"GREY": [(320, 240, 60)]})
    assert read_counter(next(source.frames()).frame) < 20
    assert source.notices == ["GREY is converted to BGR by OpenCV"]


@pytest.mark.parametrize("name", ["NV12", "YUYV", "MJPG"])
def test_damaged_pictures_are_left_out(name: str, plug_in) -> None:
    source, _ = plug_in("camera:0,320x240,fps=60", {name: [(320, 240, 60)]}, damaged={0, 4, 5})
    counters = [read_counter(item.frame) for item in read(source.frames(), 12)]
    assert counters[0] > 0
    assert not {4, 5} & set(counters)
    assert source.notices == ["damaged pictures left out (3x)"]


@pytest.mark.parametrize(
    ("uri", "modes", "chosen", "told"),
    [
        # The raw format that has the rate; else the one that has it, though it is compressed.
        ("0,640x480", {"MJPG": [(640, 480, 30)], "YUYV": [(640, 480, 30)]}, "YUYV", []),
        ("0,640x480", {"YUYV": [(640, 480, 15)], "MJPG": [(640, 480, 30)]}, "MJPG", []),
        ("0,640x480", {"NV12": [(320, 240, 30)], "YUYV": [(640, 480, 30)]}, "YUYV", []),
        (
            "0,640x480",
            {"NV12": [(320, 240, 30)], "YUYV": [(640, 480, 15)]},
            "YUYV",
            ["the camera gives 640x480 at 15 frames/s, not 640x480 at 30 frames/s"],
        ),
        (
            "",  # as good as it gets, where nothing is asked for
            {"YUYV": [(640, 480, 30)]},
            "YUYV",
            ["the camera gives 640x480 at 30 frames/s, not 1280x720 at 30 frames/s"],
        ),
    ],
)
def test_the_cheapest_format_with_the_wanted_size_and_rate(
    uri: str, modes: Any, chosen: str, told: list[str], plug_in
) -> None:
    source, _ = plug_in("camera:" + uri, modes)
    width, height, _ = modes[chosen][0]
    frame = next(source.frames()).frame
    assert frame.size == (width, height)
    assert frame.color == (FULL if chosen == "MJPG" else LIMITED)
    assert source.notices == told


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("0,640x480,640x480", "size is given twice"),
        ("0,641x480", "even sizes"),
        ("0,640x", "'640x' is not understood"),
        ("0,fps=0", "from 1 to 1000"),
        ("0,fsp=30", "did you mean 'fps'?"),
        ("0,timeout=1,timeout=2", "given twice"),
        ("0,reconnect=x", "from 0 to"),
    ],
)
def test_options_that_are_not_understood(uri: str, reason: str) -> None:
    assert reason in refused("camera:" + uri)


def test_the_first_camera_is_meant_where_none_is_named(plug_in) -> None:
    for uri in ("camera", "camera:", "camera:320x240", "camera:fps=30"):
        _, plug = plug_in(uri)
        assert plug.opened == [0]


# --- devices -------------------------------------------------------------------------------------


def test_no_such_device_names_those_that_exist(dev: Path) -> None:
    assert refused("camera:7") == (
        f"camera:7: no such device: {dev}/video7 (devices here: {dev}/video0, "
        f"{dev}/video2 (Desk camera))"
    )
    assert refused("camera:/dev/null").startswith("camera:/dev/null: /dev/null is no Video4Linux")


def test_the_real_machine_without_a_camera_says_so() -> None:
    if list(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    assert "no such device: /dev/video0 (devices here: none)" in refused("camera:0")


def test_permission_is_named(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert f"permission denied: {dev}/video0 (add yourself to the group" in refused("camera:0")


def test_a_device_that_another_program_uses(plug_in) -> None:
    with pytest.raises(CaptureError, match="does another program use it"):
        plug_in("camera:0", busy=True)


def test_a_device_that_opens_but_gives_nothing(dev, plug_in) -> None:
    gone = threading.Event()
    gone.set()
    with pytest.raises(CaptureError, match="gives no more pictures"):
        plug_in("camera:0", gone=gone)


# --- unplugged and stuck -------------------------------------------------------------------------


def test_unplugged_without_another_try(dev: Path, plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60,reconnect=0")
    frames = source.frames()
    read(frames, 3)
    (dev / "video0").unlink()
    plug.gone.set()
    with pytest.raises(CaptureError) as caught:
        list(frames)
    assert str(caught.value).endswith(f"reconnect=0: unplugged: no such device: {dev}/video0")
    assert plug.released == 1


def test_plugged_in_again_as_another_device(dev: Path, plug_in) -> None:
    link = dev / "v4l/by-id/desk"
    link.symlink_to(dev / "video2")
    source, plug = plug_in(f"camera:{link},320x240,fps=60,reconnect=4")
    frames = source.frames()
    before = read(frames, 5)
    for path in (link, dev / "video2"):
        path.unlink()
    plug.gone.set()

    def again() -> None:
        (dev / "video4").touch()
        plug.gone.clear()
        link.symlink_to(dev / "video4")

    threading.Timer(0.8, again).start()
    after = read(frames, 5)
    assert [item.index for item in before + after] == list(range(10))
    steps = np.diff([item.time_s for item in before + after])
    assert (steps > 0).all()
    assert steps.max() > 0.8
    assert plug.opened == [2, 4]
    assert plug.released == 1
    assert source.notices == [f"connected anew, because: unplugged: no such device: {link} (1x)"]


def test_it_gives_up_after_the_limit(dev: Path, plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60,reconnect=1")
    frames = source.frames()
    read(frames, 3)
    plug.gone.set()
    with pytest.raises(CaptureError, match="no more pictures; gave up after 1 attempt to connect"):
        list(frames)
    assert plug.opened == [0, 0]


def test_a_stuck_device_is_left_and_opened_again(plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60,timeout=0.3,reconnect=3")
    frames = source.frames()
    read(frames, 3)
    plug.stuck.set()
    threading.Timer(0.6, plug.stuck.clear).start()
    began = time.monotonic()
    assert len(read(frames, 5)) == 5
    assert time.monotonic() - began < 3
    assert source.notices == ["connected anew, because: nothing came for 0.3 s (1x)"]


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_stuck_device_holds_nobody_up(end: str, plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60,timeout=60")
    frames = source.frames()
    read(frames, 3)
    plug.stuck.set()
    threading.Timer(0.2, getattr(source, end)).start()
    began = time.monotonic()
    list(frames)
    source.close()
    assert time.monotonic() - began < 1.5


def test_another_size_after_it_came_back(plug_in) -> None:
    source, plug = plug_in("camera:0,320x240,fps=60")
    frames = source.frames()
    read(frames, 3)
    plug.modes = {"NV12": [(640, 480, 30)]}
    plug.gone.set()
    threading.Timer(0.2, plug.gone.clear).start()
    with pytest.raises(CaptureError, match=r"changes from \(320, 240\) to \(640, 480\)"):
        list(frames)
