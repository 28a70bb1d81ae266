"""The sink that drops everything."""

import pytest

from npukit.display import open_sink
from npukit.display.null import NullSink
from npukit.errors import DisplayError


@pytest.mark.parametrize("target", ["null", "null:"])
def test_frames_vanish(tmp_path, monkeypatch, noise, target: str) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink(target)
    assert isinstance(sink, NullSink)
    assert sink.target == "null"
    assert sink.lossless  # nothing is dropped before it: it measures the whole way
    for size in (16, 32):
        sink.show(noise(0, size, 16), 0.0)
    sink.close(complete=True)
    assert sink.notices == []
    assert list(tmp_path.iterdir()) == []


def test_it_takes_no_target() -> None:
    with pytest.raises(DisplayError, match=r"null:out\.mp4: null takes no target"):
        open_sink("null:out.mp4")
