"""The person at the terminal: questions, and how far a transfer is."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import typer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from npukit_cli import output
from npukit_cli.deploy.people import NOBODY, Person, Watcher


class Screen(NamedTuple):
    """Who is asked, and who is told about each board."""

    person: Person
    watchers: list[Watcher]


def person() -> Person:
    """Who sits there; nobody, when input or messages go elsewhere."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return NOBODY
    return Person(_confirm, getpass.getpass)


def _confirm(question: str) -> bool:
    return typer.confirm(question, err=True)


@contextmanager
def watching(names: list[str], hidden: bool) -> Iterator[Screen]:
    """A line for each board: what it does, and a bar with the rate while something travels.

    Without a terminal each step is a line of stderr.
    """
    if hidden or not output.is_terminal():
        yield Screen(person(), [_plain(name, len(names) > 1, hidden) for name in names])
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), *map(_WhileSending, columns),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    plain, aside = person(), partial(_hidden, bar)
    asked = Person(aside()(plain.confirm), aside()(plain.secret), aside)
    with bar:
        yield Screen(asked, [_drawn(bar, name) for name in names])


class _WhileSending(ProgressColumn):
    """Another column, empty while nothing travels."""

    def __init__(self, column: ProgressColumn) -> None:
        self._column = column
        super().__init__()

    def render(self, task: Task) -> RenderableType:
        return self._column.render(task) if task.fields.get("sending") else Text("")


@contextmanager
def _hidden(bar: Progress) -> Iterator[None]:
    """Questions stand where the bar was."""
    bar.stop()
    try:
        yield
    finally:
        bar.start()


def _plain(name: str, several: bool, hidden: bool) -> Watcher:
    last = ""

    def step(text: str) -> None:
        nonlocal last
        what = text.partition(":")[0]  # behind it are numbers that change
        if what not in ("", last) and not hidden:
            output.say(f"{name}: {text}" if several else text)
        last = what

    return Watcher(step)


def _drawn(bar: Progress, name: str) -> Watcher:
    task = bar.add_task(escape(name), total=None, visible=False)

    def step(text: str) -> None:
        said = escape(f"{name}: {text}")
        bar.update(task, description=said, sending=False, completed=0, visible=bool(text))
        if text.startswith("recovered"):
            bar.console.print(said, highlight=False)

    def bytes_(done: int, total: int) -> None:
        # One more than all: a task that is complete would look as if the board were done.
        bar.update(task, completed=done, total=total + 1, sending=done < total)

    return Watcher(step, bytes_)
