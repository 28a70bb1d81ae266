"""Raw H.264 files: Annex B as players read it, and what is left when the run ends early."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.decoded import counters, decode, pattern, planes, psnr
from support.killed import show_and_be_killed

from npukit.color import Color, Matrix, Range
from npukit.display import open_sink
from npukit.display.h264 import H264Sink, frame_rate
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
# ITU-T H.273: matrix 1 is BT.709, 6 is BT.601; FFmpeg's ranges: 1 limited, 2 full.
H273 = {Matrix.BT709: 1, Matrix.BT601: 6}
RANGES = {Range.LIMITED: 1, Range.FULL: 2}
# ITU-T H.264, table 7-1.
IDR, SEQUENCE, PICTURE = 5, 7, 8
SLICES = (1, IDR)


def write(path: Path, count: int, complete: bool = True, fps: int = 30) -> list[str]:
    sink = open_sink(f"h264:{path}")
    for frame, time_s in pattern(count, fps=fps):
        sink.show(frame, time_s)
    sink.close(complete)
    return sink.notices


def units(data: bytes) -> list[int]:
    """The types of the units of a byte stream, by ITU-T H.264 annex B."""
    starts = data.split(b"\x00\x00\x01")
    assert set(starts[0]) <= {0}, "it must begin with a start code"
    return [part[0] & 31 for part in starts[1:]]


@pytest.mark.parametrize("name", ["out.h264", "out.264", "OUT.H264"])
@pytest.mark.parametrize("prefix", ["", "h264:"])
def test_suffix_or_prefix_opens_it(tmp_path, prefix: str, name: str) -> None:
    sink = open_sink(f"{prefix}{tmp_path / name}")
    assert isinstance(sink, H264Sink)
    assert sink.lossless
    assert sink.target == str(tmp_path / name)
    sink.close(complete=True)


def test_it_is_a_byte_stream_that_starts_at_a_key_frame(tmp_path) -> None:
    path = tmp_path / "out.h264"
    assert write(path, 45) == [f"45 frames in {path}"]
    assert [item.name for item in tmp_path.iterdir()] == ["out.h264"]
    found = units(path.read_bytes())
    first = next(place for place, kind in enumerate(found) if kind in SLICES)
    assert found[first] == IDR
    assert {SEQUENCE, PICTURE} <= set(found[:first])
    assert counters(path) == list(range(45))


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_pictures_and_colour_tags_are_those_of_the_frames(tmp_path, color: Color) -> None:
    frames = [Nv21Frame(frame.y, frame.vu, color) for frame, _ in pattern(12, "322x242")]
    path = tmp_path / "out.h264"
    sink = open_sink(str(path))
    for index, frame in enumerate(frames):
        sink.show(frame, index / 30)
    sink.close(complete=True)
    decoded = decode(path)
    tags = {(int(item.color_range), int(item.colorspace)) for item in decoded}
    assert tags == {(RANGES[color.range], H273[color.matrix])}
    for item, frame in zip(decoded, frames, strict=True):
        seen = planes(item)
        assert psnr(seen.y, frame.y) > 36
        assert psnr(seen.vu, frame.vu) > 36


@pytest.mark.parametrize("fps", [10, 24, 25, 30, 60])
def test_its_rate_is_that_of_the_frames(tmp_path, fps: int) -> None:
    write(tmp_path / "out.h264", 5, fps=fps)
    with av.open(tmp_path / "out.h264") as container:
        list(container.decode(video=0))
        assert container.streams.video[0].codec_context.framerate == fps


@pytest.mark.parametrize(
    ("interval_s", "rate"),
    [
        (1 / 30, Fraction(30)),
        (1001 / 30000, Fraction(30000, 1001)),
        (0.04, Fraction(25)),
        (1.0, Fraction(1)),
        (0.0, Fraction(30)),
        (-1.0, Fraction(30)),
        (3600.0, Fraction(30)),
        (1e-6, Fraction(30)),
    ],
)
def test_the_rate_of_an_interval(interval_s: float, rate: Fraction) -> None:
    assert frame_rate(interval_s) == rate


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames(tmp_path, count: int) -> None:
    path = tmp_path / "out.h264"
    assert write(path, count) == [f"{count} frames in {path}"]
    assert counters(path) == list(range(count))


@pytest.mark.parametrize("complete", [True, False])
def test_without_frames_nothing_is_written(tmp_path, complete: bool) -> None:
    (tmp_path / "out.h264").write_bytes(b"an older result")
    notices = write(tmp_path / "out.h264", 0, complete)
    assert "no frames" in notices[0]
    assert [item.name for item in tmp_path.iterdir()] == ["out.h264"]
    assert (tmp_path / "out.h264").read_bytes() == b"an older result"


@pytest.mark.parametrize("count", [1, 40])
def test_cut_short_it_is_a_part(tmp_path, count: int) -> None:
    (tmp_path / "out.h264").write_bytes(b"an older result")
    notices = write(tmp_path / "out.h264", count, complete=False)
    part = tmp_path / "out.part.h264"
    assert notices == [f"cut short: the first {count} frames are in {part}"]
    assert counters(part) == list(range(count))
    assert (tmp_path / "out.h264").read_bytes() == b"an older result"


def test_a_killed_process_leaves_a_part_that_can_be_played(tmp_path) -> None:
    show_and_be_killed(tmp_path / "out.h264")
    seen = counters(tmp_path / "out.part.h264")
    assert len(seen) >= 110  # the encoder looks some frames ahead
    assert seen == list(range(len(seen)))


@pytest.mark.parametrize("change", ["size", "color"])
def test_another_size_or_colour_is_refused(tmp_path, change: str) -> None:
    frames = list(pattern(3))
    y, vu = frames[0][0].y, frames[0][0].vu
    other = {
        "size": Nv21Frame(y[:100], vu[:50], Color()),
        "color": Nv21Frame(y, vu, Color(Matrix.BT601, Range.FULL)),
    }[change]
    path = tmp_path / "out.h264"
    sink = open_sink(str(path))
    for frame, time_s in frames:
        sink.show(frame, time_s)
    with pytest.raises(DisplayError, match=r"frame 3 is .*, the first was .*320x240") as caught:
        sink.show(other, 1.0)
    assert caught.value.where == str(path)
    sink.close(complete=False)
    assert counters(tmp_path / "out.part.h264") == [0, 1, 2]


@pytest.mark.parametrize("target", ["h264:", "h264:out.mp4", "h264:out"])
def test_another_kind_of_file_is_refused(tmp_path, monkeypatch, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisplayError, match=r"must end in \.h264, \.264"):
        open_sink(target)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_refused_at_once(tmp_path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "out.h264").mkdir()
    with pytest.raises(DisplayError, match="cannot make the folder"):
        open_sink(f"h264:{tmp_path}/file/out.h264")
    with pytest.raises(DisplayError, match="a folder has this name"):
        open_sink(f"h264:{tmp_path}/out.h264")


def test_a_part_that_cannot_be_written_is_told_at_the_first_frames(tmp_path) -> None:
    (tmp_path / "out.part.h264").mkdir()
    sink = open_sink(str(tmp_path / "out.h264"))
    (first, _), (second, time_s) = pattern(2)
    sink.show(first, 0.0)  # held, for the rate
    with pytest.raises(DisplayError, match=r"out\.part\.h264: cannot write frame 0"):
        sink.show(second, time_s)
    sink.close(complete=False)
    assert "no frames" in sink.notices[0]


def test_without_an_encoder_it_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with pytest.raises(DisplayError, match="libx264"):
        open_sink(str(tmp_path / "out.h264"))


def test_a_full_disk_is_a_typed_error_and_keeps_what_was_written(tmp_path) -> None:
    script = f"""
import resource, signal
from npukit.capture import open_source
from npukit.display import open_sink
from npukit.errors import DisplayError
from npukit.pipeline import Pipeline
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))
sink = open_sink({str(tmp_path / "out.h264")!r})
report = Pipeline(open_source("pattern:320x240,frames=400"), [], [sink]).run()
assert isinstance(report.error, DisplayError), report.error
assert not report.complete
print(report.error, *report.notices, sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    part = tmp_path / "out.part.h264"
    assert f"{part}: cannot write frame" in done.stdout
    assert f"is in {part}" in done.stdout
    assert not (tmp_path / "out.h264").exists()
    seen = counters(part)[:-1]  # the last picture is cut
    assert len(seen) > 60
    assert seen == list(range(len(seen)))


def test_frames_are_left_as_they_are(tmp_path, noise) -> None:
    frames = [noise(seed, 64, 48) for seed in range(4)]
    before = [frame.pack().copy() for frame in frames]
    sink = open_sink(str(tmp_path / "out.h264"))
    for index, frame in enumerate(frames):
        frame.y.flags.writeable = frame.vu.flags.writeable = False
        sink.show(frame, index / 30)
    sink.close(complete=True)
    for frame, packed in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame.pack(), packed)
