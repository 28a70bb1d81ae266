"""A compile as a folder: what goes in (`job.json` and files), what comes out (`result.json`).

The folder is all that a host needs: it can be run here, by another Python, or on a board.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from npukit_convert.errors import CompilerError

RUNNER = Path(__file__).with_name("_run_job.py")
_FORMAT = 1


@dataclass(frozen=True)
class Install:
    """A usual place of a tool; `$NAME` and `~` are the host's.

    Attributes:
        tool: the program.
        setup: scripts that set up its environment; the first that exists is sourced.
        prepend: variables, such as LD_LIBRARY_PATH, and what goes before their value.
    """

    tool: str
    setup: tuple[str, ...] = ()
    prepend: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run of a tool.

    Attributes:
        tool: its name, looked for on PATH and in `installs`; with `command`, only that path.
        arguments: files are named as in the folder, which is the working directory.
        inputs: file name to content.
        outputs: files that the tool makes; all must be there afterwards, and not empty.
        script: a Python file among the inputs that is run by the host's Python in place of a
            tool: how compilers that are Python packages are called.
        timeout_s: after which the tool and all that it has started are killed.
    """

    tool: str
    arguments: tuple[str, ...]
    inputs: Mapping[str, bytes]
    outputs: tuple[str, ...]
    installs: tuple[Install, ...] = ()
    command: str | None = None
    script: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 1800.0

    def line(self) -> str:
        """The command as one types it in a shell, in a folder with the inputs."""
        program = self.command or self.tool
        words = ["python3", self.script] if self.script else [program]
        return shlex.join([*words, *self.arguments])

    def write(self, folder: Path) -> None:
        """Make the folder's content."""
        for name, data in self.inputs.items():
            (folder / name).write_bytes(data)
        described: dict[str, Any] = {
            "format": _FORMAT,
            "tool": self.tool,
            "arguments": list(self.arguments),
            "inputs": {name: _sha256(data) for name, data in self.inputs.items()},
            "outputs": list(self.outputs),
            "installs": [asdict(install) for install in self.installs],
            "command": self.command,
            "script": self.script,
            "environment": dict(self.environment),
            "timeout_s": self.timeout_s,
        }
        (folder / "job.json").write_text(json.dumps(described, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        status: `done`, `failed` (by the tool), `missing` (no tool), `timeout` or `damaged` (an
            input did not arrive whole).
        code: what the tool returned; None where it was not started.
        tool: the program that was run.
        looked: where the tool was looked for, or the damaged file.
        log: the tool's output.
        outputs: file name to content; empty unless `done`.
        machine: the host's processor, such as `x86_64`.
    """

    status: str
    code: int | None
    tool: str | None
    looked: tuple[str, ...]
    seconds: float
    log: str
    outputs: Mapping[str, bytes]
    machine: str


def read_result(folder: Path, where: str) -> Result:
    """Read what `_run_job.py` has left in a folder.

    Raises:
        CompilerError: there is no result, or an output is not what the result says.
    """
    log = folder / "log.txt"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    try:
        data = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        outputs = {name: (folder / name).read_bytes() for name in data["outputs"]}
        for name, content in outputs.items():
            if _sha256(content) != data["outputs"][name]:
                raise CompilerError(f"{name} did not arrive whole", where=where)
        return Result(
            data["status"],
            data["code"],
            data["tool"],
            tuple(data["looked"]),
            float(data["seconds"]),
            text,
            outputs,
            data["machine"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CompilerError(
            f"the job has left no result: {error}", where=where, hint=text.strip()[-500:]
        ) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
