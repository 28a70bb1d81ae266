"""What can go wrong in a conversion."""

from __future__ import annotations

from npukit.errors import NpukitError


class ConversionError(NpukitError):
    """A step failed, or its result is not that of the step before."""
