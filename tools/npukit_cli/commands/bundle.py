"""`npukit bundle`: a skill as one file for a board."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json
from npukit_cli.skills import complete_skill


def bundle(
    skill: Annotated[
        str,
        typer.Argument(
            help="A skill's folder, or the name of one that came with npukit.",
            autocompletion=complete_skill,
        ),
    ],
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="That it is for, see `npukit targets`.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its chip, where the skill runs on one such board."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="File or folder. Default: NAME-VERSION.skill here."
        ),
    ] = None,
    sign: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="An SSH private key; or its .pub, held by ssh-agent."),
    ] = None,
    hilens_export: Annotated[
        bool,
        typer.Option(
            "--hilens-export",
            help="Make an archive for the vendor's console instead: .zip, or .tar.gz by --out.",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Pack a skill, its models for the board and the runtime into one file.

    Example: npukit bundle portrait_matting --board simulator
    """
    from npukit_cli import output
    from npukit_cli.deploy.bundling import Order, execute

    made = execute(Order(skill, board, target, out, sign, hilens_export))
    if json:
        output.as_json(made.to_dict())
    else:
        for line in made.lines():
            output.result(line)
    return 0
