"""The contract of what runs a job: this machine, or one that SSH reaches."""

from __future__ import annotations

import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import IO

from npukit_convert.compilers.job import Job, Result

Tell = Callable[[str], None]
_LATE_S = 60.0  # beyond the job's own time-out, for transfers and a board under load
_END_S = 15.0


class Host(ABC):
    """Where a compiler is."""

    name: str
    """For messages."""

    @abstractmethod
    def run(self, job: Job, tell: Tell) -> Result:
        """Run a job and leave nothing behind, whatever happens.

        Args:
            job: what to run.
            tell: is given each line of the tool's output, as it comes.

        Raises:
            CompilerError: the host cannot be reached, or the job could not be run at all.
        """


def follow(command: Sequence[str], tell: Tell, timeout_s: float) -> tuple[int, str]:
    """Start `_run_job.py` by some command and pass on what it prints until it ends.

    Its stdin is a pipe: when that ends, by an interrupt or because this process is killed, the
    job is stopped on whatever host it is.

    Returns:
        The return code, and what went to stderr.
    """
    with subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # an interrupt at the terminal comes to us alone
    ) as process:
        complaints: list[str] = []
        listener = threading.Thread(target=_collect, args=(process.stderr, complaints), daemon=True)
        listener.start()
        late = threading.Timer(timeout_s + _LATE_S, process.kill)
        late.daemon = True
        late.start()
        try:
            for line in process.stdout or ():
                tell(line.rstrip("\n"))
            process.wait()
        finally:
            late.cancel()
            _end(process)
            listener.join(_END_S)
    return process.returncode, "".join(complaints)


def _collect(stream: IO[str] | None, into: list[str]) -> None:
    for line in stream or ():
        into.append(line)


def _end(process: subprocess.Popen[str]) -> None:
    """Nothing to do after an ordinary end."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
