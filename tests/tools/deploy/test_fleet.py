"""Lists of boards, limits, and an end after too many failures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from npukit.errors import ConfigError
from npukit_cli.deploy.fleet import on_all, read_boards
from npukit_cli.deploy.places import Reach
from npukit_cli.deploy.problems import BoardSkipped, ConnectionFailed
from npukit_cli.deploy.transport import Address, parse_address


def run(failing: set[int], count: int, parallel: int, stop_after: float) -> tuple[list[str], int]:
    """States of the boards, and how many were worked on at the same time."""
    now = most = 0

    async def work(place: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        if place in failing:
            raise ConnectionFailed("gone")
        if place == 99:
            raise BoardSkipped("does not fit")
        return place

    names = [str(place) for place in range(count)]
    outcomes = asyncio.run(on_all(names, work, parallel, stop_after))
    assert [outcome.to for outcome in outcomes] == names
    return [outcome.state for outcome in outcomes], most


@pytest.mark.parametrize("parallel", [1, 3, 20])
def test_no_more_than_the_limit_at_a_time(parallel: int) -> None:
    states, most = run(set(), 10, parallel, 0)
    assert states == ["done"] * 10
    assert most == min(parallel, 10)


def test_too_many_failures_end_it() -> None:
    states, _ = run({0, 1, 2}, 10, 1, 0.2)
    assert states == ["failed"] * 3 + ["not tried"] * 7
    assert run({0, 1}, 10, 1, 0.2)[0] == ["failed"] * 2 + ["done"] * 8
    assert run({0}, 4, 1, 0)[0] == ["failed"] + ["not tried"] * 3
    assert run(set(range(4)), 4, 1, 1.0)[0] == ["failed"] * 4


def test_what_does_not_fit_is_no_failure() -> None:
    assert run(set(), 100, 8, 0)[0][-1] == "skipped"


def test_a_list(tmp_path: Path) -> None:
    path = tmp_path / "boards.yaml"
    path.write_text(
        "- root@kit-1\n- {to: 'root@kit-2:2200', parameters: {mirror: true}, jump: me@gate}\n"
    )
    first, second = read_boards(path)
    assert (first.to, second.parameters) == ("root@kit-1", {"mirror": True})
    where = Reach((), jump="other", identity="~/key").where(second)
    assert where.address == Address("kit-2", "root", 2200)
    assert where.login.jump == Address("gate", "me")
    assert where.login.identity == (str(Path("~/key").expanduser()),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "must be a list of boards"),
        ("[]", "must be a list of boards"),
        ("- 3", "board 1: a board is an address or a mapping"),
        ("- {board: x}", "board 1: key 'to' is missing"),
        ("- a\n- {to: b, port: 3}", "board 2: unknown key 'port'"),
        ("- {to: b, parameters: 3}", "parameters must be a dict, not 3"),
        ("- a b", "board 1: 'a b' is no address"),
        ("- [", "not valid YAML"),
    ],
)
def test_a_wrong_list_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "boards.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_boards(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("kit", Address("kit")),
        ("root@10.0.0.7:2222", Address("10.0.0.7", "root", 2222)),
        ("me@[fe80::1%eth0]:22", Address("fe80::1%eth0", "me", 22)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "a b", "@kit", "kit:", "kit:0", "kit:99999", "-oProxy=x"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        parse_address(text)


def test_no_board_and_the_same_twice_are_told() -> None:
    with pytest.raises(ConfigError, match="which board"):
        Reach(()).entries()
    with pytest.raises(ConfigError, match="there twice"):
        Reach(("a", "a")).entries()
