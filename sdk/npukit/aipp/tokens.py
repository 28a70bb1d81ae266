"""Tokens of protobuf's text format, each with its place.

Source: protobuf.dev, "Text Format Language Specification".
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple

from npukit.aipp.errors import AippSyntaxError

_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\r\n\f\v]+ | \#[^\n]* )
    | (?P<float>   (?: [0-9]+\.[0-9]* | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? [fF]?
                 | [0-9]+ (?: [eE][+-]?[0-9]+ [fF]? | [fF] ) )
    | (?P<integer> 0[xX][0-9a-fA-F]+ | [0-9]+ )
    | (?P<name>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<string>  "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | (?P<mark>    [{}<>\[\]:;,\-] )
    """,
    re.VERBOSE,
)
_HEX = re.compile("0[xX][0-9a-fA-F]+")
_ESCAPE = re.compile(
    r"""\\(?: (?P<plain>[abfnrtv\\'"?]) | (?P<octal>[0-7]{1,3}) | [xX](?P<hex>[0-9a-fA-F]{1,2})
        | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>[0-9a-fA-F]{8}) | (?P<wrong>.) )""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = dict(zip("abfnrtv\\'\"?", "\a\b\f\n\r\t\v\\'\"?"))


class Token(NamedTuple):
    """A token.

    Attributes:
        kind: float, integer, name, string, mark, or end.
        text: as written.
        line, column: of its first character, from 1.
    """

    kind: str
    text: str
    line: int
    column: int


def tokens(text: str, file: str = "") -> Iterator[Token]:
    """The tokens, one by one; the last one is of kind `end`.

    Raises:
        AippSyntaxError: a character or a number that the format does not know.
    """
    position, line, start = 0, 1, 0
    if text.startswith("\ufeff"):  # a byte order mark, which some editors write
        position = start = 1
    while position < len(text):
        # The pattern would take the 0 of 0x1f alone, as an integer before a name.
        found = _HEX.match(text, position) or _TOKEN.match(text, position)
        column = position - start + 1
        if found is None:
            raise AippSyntaxError(_unknown(text[position]), line, column, file=file)
        kind = "integer" if found.re is _HEX else str(found.lastgroup)
        if kind in ("integer", "float"):
            _check_number(text, found.start(), found.end(), kind, line, column, file)
        if kind != "space":
            yield Token(kind, found.group(), line, column)
        newlines = found.group().count("\n")
        if newlines:
            line += newlines
            start = position + found.group().rindex("\n") + 1
        position = found.end()
    yield Token("end", "the end of the text", line, position - start + 1)


def _unknown(character: str) -> str:
    if character in "\"'":
        return "the text that begins here has no closing {}".format(character)
    return "the character {!r} has no meaning here".format(character)


def _check_number(
    text: str, start: int, end: int, kind: str, line: int, column: int, file: str
) -> None:
    after = text[end : end + 1]
    if after and (after in "._" or after.isalnum()):
        raise AippSyntaxError(
            "{!r} is no number".format(text[start : end + 1]), line, column, file=file
        )
    digits = text[start:end]
    if kind == "integer" and re.match("0[0-9]*[89]", digits):
        raise AippSyntaxError(
            "{!r} begins with 0 and is no octal number".format(digits), line, column, file=file
        )


def integer(text: str) -> int:
    """The value of an integer token: decimal, 0x hexadecimal or 0 octal."""
    if len(text) > 64:
        return 2**64  # no field takes so much, and Python refuses numbers of many digits
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text, 8) if text[0] == "0" else int(text)


def unquoted(token: Token, file: str) -> bytes:
    """The bytes of a string token.

    Raises:
        AippSyntaxError: an escape that the format does not know.
    """
    parts: List[bytes] = []
    body, position = token.text[1:-1], 0
    for found in _ESCAPE.finditer(body):
        parts.append(body[position : found.start()].encode("utf-8", "surrogatepass"))
        parts.append(_escaped(found, token, file))
        position = found.end()
    parts.append(body[position:].encode("utf-8", "surrogatepass"))
    return b"".join(parts)


def _escaped(found: "re.Match[str]", token: Token, file: str) -> bytes:
    value = found.group(str(found.lastgroup))
    if found.lastgroup == "plain":
        return _PLAIN[value].encode("ascii")
    if found.lastgroup in ("octal", "hex"):
        number = int(value, 8 if found.lastgroup == "octal" else 16)
        if number < 256:
            return bytes([number])
    elif found.lastgroup in ("short", "long") and int(value, 16) < 0x110000:
        return chr(int(value, 16)).encode("utf-8", "surrogatepass")
    raise AippSyntaxError(
        "the escape {!r} is unknown".format(found.group()),
        token.line,
        token.column + 1 + found.start(),
        file=file,
    )
