"""What can go wrong in a conversion."""

from __future__ import annotations

from npukit.errors import NpukitError


class ConversionError(NpukitError):
    """A step failed, or its result is not that of the step before."""


class ExecutionError(NpukitError):
    """An engine refuses a model or its inputs, or fails while it executes."""


class ComparisonError(NpukitError):
    """Two models cannot be compared: their inputs or outputs do not correspond."""
