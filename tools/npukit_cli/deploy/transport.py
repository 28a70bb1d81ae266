"""SSH to a board: keys, agent, passwords, jump hosts, `~/.ssh/config`; host keys are verified.

The first key that a host shows is asked about and recorded; another key later ends everything.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

from npukit.errors import ConfigError
from npukit_cli.deploy.people import NOBODY, Person
from npukit_cli.deploy.problems import ConnectionFailed, HostKeyRefused

_CONNECT_S, _LOGIN_S = 15.0, 60.0
_KEEPALIVE_S, _KEEPALIVE_COUNT = 15, 4
_ADDRESS = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[^\]\s]+)\]|(?P<host>[^\s:@]+))(?::(?P<port>\d+))?"
)


class Address(NamedTuple):
    """A host, and what of its login is not left to `~/.ssh/config`."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return user + host + (f":{self.port}" if self.port else "")


class Login(NamedTuple):
    """How to log in.

    Attributes:
        identity: files of private keys, before those that SSH finds itself.
        jump: a host to go through.
        host_key: fingerprint (`SHA256:...`) that a new host must show; nobody is asked then.
    """

    identity: tuple[str, ...] = ()
    jump: Address | None = None
    host_key: str | None = None


def parse_address(text: str) -> Address:
    """Read `[user@]host[:port]`.

    Raises:
        ConfigError: it is something else.
    """
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if not found or (port is not None and not 0 < port < 65536) or text.startswith("-"):
        raise ConfigError(f"{text!r} is no address", hint="write user@host or user@host:port")
    return Address(found["v6"] or found["host"], found["user"], port)


@contextlib.asynccontextmanager
async def connect(
    address: Address, login: Login, person: Person = NOBODY
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """An open connection.

    Raises:
        HostKeyRefused: the host shows another key than before, or nobody accepted its first.
        ConnectionFailed: any other reason, in words.
    """
    async with contextlib.AsyncExitStack() as stack:
        tunnel = None
        if login.jump is not None:
            through = login._replace(jump=None, host_key=None)
            tunnel = await stack.enter_async_context(connect(login.jump, through, person))
        yield await stack.enter_async_context(await _open(address, login, person, tunnel))


async def _open(
    address: Address, login: Login, person: Person, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    checks: list[_Client] = []
    locked: list[str] = []

    def passphrase(key: str) -> str | None:
        locked.append(key)
        return person.secret(f"Passphrase of {key}: ")

    def client() -> _Client:
        checks.append(_Client(address, login, person))
        return checks[-1]

    given: dict[str, Any] = {
        "known_hosts": [str(path) for path in _known_hosts() if path.is_file()] or b"",
        "connect_timeout": None if tunnel else _CONNECT_S,
        "login_timeout": _LOGIN_S,
        "keepalive_interval": _KEEPALIVE_S,
        "keepalive_count_max": _KEEPALIVE_COUNT,
        "passphrase": passphrase,
    }
    given |= {"username": address.user} if address.user else {}
    given |= {"port": address.port} if address.port else {}
    given |= {"client_keys": list(login.identity)} if login.identity else {}
    given |= {"tunnel": tunnel} if tunnel else {}
    try:
        connection, _ = await asyncssh.create_connection(client, address.host, **given)
    except asyncssh.HostKeyNotVerifiable as error:
        raise (checks[-1].refusal if checks else None) or HostKeyRefused(
            f"the host key is not verified: {error.reason}", where=str(address)
        ) from error
    except asyncssh.PermissionDenied as error:
        raise ConnectionFailed(
            "the board took neither a key nor a password",
            where=str(address),
            hint=f"the passphrase of {', '.join(locked)} was wrong, or nobody could be asked for "
            "it: `ssh-add` brings a key into the agent"
            if locked
            else "try `ssh` with the same address; `ssh-copy-id` brings your key onto the board",
        ) from error
    except asyncssh.KeyExchangeFailed as error:
        raise HostKeyRefused(
            f"no common algorithm with the host: {error.reason}",
            where=str(address),
            hint="it may have changed its type of key: see `ssh-keygen -F HOST`",
        ) from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise ConnectionFailed(
            f"no connection: {error or type(error).__name__}",
            where=str(address),
            hint="is the board on, and is this its address and port?",
        ) from error
    except (asyncssh.ConfigParseError, asyncssh.KeyImportError, ValueError) as error:
        raise ConfigError(f"SSH's settings: {error}", where=str(address)) from error
    return connection


class _Client(asyncssh.SSHClient):
    """Answers what SSH asks while it logs in."""

    def __init__(self, address: Address, login: Login, person: Person) -> None:
        self._address = address
        self._login = login
        self._person = person
        self._asked = False
        self.refusal: HostKeyRefused | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Called for keys that are not recorded; asks about the first one of a host."""
        where, shown = str(self._address), key.get_fingerprint()
        name = host if port == 22 else f"[{host}]:{port}"
        if _recorded(host, addr, port):
            self.refusal = HostKeyRefused(
                f"the host key has changed: it is now {shown}. Somebody may be in between",
                where=where,
                hint=f"if the board was set up anew, remove the old key: ssh-keygen -R '{name}'",
            )
            return False
        expected = self._login.host_key
        if expected is not None and expected != shown:
            self.refusal = HostKeyRefused(
                f"the host key is {shown}, expected was {expected}", where=where
            )
            return False
        if expected is None and not self._person.confirm(
            f"{name} is not known yet. Its key is {shown}. Is that the board's?"
        ):
            self.refusal = HostKeyRefused(
                f"the host is not known yet, and nobody accepted its key {shown}",
                where=where,
                hint=f"if that is the board's key, give --host-key {shown}",
            )
            return False
        _record(name, key)
        return True

    def password_auth_requested(self) -> str | None:
        """Once: a wrong password is told, not asked for again and again."""
        if self._asked:
            return None
        self._asked = True
        return self._person.secret(f"Password of {self._address}: ")

    def kbdint_auth_requested(self) -> str | None:
        """Some servers ask for the password this way."""
        return None if self._asked else ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Every prompt is shown as the server wrote it."""
        self._asked = self._asked or bool(prompts)
        answers = [self._person.secret(f"{self._address}: {prompt}") for prompt, _ in prompts]
        return None if None in answers else [str(answer) for answer in answers]


def _known_hosts() -> tuple[Path, ...]:
    return (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts"))


def _recorded(host: str, addr: str, port: int) -> bool:
    """Whether any key of the host is recorded."""
    for path in _known_hosts():
        if path.is_file():
            found = asyncssh.match_known_hosts(str(path), host, addr, port)
            if any(found[:3]):
                return True
    return False


def _record(name: str, key: asyncssh.SSHKey) -> None:
    path = _known_hosts()[0]
    path.parent.mkdir(mode=0o700, exist_ok=True)
    before = path.read_bytes() if path.is_file() else b""
    with path.open("ab") as file:
        file.write(b"\n" if before and not before.endswith(b"\n") else b"")
        file.write(f"{name} ".encode() + key.export_public_key("openssh").split(b" ")[0])
        file.write(b" " + key.export_public_key("openssh").split()[1] + b"\n")
