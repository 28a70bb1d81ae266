"""Recursive descent over protobuf's text format of `domi.InsertNewOps`."""

from __future__ import annotations

from typing import Any, Dict, Optional, Type

from npukit.aipp.config import AippConfig, AippOp
from npukit.aipp.errors import AippDialectError, AippSyntaxError
from npukit.aipp.schema import FieldSpec, M, Message, checked_value, schema
from npukit.aipp.tokens import Token, integer, tokens, unquoted
from npukit.errors import AippError, nearest

_CLOSING = {"{": "}", "<": ">"}
_BOOLS = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
# Words of the grammar for Kirin phones (HarmonyOS CANN Kit, HiAI DDK): blocks of switches.
_KIRIN = (
    "input_para", "crop_func", "swap_func", "resize_func", "csc_func", "dtc_func",
    "rotation_func", "rotate_func", "rotate_para", "padding_func", "input_name",
    "node_after_aipp",
)  # fmt: skip


class Parser:
    """Reads one text, once."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._tokens = tokens(text, file)
        self._seen: Optional[Token] = None

    def whole(self) -> AippConfig:
        """The configuration.

        Raises:
            AippSyntaxError: see `npukit.aipp.text.parse`.
        """
        return self._message(AippConfig, "")

    def _message(self, kind: Type[M], closing: str) -> M:
        values: Dict[str, Any] = {}
        while not self._ends(closing):
            name = self._next()
            if name.kind != "name":
                raise self._unexpected(name, "the name of a field")
            self._field(kind, name, values)
            self._take(";") or self._take(",")
        return kind(**values)

    def _ends(self, closing: str) -> bool:
        token = self._peek()
        if closing and token.kind == "end":
            raise self._unexpected(token, repr(closing))
        return token.kind == "end" if not closing else self._take(closing)

    def _field(self, kind: Type[Message], name: Token, values: Dict[str, Any]) -> None:
        spec = schema(kind).get(name.text)
        if spec is None:
            raise self._unknown(kind, name)
        colon = self._take(":")
        if spec.kind != "message" and not colon:
            raise self._unexpected(self._peek(), "':' after {}".format(name.text))
        if spec.repeated:
            values[name.text] = values.get(name.text, ()) + self._values(name, spec)
        elif name.text in values:
            raise self._error("{} is given twice".format(name.text), name)
        else:
            values[name.text] = self._value(name, spec)

    def _values(self, name: Token, spec: FieldSpec) -> Any:
        if not self._take("["):
            return (self._value(name, spec),)
        if self._take("]"):
            return ()
        found = [self._value(name, spec)]
        while not self._take("]"):
            if not self._take(","):
                raise self._unexpected(self._peek(), "',' or ']'")
            found.append(self._value(name, spec))
        return tuple(found)

    def _value(self, name: Token, spec: FieldSpec) -> Any:
        first = self._peek()
        if spec.kind == "message":
            opening = self._next()
            if opening.kind != "mark" or opening.text not in _CLOSING:
                raise self._unexpected(opening, "'{{' after {}".format(name.text))
            return self._message(spec.type, _CLOSING[opening.text])
        value = self._scalar(spec)
        try:
            return checked_value(name.text, spec, value)
        except AippError as error:
            raise self._error(error.message, first, error.hint) from error

    def _scalar(self, spec: FieldSpec) -> Any:
        if spec.kind == "string":
            return self._string()
        sign = -1 if self._take("-") else 1
        token = self._next()
        if token.kind == "integer" and spec.kind != "string":
            return self._integer(spec, sign, token)
        if token.kind == "float" and spec.kind == "float":
            return sign * float(token.text.rstrip("fF"))
        if token.kind == "name" and spec.kind == "float":
            if token.text.lower() in ("inf", "infinity", "nan"):
                return sign * float(token.text)
        elif token.kind == "name" and sign > 0:
            if spec.kind == "bool" and token.text in _BOOLS:
                return _BOOLS[token.text]
            if spec.kind == "enum":
                return token.text
        raise self._unexpected(token, _WANTED[spec.kind])

    def _integer(self, spec: FieldSpec, sign: int, token: Token) -> Any:
        if spec.kind == "float":
            if len(token.text) > 1 and token.text[0] == "0":
                raise self._unexpected(token, "a decimal number")
            return sign * float(token.text)
        value = integer(token.text)
        if spec.kind == "bool":
            if sign < 0 or value > 1:
                raise self._unexpected(token, _WANTED["bool"])
            return bool(value)
        return sign * value

    def _string(self) -> str:
        first, parts = self._peek(), []
        while self._peek().kind == "string":
            parts.append(unquoted(self._next(), self._file))
        if not parts:
            raise self._unexpected(first, _WANTED["string"])
        try:
            return b"".join(parts).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._error("the text is not UTF-8", first) from error

    # --- tokens ---

    def _peek(self) -> Token:
        # Read when it is asked for: of several mistakes the first in the text is told.
        if self._seen is None:
            self._seen = next(self._tokens)
        return self._seen

    def _next(self) -> Token:
        token = self._peek()
        if token.kind != "end":
            self._seen = None
        return token

    def _take(self, mark: str) -> bool:
        token = self._peek()
        if token.kind != "mark" or token.text != mark:
            return False
        self._seen = None
        return True

    # --- errors ---

    def _error(self, message: str, token: Token, hint: str = "") -> AippSyntaxError:
        return AippSyntaxError(message, token.line, token.column, file=self._file, hint=hint)

    def _unexpected(self, token: Token, wanted: str) -> AippSyntaxError:
        found = token.text if token.kind == "end" else repr(token.text)
        return self._error("expected {}, found {}".format(wanted, found), token)

    def _unknown(self, kind: Type[Message], name: Token) -> AippSyntaxError:
        if name.text in _KIRIN:
            return AippDialectError(
                "Kirin",
                "{} belongs to the AIPP grammar of Kirin phones (HarmonyOS, HiAI), which "
                "Ascend's compiler does not read".format(name.text),
                name.line,
                name.column,
                file=self._file,
                hint="write its values as fields of aipp_op, without blocks of their own",
            )
        if kind is AippConfig and name.text in schema(AippOp):
            return AippDialectError(
                "OMG before B850",
                "{} stands outside of aipp_op: the AIPP grammar of OMG before B850 "
                "(--aipp_conf), which later compilers do not read".format(name.text),
                name.line,
                name.column,
                file=self._file,
                hint="put the fields between `aipp_op {` and `}`, for --insert_op_conf",
            )
        if name.text == "rotation_angle":
            return self._error(
                "rotation_angle is named in the vendor's template only, its schema has no such "
                "field",
                name,
                "leave it out",
            )
        near = nearest(name.text, schema(kind))
        hint = "did you mean {!r}?".format(near) if near else "the schema has no such name"
        return self._error("unknown field {!r}".format(name.text), name, hint)


_WANTED = {
    "bool": "true or false",
    "int32": "an integer",
    "uint32": "an integer",
    "float": "a number",
    "enum": "the name of a value",
    "string": "text in quotes",
}
