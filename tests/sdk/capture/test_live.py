"""What cameras and streams share, without a device: the reading thread, the clock, the pipeline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import numpy as np
import pytest

from npukit.capture._line import Line, open_sockets
from npukit.capture._live import LiveSource, Patience, _Clock, back_off_s
from npukit.capture._reader import LostError, Reader, Shot
from npukit.capture.base import Source
from npukit.capture.pattern import PatternSource, read_counter
from npukit.display.base import Sink
from npukit.errors import CaptureError, DisplayClosed
from npukit.pipeline import Packet, Pipeline, Stage

FRAMES = [item.frame for item in PatternSource(128, 64, 30, 400).frames()]
SHORT = Patience(timeout_s=0.3, reconnect=1)


class Scripted(LiveSource):
    """A live source whose connections are the given generators, one after another."""

    def __init__(
        self, *scripts: Callable[[], Iterator[Shot | None]], patience: Any = SHORT
    ) -> None:
        self._scripts = list(scripts)
        self.ended: list[str] = []
        super().__init__("scripted", patience)

    @classmethod
    def accepts(cls, uri: str) -> bool:
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        raise NotImplementedError

    def _shots(self, reader: Reader) -> Any:
        script = self._scripts.pop(0)

        def run() -> Iterator[Shot | None]:
            try:
                yield from script()
            finally:
                self.ended.append(threading.current_thread().name)

        return run()


def steady(count: int = 400, rate: float = 200.0) -> Callable[[], Iterator[Shot | None]]:
    def script() -> Iterator[Shot | None]:
        yield None
        for index in range(count):
            time.sleep(1 / rate)
            yield Shot(FRAMES[index], index / rate)

    return script


def silent(shots: int, seconds: float = 1.0) -> Callable[[], Iterator[Shot | None]]:
    def script() -> Iterator[Shot | None]:
        yield None
        yield from islice(steady()(), 1, shots + 1)
        time.sleep(seconds)

    return script


def failing(error: Exception) -> Callable[[], Iterator[Shot | None]]:
    def script() -> Iterator[Shot | None]:
        yield from islice(steady()(), 3)
        raise error

    return script


# --- the source ----------------------------------------------------------------------------------


def test_the_schedule_of_attempts() -> None:
    assert [back_off_s(attempts) for attempts in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert back_off_s(10**9) == 8


def test_who_fetches_slowly_gets_the_newest_and_is_told(monkeypatch) -> None:
    monkeypatch.setattr("npukit.capture._reader._BACKLOG_S", 0.0)
    source = Scripted(steady())
    source.connect()
    time.sleep(0.2)  # nobody has begun to fetch: that is no loss
    counters, frames = [], source.frames()
    for captured in islice(frames, 5):
        counters.append(read_counter(captured.frame))
        time.sleep(0.1)
    source.close()
    assert counters[0] > 10
    assert min(np.diff(counters[1:])) > 5
    (notice,) = source.notices
    assert "dropped because they were not fetched in time" in notice


def test_the_backlog_of_a_server_is_no_loss() -> None:
    source = Scripted(steady(rate=10000))
    source.connect()
    for _ in islice(source.frames(), 3):
        time.sleep(0.01)
    source.close()
    assert source.notices == []


def test_data_without_a_picture_is_not_enough() -> None:
    def script() -> Iterator[Shot | None]:
        while True:
            time.sleep(0.02)
            yield None

    source = Scripted(script)
    began = time.monotonic()
    with pytest.raises(CaptureError, match=r"data came, but for 1\.2 s no picture"):
        source.connect()
    assert 1 < time.monotonic() - began < 2
    assert source.ended == ["capture"]


def test_a_device_that_does_not_connect() -> None:
    def script() -> Iterator[Shot | None]:
        time.sleep(1)
        yield None

    with pytest.raises(CaptureError, match=r"scripted: no answer within 0\.3 s"):
        Scripted(script).connect()


def test_the_end_of_a_generator_is_a_loss_too() -> None:
    source = Scripted(steady(3), steady(3))
    source.connect()
    frames = source.frames()
    assert [item.index for item in islice(frames, 6)] == list(range(6))
    with pytest.raises(IndexError):  # the scripts are used up: attempts begin anew with a picture
        next(frames)
    assert source.notices == ["connected anew, because: the stream ended (1x)"]


def test_a_bug_in_the_reading_thread_is_raised_where_frames_are_taken() -> None:
    source = Scripted(failing(ZeroDivisionError("a bug")))
    source.connect()
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(source.frames())


def test_pictures_from_before_the_loss_are_given() -> None:
    source = Scripted(failing(LostError("gone", "plug it in", final=True)), patience=Patience())
    source.connect()
    time.sleep(0.1)
    frames = source.frames()
    assert len(list(islice(frames, 2))) == 2
    with pytest.raises(CaptureError) as caught:
        next(frames)
    assert str(caught.value) == "scripted: gone (plug it in)"


def test_it_may_be_closed_before_anything_and_twice() -> None:
    for connected in (False, True):
        source = Scripted(steady())
        if connected:
            source.connect()
        source.close()
        source.close()
        assert list(source.frames()) == []


def test_the_thread_is_woken_when_it_does_not_end_by_itself() -> None:
    stuck = threading.Event()

    class Stuck(Scripted):
        def _shots(self, reader: Reader) -> Any:
            reader.wake_by(stuck.set)
            return super()._shots(reader)

    def script() -> Iterator[Shot | None]:
        yield Shot(FRAMES[0], None)
        stuck.wait(10)

    source = Stuck(script, patience=Patience(60, 0))
    source.connect()
    source.stop()
    assert not stuck.wait(0.1)  # `stop` waits for nobody
    source.close()
    assert source.ended == ["capture"]


# --- the connection of FFmpeg --------------------------------------------------------------------


def test_a_connection_is_found_and_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = listener.getsockname()
        before = open_sockets()
        with socket.create_connection(peer) as foreign:
            line = Line(before, [peer])
            line.cut()
            assert foreign.recv(1) == b""
            line.cut()
            line.close()
            line.cut()
            line.close()


@pytest.mark.parametrize("count", [0, 2])
def test_where_it_cannot_be_told_nothing_is_cut(count: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        peer = listener.getsockname()
        old = stack.enter_context(socket.create_connection(peer))
        before = open_sockets()
        new = [stack.enter_context(socket.create_connection(peer)) for _ in range(count)]
        stack.enter_context(socket.socket())
        line = Line(before, [peer])
        line.cut()
        line.close()
        for connection in (old, *new):
            connection.send(b"x")
            served, _ = listener.accept()
            with served:
                assert served.recv(1) == b"x"
        assert set(open_sockets()) >= set(before)


# --- the clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamps", "steps"),
    [
        ([5.0, 5.04, 5.08], [0.04, 0.04]),
        ([None, 0.08, 0.12], [0.1, 0.04]),  # the first one is unknown
        ([1.0, 0.5, 0.54], [0.1, 0.04]),  # the device's clock was set back
        ([1.0, 1.0, 1.04], [0.1, 0.04]),
        ([1.0, 4000.0, 4000.04], [0.1, 0.04]),  # or ahead
        ([1.0, float("nan"), 1.04], [0.1, 0.1]),
        ([1.0, 6.0, 6.04], [5.0, 0.04]),  # a backlog: the device knows better than the wall
    ],
)
def test_times_rise_by_the_devices_clock_where_it_can_be_believed(stamps, steps) -> None:
    clock = _Clock()
    times = [clock.place(stamp, fps=10) for stamp in stamps]
    assert times[0] == 0
    np.testing.assert_allclose(np.diff(times), steps, atol=0.01)


def test_an_interruption_lasts_as_long_as_it_lasts() -> None:
    clock = _Clock()
    clock.place(1.0, 30)
    clock.interrupt()
    time.sleep(0.2)
    assert 0.19 < clock.place(1.04, 30) < 0.4


# --- in a pipeline -------------------------------------------------------------------------------


def test_a_slow_stage_drops_at_the_first_channel_and_stays_fresh() -> None:
    source = Scripted(steady(), patience=Patience(5, 0))
    source.connect()

    def slow(packet: Packet) -> None:
        time.sleep(0.05)
        if packet.index > 150:
            source.stop()

    report = Pipeline(source, [Stage("slow", slow)], [_Screen()]).run()
    assert report.error is None
    assert report.dropped["slow"] > 50
    assert report.latency["screen"].to_dict()["p99_ms"] < 500


class _Screen(Sink):
    """A sink; what it does at each frame is given."""

    def __init__(self, act: Callable[[int], None] = lambda _: None) -> None:
        super().__init__("screen")
        self._act = act
        self._count = 0

    @classmethod
    def accepts(cls, target: str) -> bool:
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        return cls()

    def show(self, frame: Any, time_s: float) -> None:
        self._count += 1
        self._act(self._count)

    def close(self, complete: bool) -> None:
        pass


def _raise(error: BaseException) -> Callable[[int], None]:
    def act(count: int) -> None:
        if count == 3:
            raise error

    return act


@pytest.mark.parametrize(
    ("error", "kept"), [(CaptureError("of the sink"), True), (DisplayClosed("by the user"), False)]
)
def test_an_end_behind_a_silent_source_wakes_it(error: Exception, kept: bool) -> None:
    source = Scripted(silent(4, seconds=3), patience=Patience(60, None))
    source.connect()
    began = time.monotonic()
    report = Pipeline(source, [], [_Screen(_raise(error))]).run()
    assert time.monotonic() - began < 1.5
    assert report.error is (error if kept else None)


def test_ctrl_c_wakes_a_silent_source(monkeypatch) -> None:
    source = Scripted(silent(4, seconds=3), patience=Patience(60, None))
    source.connect()
    pipeline = Pipeline(source, [], [_Screen()])
    joins = []

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        joins.append(thread)
        if len(joins) == 1:
            time.sleep(0.2)
            raise KeyboardInterrupt  # as a signal does in the main thread
        real(thread, timeout)

    real = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", join)
    began = time.monotonic()
    report = pipeline.run()
    assert time.monotonic() - began < 1.5
    assert report.interrupted
    assert report.frames_in >= 3  # the first of four may have been dropped as a backlog
    assert report.error is None
