"""The agent: one JSON object a line, asked on stdin and answered on stdout.

    -> {"id": 1, "op": "status", "skill": "x"}
    <- {"id": 1, "event": "..."}*   then   {"id": 1, "ok": ...} or {"id": 1, "error": {...}}

`put` is followed by `size` bytes, compressed by zlib. When the host is lost, what was begun is
finished.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from typing import Any, BinaryIO, Dict, List

from . import bundle_files
from .board_error import BoardError
from .files import sha256_of
from .layout import BoardPlace
from .operations import Operations
from .supervisor import Supervisor

_OPERATIONS = (
    "facts", "recover", "missing", "assemble", "install", "rollback", "status", "list",
    "start", "stop", "restart", "remove",
)  # fmt: skip


class Agent:
    """Answers until its input ends."""

    def __init__(self, board: BoardPlace, asks: BinaryIO, answers: BinaryIO) -> None:
        self._asks = asks
        self._answers = answers
        self._id: Any = 0
        self._operations = Operations(board, lambda text: self._say(event=text))

    def serve(self) -> None:
        """Greet, then answer."""
        board = self._operations.facts()
        recovered = self._operations.recover()
        self._say(hello="npukit", agent=sha256_of(sys.argv[0]), facts=board, recovered=recovered)
        for line in iter(self._asks.readline, b""):
            try:
                self._answer(json.loads(line.decode("utf-8")))
            except BoardError as error:
                self._say(error=_error(error.kind, error.message, error.hint, error.log))
            except bundle_files.BundleError as error:
                self._say(error=_error("bundle", error.message, error.hint, ""))
            except OSError as error:
                self._say(error=_error("system", str(error), "see the board's disk", ""))
            except Exception as error:  # noqa: BLE001 - whatever it is, the host tells it
                text = "{}: {}".format(type(error).__name__, error)
                self._say(error=_error("bug", text, "please report it", ""))

    def _answer(self, asked: Dict[str, Any]) -> None:
        self._id = asked.pop("id")
        name = asked.pop("op")
        if name == "put":
            data = self._asks.read(asked["size"])
            self._say(ok=self._operations.put(asked["sha256"], data))
        elif name == "logs":
            for event in self._operations.logs(wanted=self._is_wanted, **asked):
                self._say(event=event)
            self._say(ok=None)
        elif name in _OPERATIONS:
            self._say(ok=getattr(self._operations, name)(**asked))
        else:
            raise BoardError("unknown operation {!r}".format(name))

    def _is_wanted(self) -> bool:
        """Whether the host still listens: it says nothing while it does."""
        return not select.select([self._asks], [], [], 0)[0]

    def _say(self, **answer: Any) -> None:
        line = json.dumps(dict(answer, id=self._id)).encode("utf-8") + b"\n"
        try:
            self._answers.write(line)
            self._answers.flush()
        except OSError:
            self._answers = open(os.devnull, "wb")  # noqa: SIM115 - the host is lost: carry on


def main(arguments: List[str]) -> int:
    """Serve, boot or supervise."""
    parser = argparse.ArgumentParser(prog="npukit agent")
    parser.add_argument("mode", choices=("serve", "boot", "supervise"))
    parser.add_argument("--root", default="~/npukit")
    parser.add_argument("--skill", default="")
    given = parser.parse_args(arguments)
    board = BoardPlace(given.root)
    board.make()
    if given.mode == "supervise":
        return _supervise(board, given.skill)
    if given.mode == "serve":
        Agent(board, sys.stdin.buffer, sys.stdout.buffer).serve()
        return 0
    for line in Operations(board, lambda _: None).boot():
        sys.stdout.write(line + "\n")
    return 0


def _supervise(board: BoardPlace, skill: str) -> int:
    place = board.skill(skill)
    place.make()
    # Started by systemd at boot: an installation that a power cut ended is undone first.
    Operations(board, lambda _: None).recover(start=False)
    if not place.supervisor.take(1.0):
        return 1
    return Supervisor(place).run()


def _error(kind: str, message: str, hint: str, log: str) -> Dict[str, str]:
    return {"kind": kind, "message": message, "hint": hint, "log": log}
