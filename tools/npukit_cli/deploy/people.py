"""Who is asked while boards are reached, and who is told how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple


class Person(NamedTuple):
    """Who can be asked; nobody, where there is no terminal.

    Attributes:
        confirm: a question to yes or no.
        secret: a prompt to what was typed unseen, None for nothing.
        aside: entered while another program may ask at the same terminal.
    """

    confirm: Callable[[str], bool]
    secret: Callable[[str], str | None]
    aside: Callable[[], AbstractContextManager[object]] = nullcontext


NOBODY = Person(lambda _: False, lambda _: None)


class Watcher(NamedTuple):
    """Who is told how far it is: of a step in words ("" at the end), and of bytes (done, all)."""

    step: Callable[[str], None] = lambda _: None
    bytes: Callable[[int, int], None] = lambda _done, _all: None
