"""Options that every command to a board takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from npukit_cli.deploy.places import Reach

ROOT, PYTHON = "~/npukit", "python3"

To = Annotated[
    list[str] | None,
    typer.Option(metavar="USER@BOARD[:PORT]", help="Address of the board. May be repeated."),
]
Boards = Annotated[
    str | None, typer.Option(metavar="LIST.yaml", help="More boards, each with its parameters.")
]
Identity = Annotated[
    str | None,
    typer.Option("--identity", "-i", metavar="FILE", help="Private key to log in with."),
]
Jump = Annotated[str | None, typer.Option(metavar="USER@HOST[:PORT]", help="Host to go through.")]
HostKey = Annotated[
    str | None,
    typer.Option(metavar="SHA256:...", help="Fingerprint that a new board must show."),
]
Root = Annotated[str, typer.Option(metavar="PATH", help="Where skills live on the board.")]
Python = Annotated[str, typer.Option(metavar="PATH", help="Python 3.7 or later on the board.")]
OneSkill = Annotated[
    str | None, typer.Option(metavar="NAME", help="Which skill, where several are installed.")
]


def reach(
    to: list[str] | None,
    boards: str | None,
    identity: str | None,
    jump: str | None,
    host_key: str | None,
    root: str,
    python: str,
) -> Reach:
    """The options as one value."""
    from npukit_cli.deploy.places import Reach

    return Reach(tuple(to or ()), boards, identity, jump, host_key, root, python)
