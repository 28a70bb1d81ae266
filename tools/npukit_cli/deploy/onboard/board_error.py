"""What an operation on the board can answer instead of a result."""

from __future__ import annotations


class BoardError(Exception):
    """A failure that the user can act on.

    Args:
        message: what happened and why, in one sentence.
        hint: what to do next.
        kind: a word for programs: busy, space, memory, unhealthy, missing, damaged, refused.
        log: the end of the skill's log, where it explains the failure.
    """

    def __init__(self, message: str, hint: str = "", kind: str = "refused", log: str = "") -> None:
        self.message = message
        self.hint = hint
        self.kind = kind
        self.log = log
        super().__init__(message)
