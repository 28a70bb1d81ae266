"""What goes wrong with a bundle, on the board as on the host."""

from __future__ import annotations


class BundleError(Exception):
    """A bundle is damaged, forged, or not for this board. Nothing was written.

    Args:
        message: what is wrong, in one sentence.
        hint: what to do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        return "{} ({})".format(self.message, self.hint) if self.hint else self.message


class SignatureToolError(BundleError):
    """Signatures cannot be checked here: `ssh-keygen` is missing or older than OpenSSH 8.2."""
