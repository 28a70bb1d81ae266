"""What `npukit board` does: ask the agents, and put the answers into words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from npukit.errors import NpukitError
from npukit_cli import output
from npukit_cli.deploy.fleet import Outcome, on_all
from npukit_cli.deploy.people import Person
from npukit_cli.deploy.places import Reach
from npukit_cli.deploy.problems import BoardRefused, ConnectionFailed
from npukit_cli.deploy.remote import Where, session
from npukit_cli.deploy.terminal import person

_AT_ONCE = 8
_RETRIES, _PAUSE_S = 5, 2.0
Show = Callable[[str, Any], None]


def ask_all(reach: Reach, op: str, show: Show, json: bool, **arguments: Any) -> int:
    """Ask every board for one operation, show the answers; the exit code.

    Raises:
        NpukitError: of the only board.
    """
    entries, asked = reach.entries(), person()
    wheres = [reach.where(entry) for entry in entries]

    async def work(place: int) -> Any:
        async with session(wheres[place], asked) as board:
            for done in board.recovered:
                output.say(f"{entries[place].to}: recovered: {done}")
            return await board.call(op, **arguments)

    names = [entry.to for entry in entries]
    outcomes = asyncio.run(on_all(names, work, _AT_ONCE, 1.0))
    if len(outcomes) == 1 and outcomes[0].error is not None and not json:
        raise outcomes[0].error
    _show_all(outcomes, show, json)
    return 0 if all(outcome.error is None for outcome in outcomes) else 1


def _show_all(outcomes: Sequence[Outcome[Any]], show: Show, json: bool) -> None:
    if json:
        output.as_json(
            [
                {
                    "to": item.to,
                    "answer": item.result,
                    "error": output.error_to_dict(item.error) if item.error else None,
                }
                for item in outcomes
            ]
        )
        return
    for item in outcomes:
        if item.error is not None:
            output.error(item.error)
        else:
            show(item.to, item.result)


def show_status(to: str, answer: Mapping[str, Any]) -> None:
    """The board, and a row for each skill."""
    facts = answer["board"]
    kind = facts["board"] or "unknown board"
    kind = f"virtual board ({kind}, simulated NPU)" if facts["virtual"] else kind
    memory, disk = (facts["memory_free"] or 0) >> 20, facts["disk_free"] >> 20
    output.result(
        f"{to}: {kind}, Python {facts['python']}, {memory} MB of memory and {disk} MB of disk free"
    )
    if answer["installing"]:
        output.result("an installation is under way")
    rows = [_status_row(item) for item in answer["skills"]]
    columns = ("skill", "state", "release", "frames", "frames/s", "restarts", "exit", "last error")
    output.table("", columns, rows)


def _status_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("skill", "state", "release", "frames", "fps", "restarts", "exit_code", "last_error")
    return tuple("-" if item.get(key) is None else str(item[key]) for key in keys)


def show_list(to: str, answer: Sequence[Mapping[str, Any]]) -> None:
    """A row for each release."""
    rows = []
    for item in answer:
        mark = "current" if item["current"] else "previous" if item["previous"] else ""
        installed = time.strftime("%Y-%m-%d %H:%M", time.localtime(item["installed_at"]))
        rows.append((item["skill"], item["release"], str(item["target"]), installed, mark))
    output.table(to, ("skill", "release", "target", "installed", ""), rows)


def show_one(to: str, answer: Mapping[str, Any]) -> None:
    """A skill's state after it was changed."""
    if "removed" in answer:
        kept = "; its workspace is still there (--purge)" if answer["workspace_kept"] else ""
        output.result(f"{to}: {answer['removed']} is removed{kept}")
    else:
        state = answer.get("state", "running")
        output.result(f"{to}: {answer['skill']} {state}, release {answer['release']}")


def logs(reach: Reach, skill: str | None, lines: int, follow: bool, json: bool) -> int:
    """Show a skill's log; with `follow` until the skill ends. Its exit code when it has ended.

    A connection that is lost (some boards end idle ones) is made again, and the log goes on.

    Raises:
        NpukitError: of the only board that can be named here.
    """
    entries = reach.entries()
    if len(entries) != 1:
        raise NpukitError("the log of one board at a time", hint="give one --to")
    where, asked = reach.where(entries[0]), person()
    left, reader = _RETRIES, _LogReader(skill, lines, follow, json)
    while True:
        try:
            return asyncio.run(reader.read(where, asked))
        except BoardRefused:
            raise
        except ConnectionFailed:
            if not follow or not left:
                raise
            left -= 1
            output.say("the connection was lost: connecting again")
            time.sleep(_PAUSE_S)


class _LogReader:
    """Shows a log; knows how far it came."""

    def __init__(self, skill: str | None, lines: int, follow: bool, json: bool) -> None:
        self._asked = {"skill": skill, "lines": lines, "follow": follow}
        self._json = json
        self._since: list[int] | None = None
        self._code: int | None = None

    async def read(self, where: Where, person: Person) -> int:
        """Read to the end, or as long as the connection lasts; the exit code for `npukit`."""
        async with session(where, person) as board:
            await board.call("logs", self._see, since=self._since, **self._asked)
        if self._code is None or not self._asked["follow"]:
            return 0
        return self._code if self._code >= 0 else 128 - self._code  # by a signal, as shells say it

    def _see(self, item: Mapping[str, Any]) -> None:
        self._since = item.get("position", self._since)
        self._code = item.get("exit_code", self._code)
        if "line" in item and self._json:
            output.as_json_line({"line": item["line"]})
        elif "line" in item:
            output.result(item["line"])
