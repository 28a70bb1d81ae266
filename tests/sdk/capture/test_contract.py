"""What every registered source keeps; a new one needs a row in the table."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.camera import plugged_in
from support.rtsp import served_pattern

from npukit.capture import SOURCES, Captured, Source, open_source
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

# Needs the vendor's module: its own test holds it to the contract.
ELSEWHERE = {"hilens": "../test_kit.py"}
NAMES = tuple(name for name in SOURCES.names() if name not in ELSEWHERE)
COUNT = 12


def make_pictures(folder: Path, write_clip, noise_planes) -> str:
    for index in range(COUNT):
        picture = np.full((25, 32, 3), 20 * index, np.uint8)
        assert cv2.imwrite(str(folder / f"{index:02}.png"), picture)
    return str(folder)


def make_video(folder: Path, write_clip, noise_planes) -> str:
    pictures = [noise_planes(seed, 64, 48) for seed in range(COUNT)]
    return str(write_clip(folder / "clip.mp4", pictures))


# By name: what is written behind the colon, given an empty folder.
OPEN: dict[str, Callable[..., str]] = {
    "images": make_pictures,
    "pattern": lambda *_: f"96x64,frames={COUNT}",
    "video": make_video,
}
# Live ones, the same from a context: a stand-in that is plugged in, a server that runs.
LIVE = {"camera": plugged_in, "rtsp": served_pattern}
PATHS = ("images", "video")  # these also open by their path alone


@pytest.fixture
def open_one(tmp_path, write_clip, noise_planes) -> Iterator[Callable[[str], Source]]:
    with ExitStack() as stack:

        def make(name: str) -> Source:
            if name in LIVE:
                return open_source(f"{name}:{stack.enter_context(LIVE[name](tmp_path))}")
            if name not in OPEN:
                pytest.fail(f"source {name!r} has no row in the table of this test")
            return open_source(f"{name}:{OPEN[name](tmp_path, write_clip, noise_planes)}")

        yield make


def read(source: Source) -> list[Captured]:
    """All of a source; a live one has no end."""
    return list(islice(source.frames(), COUNT if source.live else None))


def test_the_table_holds_no_source_that_is_gone() -> None:
    assert set(OPEN) | set(LIVE) == set(NAMES)
    assert set(ELSEWHERE) <= set(SOURCES.names())
    assert all((Path(__file__).parent / name).is_file() for name in ELSEWHERE.values())
    assert set(SOURCES.failures()) <= {"hilens"}


@pytest.mark.parametrize("name", NAMES)
def test_frames_are_numbered_timed_even_and_of_one_colour(open_one, name: str) -> None:
    source = open_one(name)
    assert isinstance(source, SOURCES.get(name))
    frames = read(source)
    source.close()
    assert source.live == (name in LIVE)
    assert [captured.index for captured in frames] == list(range(COUNT))
    assert source.frame_count in (None, COUNT)
    times = [captured.time_s for captured in frames]
    assert times[0] == 0.0
    assert min(np.diff(times)) > 0.0
    if not source.live:  # which begins with a backlog, and may skip
        assert np.median(np.diff(times)) == pytest.approx(1 / source.fps)
    for captured in frames:
        frame = captured.frame
        assert isinstance(frame, Nv21Frame)
        assert (frame.width % 2, frame.height % 2) == (0, 0)
        assert (frame.size, frame.color) == (frames[0].frame.size, frames[0].frame.color)
        assert frame.y.dtype == frame.vu.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_of_itself_can_be_shown(open_one, name: str) -> None:
    source = open_one(name)
    assert source.uri
    assert isinstance(source.live, bool)
    read(source)
    assert all(isinstance(text, str) and text for text in source.notices)
    assert len(set(source.notices)) == len(source.notices)
    source.close()


@pytest.mark.parametrize("name", NAMES)
def test_it_closes_before_in_the_middle_and_twice(open_one, name: str) -> None:
    unread = open_one(name)
    unread.close()
    unread.close()
    source = open_one(name)
    frames = source.frames()
    held = [next(frames).frame for _ in range(3)]
    before = [frame.pack().tobytes() for frame in held]
    frames.close()
    source.close()
    source.close()
    assert [frame.pack().tobytes() for frame in held] == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rest", ["no such thing", "/no/such/place.mp4", "\0", "9" * 300])
def test_garbage_is_a_typed_error_that_repeats_it(name: str, rest: str) -> None:
    with pytest.raises(CaptureError) as caught:
        open_source(f"{name}:{rest}")
    assert rest in caught.value.where


@pytest.mark.parametrize("name", PATHS)
def test_a_path_needs_no_prefix(tmp_path, write_clip, noise_planes, name: str) -> None:
    source = open_source(OPEN[name](tmp_path, write_clip, noise_planes))
    assert isinstance(source, SOURCES.get(name))
    source.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_the_name_of_a_kind(
    tmp_path, monkeypatch, write_clip, noise_planes, name: str
) -> None:
    (tmp_path / name).mkdir()
    make_pictures(tmp_path / name, write_clip, noise_planes)
    monkeypatch.chdir(tmp_path)
    assert open_source(name).frame_count == COUNT


@pytest.mark.parametrize("uri", ["", "nowhere.mp4", "nokind:thing", "/no/such/folder/"])
def test_what_nothing_accepts_is_refused_with_the_kinds_there_are(uri: str) -> None:
    with pytest.raises(CaptureError) as caught:
        open_source(uri)
    assert caught.value.where == uri
    for name in NAMES:
        assert name in caught.value.hint
