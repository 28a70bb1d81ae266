"""RTMP to a real server on loopback: what arrives, what goes wrong, and that no key is shown."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from support.decoded import counters, decode, pattern, planes, psnr
from support.rtmp import RtmpServer

from npukit.addresses import hide_password
from npukit.capture import open_source
from npukit.color import Color, Matrix, Range
from npukit.display import _publishing, open_sink, rtmp
from npukit.display._publishing import Address
from npukit.display.rtmp import RtmpSink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame
from npukit.pipeline import Pipeline

KEY = "s3cret-stream-key"
PATIENCE_S = 30.0
MOST_S = 0.5  # for `show` on a busy machine; connecting and sending take longer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtmpServer]:
    made = RtmpServer(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def send(sink: RtmpSink, frames: Iterator[tuple[Nv21Frame, float]], rate: float = 100) -> None:
    """Show frames at a pace; no one may take long."""
    for frame, time_s in frames:
        began = time.monotonic()
        sink.show(frame, time_s)
        assert time.monotonic() - began < MOST_S
        time.sleep(1 / rate)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def wait_until_connected(sink: RtmpSink, frame: Nv21Frame) -> None:
    sink.show(frame, 0.0)
    wait_until(lambda: sink._sent > 0)


def children() -> list[str]:
    """Command lines of our publishing children."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            line = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has just ended
        if int(parent) == os.getpid() and "_publisher" in line:
            lines.append(line)
    return lines


# --- what arrives --------------------------------------------------------------------------------


@pytest.mark.parametrize("color", [Color(m, r) for m in Matrix for r in Range], ids=str)
def test_frames_arrive_in_order_with_their_times_and_colour(
    server: RtmpServer, color: Color
) -> None:
    sink = open_sink(server.url(KEY))
    assert isinstance(sink, RtmpSink)
    assert not sink.lossless
    frames = [
        (Nv21Frame(frame.y, frame.vu, color), time_s) for frame, time_s in pattern(60, "322x242")
    ]
    wait_until_connected(sink, frames[0][0])
    send(sink, iter(frames[1:]))
    sink.close(complete=True)
    (recorded,) = server.recordings()
    decoded = decode(recorded)
    numbers = counters(recorded)
    assert numbers == list(range(60))
    assert sink.notices == [f"60 frames to {sink.target}"]
    for item, number in zip(decoded, numbers, strict=True):
        assert item.time - decoded[0].time == pytest.approx(number / 30, abs=0.002)
        assert psnr(planes(item).y, frames[number][0].y) > 34
        assert psnr(planes(item).vu, frames[number][0].vu) > 34
    assert {int(item.colorspace) for item in decoded} == {{"bt709": 1, "bt601": 6}[color.matrix]}
    assert {int(item.color_range) for item in decoded} == {{"limited": 1, "full": 2}[color.range]}
    with av.open(recorded) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_it_can_be_watched_while_it_is_sent(server: RtmpServer) -> None:
    sink = open_sink(server.url(KEY))
    frames = list(pattern(200))
    wait_until_connected(sink, frames[0][0])
    script = (
        "import sys, av\n"
        "with av.open(sys.argv[1], timeout=(20, 20)) as container:\n"
        "    for frame, _ in zip(container.decode(video=0), range(20)):\n"
        "        print(frame.width, frame.height, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, server.url(KEY)], stdout=subprocess.PIPE, text=True
    ) as viewer:
        index = 0
        while viewer.poll() is None and index < 5000:  # a key frame comes every 60
            sink.show(frames[index % 200][0], index / 30)
            index += 1
            time.sleep(0.01)
        viewer.kill()
        assert viewer.stdout is not None
        assert viewer.stdout.read().splitlines() == ["320 240"] * 20
    sink.close(complete=True)


def test_a_pipeline_runs_to_its_end(server: RtmpServer) -> None:
    sink = open_sink(server.url(KEY))
    report = Pipeline(open_source("pattern:320x240,frames=30"), [], [sink]).run()
    assert report.complete
    assert report.frames_out[sink.target] + report.dropped.get(sink.target, 0) == 30
    (recorded,) = server.recordings()
    assert counters(recorded)[-1] == 29
    assert children() == []


def test_without_frames_nothing_is_sent(server: RtmpServer) -> None:
    sink = open_sink(server.url(KEY))
    sink.close(complete=True)
    sink.close(complete=True)
    assert sink.notices == [f"0 frames to {sink.target}"]
    assert server.recordings() == []
    assert children() == []


# --- what goes wrong -----------------------------------------------------------------------------


