"""`npukit board`: what runs on a board, and what it says."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands import _board_options as options
from npukit_cli.commands._options import Json

app = typer.Typer(help="Watch and steer the skills on a board; simulate a board.")


def _asks(op: str, show: str, about: str) -> None:
    """Add the command that asks boards for one operation without options of its own."""

    def command(
        to: options.To = None,
        boards: options.Boards = None,
        skill: options.OneSkill = None,
        identity: options.Identity = None,
        jump: options.Jump = None,
        host_key: options.HostKey = None,
        root: options.Root = options.ROOT,
        python: options.Python = options.PYTHON,
        json: Json = False,
    ) -> int:
        from npukit_cli.deploy import board

        reach = options.reach(to, boards, identity, jump, host_key, root, python)
        return board.ask_all(reach, op, getattr(board, show), json, skill=skill)

    command.__doc__ = f"{about}\n\nExample: npukit board {op} --to root@192.168.2.111\n"
    app.command(op)(command)


_asks("status", "show_status", "What each skill does: state, frames, frame rate, last error.")
_asks("list", "show_list", "Every release on the board.")
_asks("start", "show_one", "Start a skill, now and at every boot.")
_asks("stop", "show_one", "Stop a skill, now and at every boot.")
_asks("restart", "show_one", "Stop a skill and start it.")


@app.command("rollback")
def rollback(
    to: options.To = None,
    boards: options.Boards = None,
    skill: options.OneSkill = None,
    release: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another one, of `npukit board list`.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames that must be processed.")] = 10,
    within: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="The time for these frames.")
    ] = 60.0,
    identity: options.Identity = None,
    jump: options.Jump = None,
    host_key: options.HostKey = None,
    root: options.Root = options.ROOT,
    python: options.Python = options.PYTHON,
    json: Json = False,
) -> int:
    """Run the release before this one, and see it process frames.

    Example: npukit board rollback --to root@192.168.2.111
    """
    from npukit_cli.deploy import board

    reach = options.reach(to, boards, identity, jump, host_key, root, python)
    return board.ask_all(
        reach,
        "rollback",
        board.show_one,
        json,
        skill=skill,
        release=release,
        limits={"frames": frames, "seconds": within},
    )


@app.command("remove")
def remove(
    to: options.To = None,
    boards: options.Boards = None,
    skill: options.OneSkill = None,
    purge: Annotated[bool, typer.Option("--purge", help="Remove its workspace, too.")] = False,
    identity: options.Identity = None,
    jump: options.Jump = None,
    host_key: options.HostKey = None,
    root: options.Root = options.ROOT,
    python: options.Python = options.PYTHON,
    json: Json = False,
) -> int:
    """Take a skill off the board; its workspace stays.

    Example: npukit board remove --to root@192.168.2.111 --skill portrait_matting
    """
    from npukit_cli.deploy import board

    reach = options.reach(to, boards, identity, jump, host_key, root, python)
    return board.ask_all(reach, "remove", board.show_one, json, skill=skill, purge=purge)


@app.command("logs")
def logs(
    to: options.To = None,
    boards: options.Boards = None,
    skill: options.OneSkill = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many old ones.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on; the exit code is the skill's.")
    ] = False,
    identity: options.Identity = None,
    jump: options.Jump = None,
    host_key: options.HostKey = None,
    root: options.Root = options.ROOT,
    python: options.Python = options.PYTHON,
    json: Json = False,
) -> int:
    """The log of a skill.

    Example: npukit board logs --follow --to root@192.168.2.111
    """
    from npukit_cli.deploy import board

    reach = options.reach(to, boards, identity, jump, host_key, root, python)
    return board.logs(reach, skill, lines, follow, json)


@app.command("simulate")
def simulate(
    folder: Annotated[
        str, typer.Argument(help="The board's home; what is there already stays.")
    ] = "build/board",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 2222,
    memory: Annotated[
        int | None, typer.Option(min=1, metavar="MB", help="That it says it has.")
    ] = None,
    json: Json = False,
) -> int:
    """A board without hardware: a real SSH server on loopback, the simulator as its NPU.

    Runs until Ctrl-C. Example: npukit board simulate --port 2222
    """
    from npukit_cli.deploy import simulating

    return simulating.execute(folder, port, memory, json)
