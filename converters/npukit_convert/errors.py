"""What can go wrong in a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from npukit.errors import NpukitError

if TYPE_CHECKING:
    from npukit_convert.conversion import Conversion


class ConversionError(NpukitError):
    """A step failed, or its result is not that of the step before."""


class ExecutionError(NpukitError):
    """An engine refuses a model or its inputs, or fails while it executes."""


class ComparisonError(NpukitError):
    """Two models cannot be compared: their inputs or outputs do not correspond."""


class CalibrationError(ConversionError):
    """Frames cannot be calibrated or judged on: of another size, not finite, none at all."""


class Rejected(ConversionError):  # noqa: N818 - the tool works, the model does not
    """A quantised network misses the floor that its accuracy must hold.

    Attributes:
        made: the conversion, with all that it made.
    """

    def __init__(self, message: str, *, made: Conversion, where: str, hint: str) -> None:
        super().__init__(message, where=where, hint=hint)
        self.made = made


class CompilerError(ConversionError):
    """A vendor's compiler refuses a network, or cannot be run."""


class CompilerMissing(CompilerError):  # noqa: N818 - nothing went wrong yet
    """There is no such compiler where it was looked for.

    Attributes:
        command: what to run elsewhere.
        files: file name to content, of what it needs besides the network.
        looked: where the compiler was looked for.
    """

    def __init__(
        self,
        message: str,
        *,
        command: str,
        files: Mapping[str, bytes],
        looked: tuple[str, ...],
        where: str,
    ) -> None:
        super().__init__(message, where=where, hint=f"run elsewhere: {command}")
        self.command, self.files, self.looked = command, files, looked
