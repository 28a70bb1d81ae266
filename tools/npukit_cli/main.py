"""The `npukit` command: its sub-commands, and how errors become words and exit codes.

Exit codes: 0 done, 1 something the user can fix, 2 a bug (with a log file), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from npukit import __version__
from npukit.errors import NpukitError
from npukit_cli import output
from npukit_cli.commands import (
    bench,
    board,
    bundle,
    compare,
    convert,
    doctor,
    estimate,
    flash,
    inspect,
    lint,
    new,
    run,
    targets,
)

OK, FIXABLE, BUG, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="npukit",
    help="Run, measure and prepare vision skills for NPU boards.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("convert", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    convert.convert
)
app.command("run")(run.run)
app.command("new")(new.new)
app.command("bundle")(bundle.bundle)
app.command("flash")(flash.flash)
app.add_typer(board.app, name="board")
app.command("inspect")(inspect.inspect)
app.command("bench")(bench.bench)
app.command("compare")(compare.compare)
app.command("lint")(lint.lint)
app.command("estimate")(estimate.estimate)
app.command("targets")(targets.targets)
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        output.result(f"npukit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Convert, scaffold, simulate and flash vision models for NPU boards.

    Example: npukit run portrait_matting
    """


def main() -> None:
    """The console script."""
    try:
        code = invoke(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        # Python flushes once more at its end: let that succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FIXABLE
    sys.exit(code)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code; only `BrokenPipeError` is raised."""
    try:
        code = int(app(list(arguments) or ["--help"], standalone_mode=False) or OK)
    except TyperException as error:  # wrong options: the user can fix it
        problem = NpukitError(error.format_message(), hint=f"see {_help_command(arguments)}")
        output.error(problem, as_json="--json" in arguments)
        return FIXABLE
    except NpukitError as error:
        output.error(error, as_json="--json" in arguments)
        return FIXABLE
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort writes a log file
        output.bug(error, arguments, as_json="--json" in arguments)
        return BUG
    if code == INTERRUPTED:
        output.say("interrupted")
    return code


def _help_command(arguments: Sequence[str]) -> str:
    known = {command.name for command in app.registered_commands}
    words = [word for word in arguments[:1] if word in known]
    for group in app.registered_groups:
        if arguments[:1] == [group.name] and group.typer_instance is not None:
            below = {command.name for command in group.typer_instance.registered_commands}
            words = [*arguments[:1], *(word for word in arguments[1:2] if word in below)]
    return " ".join(["npukit", *words, "--help"])
