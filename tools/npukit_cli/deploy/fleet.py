"""Several boards at once: in parallel up to a limit, and an end after too many failures."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from npukit.errors import ConfigError, NpukitError, check_keys
from npukit_cli.deploy.problems import BoardSkipped
from npukit_cli.deploy.transport import parse_address
from npukit_convert.yaml_file import read_yaml

Result = TypeVar("Result")
_KEYS = ("to", "board", "parameters", "identity", "jump", "host_key", "root", "python",
         "capture", "displays")  # fmt: skip


class Entry(NamedTuple):
    """A board of a list; what is None or empty comes from the command line.

    Attributes:
        to: address.
        board: name of the profile.
        parameters: of the skill, on this board.
        identity, jump, host_key: of the login.
        root, python: where things are on it.
        capture, displays: of the skill, on this board.
    """

    to: str
    board: str | None = None
    parameters: dict[str, Any] = {}  # noqa: RUF012 - never written to
    identity: str | None = None
    jump: str | None = None
    host_key: str | None = None
    root: str | None = None
    python: str | None = None
    capture: str | None = None
    displays: list[str] = []  # noqa: RUF012 - never written to


class Outcome(NamedTuple, Generic[Result]):
    """How it went on one board.

    Attributes:
        state: "done", "failed", "skipped" (does not fit) or "not tried" (stopped before).
    """

    to: str
    state: str
    result: Result | None = None
    error: NpukitError | None = None


def read_boards(path: Path) -> list[Entry]:
    """Read a YAML list of boards: addresses, or mappings with `to` and what is special there.

    Raises:
        ConfigError: names the file, the entry and the key.
    """
    data = read_yaml(path)
    if not isinstance(data, list) or not data:
        raise ConfigError(
            "must be a list of boards",
            where=str(path),
            hint="one a line: `- user@board`, or `- {to: user@board, parameters: {...}}`",
        )
    return [_entry(item, f"{path}, board {place}") for place, item in enumerate(data, 1)]


def _entry(item: Any, where: str) -> Entry:
    data = {"to": item} if isinstance(item, str) else item
    if not isinstance(data, dict):
        raise ConfigError("a board is an address or a mapping", where=where)
    check_keys(data, _KEYS, where, required=("to",))
    for key, value in data.items():
        kind = {"parameters": dict, "displays": list}.get(key, str)
        if not isinstance(value, kind):
            raise ConfigError(f"{key} must be a {kind.__name__}, not {value!r}", where=where)
    try:
        parse_address(data["to"])
    except ConfigError as error:
        error.where = where
        raise
    return Entry(**data)


async def on_all(
    names: Sequence[str],
    work: Callable[[int], Awaitable[Result]],
    parallel: int,
    stop_after: float,
) -> list[Outcome[Result]]:
    """Do the work for each board.

    Args:
        names: of the boards.
        work: for the board of that place.
        parallel: how many at a time.
        stop_after: share of the boards (0 to 1); when more than that have failed, no further
            ones are begun. Those under way are brought to their end.
    """
    limit = asyncio.Semaphore(parallel)
    most = math.floor(stop_after * len(names))
    failures = 0

    async def one(place: int) -> Outcome[Result]:
        nonlocal failures
        async with limit:
            if failures > most:
                return Outcome(names[place], "not tried")
            try:
                return Outcome(names[place], "done", await work(place))
            except BoardSkipped as error:
                return Outcome(names[place], "skipped", error=error)
            except NpukitError as error:
                failures += 1
                return Outcome(names[place], "failed", error=error)

    return list(await asyncio.gather(*(one(place) for place in range(len(names)))))
