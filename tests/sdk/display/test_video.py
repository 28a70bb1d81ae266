"""Video files: what is in them, and what is left when the run, the disk or the process ends."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from support.killed import show_and_be_killed

from npukit.capture import open_source
from npukit.capture.pattern import read_counter
from npukit.color import Color, Matrix, Range
from npukit.display import open_sink
from npukit.display.video import VideoSink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame, Rect

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
# ITU-T H.273: matrix 1 is BT.709, 6 is BT.601; FFmpeg's ranges: 1 limited, 2 full.
H273 = {Matrix.BT709: 1, Matrix.BT601: 6}
RANGES = {Range.LIMITED: 1, Range.FULL: 2}


def pattern(count: int, size: str = "320x240") -> Iterator[tuple[Nv21Frame, float]]:
    for captured in open_source(f"pattern:{size},frames={count}").frames():
        yield captured.frame, captured.time_s


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def planes(decoded: av.VideoFrame) -> Nv21Frame:
    return Nv21Frame.from_i420(decoded.to_ndarray(format=decoded.format.name), Color())


def counters(path: Path) -> list[int]:
    return [read_counter(planes(decoded)) for decoded in decode(path)]


def psnr(seen: np.ndarray, wanted: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((seen.astype(float) - wanted) ** 2)))


@pytest.fixture
def no_h264(monkeypatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})


# --- what is in the file ---------------------------------------------------------------------


def write_and_compare(path: Path, color: Color, quality: float) -> list[str]:
    frames = [
        (Nv21Frame(frame.y, frame.vu, color), time_s) for frame, time_s in pattern(45, "322x242")
    ]
    sink = open_sink(str(path))
    for frame, time_s in frames:
        sink.show(frame, time_s)
    sink.close(complete=True)
    with av.open(path) as container:
        stream = container.streams.video[0]
        header = (int(stream.codec_context.color_range), int(stream.codec_context.colorspace))
        assert stream.frames == 45
    assert header == (RANGES[color.range], H273[color.matrix])
    decoded = decode(path)
    assert {(int(item.color_range), int(item.colorspace)) for item in decoded} == {header}
    assert [item.time for item in decoded] == pytest.approx(np.arange(45) / 30, abs=1e-4)
    for item, (frame, _) in zip(decoded, frames, strict=True):
        seen = planes(item)
        assert psnr(seen.y, frame.y) > quality
        assert psnr(seen.vu, frame.vu) > quality
    source = open_source(str(path))
    assert next(source.frames()).frame.color == color
    assert source.notices == []
    source.close()
    return sink.notices


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_pictures_times_and_colour_tags_are_those_of_the_frames(tmp_path, color: Color) -> None:
    path = tmp_path / "out.mp4"
    assert write_and_compare(path, color, quality=36) == [f"45 frames in {path}"]
    assert decode(path)[0].format.name == ("yuvj420p" if color.range is Range.FULL else "yuv420p")
    assert [item.name for item in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_without_an_h264_encoder_it_is_mpeg4_and_said(tmp_path, no_h264, color: Color) -> None:
    path = tmp_path / "out.mp4"
    notices = write_and_compare(path, color, quality=36)
    assert len(notices) == 2
    assert "MPEG-4 Part 2" in notices[0]
    with av.open(path) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v", ".MP4"])
def test_every_suffix_can_be_played(tmp_path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = open_sink(str(path))
    for frame, time_s in pattern(5):
        sink.show(frame, time_s)
    sink.close(complete=True)
    assert counters(path) == list(range(5))


def test_frames_may_be_views_and_read_only_and_stay_as_they_are(tmp_path, noise) -> None:
    big = noise(1, 128, 96)
    part = big.crop(Rect(2, 4, 66, 50))
    big.y.flags.writeable = big.vu.flags.writeable = False
    part.y.flags.writeable = part.vu.flags.writeable = False
    before = part.pack().copy()
    sink = open_sink(str(tmp_path / "out.mp4"))
    for index in range(3):
        sink.show(part, index / 30)
    sink.close(complete=True)
    np.testing.assert_array_equal(part.pack(), before)
    seen = planes(decode(tmp_path / "out.mp4")[0])
    assert psnr(seen.y, part.y) > 30


@pytest.mark.parametrize("fallback", [False, True])
def test_a_variable_frame_rate_is_kept(tmp_path, request, fallback: bool) -> None:
    if fallback:
        request.getfixturevalue("no_h264")
    times = [0.0, 0.02, 1 / 30, 0.5, 0.5 + 1 / 29.97, 4.0, 4.001, 5.0]
    sink = open_sink(str(tmp_path / "out.mp4"))
    for (frame, _), time_s in zip(pattern(len(times)), times, strict=True):
        sink.show(frame, time_s)
    sink.close(complete=True)
    written = [item.time for item in decode(tmp_path / "out.mp4")]
    assert written == pytest.approx(times, abs=2e-5)
    with av.open(tmp_path / "out.mp4") as container:
        stream = container.streams.video[0]
        # The last picture is shown as long as the one before it.
        assert float(stream.duration * stream.time_base) == pytest.approx(5.999, abs=1e-3)


def test_times_that_do_not_rise_still_give_a_file(tmp_path) -> None:
    sink = open_sink(str(tmp_path / "out.mp4"))
    for frame, _ in pattern(4):
        sink.show(frame, 1.0)
    sink.close(complete=True)
    assert counters(tmp_path / "out.mp4") == [0, 1, 2, 3]


def test_a_colon_in_the_name_is_part_of_the_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink("12:30.mp4")
    for frame, time_s in pattern(3):
        sink.show(frame, time_s)
    sink.close(complete=True)
    assert [item.name for item in tmp_path.iterdir()] == ["12:30.mp4"]


# --- while it is written, and when that ends early -------------------------------------------


@pytest.mark.parametrize("fallback", [False, True])
def test_the_part_can_be_played_while_it_grows(tmp_path, request, fallback: bool) -> None:
    if fallback:
        request.getfixturevalue("no_h264")
    final, part = tmp_path / "out.mp4", tmp_path / "out.part.mp4"
    final.write_bytes(b"an older result")
    sink = open_sink(str(final))
    for index, (frame, time_s) in enumerate(pattern(200)):
        sink.show(frame, time_s)
        assert part.exists()
        if index in (99, 199):
            shutil.copy(part, tmp_path / "copy.mp4")
            seen = counters(tmp_path / "copy.mp4")
            # No more than two seconds wait in the encoder and in the open fragment.
            assert index - 60 < len(seen) <= index + 1
            assert seen == list(range(len(seen)))
    assert final.read_bytes() == b"an older result"
    sink.close(complete=True)
    assert not part.exists()
    assert counters(final) == list(range(200))


def test_a_killed_process_leaves_a_part_that_can_be_played(tmp_path) -> None:
    final = tmp_path / "out.mp4"
    final.write_bytes(b"an older result")
    show_and_be_killed(final)
    seen = counters(tmp_path / "out.part.mp4")
    assert len(seen) >= 90
    assert seen == list(range(len(seen)))
    assert final.read_bytes() == b"an older result"


@pytest.mark.parametrize("count", [1, 7, 70])
def test_cut_short_it_is_finished_under_the_part_name_and_says_so(tmp_path, count: int) -> None:
    final, part = tmp_path / "out.mp4", tmp_path / "out.part.mp4"
    final.write_bytes(b"an older result")
    sink = open_sink(str(final))
    for frame, time_s in pattern(count):
        sink.show(frame, time_s)
    sink.close(complete=False)
    assert counters(part) == list(range(count))
    assert final.read_bytes() == b"an older result"
    assert len(sink.notices) == 1
    assert f"the first {count} frames are in {part}" in sink.notices[0]


def test_the_part_of_an_earlier_run_is_no_hindrance(tmp_path) -> None:
    (tmp_path / "out.part.mp4").write_bytes(b"x" * 100000)
    sink = open_sink(str(tmp_path / "out.mp4"))
    for frame, time_s in pattern(5):
        sink.show(frame, time_s)
    sink.close(complete=True)
    assert counters(tmp_path / "out.mp4") == list(range(5))
    assert not (tmp_path / "out.part.mp4").exists()


@pytest.mark.parametrize("complete", [True, False])
def test_without_frames_nothing_is_written(tmp_path, complete: bool) -> None:
    (tmp_path / "out.mp4").write_bytes(b"an older result")
    sink = open_sink(str(tmp_path / "out.mp4"))
    sink.close(complete=complete)
    assert [item.name for item in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"an older result"
    assert len(sink.notices) == 1
    assert "no frames" in sink.notices[0]


@pytest.mark.parametrize("change", ["size", "color"])
def test_another_size_or_colour_is_refused_and_the_frames_before_it_are_kept(
    tmp_path, change: str
) -> None:
    frames = list(pattern(4))
    y, vu = frames[-1][0].y, frames[-1][0].vu
    other = {
        "size": Nv21Frame(y[:100], vu[:50], Color()),
        "color": Nv21Frame(y, vu, Color(Matrix.BT601, Range.FULL)),
    }[change]
    sink = open_sink(str(tmp_path / "out.mp4"))
    for frame, time_s in frames:
        sink.show(frame, time_s)
    with pytest.raises(DisplayError, match=r"frame 4 is .*, the first was .*320x240") as caught:
        sink.show(other, 1.0)
    assert "images:" in caught.value.hint
    sink.close(complete=False)
    assert counters(tmp_path / "out.part.mp4") == [0, 1, 2, 3]


# --- places that cannot be written -----------------------------------------------------------


@pytest.mark.parametrize("target", ["out.avi", "out", "video:out.gif", "video:", "video:.mp4/"])
def test_a_name_of_another_kind_of_file_is_refused(tmp_path, monkeypatch, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisplayError) as caught:
        open_sink(target)
    assert ".mp4" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made(tmp_path) -> None:
    path = tmp_path / "a" / "b" / "out.mp4"
    sink = open_sink(str(path))
    for frame, time_s in pattern(2):
        sink.show(frame, time_s)
    sink.close(complete=True)
    assert counters(path) == [0, 1]


def test_a_folder_that_is_a_file_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DisplayError, match="cannot make the folder"):
        open_sink(str(tmp_path / "file" / "out.mp4"))


def test_a_folder_of_that_name_is_refused_at_once(tmp_path) -> None:
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(DisplayError, match=r"out\.mp4: a folder has this name"):
        open_sink(f"video:{tmp_path / 'out.mp4'}")


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root writes everywhere: become nobody for a moment."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        yield Path(name)
        Path(name).chmod(0o700)


def test_a_folder_without_permission_is_refused_at_once(
    locked_folder: Path, ordinary_user: None
) -> None:
    with pytest.raises(DisplayError, match="not writable") as caught:
        open_sink(str(locked_folder / "out.mp4"))
    assert caught.value.where == str(locked_folder)


def test_a_part_that_cannot_be_written_is_told_at_the_first_frame(tmp_path) -> None:
    (tmp_path / "out.part.mp4").mkdir()
    sink = open_sink(str(tmp_path / "out.mp4"))
    frame, _ = next(pattern(1))
    with pytest.raises(DisplayError, match=r"out\.part\.mp4: cannot write frame 0"):
        sink.show(frame, 0.0)
    sink.close(complete=False)
    assert "no frames" in sink.notices[0]
    assert not (tmp_path / "out.mp4").exists()


def test_a_target_that_cannot_be_replaced_keeps_the_part(tmp_path) -> None:
    sink = open_sink(str(tmp_path / "out.mp4"))
    for frame, time_s in pattern(3):
        sink.show(frame, time_s)
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(DisplayError, match="cannot finish"):
        sink.close(complete=True)
    assert counters(tmp_path / "out.part.mp4") == [0, 1, 2]
    assert any(str(tmp_path / "out.part.mp4") in notice for notice in sink.notices)


FULL_DISK = """
import resource, signal, sys
from npukit.capture import open_source
from npukit.display import open_sink
from npukit.errors import DisplayError
from npukit.pipeline import Pipeline
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sink = open_sink({path!r})
report = Pipeline(open_source("pattern:320x240,frames=400"), [], [sink]).run()
assert isinstance(report.error, DisplayError), report.error
assert not report.complete
print(report.error)
for notice in report.notices:
    print(notice)
"""


@pytest.mark.parametrize("limit", [0, 60000])
def test_a_full_disk_is_a_typed_error_and_keeps_what_was_written(tmp_path, limit: int) -> None:
    final, part = tmp_path / "out.mp4", tmp_path / "out.part.mp4"
    final.write_bytes(b"an older result")
    script = FULL_DISK.format(limit=limit, path=str(final))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{part}: cannot write frame" in done.stdout
    assert "Traceback" not in done.stderr
    assert final.read_bytes() == b"an older result"
    if limit:
        assert f"is in {part}" in done.stdout
        seen = []
        with av.open(part) as container:
            try:
                for decoded in container.decode(video=0):
                    seen.append(read_counter(planes(decoded)))
            except av.error.FFmpegError:
                pass  # the last fragment is cut
        assert len(seen) > 60
        assert seen == list(range(len(seen)))


def test_open_gives_its_kind(tmp_path) -> None:
    make: Callable[[str], object] = open_sink
    assert isinstance(make(str(tmp_path / "out.mp4")), VideoSink)
    assert isinstance(make(f"video:{tmp_path / 'out.mp4'}"), VideoSink)
