"""Jobs on a machine that OpenSSH's `ssh` reaches: shipped, run, fetched, removed.

Files go as a tar stream through the connection itself: boards such as the HiLens Kit have no
SFTP. Keys, ports and jump hosts are as ~/.ssh/config says.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from npukit.errors import ConfigError
from npukit_convert.compilers.host import Host, Tell, follow
from npukit_convert.compilers.job import RUNNER, Job, Result, read_result
from npukit_convert.errors import CompilerError

_OPTIONS = (
    "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
)  # fmt: skip
_TRANSFER_S = 600.0
_RESULT = "result.json"
_FOLDER = re.compile(r"/[\w./-]*/npukit-\w+")
_UNREACHABLE = 255
# What ssh says, and what to do about it.
_FAILURES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "the host's key is not the known one",
     "it is another machine, or was installed anew: if you know why, `ssh-keygen -R {host}`"),
    ("Host key verification failed", "the host's key is not known",
     "connect once by hand and compare the key: ssh {address}"),
    ("Permission denied", "the host refuses the key", "give it yours: ssh-copy-id {address}"),
    ("Could not resolve hostname", "no such host", "check the name, or ~/.ssh/config"),
    ("Connection refused", "the host takes no SSH connections", "start sshd there, check the port"),
    ("timed out", "the host does not answer", "check the address, and that it is switched on"),
    ("No route to host", "the host cannot be reached", "check the address and the network"),
)  # fmt: skip


class SshHost(Host):
    """A machine behind `ssh://[user@]host[:port]`."""

    def __init__(self, address: str, python: str | None = None) -> None:
        """`python` is the interpreter there, by default `python3`.

        Raises:
            ConfigError: no such address.
        """
        self._destination, self._port = _parts(address)
        self.name = address
        self._python = python or "python3"

    def run(self, job: Job, tell: Tell) -> Result:
        """See `Host.run`."""
        folder = self._ship(job)
        try:
            words = (self._python, "-B", f"{folder}/{RUNNER.name}", folder, "--temporary")
            command = self._command("exec " + shlex.join(words))
            code, complaints = follow(command, tell, job.timeout_s)
            if code == _UNREACHABLE:
                raise self._failed(code, complaints)
            return self._fetch(folder, job, complaints)
        except BaseException:
            # Where the connection is gone, the job has seen that and removed its folder itself.
            with contextlib.suppress(CompilerError):
                self._call(f"rm -rf -- {shlex.quote(folder)}")
            raise

    def _ship(self, job: Job) -> str:
        with tempfile.TemporaryDirectory(prefix="npukit-compile-") as local:
            job.write(Path(local))
            with tempfile.TemporaryFile() as file:
                with tarfile.open(fileobj=file, mode="w") as tar:
                    for path in (*sorted(Path(local).iterdir()), RUNNER):
                        tar.add(path, path.name, filter=_anonymous)
                file.seek(0)
                make = 'd=$(mktemp -d "${TMPDIR:-/tmp}/npukit-XXXXXX") && cd "$d"'
                script = f'{make} && (tar -xf - && pwd) || {{ rm -rf "$d"; exit 1; }}'
                done = self._call(script, file)
        folder = done.decode("utf-8", "replace").strip()
        if not _FOLDER.fullmatch(folder):
            raise CompilerError(
                f"an unexpected answer: {folder[:200]!r}",
                where=self.name,
                hint="a shell start-up file there prints text also without a terminal",
            )
        return folder

    def _fetch(self, folder: str, job: Job, complaints: str) -> Result:
        """Bring the results here and remove the folder there."""
        wanted = (_RESULT, "log.txt", *job.outputs)
        there = 'for f; do shift; if [ -f "$f" ]; then set -- "$@" "$f"; fi; done'
        data = self._call(
            f"cd {shlex.quote(folder)} && set -- {shlex.join(wanted)} && {there} && "
            f'{{ [ ! -f {_RESULT} ] || tar -cf - "$@"; }} && rm -rf -- {shlex.quote(folder)}'
        )
        if not data:
            raise self._failed(1, complaints or "the job has left no result")
        with tempfile.TemporaryDirectory(prefix="npukit-compile-") as local:
            try:
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    for member in tar:
                        if member.isfile() and member.name in wanted:
                            tar.extract(member, local, filter="data")
            except tarfile.TarError as error:
                raise CompilerError(
                    f"the results did not arrive whole: {error}", where=self.name
                ) from error
            return read_result(Path(local), self.name)

    def _call(self, script: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> bytes:
        """What a command there prints."""
        try:
            done = subprocess.run(
                self._command(script),
                stdin=stdin,
                capture_output=True,
                check=False,
                timeout=_TRANSFER_S,
            )
        except subprocess.TimeoutExpired as error:
            raise self._failed(_UNREACHABLE, "timed out") from error
        except FileNotFoundError as error:
            raise CompilerError(
                "there is no `ssh` program here", where=self.name, hint="install openssh-client"
            ) from error
        if done.returncode != 0:
            raise self._failed(done.returncode, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def _command(self, script: str) -> list[str]:
        port = ("-p", str(self._port)) if self._port else ()
        return ["ssh", *_OPTIONS, *port, "--", self._destination, script]

    def _failed(self, code: int, complaints: str) -> CompilerError:
        host = self._destination.rpartition("@")[2]
        if self._port:
            host = f"'[{host}]:{self._port}'"
        address = f"-p {self._port} {self._destination}" if self._port else self._destination
        for text, message, remedy in _FAILURES:
            if code == _UNREACHABLE and text in complaints:
                return CompilerError(
                    message, where=self.name, hint=remedy.format(host=host, address=address)
                )
        said = complaints.strip().splitlines()
        return CompilerError(
            f"the connection or a command there failed (code {code}): {said[-1] if said else '?'}",
            where=self.name,
            hint=f"there must be a shell, tar and {self._python}; try: ssh {address}",
        )


def _parts(address: str) -> tuple[str, int | None]:
    """`user@host` and the port."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{address!r} is no address: {error}", where="compiler.at") from error
    if parts.scheme != "ssh" or not parts.hostname or parts.password or parts.path.strip("/"):
        raise ConfigError(
            f"{address!r} is no address of a board",
            where="compiler.at",
            hint="ssh://user@host or ssh://user@host:port; a password is never part of it",
        )
    return parts.netloc.rpartition(":")[0] if port else parts.netloc, port


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Files there belong to whoever unpacks them."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry
