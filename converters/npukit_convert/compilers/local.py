"""Jobs on this machine, by this Python or another one."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from npukit_convert.compilers.host import Host, Tell, follow
from npukit_convert.compilers.job import RUNNER, Job, Result, read_result
from npukit_convert.errors import CompilerError


class LocalHost(Host):
    """This machine."""

    name = "this machine"

    def __init__(self, python: str | None = None) -> None:
        """`python` is the interpreter that runs the job, this one by default."""
        self._python = python or sys.executable

    def run(self, job: Job, tell: Tell) -> Result:
        """See `Host.run`."""
        # An abandoned job removes its folder itself: this process may be dead.
        with tempfile.TemporaryDirectory(
            prefix="npukit-compile-", ignore_cleanup_errors=True
        ) as folder:
            job.write(Path(folder))
            command = (self._python, "-B", str(RUNNER), folder, "--temporary")
            try:
                _, complaints = follow(command, tell, job.timeout_s)
            except OSError as error:
                raise CompilerError(
                    f"the Python for the compiler does not start: {error.strerror}",
                    where=self._python,
                    hint="compiler.python names an interpreter",
                ) from error
            if not (Path(folder) / "result.json").exists():
                raise CompilerError(
                    "the job was not run", where=self._python, hint=complaints.strip()[-500:]
                )
            return read_result(Path(folder), self.name)
