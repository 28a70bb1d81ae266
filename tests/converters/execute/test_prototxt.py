"""A prototxt's text: fields in order, and what is no such text by its line."""

from __future__ import annotations

import pytest

from npukit_convert.errors import ExecutionError
from npukit_convert.execute.prototxt import parse


def test_fields_come_in_order_and_several_times() -> None:
    text = "a: 1 # first\nb { a: 'x' 'y' } b < a: [2, 3] >"
    found = parse(text, "net.prototxt")
    assert found.texts("a") == ["1"]
    assert [one.texts("a") for one in found.messages("b")] == [["xy"], ["2", "3"]]
    assert found.message("c").fields == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb {", 2), ("a {\n}\n}", 3), ("\n\na", 3), ("a:\n}", 2), ("a: 'x\n'", 1),
        ("m {\n" * 200 + "}\n" * 200, 100),
    ],
    ids=["open", "closed", "alone", "empty", "text", "deep"],
)  # fmt: skip
def test_what_is_no_such_text_is_named_by_its_line(text: str, line: int) -> None:
    with pytest.raises(ExecutionError, match="not a prototxt") as caught:
        parse(text, "net.prototxt")
    assert caught.value.where == f"net.prototxt:{line}"
