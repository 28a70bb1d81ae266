"""The `npukit` command: its sub-commands, and how errors become words and exit codes.

Exit codes: 0 done, 1 something the user can fix, 2 a bug (with a log file), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from npukit.errors import NpukitError
from npukit_cli import output
from npukit_cli.commands import bench, doctor, run, targets

OK, FIXABLE, BUG, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="npukit",
    help="Run, measure and prepare vision skills for NPU boards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("run")(run.run)
app.command("bench")(bench.bench)
app.command("targets")(targets.targets)
app.command("doctor")(doctor.doctor)


@app.callback()
def _options() -> None:
    """Convert, scaffold, simulate and flash vision models for NPU boards."""


def main() -> None:
    """The console script."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code is returned, nothing is raised."""
    try:
        code = app(list(arguments), standalone_mode=False)
    except TyperException as error:  # wrong options: the user can fix it
        output.error(
            NpukitError(error.format_message(), hint="see npukit {} --help".format(
                arguments[0] if arguments and not arguments[0].startswith("-") else ""
            ).replace("  ", " ")),
            as_json="--json" in arguments,
        )  # fmt: skip
        return FIXABLE
    except NpukitError as error:
        output.error(error, as_json="--json" in arguments)
        return FIXABLE
    except (KeyboardInterrupt, typer.Abort):
        output.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
        return FIXABLE
    except Exception as error:  # noqa: BLE001 - the last resort writes a log file
        output.bug(error, arguments, as_json="--json" in arguments)
        return BUG
    return int(code or OK)
