"""What can be wrong with an AIPP configuration."""

from __future__ import annotations

from npukit.errors import AippError


class AippSyntaxError(AippError):
    """The text is not a configuration in the vendor's format.

    Attributes:
        line, column: where, both from 1; a tab is one column.
    """

    def __init__(
        self, message: str, line: int, column: int, *, file: str = "", hint: str = ""
    ) -> None:
        self.line = line
        self.column = column
        place = "line {}, column {}".format(line, column)
        super().__init__(message, where="{}, {}".format(file, place) if file else place, hint=hint)


class AippDialectError(AippSyntaxError):
    """The text is in another AIPP grammar, which Ascend's compiler does not take.

    Attributes:
        dialect: its name.
    """

    def __init__(
        self, dialect: str, message: str, line: int, column: int, *, file: str = "", hint: str = ""
    ) -> None:
        self.dialect = dialect
        super().__init__(message, line, column, file=file, hint=hint)


class AippConstraintError(AippError):
    """A well-formed configuration that the compiler or the chip refuses.

    Attributes:
        code: the vendor's error code.
        field: the name of the field at fault.
    """

    def __init__(self, message: str, code: str, field: str, *, where: str = "") -> None:
        self.code = code
        self.field = field
        super().__init__(message, where=where)


class AippExpressionError(AippError):
    """One of the two, declaration or configuration, cannot say what the other says."""
