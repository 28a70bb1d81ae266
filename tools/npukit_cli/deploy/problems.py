"""Typed errors of getting a skill onto a board and watching it there."""

from __future__ import annotations

from npukit_cli.deploy.errors import DeployError

__all__ = ["BoardRefused", "BoardSkipped", "ConnectionFailed", "DeployError", "HostKeyRefused"]


class ConnectionFailed(DeployError):  # noqa: N818 - says what happened
    """No connection to the board, or it was lost."""


class HostKeyRefused(ConnectionFailed):
    """A host's key is not the one on record, or was not accepted. Nothing was sent."""


class BoardRefused(DeployError):  # noqa: N818 - says what happened
    """The board's agent refused or failed; what ran before runs on.

    Attributes:
        kind: a word for programs, as in `onboard.board_error`.
        log: the end of the skill's log, where it explains the failure.
    """

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", kind: str = "", log: str = ""
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.kind = kind
        self.log = log


class BoardSkipped(DeployError):  # noqa: N818 - says what happened
    """The skill does not fit this board; nothing was sent."""
