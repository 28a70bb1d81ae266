"""The log on the board: bounded, and read without gaps while it grows and its files are renamed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit_cli.deploy.onboard import logs
from npukit_cli.deploy.onboard.logs import Growing, Log, Position, tail

SMALL = 2000  # bytes of a file, in place of 4 MB


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BYTES", SMALL)


def written(path: Path, first: int, count: int) -> None:
    with closing(Log(str(path))) as log:
        for number in range(first, first + count):
            log.write(f"line {number}".encode())


def numbers(lines: list[str]) -> list[int]:
    return [int(line.rpartition(" ")[2]) for line in lines]


def test_it_is_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    path = tmp_path / "skill.log"
    written(path, 0, 1000)
    files = sorted(item.name for item in tmp_path.iterdir())
    assert files == ["skill.log", "skill.log.1", "skill.log.2", "skill.log.3"]
    assert all(item.stat().st_size <= SMALL + 100 for item in tmp_path.iterdir())
    found, position = tail(str(path), 100)
    assert numbers(found) == list(range(900, 1000))  # across two files
    assert position == Position(path.stat().st_ino, path.stat().st_size)


def test_the_end_of_an_empty_and_of_a_missing_log(tmp_path: Path) -> None:
    path = tmp_path / "skill.log"
    assert tail(str(path), 5) == ([], Position(0, 0))
    path.touch()
    assert tail(str(path), 5)[0] == []
    written(path, 0, 3)
    assert numbers(tail(str(path), 5)[0]) == [0, 1, 2]
    assert tail(str(path), 0)[0] == []


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 130), st.booleans()), max_size=12))
def test_nothing_is_lost_or_told_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    """Each step writes lines (130 fill two files) and reads them, some over a new connection."""
    path = tmp_path_factory.mktemp("log") / "skill.log"
    written(path, 0, 10)
    old, position = tail(str(path), 10)
    seen = numbers(old)
    reader = Growing(str(path), position)
    for count, reconnects in steps:
        written(path, seen[-1] + 1, count)
        if reconnects:
            reader.close()
            reader = Growing(str(path), list(reader.position))  # as it comes from JSON
        seen += numbers(reader.lines())
        while more := reader.lines():
            seen += numbers(more)
    reader.close()
    assert seen == list(range(len(seen)))
    assert len(seen) == 10 + sum(count for count, _ in steps)


def test_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "skill.log"
    path.write_text("a line 1\nhalf")
    old, position = tail(str(path), 5)
    assert old == ["a line 1"]
    with closing(Growing(str(path), position)) as reader:
        assert reader.lines() == []
        with path.open("a") as file:
            file.write(" a line 2\n")
        assert reader.lines() == ["half a line 2"]


def test_a_reader_that_comes_too_late_goes_on_with_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "skill.log"
    written(path, 0, 10)
    with closing(Growing(str(path), Position(1, 5))) as reader:  # that file is gone
        assert numbers(reader.lines()) == list(range(10))
