"""`npukit flash`: a skill onto one board or many."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands import _board_options as options
from npukit_cli.commands._options import Json
from npukit_cli.skills import complete_skill


def flash(
    skill: Annotated[
        str,
        typer.Argument(
            help="A skill's folder, the name of one that came with npukit, or a bundle.",
            autocompletion=complete_skill,
        ),
    ],
    to: options.To = None,
    boards: options.Boards = None,
    board: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the boards are, where they do not say it."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter of the skill."),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option("--camera", "-c", metavar="SOURCE", help="In place of the skill's own."),
    ] = None,
    display: Annotated[
        list[str] | None,
        typer.Option("--display", "-d", metavar="SINK", help="In place of the skill's own."),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="So many frames must be processed, else it rolls back.")
    ] = 10,
    within: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="The time for these frames.")
    ] = 60.0,
    keep: Annotated[int, typer.Option(min=1, help="Releases that stay on the board.")] = 3,
    sign: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="An SSH private key; or its .pub, held by ssh-agent."),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Boards at a time.")] = 4,
    stop_after: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Begin no further board when more have failed."
        ),
    ] = 0.25,
    identity: options.Identity = None,
    jump: options.Jump = None,
    host_key: options.HostKey = None,
    root: options.Root = options.ROOT,
    python: options.Python = options.PYTHON,
    json: Json = False,
) -> int:
    """Install a skill on a board, and see it process frames; else the old one runs on.

    Example: npukit flash portrait_matting --to root@192.168.2.111
    """
    from pathlib import Path

    from npukit_cli.deploy.choosing import Wish
    from npukit_cli.deploy.flashing import execute
    from npukit_cli.running import parse_parameters
    from npukit_cli.skills import find_skill

    wish = Wish(
        skill=Path(skill) if Path(skill).is_file() else find_skill(skill),
        parameters=parse_parameters(parameter or ()),
        capture=camera,
        displays=tuple(display or ()),
        frames=frames,
        seconds=within,
        keep=keep,
        signer=Path(sign).expanduser() if sign else None,
        board=board,
    )
    reach = options.reach(to, boards, identity, jump, host_key, root, python)
    return execute(wish, reach, parallel, stop_after, json)
