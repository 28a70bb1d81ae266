"""The on-board agent at the other end of a connection.

Everything goes over one exec channel, files too: boards without SFTP need nothing else, and those
with it lose nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

import asyncssh

from npukit_cli.deploy.agent_package import agent_file
from npukit_cli.deploy.people import Person
from npukit_cli.deploy.problems import BoardRefused, ConnectionFailed
from npukit_cli.deploy.transport import Address, Login, connect

_NO_AGENT, _NO_PYTHON = 86, 87
_IN_FLIGHT = 8  # pieces on their way that are not acknowledged yet
_HELLO_S = 60.0
OnEvent = Callable[[Any], None]


class Where(NamedTuple):
    """A board's address, how to get in, and where things are there."""

    address: Address
    login: Login = Login()
    root: str = "~/npukit"
    python: str = "python3"


def _nothing(_: Any) -> None:
    pass


class RemoteBoard:
    """One session with the agent; see `session`.

    Attributes:
        facts: what the board is, see `onboard.facts`.
        recovered: what was cut off earlier and is finished now, in sentences.
    """

    def __init__(self, process: asyncssh.SSHClientProcess[bytes], address: Address) -> None:
        self._process = process
        self._address = address
        self._number = 0
        self.facts: dict[str, Any] = {}
        self.recovered: list[str] = []

    async def greet(self) -> None:
        """Wait for the agent's first words; what a login script prints before is skipped."""
        while True:
            hello = _parse(await self._line())
            if hello.get("hello") == "npukit":
                break
        if hello["agent"] != agent_file().sha256:
            raise ConnectionFailed("the agent on the board was changed", where=str(self._address))
        self.facts, self.recovered = hello["facts"], hello["recovered"]

    async def call(self, op: str, on_event: OnEvent = _nothing, **arguments: Any) -> Any:
        """Ask for one operation.

        Args:
            op: its name, see `onboard.operations`.
            on_event: is told what happens meanwhile.
            arguments: of the operation.

        Raises:
            BoardRefused: the agent's answer is an error.
            ConnectionFailed: the connection was lost; the board finishes, or recovers later.
        """
        await self._ask({"op": op, **arguments})
        return await self._answer(on_event)

    async def send(self, pieces: Mapping[str, bytes], on_bytes: Callable[[int], None]) -> None:
        """Bring pieces of a bundle onto the board.

        Args:
            pieces: by their SHA-256.
            on_bytes: is told the size of each that has arrived.
        """
        waiting: list[int] = []
        for name, data in pieces.items():
            packed = await asyncio.to_thread(zlib.compress, data)
            await self._ask({"op": "put", "sha256": name, "size": len(packed)}, packed)
            waiting.append(len(data))
            if len(waiting) >= _IN_FLIGHT:
                await self._answer(_nothing)
                on_bytes(waiting.pop(0))
        for size in waiting:
            await self._answer(_nothing)
            on_bytes(size)

    async def _ask(self, message: Mapping[str, Any], raw: bytes = b"") -> None:
        self._number += 1
        try:
            self._process.stdin.write(
                json.dumps({"id": self._number, **message}).encode() + b"\n" + raw
            )
            await self._process.stdin.drain()
        except (OSError, asyncssh.Error) as error:
            raise self._lost(str(error)) from error

    async def _answer(self, on_event: OnEvent) -> Any:
        while True:
            answer = _parse(await self._line())
            if "error" in answer:
                error = answer["error"]
                raise BoardRefused(
                    error["message"],
                    where=str(self._address),
                    hint=error["hint"],
                    kind=error["kind"],
                    log=error["log"],
                )
            if "ok" in answer:
                return answer["ok"]
            if "event" in answer:
                on_event(answer["event"])

    async def _line(self) -> bytes:
        try:
            line = await self._process.stdout.readline()
        except (OSError, asyncssh.Error) as error:
            raise self._lost(str(error)) from error
        if not line:
            said = b""
            with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
                said = await asyncio.wait_for(self._process.stderr.read(2000), 2)
            raise self._lost(said.decode(errors="replace").strip())
        return line

    def _lost(self, why: str) -> ConnectionFailed:
        return ConnectionFailed(
            "the connection to the board was lost" + (f": {why}" if why else ""),
            where=str(self._address),
            hint="the board ends with the old release or the new one: `npukit board status`; "
            "the same command goes on where this one was cut",
        )


@contextlib.asynccontextmanager
async def session(where: Where, person: Person) -> AsyncIterator[RemoteBoard]:
    """Connect, bring the agent onto the board if it is not there, and start it.

    Raises:
        ConnectionFailed: see `transport.connect`; or no Python on the board.
    """
    async with connect(where.address, where.login, person) as connection:
        if await _present(connection, where) == _NO_AGENT:
            await _bring_agent(connection, where)
        process = await connection.create_process(_command(where, "serve"), encoding=None)
        try:
            board = RemoteBoard(process, where.address)
            try:
                await asyncio.wait_for(board.greet(), _HELLO_S)
            except TimeoutError as error:
                raise ConnectionFailed(
                    "the agent on the board does not answer", where=str(where.address)
                ) from error
            yield board
        finally:
            process.stdin.write_eof()
            process.close()


async def _present(connection: asyncssh.SSHClientConnection, where: Where) -> int:
    """Whether the agent lies on the board."""
    python = shlex.quote(where.python)
    test = (
        f"command -v {python} >/dev/null 2>&1 || exit {_NO_PYTHON}; "
        f"[ -s {_agent(where)} ] || exit {_NO_AGENT}"
    )
    done = await connection.run(test, check=False)
    code = int(done.exit_status if done.exit_status is not None else 1)
    if code == _NO_PYTHON:
        raise ConnectionFailed(
            f"there is no {where.python} on the board",
            where=str(where.address),
            hint="--python PATH says where its Python (3.7 or later) is",
        )
    return code


async def _bring_agent(connection: asyncssh.SSHClientConnection, where: Where) -> None:
    path = _agent(where)
    command = (
        f"umask 022 && mkdir -p {_root(where)}/agent && "
        f"cat > {path}.$$ && sync && mv -f {path}.$$ {path}"
    )
    process = await connection.create_process(command, encoding=None)
    process.stdin.write(agent_file().data)
    process.stdin.write_eof()
    _, errors = await process.communicate()
    if process.exit_status:
        said = (errors or b"").decode(errors="replace").strip()
        raise ConnectionFailed(
            f"the agent cannot be put on the board: {said}",
            where=str(where.address),
            hint="--root PATH says where on the board skills live; the user must own it",
        )


def _command(where: Where, mode: str) -> str:
    return f"exec {shlex.quote(where.python)} -B {_agent(where)} {mode} --root {_root(where)}"


def _agent(where: Where) -> str:
    return f"{_root(where)}/agent/{agent_file().sha256}.pyz"


def _root(where: Where) -> str:
    """For the shell; a tilde at the beginning stays one."""
    if where.root == "~" or where.root.startswith("~/"):
        return '"$HOME"' + shlex.quote(where.root[1:]) if where.root[1:] else '"$HOME"'
    return shlex.quote(where.root)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
