"""RTSP against a real server on loopback: what arrives, what goes wrong, what comes back."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.rtsp import FPS, MISSING, RtspServer, installed, serving, write_clip

from npukit.capture import open_source
from npukit.capture.base import Captured, Source
from npukit.capture.pattern import read_counter
from npukit.errors import CaptureError
from npukit.pipeline import Pipeline
from npukit.session import Session
from npukit.skill import load_skill

needs_server = pytest.mark.skipif(not installed(), reason=MISSING)

SKILL = Path(__file__).parents[2] / "data" / "deploy" / "passing"
USER, PASSWORD = "kätzchen", "p@s:w/r#d?% ö"  # nothing that an address can hold as it is
SECRETS = (PASSWORD, USER, "p%40s", "wr0ng")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return write_clip(folder / "a.mp4", 320, 240, 750), write_clip(folder / "b.mp4", 192, 144, 250)


@pytest.fixture(scope="module")
def steady(clips: tuple[Path, Path]) -> Iterator[RtspServer]:
    """A server that no test disturbs."""
    with serving(RtspServer(clips[0])) as server:
        yield server


@pytest.fixture(scope="module")
def locked(clips: tuple[Path, Path]) -> Iterator[RtspServer]:
    """An undisturbed server that asks for a password."""
    with serving(RtspServer(clips[0], "basic", USER, PASSWORD)) as server:
        yield server


@pytest.fixture
def shaky(clips: tuple[Path, Path]) -> Iterator[RtspServer]:
    """A server to be killed and frozen."""
    with serving(RtspServer(clips[0], "digest", USER, PASSWORD)) as server:
        yield server


@pytest.fixture
def opened() -> Iterator[Callable[[str], Source]]:
    sources: list[Source] = []

    def call(uri: str) -> Source:
        sources.append(open_source(uri))
        return sources[-1]

    yield call
    for source in sources:
        source.close()


def refused(uri: str) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        open_source(uri)
    return caught.value


def read(frames: Iterator[Captured], count: int) -> list[Captured]:
    return list(islice(frames, count))


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


# --- what arrives --------------------------------------------------------------------------------


@needs_server
def test_frames_arrive_in_real_time_with_content_and_times(steady, opened) -> None:
    source = opened(steady.uri())
    assert (source.live, source.fps, source.frame_count) == (True, FPS, None)
    frames = source.frames()
    backlog = read(frames, 25)  # what the server sends at once; live sources may skip there
    began = time.monotonic()
    captured = read(frames, 50)
    assert 1.5 < time.monotonic() - began < 2.5

    counters = [read_counter(item.frame) for item in captured]
    steps = np.diff(counters)
    assert (steps > 0).all()
    assert (steps == 1).sum() >= 45  # on a busy machine a live source may skip
    times = [item.time_s for item in captured]
    np.testing.assert_allclose(np.diff(times), steps / FPS, atol=0.002)
    everything = backlog + captured
    assert [item.index for item in everything] == list(range(75))
    assert all(one.time_s < two.time_s for one, two in pairwise(everything))

    drawn = {item.index: item.frame for item in open_source("pattern:320x240,frames=750").frames()}
    for item in captured[::10]:
        want = drawn[read_counter(item.frame)]
        for got, plane in ((item.frame.y, want.y), (item.frame.vu, want.vu)):
            assert np.abs(got.astype(int) - plane).mean() < 1.5
        assert str(item.frame.color) == "bt601 limited"
        assert not item.frame.y.flags.writeable  # the decoder predicts from it
    assert [text for text in source.notices if "not fetched in time" not in text] == []


@needs_server
def test_options_stay_here_and_a_query_is_the_servers(steady, opened) -> None:
    opened(steady.uri("/clip?channel=1", "timeout=4,reconnect=forever"))
    asked = [line for line in steady.lines if "?channel=1" in line]
    assert len(asked) == 1
    assert asked[0].endswith("/clip?channel=1")


@needs_server
@pytest.mark.parametrize("method", ["basic", "digest"])
def test_the_right_password_opens(method: str, clips, locked, opened) -> None:
    if method == "basic":
        source = opened(locked.uri())
        assert source.uri == f"rtsp://***@127.0.0.1:{locked.port}/clip"
        assert read(source.frames(), 3)
        return
    with serving(RtspServer(clips[0], method, USER, PASSWORD)) as server:
        assert read(opened(server.uri()).frames(), 3)


@needs_server
def test_the_prefix_may_be_written_twice(steady, opened) -> None:
    assert opened("rtsp:" + steady.uri()).uri == steady.uri()


# --- what cannot be opened -----------------------------------------------------------------------


@needs_server
@pytest.mark.parametrize("password", ["wr0ng", ""])
def test_a_wrong_password_is_told_and_not_tried_again(password: str, locked) -> None:
    before = len(locked.lines)
    error = refused(locked.uri(options="reconnect=forever", password=password))
    assert "refuses the user name or the password" in str(error)
    assert_clean(str(error))
    time.sleep(0.2)
    assert [line for line in locked.lines[before:] if line.startswith("describe")] == []


@needs_server
def test_no_password_where_one_is_asked_for(locked) -> None:
    error = refused(f"rtsp://127.0.0.1:{locked.port}/clip")
    assert "refuses the user name or the password" in str(error)


@needs_server
def test_a_wrong_path_and_a_stream_of_sound(steady) -> None:
    assert "no stream under this path" in str(refused(steady.uri("/nope")))
    assert "does the stream hold video?" in str(refused(steady.uri("/sound")))


def test_nothing_listens_and_an_unknown_host() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = refused(f"rtsp://127.0.0.1:{closed.getsockname()[1]}/x#timeout=2")
    assert "nothing listens at this host and port" in str(error)
    assert "host name is not known" in str(refused("rtsp://no-such-host.invalid/x"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"hello " * 50, "not understood"),
    ],
)
def test_what_listens_is_no_rtsp_server(answer: bytes, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)
                if not answer:
                    time.sleep(1)

        threading.Thread(target=serve, daemon=True).start()
        began = time.monotonic()
        uri = f"rtsp://{USER}:wr0ng@127.0.0.1:{listener.getsockname()[1]}/x#timeout=0.5"
        error = refused(uri)
        assert time.monotonic() - began < 2
        assert reason in str(error)
        assert_clean(str(error))


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("rtsp:", "not an address"),
        ("rtsp:host/path", "not an address"),
        ("rtsp:///path", "not an address"),
        ("rtsp://host:port/x", "not an address"),
        ("rtsp://host:70000/x", "not an address"),
        ("rtsp://host:0/x", "not an address"),
        ("rtsp://[::1/x", "not an address"),
        ("rtsp://host/x y", "no place"),
        ("rtsp://host/x#wait=3", "unknown option 'wait'"),
        ("rtsp://host/x#timeuot=3", "did you mean 'timeout'?"),
        ("rtsp://host/x#timeout", "'timeout' is not understood"),
        ("rtsp://host/x#timeout=", "'timeout=' is not understood"),
        ("rtsp://host/x#timeout=0", "from 0.1 to 600"),
        ("rtsp://host/x#timeout=nan", "from 0.1 to 600"),
        ("rtsp://host/x#reconnect=-1", "from 0 to"),
        ("rtsp://host/x#reconnect=ever", "from 0 to"),
        ("rtsp://host/x#reconnect=1,reconnect=2", "given twice"),
    ],
)
def test_addresses_that_are_not_understood(uri: str, reason: str) -> None:
    assert reason in str(refused(uri))


@pytest.mark.parametrize(
    "userinfo",
    ["u:qz7/vj9", "u:qz7#vj9", "u:qz7?vj9", "u:qz7 vj9", "u:1/qz7vj9", "u:qz7\tvj9", "qz7:vj9@qz7"],
)
@pytest.mark.parametrize("tail", ["@host/x", "@host/x#timeout=0", "@host:port", "@[x/y"])
def test_a_password_that_should_have_been_quoted_is_not_shown(userinfo: str, tail: str) -> None:
    for prefix in ("rtsp://", "rtsp:", "rtsp:rtsp://", "rtsps://", "nothing://"):
        error = refused(prefix + userinfo + tail)
        assert not re.search("qz7|vj9", everything_told(error))


# --- what fails on the way -----------------------------------------------------------------------


@needs_server
def test_the_server_goes_down_and_up_again_and_frames_continue(shaky, opened) -> None:
    source = opened(shaky.uri(options="timeout=2,reconnect=8"))
    frames = source.frames()
    before = read(frames, 40)
    shaky.kill()
    back = threading.Timer(0.7, shaky.start)
    back.start()
    after = read(frames, 50)
    back.join()

    captured = before + after
    assert [item.index for item in captured] == list(range(90))
    steps = np.diff([item.time_s for item in captured])
    assert (steps > 0).all()
    assert 0.7 < steps.max() < 5  # the time without a picture is there
    counters = [read_counter(item.frame) for item in captured]
    (seam,) = (place for place in range(1, 90) if counters[place] < counters[place - 1])
    assert seam >= 40
    assert (np.diff(counters[-20:]) > 0).all()
    assert "connected anew, because: the server ended the stream (1x)" in source.notices
    assert source.uri == f"rtsp://***@127.0.0.1:{shaky.port}/clip"

    shaky.kill()
    shaky.start()
    read(frames, 15)  # at most ten of them were under way
    assert "connected anew, because: the server ended the stream (2x)" in source.notices
    assert_clean("".join(source.notices))


@needs_server
def test_a_server_that_falls_silent_is_left_and_tried_again(shaky, opened) -> None:
    source = opened(shaky.uri(options="timeout=1,reconnect=8"))
    frames = source.frames()
    read(frames, 30)
    shaky.freeze()
    threading.Timer(1.2, shaky.thaw).start()
    began = time.monotonic()
    assert len(read(frames, 30)) == 30
    assert time.monotonic() - began > 1.2
    assert "connected anew, because: nothing came for 1 s (1x)" in source.notices


@needs_server
def test_it_gives_up_after_the_limit_and_says_what_happened(shaky, opened) -> None:
    source = opened(shaky.uri(options="timeout=1,reconnect=2"))
    frames = source.frames()
    read(frames, 5)
    shaky.kill()
    began = time.monotonic()
    with pytest.raises(CaptureError) as caught:
        list(frames)
    assert 1.5 < time.monotonic() - began < 3  # waits of 0.5 and 1 s
    assert str(caught.value) == (
        f"rtsp://***@127.0.0.1:{shaky.port}/clip: the server ended the stream; gave up after 2 "
        "attempts to connect anew, the last one: nothing listens at this host and port "
        "(is the camera on?)"
    )


@needs_server
def test_no_attempt_where_none_is_wanted(shaky, opened) -> None:
    source = opened(shaky.uri(options="reconnect=0"))
    frames = source.frames()
    read(frames, 5)
    shaky.kill()
    with pytest.raises(CaptureError, match=r"clip: the server ended the stream$"):
        list(frames)


@needs_server
def test_a_changed_password_or_size_ends_the_attempts(clips, shaky, opened) -> None:
    sources = [opened(shaky.uri(options="reconnect=forever")) for _ in range(2)]
    streams = [source.frames() for source in sources]
    for frames in streams:
        read(frames, 3)
    shaky.kill()
    shaky.clip = clips[1]
    shaky.start()
    with pytest.raises(CaptureError, match=r"changes from \(320, 240\) to \(192, 144\)"):
        list(streams[0])
    shaky.kill()
    shaky.password = "another"  # noqa: S105
    shaky.start()
    with pytest.raises(CaptureError, match="refuses the user name or the password"):
        list(streams[1])


@needs_server
@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_silent_source_is_ended_from_another_thread(end: str, shaky, opened) -> None:
    source = opened(shaky.uri(options="timeout=60"))
    frames = source.frames()
    read(frames, 5)
    shaky.freeze()
    threading.Timer(0.3, getattr(source, end)).start()
    began = time.monotonic()
    assert len(list(frames)) < 20  # what was under way, then the end, without an error
    assert time.monotonic() - began < 1
    source.close()  # which gets the thread out of FFmpeg
    assert time.monotonic() - began < 2
    assert "capture" not in [thread.name for thread in threading.enumerate()]


@needs_server
def test_a_source_that_waits_to_try_again_is_ended_at_once(shaky, opened) -> None:
    source = opened(shaky.uri(options="reconnect=forever"))
    frames = source.frames()
    read(frames, 5)
    shaky.kill()
    threading.Timer(1.0, source.stop).start()  # in the wait before the second attempt
    began = time.monotonic()
    list(frames)
    assert time.monotonic() - began < 1.5


@needs_server
def test_python_ends_beside_a_source_that_nobody_closed(shaky) -> None:
    code = (
        "import sys; from npukit.capture import open_source; source = open_source(sys.argv[1]);"
        "next(source.frames()); print('running', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, shaky.uri(options="timeout=60")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        shaky.freeze()
        began = time.monotonic()
        _, err = process.communicate("\n", timeout=20)
        assert time.monotonic() - began < 3
    assert (process.returncode, err) == (0, "")


# --- in a pipeline -------------------------------------------------------------------------------


@needs_server
def test_ctrl_c_ends_a_run_at_once_though_the_server_is_silent(shaky, tmp_path) -> None:
    """To the end of Python, beside a thread that is stuck in FFmpeg."""
    code = (
        "import sys; from npukit.capture import open_source; from npukit.display import open_sink;"
        "from npukit.pipeline import Pipeline;"
        "tell = lambda packet: print('running', flush=True);"
        "run = Pipeline(open_source(sys.argv[1]), [], [open_sink(sys.argv[2])], tell).run();"
        "print(run.interrupted, run.error, run.to_dict(), flush=True)"
    )
    uri = shaky.uri(options="timeout=60,reconnect=forever")
    command = [sys.executable, "-c", code, uri, str(tmp_path / "out.mp4")]
    for _ in range(2):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            shaky.freeze()
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - began < 3
        shaky.thaw()
        assert process.returncode == 0, err
        assert out.splitlines()[-1].startswith("True None"), err
        assert err == ""
        assert_clean(out)
    with av.open(tmp_path / "out.part.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1


@needs_server
def test_an_error_of_a_stage_is_told_though_the_server_is_silent(shaky, opened) -> None:
    from npukit.pipeline import Stage

    def fail(packet: Any) -> None:
        if packet.index >= 5:  # a single one may be dropped
            shaky.freeze()
            time.sleep(0.3)
            raise CaptureError("of the stage")

    began = time.monotonic()
    source = opened(shaky.uri(options="timeout=60,reconnect=forever"))
    report = Pipeline(source, [Stage("fail", fail)], []).run()
    assert "of the stage" in str(report.error)
    assert time.monotonic() - began < 6


# --- the password --------------------------------------------------------------------------------


def everything_told(error: BaseException) -> str:
    """All of an error and of what it came from, also where a traceback would not print it."""
    parts = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    for other in (error.__cause__, error.__context__):
        if other is not None:
            parts.append(everything_told(other))
    return "\n".join(parts)


@needs_server
def test_the_password_is_nowhere(locked, opened, caplog, capfd, monkeypatch) -> None:
    caplog.set_level(1)
    logging.getLogger("libav").setLevel(1)
    av.logging.set_level(av.logging.TRACE)
    session = Session(load_skill(str(SKILL)))
    try:
        source = opened(locked.uri(options="timeout=1,reconnect=0"))
        told = [source.uri, repr(source), str(source), repr(vars(source))]
        told.append(json.dumps(run_for(source, 10)))
        for uri in (
            locked.uri("/nope"),
            locked.uri("/sound"),
            locked.uri(password="wr0ng" + PASSWORD),
            locked.uri(options="timeout=x"),
            locked.uri(options="oops"),
            locked.uri().replace(f":{locked.port}", ":1"),
            locked.uri().replace("127.0.0.1", "no-such-host.invalid"),
            locked.uri().replace("rtsp:", "rtsps:"),
        ):
            told.append(everything_told(refused(uri)))
            told.append(json.dumps(session.run(uri, ["null"]).to_dict()))
    finally:
        av.logging.set_level(None)
        logging.getLogger("libav").setLevel(logging.WARNING)
    told += [caplog.text, *capfd.readouterr()]
    assert_clean("\n".join(told))
    assert "***@127.0.0.1" in told[0]


def run_for(source: Source, frames: int) -> dict[str, Any]:
    def stop(packet: Any) -> None:
        if packet.index >= frames:
            source.stop()

    return Pipeline(source, [], [], stop).run().to_dict()


@needs_server
def test_the_command_line_does_not_show_the_password(locked, tmp_path) -> None:
    npukit = [sys.executable, "-m", "npukit_cli", "run", "portrait_matting", "--display"]
    displays = ["--display", str(tmp_path / "{name}.mp4")]
    uri = locked.uri(password="wr0ng")  # noqa: S106
    done = subprocess.run(
        [*npukit, "null", *displays, "--camera", uri, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 1, done.stderr
    assert "refuses the user name or the password" in done.stdout
    assert_clean(done.stdout + done.stderr + repr(list(tmp_path.iterdir())))
