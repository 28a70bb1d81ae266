"""Frames to another process: what arrives there, and what is told when it ends or hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npukit.color import Color, Matrix, Range
from npukit.display._process import FrameProcess
from npukit.frame import Nv21Frame, Rect

CHILD = """
import os, sys, time
from npukit.display._process import answer, frames, read_frame, read_settings
stream = open(0, "rb", buffering=0)
settings = read_settings(stream)
"""
COUNT_BYTES = """
import numpy as np
for frame, time_s in frames(stream):
    weights = np.arange(frame.pack().size, dtype=np.uint64)
    answer(f"{frame.size} {frame.color} {time_s} {int(frame.pack().ravel() @ weights)}")
answer("done")
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FrameProcess]:
    monkeypatch.syspath_prepend(tmp_path)

    def make(code: str, **settings: object) -> FrameProcess:
        (tmp_path / "child_of_a_test.py").write_text(CHILD + code)
        return FrameProcess("child_of_a_test", settings)

    return make


def described(frame: Nv21Frame, time_s: float) -> str:
    packed = frame.pack().ravel()
    checksum = int(packed @ np.arange(packed.size, dtype=np.uint64))
    return f"{frame.size} {frame.color} {time_s} {checksum}"


def test_frames_arrive_as_they_are(start, noise) -> None:
    process = start(COUNT_BYTES)
    big = noise(1, 1920, 1080)
    frames = [noise(seed, 64, 48, Color(m, r)) for seed in (1, 2) for m in Matrix for r in Range]
    for frame in [*frames, noise(3, 2, 2), big, big.crop(Rect(2, 4, 66, 50))]:
        process.send(frame, 0.1 + frame.width, 10.0)
        assert process.answer(10.0) == described(frame, 0.1 + frame.width)
    assert process.end(10.0) == "done"


def test_settings_arrive_and_are_not_in_the_list_of_processes(start) -> None:
    process = start('answer(settings["word"]); read_frame(stream)', word='s3cret "ü"\n')
    assert process.answer(10.0) == 's3cret "ü" '  # a line stays a line
    command = Path(f"/proc/{process._process.pid}/cmdline").read_text()
    environment = Path(f"/proc/{process._process.pid}/environ").read_text()
    process.end(10.0)
    assert "child_of_a_test" in command
    assert "s3cret" not in command + environment


@pytest.mark.parametrize("sent", [0, 5, 14, 100])
def test_half_a_frame_is_none(start, noise, sent: int) -> None:
    process = start("answer(str(read_frame(stream)))")
    header = (64).to_bytes(2, "little") + (48).to_bytes(2, "little") + bytes(10)
    process._write([(header + noise(1, 64, 48).pack().tobytes())[:sent]], 10.0)
    assert process.end(10.0) == "None"


def send_many(process: FrameProcess, frame: Nv21Frame, timeout_s: float) -> None:
    """More than pipes hold."""
    for _ in range(100):
        process.send(frame, 0.0, timeout_s)


def test_a_process_that_takes_nothing_is_told_in_time_and_killed(start, noise) -> None:
    process = start("time.sleep(600)")
    frame = noise(1, 1920, 1080)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"nothing taken for 0\.3 s"):
        send_many(process, frame, 0.3)
    with pytest.raises(TimeoutError, match=r"no answer for 0\.2 s"):
        process.answer(0.2)
    assert process.end(0.2) == ""
    assert time.monotonic() - began < 5
    assert process._process.returncode == -9


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('answer("error the moon is full")', "the moon is full"),
        ('raise ValueError("of a bug")', "ValueError: of a bug"),
        ('print("lib: cannot connect\\n\\nadvice\\nmore", file=sys.stderr); os.abort()',
         "lib: cannot connect; advice"),
        ("os._exit(3)", "its process ended with code 3"),
        ("os.kill(os.getpid(), 6)", "its process ended with code -6"),
        ('print("x" * 5000, file=sys.stderr); os.abort()', "x" * 300),
        # More than a pipe would hold.
        ('print("much\\n" * 100000, file=sys.stderr); os.abort()', "much; much"),
    ],
)  # fmt: skip
def test_the_reason_of_its_end(start, noise, code: str, reason: str) -> None:
    process = start(code)
    frame = noise(1, 640, 480)
    with pytest.raises(BrokenPipeError):
        send_many(process, frame, 10.0)
    assert process.reason(process.last_words()) == reason
    process.end(10.0)


def test_what_it_said_before_its_end_is_not_lost(start) -> None:
    process = start('answer("one"); answer("two"); read_frame(stream); answer("three")')
    assert process.answer(10.0) == "one"
    assert process.end(10.0) == "three"


def test_packages_of_the_working_folder_are_not_taken(start, noise, tmp_path, monkeypatch) -> None:
    """A clip's folder may hold a numpy.py, as any folder may."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path / "elsewhere")
    process = start(COUNT_BYTES)
    process.send(noise(1, 4, 4), 0.0, 10.0)
    assert process.answer(10.0) == described(noise(1, 4, 4), 0.0)
    process.end(10.0)


def test_no_file_is_left_open(start) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    start("read_frame(stream)").end(10.0)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
