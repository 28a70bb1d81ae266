"""What goes wrong on the way to a board, beside wrong manifests and options (ConfigError)."""

from __future__ import annotations

from npukit.errors import NpukitError


class DeployError(NpukitError):
    """A skill cannot be bundled, checked, or brought to a board."""


class SigningError(DeployError):
    """A bundle cannot be signed: no such key, no passphrase, or no ssh-keygen."""
