"""The person at the terminal: questions, and how far a transfer is."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TransferSpeedColumn,
)

from npukit_cli import output
from npukit_cli.deploy.flash import Watcher
from npukit_cli.deploy.transport import NOBODY, Person


def person() -> Person:
    """Who sits there; nobody, when input or messages go elsewhere."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return NOBODY
    return Person(_confirm, getpass.getpass)


def _confirm(question: str) -> bool:
    return typer.confirm(question, err=True)


@contextmanager
def watching(names: list[str], hidden: bool) -> Iterator[list[Watcher]]:
    """A line for each board: what it does, and a bar with the rate while something travels.

    Without a terminal each step is a line of stderr.
    """
    if hidden or not output.is_terminal():
        yield [_plain(name, len(names) > 1, hidden) for name in names]
        return
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
        TransferSpeedColumn(), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    try:
        yield [_drawn(bar, name) for name in names]
    finally:
        bar.stop()


def _plain(name: str, several: bool, hidden: bool) -> Watcher:
    def step(text: str) -> None:
        if not hidden:
            output.say(f"{name}: {text}" if several else text)

    return Watcher(step)


def _drawn(bar: Progress, name: str) -> Watcher:
    task = bar.add_task(name, total=None)

    def step(text: str) -> None:
        bar.update(task, description=f"{name}: {text}")
        if text != "connecting":  # while it connects, questions may be asked on the same screen
            bar.start()
        if text.startswith("recovered"):
            bar.console.print(f"{name}: {text}")

    def bytes_(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total or None)

    return Watcher(step, bytes_)
