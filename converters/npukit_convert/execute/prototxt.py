"""The text format of protobuf, without a schema: what a Caffe network is described in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from npukit_convert.errors import ExecutionError

_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)
      | (?P<mark>[:{}<>\[\]])
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[^\s,;:{}<>\[\]"'\#]+)""",
    re.VERBOSE,
)
_OPEN = {"{": "}", "<": ">"}
_DEEPEST = 100  # messages in messages, as protobuf's own readers allow


@dataclass
class Message:
    """A message: its fields in order; a field may come several times.

    Attributes:
        line: where it begins, from 1.
        fields: name and value: a text (numbers and words as they are written) or a message.
    """

    line: int
    fields: list[tuple[str, str | Message]] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        """All values of a field that holds no messages."""
        return [value for key, value in self.fields if key == name and isinstance(value, str)]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field, as protobuf reads it."""
        return (self.texts(name) or [default])[-1]

    def messages(self, name: str) -> list[Message]:
        """All values of a field that holds messages."""
        return [value for key, value in self.fields if key == name and isinstance(value, Message)]

    def message(self, name: str) -> Message:
        """The last message of a field; an empty one where there is none."""
        return (self.messages(name) or [Message(self.line)])[-1]


def parse(text: str, where: str) -> Message:
    """Read a text.

    Raises:
        ExecutionError: it is not of this format; names the line.
    """
    reader = _Reader(text, where)
    return reader.message(1, until="")


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._tokens = self._split(text)
        self._next = next(self._tokens)
        self._depth = 0

    def message(self, line: int, until: str) -> Message:
        found = Message(line)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(line, f"over {_DEEPEST} messages in one another")
        while self._next[1] != until:
            at, name = self._take()
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                shown = f"{name!r}" if name else "the end of the file"
                raise self._wrong(at, f"{shown} where the name of a field was expected")
            found.fields += [(name, value) for value in self._values(name)]
        self._take()
        self._depth -= 1
        return found

    def _values(self, name: str) -> list[str | Message]:
        colon = self._next[1] == ":"
        if colon:
            self._take()
        line, mark = self._next
        if mark in _OPEN:
            self._take()
            return [self.message(line, _OPEN[mark])]
        if not colon:
            raise self._wrong(line, f"`{name}` needs a `:` or a `{{` behind it")
        if mark != "[":
            return [self._scalar(name)]
        self._take()
        values: list[str | Message] = []
        while self._next[1] != "]":
            line, mark = self._next
            if mark in _OPEN:
                self._take()
                values.append(self.message(line, _OPEN[mark]))
            else:
                values.append(self._scalar(name))
        self._take()
        return values

    def _scalar(self, name: str) -> str:
        line, token = self._take()
        if token in ("", *"{}<>[]:"):
            raise self._wrong(line, f"`{name}` has no value")
        if token[0] not in "\"'":
            return token
        text = token[1:-1]
        while self._next[1][:1] in ("'", '"'):  # neighbours are one text
            text += self._take()[1][1:-1]
        return re.sub(r"\\(.)", r"\1", text)

    def _take(self) -> tuple[int, str]:
        taken = self._next
        self._next = next(self._tokens, (taken[0], ""))
        return taken

    def _split(self, text: str) -> Iterator[tuple[int, str]]:
        line, place = 1, 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._wrong(line, f"{text[place : place + 20]!r} is no text, word or mark")
            if match.lastgroup != "space":
                yield line, match[0]
            line += match[0].count("\n")
            place = match.end()
        yield line, ""

    def _wrong(self, line: int, what: str) -> ExecutionError:
        return ExecutionError(f"not a prototxt: {what}", where=f"{self._where}:{line}")
