"""What every registered sink keeps; a new one needs a row in the table."""

from collections.abc import Callable
from pathlib import Path

import pytest

from npukit.display import SINKS, Sink, open_sink
from npukit.errors import DisplayError

# These need a screen, a server or the vendor's module: their own tests hold them to the contract.
ELSEWHERE = {
    "framebuffer": "test_framebuffer.py",
    "h264": "test_h264.py",
    "hdmi": "test_hdmi.py",
    "hilens": "../test_kit.py",
    "rtmp": "test_rtmp.py",
    "window": "test_window.py",
}
NAMES = tuple(name for name in SINKS.names() if name not in ELSEWHERE)

# By name: what is written behind the colon, given an empty folder.
OPEN: dict[str, Callable[[Path], str]] = {
    "images": lambda folder: str(folder / "out"),
    "null": lambda _: "",
    "video": lambda folder: str(folder / "out.mp4"),
}
BARE = {"images": "out/", "null": "null", "video": "out.mp4"}
WRONG = {
    "images": lambda folder: f"{folder}/file/below",
    "null": lambda folder: f"{folder}/file",
    "video": lambda folder: f"{folder}/file/out.mp4",
}


@pytest.fixture
def open_one(tmp_path) -> Callable[[str], Sink]:
    def make(name: str) -> Sink:
        if name not in OPEN:
            pytest.fail(f"sink {name!r} has no row in the table of this test")
        return open_sink(f"{name}:{OPEN[name](tmp_path)}")

    return make


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_table_holds_no_sink_that_is_gone() -> None:
    assert set(OPEN) == set(BARE) == set(WRONG) == set(NAMES)
    assert set(ELSEWHERE) <= set(SINKS.names())
    assert all((Path(__file__).parent / name).is_file() for name in ELSEWHERE.values())
    assert set(SINKS.failures()) <= {"hilens"}


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("name", NAMES)
def test_it_takes_frames_as_they_come_and_leaves_them_alone(
    tmp_path, open_one, noise, name: str, count: int, complete: bool
) -> None:
    sink = open_one(name)
    assert isinstance(sink, SINKS.get(name))
    assert sink.target
    assert isinstance(sink.lossless, bool)
    frames = [noise(seed, 34, 18) for seed in range(count)]
    before = [frame.pack().tobytes() for frame in frames]
    for index, frame in enumerate(frames):
        frame.y.flags.writeable = frame.vu.flags.writeable = False
        sink.show(frame, index / 25)
    sink.close(complete=complete)
    assert [frame.pack().tobytes() for frame in frames] == before
    assert all(isinstance(text, str) and text for text in sink.notices)
    assert len(set(sink.notices)) == len(sink.notices)
    # What it says of its result is there.
    written = files(tmp_path)
    assert bool(written) == bool(count and name != "null")
    if written:
        assert any(str(tmp_path) in text for text in sink.notices)


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_name_needs_no_prefix(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink(BARE[name])
    assert isinstance(sink, SINKS.get(name))
    sink.close(complete=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_is_a_typed_error_that_names_it(tmp_path, name: str) -> None:
    (tmp_path / "file").touch()
    rest = WRONG[name](tmp_path)
    with pytest.raises(DisplayError) as caught:
        open_sink(f"{name}:{rest}")
    assert rest in caught.value.where


@pytest.mark.parametrize("target", ["", "out.avi", "nokind:thing", "-"])
def test_what_nothing_accepts_is_refused_with_the_kinds_there_are(
    tmp_path, monkeypatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisplayError) as caught:
        open_sink(target)
    assert caught.value.where == target
    for name in NAMES:
        assert name in caught.value.hint
    assert list(tmp_path.iterdir()) == []
