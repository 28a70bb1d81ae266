"""The on-board agent in a process of its own, and small skills that need nothing but Python."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import importlib.util
import io
import json
import marshal
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

from npukit_cli.deploy.agent_package import agent_file
from npukit_cli.deploy.onboard.archive import END, Entry, header, padding
from npukit_cli.deploy.onboard.layout import BoardPlace, SkillPlace
from npukit_cli.deploy.pieces import cut

# Without the virtual environment's packages it starts faster; neither agent nor skill needs them.
PYTHON = getattr(sys, "_base_executable", sys.executable)
# Counts frames as fast as it is told to; what is between is how it misbehaves.
_MAIN = """
import json, os, sys, time
beat = os.environ["NPUKIT_HEARTBEAT"]
def tell(frames):
    with open(beat + ".new", "w") as file:
        json.dump({{"frames": frames, "fps": 100.0, "model_loaded": True, "last_error": None,
                   "pid": os.getpid(), "time": time.time(), "version": {version!r}}}, file)
    os.replace(beat + ".new", beat)
print("version {version}", flush=True)
{before}
frames = 0
while True:
    frames += 5
    tell(frames)
    time.sleep(0.02)
"""


def bundle(version: str, before: str = "", files: dict[str, bytes] | None = None) -> bytes:
    """A bundle as `npukit bundle` makes them, of the smallest skill."""
    main = _MAIN.format(version=version, before=textwrap.dedent(before)).encode()
    content = {"main.py": main, "skill.json": b"{}", **(files or {})}
    manifest = {
        "format": 1, "name": "counter", "version": version, "title": "Counts", "npukit": "0",
        "board": "simulator", "target": "simulator", "runtime": "simulator", "entry": "main.py",
        "requires": {"python": "3.7", "firmware": "", "memory": 0}, "models": {},
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in content.items()
        },
    }  # fmt: skip
    return pack({"bundle.json": json.dumps(manifest).encode()} | dict(sorted(content.items())))


def pack(content: dict[str, bytes]) -> bytes:
    parts = [
        header(Entry(name, len(data))) + data + padding(len(data)) for name, data in content.items()
    ]
    return gzip.compress(b"".join(parts) + END, mtime=0)


class Refused(Exception):  # noqa: N818 - says what happened
    """The agent's answer was an error."""

    def __init__(self, error: dict[str, str]) -> None:
        self.error = error
        super().__init__(error)


@functools.cache
def compiled_agent() -> bytes:
    """The agent with its modules compiled for this Python: it starts in half the time."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(agent_file().data)) as source,
        zipfile.ZipFile(packed, "w") as archive,
    ):
        for name in source.namelist():
            code = marshal.dumps(compile(source.read(name), name, "exec", dont_inherit=True))
            archive.writestr(f"{name}c", importlib.util.MAGIC_NUMBER + bytes(12) + code)
    return packed.getvalue()


class LocalBoard:
    """A root folder, and commands to it without a network."""

    def __init__(self, root: Path, python: Path | str = PYTHON, compiled: bool = False) -> None:
        self.root = root
        self.python = str(python)
        self.folder = root / "skills" / "counter"
        agents = root / "agent"
        agents.mkdir(parents=True, exist_ok=True)
        self.agent = agents / f"{agent_file().sha256}.pyz"
        self.agent.write_bytes(compiled_agent() if compiled else agent_file().data)

    def command(self, mode: str) -> list[str]:
        return [self.python, "-B", str(self.agent), mode, "--root", str(self.root)]

    def ask(self, op: str, **arguments: Any) -> Any:
        """One operation in a new session.

        Raises:
            Refused: it was answered with an error.
        """
        asked = json.dumps({"id": 1, "op": op, **arguments}).encode() + b"\n"
        done = subprocess.run(
            self.command("serve"), input=asked, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return self.answer(done.stdout)

    @staticmethod
    def answer(said: bytes) -> Any:
        last = json.loads(said.splitlines()[-1])
        if "error" in last:
            raise Refused(last["error"])
        return last["ok"]

    def upload(self, data: bytes) -> dict[str, Any]:
        """Bring the pieces onto the board; the arguments of `install`."""
        pieces = cut(data)
        lines = []
        for name, content in pieces.content.items():
            packed = zlib.compress(content)
            order = {"id": 0, "op": "put", "sha256": name, "size": len(packed)}
            lines.append(json.dumps(order).encode() + b"\n" + packed)
        order = {"id": 0, "op": "assemble", "sha256": pieces.sha256, "pieces": pieces.order}
        lines.append(json.dumps(order).encode() + b"\n")
        done = subprocess.run(
            self.command("serve"), input=b"".join(lines), capture_output=True, check=True
        )
        assert self.answer(done.stdout) == []
        manifest = json.loads(gzip.decompress(data)[512:].split(b"\0", 1)[0])
        return {
            "name": "counter",
            "sha256": pieces.sha256,
            "identity": pieces.sha256,
            "facts": {
                "version": manifest["version"], "target": "simulator", "board": "simulator",
                "pieces": pieces.order, "sha256": pieces.sha256, "run": {},
            },
            "needs": {"disk": 0, "memory": 0},
            "limits": {"frames": 10, "seconds": 10.0},
            "keep": 3,
        }  # fmt: skip

    def install(self, data: bytes, **changes: Any) -> Any:
        return self.ask("install", **{**self.upload(data), **changes})

    def status(self) -> dict[str, Any]:
        return self.ask("status")["skills"][0]

    def place(self) -> SkillPlace:
        """The skill's folder, seen without the agent."""
        return SkillPlace(BoardPlace(str(self.root)), "counter")

    def supervised(self) -> bool:
        """Whether a supervisor is alive, seen without the agent."""
        return self.place().supervisor.is_held()

    def running_version(self) -> str | None:
        """What the running process itself says; None when nothing runs."""
        return self.beating_version() if self.status()["running"] else None

    def beating_version(self) -> str:
        """What the next heartbeat says."""
        deadline = time.monotonic() + 10
        while True:
            try:
                beat = json.loads((self.folder / "run" / "heartbeat.json").read_text())
            except (OSError, ValueError):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            else:
                return str(beat["version"])

    def stop(self) -> None:
        """End whatever runs; for the end of a test."""
        for place in self.root.glob("skills/*"):
            with contextlib.suppress(Refused):  # removed, or never installed
                self.ask("stop", skill=place.name)
