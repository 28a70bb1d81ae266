"""A real SSH server (OpenSSH's sshd) on loopback, and a client that is set up for it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from support.servers import wait_for_port

_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv PATH={path} TMPDIR={folder}/board
LogLevel VERBOSE
"""
_CLIENT = """
Host board
  HostName 127.0.0.1
  Port {port}
Host *
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
"""
_START_S = 10.0


class SshServer:
    """One account, that of whoever runs the tests; `board` is its folder for temporary files."""

    def __init__(self, folder: Path, path: Path) -> None:
        """`path` is searched for programs before the usual folders."""
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None or shutil.which("ssh") is None:
            pytest.skip(
                "NOT CHECKED: compilers over SSH against a real server. No sshd and ssh here: "
                "`apt-get install openssh-server openssh-client` brings them"
            )
        self.folder, self.board = folder, folder / "board"
        self.board.mkdir(parents=True)
        self.port = _free_port()
        for name in ("host_key", "key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        shutil.copy(folder / "key.pub", folder / "authorized_keys")
        self.trust()
        names = {"folder": folder, "port": self.port, "user": getpass.getuser(),
                 "path": f"{path}:/usr/bin:/bin"}  # fmt: skip
        (folder / "sshd_config").write_text(_CONFIG.format(**names), "utf-8")
        (folder / "client_config").write_text(_CLIENT.format(**names), "utf-8")
        self._command = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd drops its rights
        self._process: subprocess.Popen[bytes] | None = None

    def trust(self, known: bool = True) -> None:
        """Whether the client knows the host's key."""
        key = (self.folder / "host_key.pub").read_text("utf-8") if known else ""
        line = f"[127.0.0.1]:{self.port} {key}" if known else ""
        (self.folder / "known_hosts").write_text(line, "utf-8")

    def client(self, into: Path) -> None:
        """An `ssh` program that reads this server's client configuration, then is the real one."""
        real = shutil.which("ssh")
        into.mkdir(parents=True, exist_ok=True)
        (into / "ssh").write_text(
            f'#!/bin/sh\nexec {real} -F {self.folder}/client_config "$@"\n', "utf-8"
        )
        (into / "ssh").chmod(0o755)

    def start(self) -> None:
        """Returns when it takes connections."""
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stderr=log)
        wait_for_port(self._process, self.port, self.log, _START_S)

    def stop(self) -> None:
        """No new connections; may be called twice."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