def test_more_than_ten_waiting_frames_are_dropped_oldest_first(server: RtmpServer) -> None:
    sink = open_sink(server.url(KEY))
    frames = list(pattern(300, "640x480"))
    wait_until_connected(sink, frames[0][0])
    for frame, time_s in frames[1:]:  # faster than any encoder
        sink.show(frame, time_s)
        assert len(sink._waiting) <= 10
    sink.close(complete=True)
    (recorded,) = server.recordings()
    numbers = counters(recorded)
    assert numbers[-10:] == list(range(290, 300))
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 300
    assert f"{300 - len(numbers)} frames were not sent" in sink.notices[1]


def test_a_server_that_is_away_at_the_start_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DisplayError, match="cannot be reached: Connection refused"):
        open_sink(f"rtmp://127.0.0.1:{port}/live/{KEY}")
    with pytest.raises(DisplayError, match="cannot be reached: Name or service not known"):
        open_sink(f"rtmp://no-such-host.invalid/live/{KEY}")


def test_a_server_that_refuses_the_stream_is_an_error(server: RtmpServer) -> None:
    sink = open_sink(server.url(KEY, "no-such-application"))
    sink.show(next(pattern(1))[0], 0.0)
    wait_until(lambda: sink._error is not None)
    with pytest.raises(DisplayError, match="does not take the stream") as caught:
        sink.show(next(pattern(1))[0], 0.1)
    assert "key" in caught.value.hint
    assert caught.value.where == f"rtmp://127.0.0.1:{server.port}/no-such-application/***"
    with pytest.raises(DisplayError):
        sink.close(complete=False)
    assert children() == []


def test_a_server_that_says_nothing_holds_nothing_up(silent: int, monkeypatch) -> None:
    """FFmpeg would wait for ever, and PyAV let no other thread run meanwhile."""
    monkeypatch.setattr(_publishing, "_CONNECT_S", 1.5)
    sink = open_sink(f"rtmp://127.0.0.1:{silent}/live/{KEY}")
    began = time.monotonic()
    with pytest.raises(DisplayError, match=r"does not take the stream: no answer for 1\.5 s"):
        send(sink, pattern(1000))
    assert time.monotonic() - began < 8
    with pytest.raises(DisplayError):
        sink.close(complete=False)
    assert children() == []


def test_closing_while_it_connects_ends(silent: int, monkeypatch) -> None:
    monkeypatch.setattr(rtmp, "_END_S", 0.5)
    sink = open_sink(f"rtmp://127.0.0.1:{silent}/live/{KEY}")
    sink.show(next(pattern(1))[0], 0.0)
    began = time.monotonic()
    sink.close(complete=False)
    assert time.monotonic() - began < 5
    wait_until(lambda: children() == [])
    assert "1 frames were not sent" in sink.notices[1]


def test_the_server_goes_down_and_comes_back(server: RtmpServer, monkeypatch) -> None:
    monkeypatch.setattr(rtmp, "_FIRST_WAIT_S", 0.2)
    sink = open_sink(server.url(KEY))
    frames = iter(pattern(2000))
    wait_until_connected(sink, next(frames)[0])
    send(sink, (next(frames) for _ in range(50)))
    server.stop()
    while sink._lost == 0:
        send(sink, (next(frames) for _ in range(10)))
    send(sink, (next(frames) for _ in range(50)))  # attempts are made and fail
    server.start()
    sent = sink._sent
    while sink._sent == sent:
        send(sink, (next(frames) for _ in range(10)))
    send(sink, (next(frames) for _ in range(50)))
    sink.close(complete=True)
    before, after = map(counters, server.recordings())
    assert before[0] == 0
    assert len(before) >= 40
    assert len(after) >= 40
    assert before == sorted(set(before))
    assert after == sorted(set(after))
    assert before[-1] < after[0]
    lost = [notice for notice in sink.notices if "the connection was lost 1 time" in notice]
    assert len(lost) == 1
    assert any("frames were not sent" in notice for notice in sink.notices)
    assert children() == []


def test_a_server_that_stays_away_is_told_and_not_waited_for(
    server: RtmpServer, monkeypatch
) -> None:
    sink = open_sink(server.url(KEY))
    frames = iter(pattern(2000))
    wait_until_connected(sink, next(frames)[0])
    server.stop()
    while sink._lost == 0:
        send(sink, (next(frames) for _ in range(10)))
    began = time.monotonic()
    sink.close(complete=True)
    assert time.monotonic() - began < 5
    assert any("the connection was lost 1 time" in notice for notice in sink.notices)
    assert children() == []


def test_a_server_that_falls_silent_is_left_and_found_again(
    server: RtmpServer, monkeypatch, noise
) -> None:
    monkeypatch.setattr(_publishing, "_SEND_S", 1.0)
    monkeypatch.setattr(rtmp, "_FIRST_WAIT_S", 0.2)
    frames = [noise(seed, 640, 480) for seed in range(4)]  # much data: the buffers are full soon
    sink = open_sink(server.url(KEY))
    wait_until_connected(sink, frames[0])
    server.signal(signal.SIGSTOP)
    index = 0
    deadline = time.monotonic() + PATIENCE_S
    while sink._lost == 0:
        assert time.monotonic() < deadline
        index += 1
        send(sink, iter([(frames[index % 4], index)]))
    server.signal(signal.SIGCONT)
    sent = sink._sent
    while sink._sent < sent + 20:
        assert time.monotonic() < deadline
        index += 1
        send(sink, iter([(frames[index % 4], index)]))
    sink.close(complete=True)
    assert any("nothing taken for 1 s" in notice for notice in sink.notices)
    assert len(server.recordings()) == 2


# --- what is shown of the address ----------------------------------------------------------------

ODD_KEYS = (KEY, f"live_{KEY}?token={KEY}", f"inner/{KEY}", f"a@{KEY}", f"{KEY}#x")


@pytest.mark.parametrize("key", ODD_KEYS)
@pytest.mark.parametrize("prefix", ["rtmp://", "rtmps://", "RTMP://", "rtmp://name:s3cret@"])
def test_the_key_is_hidden(prefix: str, key: str) -> None:
    for text in (f"{prefix}host/app/{key}", f"hdmi:{prefix}host/app/{key}"):
        shown = hide_password(text)
        assert "s3cret" not in shown
        assert shown.endswith("://***" if key.startswith("a@") else "host/app/***")
    assert "s3cret" not in hide_password(f"{prefix}host/{KEY}")
    assert "s3cret" not in hide_password(f"{prefix}s3/c/s3cret/x@host/app/{KEY}")


@pytest.mark.parametrize(
    "rest",
    [f"//host/{KEY}", f"//host:99999/app/{KEY}", f"//host:x/app/{KEY}", f"///app/{KEY}",
     f"//host/app/{KEY} {KEY}", f"//host/app/\n{KEY}", f"//[host/app/{KEY}", "//host/app/",
     "//host"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["rtmp:", "rtmps:"])
def test_what_is_no_address_is_refused_without_the_key(scheme: str, rest: str) -> None:
    with pytest.raises(DisplayError) as caught:
        open_sink(scheme + rest)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert "rtmp://HOST:PORT/APPLICATION/KEY" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("rtmp://host/app/key", "host", 1935),
        ("rtmps://host/app/key", "host", 443),
        ("//host:19350/app/key", "host", 19350),
        ("rtmp://name:word@host/app/key", "host", 1935),
        ("rtmp://[::1]:19350/app/key", "::1", 19350),
    ],
)
def test_the_parts_of_an_address(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert (address.host, address.port) == (host, port)
    assert address.url.endswith("/app/key")
    assert "key" not in repr(address)
    assert "key" not in str(address)


def test_the_key_is_nowhere(server: RtmpServer, caplog, capfd, monkeypatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(rtmp, "_FIRST_WAIT_S", 0.2)
    shown: list[str] = []
    sink = open_sink(server.url(KEY))
    frames = iter(pattern(2000))
    wait_until_connected(sink, next(frames)[0])
    shown += [sink.target, repr(sink), *children()]
    assert children(), "else the list of processes says little"
    server.stop()
    while sink._lost == 0:
        send(sink, (next(frames) for _ in range(10)))
    sink.close(complete=False)
    shown += sink.notices
    for url in (server.url(KEY), f"rtmp:{server.url(KEY)}", f"rtmps:{server.url(KEY)}"):
        with pytest.raises(DisplayError) as caught:
            open_sink(url)
        shown += traceback.format_exception(caught.value)
    server.start()
    refused = open_sink(server.url(KEY, "no-such-application"))
    source = open_source("pattern:320x240,frames=100000")
    report = Pipeline(source, [], [refused]).run()
    assert isinstance(report.error, DisplayError)
    shown += [json.dumps(report.to_dict()), *traceback.format_exception(report.error)]
    shown += [caplog.text, *capfd.readouterr()]
    assert KEY not in "\n".join(shown)


def test_the_frames_are_left_as_they_are(server: RtmpServer, noise) -> None:
    frames = [noise(seed, 64, 48) for seed in range(3)]
    before = [frame.pack().copy() for frame in frames]
    sink = open_sink(server.url(KEY))
    for frame in frames:
        frame.y.flags.writeable = frame.vu.flags.writeable = False
        sink.show(frame, 0.0)
    sink.close(complete=True)
    for frame, packed in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame.pack(), packed)
