"""From the command line's words to boards and how to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npukit.errors import ConfigError
from npukit_cli.deploy.fleet import Entry, read_boards
from npukit_cli.deploy.remote import Where
from npukit_cli.deploy.transport import Login, parse_address


@dataclass(frozen=True)
class Reach:
    """The options that every command to a board takes.

    Attributes:
        to: addresses.
        boards: YAML list of more.
        identity, jump, host_key: of the login.
        root, python: where things are on the board.
    """

    to: tuple[str, ...]
    boards: str | None = None
    identity: str | None = None
    jump: str | None = None
    host_key: str | None = None
    root: str = "~/npukit"
    python: str = "python3"

    def entries(self) -> list[Entry]:
        """Every board that is meant.

        Raises:
            ConfigError: none, one that is there twice, or a wrong list.
        """
        found = [Entry(text) for text in self.to]
        found += read_boards(Path(self.boards)) if self.boards else []
        if not found:
            raise ConfigError("which board?", hint="--to user@board, or --boards LIST.yaml")
        names = [entry.to for entry in found]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{name} is there twice", hint="name each board once")
        return found

    def where(self, entry: Entry) -> Where:
        """How to reach one of them.

        Raises:
            ConfigError: an address is none.
        """
        identity, jump = entry.identity or self.identity, entry.jump or self.jump
        login = Login(
            identity=(str(Path(identity).expanduser()),) if identity else (),
            jump=parse_address(jump) if jump else None,
            host_key=entry.host_key or self.host_key,
        )
        return Where(
            parse_address(entry.to), login, entry.root or self.root, entry.python or self.python
        )
