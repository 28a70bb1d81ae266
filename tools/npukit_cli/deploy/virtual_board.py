"""A board without hardware: a real SSH server on loopback, a folder as its root.

OpenSSH's server where it is installed, run by this user with keys of its own; else asyncssh's.
The NPU is the simulator.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import asyncssh

from npukit_cli.deploy.problems import DeployError

_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_START_S = 15.0
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host_key
AuthorizedKeysFile {keys}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
ForceCommand {keys}/session
"""
_SESSION = """#!/bin/sh
# What a login on the virtual board is: a shell whose home is the board's folder.
export HOME={home} NPUKIT_VIRTUAL_BOARD=1 PATH={path}
cd {home} && exec /bin/sh -c "${{SSH_ORIGINAL_COMMAND:-exec /bin/sh -i}}"
"""


class VirtualBoard:
    """A context manager: the server runs inside.

    Attributes:
        folder: the board's home; everything that is installed is below.
        user, port: to log in with, on 127.0.0.1.
        identity: file of the private key that may log in.
        fingerprint: of the host key.
        server: "OpenSSH" or "asyncssh".
        booted: what its boot recovered and started, in sentences.
    """

    booted: Sequence[str] = ()

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        board: str = "simulator",
        memory: int | None = None,
        server: str | None = None,
    ) -> None:
        """Prepare a board; what is in the folder already stays.

        Args:
            folder: its home; made if it is not there.
            port: 0 takes a free one.
            board: name of the profile that it takes itself for.
            memory: bytes that it says it has; None for this machine's.
            server: "OpenSSH" or "asyncssh"; None takes OpenSSH where it is.
        """
        self.folder = folder.resolve()
        self.user = getpass.getuser()
        self.port = port or _free_port()
        self._keys = self.folder / ".virtual_board"
        self._keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.identity = self._keys / "client_key"
        self.fingerprint = self._make_keys()
        said = {"board": board, "virtual": True} | ({"memory": memory} if memory else {})
        root = self.folder / "npukit"
        root.mkdir(exist_ok=True)
        (root / "board.json").write_text(json.dumps(said), encoding="utf-8")
        self._session = self._write_session()
        self._program = shutil.which("sshd", path=_PLACES)
        self.server = server or ("OpenSSH" if self._program else "asyncssh")
        if self.server == "OpenSSH" and self._program is None:
            raise DeployError("no sshd here", hint="apt-get install openssh-server")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> VirtualBoard:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """What --to takes."""
        return f"{self.user}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Boot: recover and start what is installed. Returns when it takes connections.

        Raises:
            DeployError: the server does not start, or another has its port.
        """
        _require_free(self.port)
        agent = self.folder / "npukit" / "agent" / "agent.pyz"
        if agent.exists():
            command = f"exec python3 -B {shlex.quote(str(agent))} boot"
            environment = {**os.environ, "SSH_ORIGINAL_COMMAND": command}
            done = subprocess.run(
                [str(self._session)], env=environment, check=False, capture_output=True
            )
            self.booted = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
        log = self._keys / "server.log"
        with log.open("wb") as said:
            self._process = subprocess.Popen(self._command(), stdout=said, stderr=said)
        deadline = time.monotonic() + _START_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                last = log.read_text("utf-8", "replace").strip().splitlines()[-3:]
                raise DeployError(
                    f"{self.server}'s server does not start: {'; '.join(last)}", where=str(log)
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server; skills that run on the board run on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def stop_skills(self) -> None:
        """End what runs on the board, as switching it off does."""
        from npukit_cli.deploy.onboard import service
        from npukit_cli.deploy.onboard.layout import BoardPlace

        for place in BoardPlace(str(self.folder / "npukit")).installed():
            service.stop(place)

    def new_host_key(self) -> None:
        """Another host key from the next start on, as after the board was set up anew."""
        (self._keys / "host_key").unlink()
        self.fingerprint = self._make_keys()

    def _command(self) -> list[str]:
        if self.server == "asyncssh":
            module = "npukit_cli.deploy.substitute_server"
            return [sys.executable, "-m", module, str(self._keys), str(self.port)]
        config = self._keys / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, keys=self._keys), encoding="utf-8")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its empty folder, as packaged
        return [str(self._program), "-D", "-e", "-f", str(config)]

    def _make_keys(self) -> str:
        for name in ("host_key", "client_key"):
            path = self._keys / name
            if not path.exists():
                key = asyncssh.generate_private_key("ssh-ed25519", comment=f"virtual board {name}")
                path.touch(mode=0o600)
                path.write_bytes(key.export_private_key("openssh"))
                Path(f"{path}.pub").write_bytes(key.export_public_key("openssh"))
        public = Path(f"{self.identity}.pub").read_bytes()
        (self._keys / "authorized_keys").write_bytes(public)
        return str(asyncssh.read_private_key(str(self._keys / "host_key")).get_fingerprint())

    def _write_session(self) -> Path:
        # The board's Python is this one: it has the simulator, numpy and OpenCV.
        programs = self._keys / "bin"
        programs.mkdir(exist_ok=True)
        start = programs / "python3"
        start.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
        start.chmod(0o755)
        path = shlex.quote(f"{programs}:/usr/local/bin:/usr/bin:/bin")
        session = self._keys / "session"
        text = _SESSION.format(home=shlex.quote(str(self.folder)), path=path)
        session.write_text(text, encoding="utf-8")
        session.chmod(0o755)
        return session


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _require_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise DeployError(
            f"port {port} cannot be had: {error.strerror}",
            hint="another virtual board may run there; --port 0 takes a free one",
        ) from error


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
