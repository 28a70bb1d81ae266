"""What goes to the terminal: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from npukit import __version__
from npukit.addresses import hide_password
from npukit.errors import NpukitError

_UNFOLDED = 1000  # columns


def say(text: str) -> None:
    """A remark for the person at the terminal."""
    _console(stderr=True).print(escape(text), highlight=False, soft_wrap=True)


def result(text: str) -> None:
    """A line of the result."""
    _console().print(escape(text), highlight=False, soft_wrap=True)


def as_json(data: Any) -> None:
    """The whole result, for scripts."""
    sys.stdout.write(json.dumps(data, indent=1) + "\n")


def as_json_line(data: Any) -> None:
    """One of several results, at once."""
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; columns after the first that hold numbers only are set to the right."""
    drawn = Table(title=escape(title), title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        numeric = place > 0 and rows and all(_is_number(row[place]) for row in rows)
        drawn.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    _console().print(drawn)


def error(problem: NpukitError, as_json: bool = False) -> None:
    """What happened, where, and what to do next."""
    if as_json:
        sys.stdout.write(json.dumps({"error": error_to_dict(problem)}, indent=1) + "\n")
    console = _console(stderr=True)
    console.print("[bold red]error:[/] " + escape(problem.message), highlight=False, soft_wrap=True)
    for label, text in (("where", problem.where), ("next", problem.hint)):
        if text:
            console.print(f"  [dim]{label}:[/] {escape(text)}", highlight=False, soft_wrap=True)


def error_to_dict(problem: BaseException) -> dict[str, str]:
    """An error as plain data."""
    if isinstance(problem, NpukitError):
        parts = {"message": problem.message, "where": problem.where, "next": problem.hint}
    else:
        parts = {"message": str(problem)}
    return {"type": type(problem).__name__, **{key: text for key, text in parts.items() if text}}


def bug(problem: BaseException, arguments: Sequence[str], as_json: bool = False) -> None:
    """An error that npukit did not foresee: the details go to a log file."""
    details = "".join(traceback.format_exception(problem))
    with tempfile.NamedTemporaryFile(
        "w", prefix="npukit-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"npukit {__version__}, Python {platform.python_version()}\n")
        log.write(f"arguments: {[hide_password(text) for text in arguments]}\n\n{details}")
    error(
        NpukitError(
            f"a bug in npukit: {type(problem).__name__}: {problem}",
            where=log.name,
            hint="please report it with that log file",
        ),
        as_json,
    )


def counted(word: str, count: int, hidden: bool = False) -> Iterator[int]:
    """The numbers below `count`, with a progress bar for a person at the terminal.

    It is drawn between the steps only: a thread that draws would be measured with them.
    """
    with Progress(
        console=_console(stderr=True),
        transient=True,
        auto_refresh=False,
        disable=hidden or not is_terminal(),
    ) as bar:
        yield from bar.track(range(count), description=word)


@contextmanager
def progress(total: int, hidden: bool = False) -> Iterator[Callable[[str], None]]:
    """A progress bar of named steps for a person at the terminal; call it as each begins."""
    with Progress(
        console=_console(stderr=True), transient=True, disable=hidden or not is_terminal()
    ) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def step(name: str) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun)
            begun += 1

        yield step


def is_terminal() -> bool:
    """Whether a person watches stderr, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def _console(stderr: bool = False) -> Console:
    # Into a pipe or file, lines are not folded: names stay whole for who searches them.
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if terminal else _UNFOLDED)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%x"))
    except ValueError:
        return text in ("", "-")
    return True
