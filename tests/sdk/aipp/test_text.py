"""The vendor's text format: what is read, what is written, and where a mistake is."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.aipp.config import AippConfig, AippOp, InputFormat, Mode, MultiShapeMode, MultiShapeOp
from npukit.aipp.errors import AippDialectError, AippSyntaxError
from npukit.aipp.schema import FieldSpec, Message, schema
from npukit.aipp.text import parse, read_config, to_text, write_config
from npukit.errors import AippError

# --- strategies ---

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
}


def values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    if spec.kind == "enum":
        return st.sampled_from(list(spec.type))
    return messages(spec.type) if spec.kind == "message" else SCALARS[spec.kind]


def messages(kind: type[Message]) -> st.SearchStrategy[Any]:
    fields = {
        name: st.lists(values(spec), max_size=2).map(tuple)
        if spec.repeated
        else st.none() | values(spec)
        for name, spec in schema(kind).items()
    }
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


# --- there and back ---


@given(messages(AippConfig))
@settings(max_examples=60)
def test_what_is_written_is_read_again(config: AippConfig) -> None:
    text = to_text(config, comment="a comment\n\nof three lines", notes={"crop": "a note"})
    assert parse(text) == config
    assert to_text(parse(text)) == to_text(config)


@given(messages(AippConfig))
@settings(max_examples=40)
def test_protobuf_reads_what_is_written(vendor: Any, config: AippConfig) -> None:
    assert fields_of(vendor.parse(to_text(config))) == fields_of(config)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    config = AippConfig(aipp_op=(AippOp(aipp_mode=Mode.static),))
    path = tmp_path / "aipp.cfg"
    write_config(str(path), config, "why")
    assert path.read_bytes() == b"# why\naipp_op {\n  aipp_mode: static\n}\n"
    assert read_config(str(path)) == config
    assert [item.name for item in tmp_path.iterdir()] == ["aipp.cfg"]


# --- the format ---

ONE = AippConfig(
    aipp_op=(
        AippOp(aipp_mode=Mode.static, input_format=InputFormat.YUV420SP_U8, var_reci_chn_0=(0.5,)),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "aipp_op { aipp_mode: static input_format: YUV420SP_U8 var_reci_chn_0: 0.5 }",
        "aipp_op: { aipp_mode: static, input_format: YUV420SP_U8; var_reci_chn_0: 5e-1f }",
        "aipp_op < aipp_mode: 1 input_format: 1 var_reci_chn_0: [.5] >;",
        "aipp_op: [ { aipp_mode :static;input_format\n:\tYUV420SP_U8 var_reci_chn_0:0.50 } ],",
        "# head\r\naipp_op\n{ # why\n aipp_mode: 0x1 input_format: 01 var_reci_chn_0: 0.5F\n}#end",
        "\ufeffaipp_op{aipp_mode:static input_format:YUV420SP_U8 var_reci_chn_0:5.e-1}",
        "aipp_op{aipp_mode:static input_format:YUV420SP_U8 matrix_r0c0:[] var_reci_chn_0:50.0E-2}",
    ],
)
def test_ways_to_write_the_same(vendor: Any, text: str) -> None:
    assert parse(text) == ONE
    compare(vendor, text.removeprefix("\ufeff"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("related_input_name: 'data'", {"related_input_name": "data"}),
        (
            r'related_input_name: "a\"\x41\101\n" ' + r"'\'\u00e9'",
            {"related_input_name": "a\"AA\n'é"},
        ),
        ('related_input_name: "日本"', {"related_input_name": "日本"}),
        ("csc_switch: t crop: False", {"csc_switch": True, "crop": False}),
        ("csc_switch: 1 crop: 0", {"csc_switch": True, "crop": False}),
        ("matrix_r0c0: -208 matrix_r0c1: - 0x10", {"matrix_r0c0": (-208,), "matrix_r0c1": (-16,)}),
        ("matrix_r0c0: 1 matrix_r0c0: [2, 3]", {"matrix_r0c0": (1, 2, 3)}),
        ("min_chn_0: 123 min_chn_1: -1.5e0", {"min_chn_0": 123.0, "min_chn_1": -1.5}),
        ("max_src_image_size: 4294967295", {"max_src_image_size": 2**32 - 1}),
        ("mean_chn_0: 0", {"mean_chn_0": 0}),
    ],
)
def test_values(vendor: Any, written: str, read: dict[str, Any]) -> None:
    text = f"aipp_op {{ {written} }}"
    (op,) = parse(text).aipp_op
    assert op == AippOp(**read)
    compare(vendor, text)


def test_several_inputs_and_profiles() -> None:
    config = parse(
        "aipp_op { related_input_rank: 0 } aipp_op { related_input_rank: 1 }\n"
        "multi_shape_op { mode: resolution related_input_rank: 1 batch_list: [1, 2] }"
    )
    assert [op.related_input_rank for op in config.aipp_op] == [0, 1]
    assert config.multi_shape_op == (
        MultiShapeOp(mode=MultiShapeMode.resolution, related_input_rank=1, batch_list=(1, 2)),
    )


def test_a_float_is_the_nearest_of_32_bits_and_written_short() -> None:
    op = AippOp(var_reci_chn_0=(1 / 255,), min_chn_0=0.675)
    assert op.var_reci_chn_0 == (float(np.float32(1 / 255)),)
    text = to_text(AippConfig(aipp_op=(op,)))
    assert "var_reci_chn_0: 0.003921569\n" in text
    assert "min_chn_0: 0.675\n" in text


# --- mistakes, each with its place ---


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("aipp_op {\n  csc_swich: true\n}", 2, 3, "did you mean 'csc_switch'"),
        ("aip_op { }", 1, 1, "did you mean 'aipp_op'"),
        ("aipp_op {\n\tmatrix_r0c3: 1 }", 2, 2, "did you mean 'matrix_r0c"),
        ("aipp_op { zzz: 1 }", 1, 11, "unknown field 'zzz'"),
        ("aipp_op { input_format: YUV420SP }", 1, 25, "did you mean 'YUV420SP_U8'"),
        ("aipp_op { input_format: 21 }", 1, 25, "no value 21"),
        ("aipp_op { input_format: static }", 1, 25, "no value 'static'"),
        ("aipp_op { rotation_angle: 0 }", 1, 11, "its schema has no such field"),
        ("aipp_op { crop: true\n crop: true }", 2, 2, "crop is given twice"),
        ("aipp_op { crop true }", 1, 16, "expected ':' after crop, found 'true'"),
        ("aipp_op { crop: 2 }", 1, 17, "expected true or false, found '2'"),
        ("aipp_op { crop: yes }", 1, 17, "expected true or false, found 'yes'"),
        ("aipp_op { crop: -1 }", 1, 18, "expected true or false"),
        ("aipp_op { mean_chn_0: 0.5 }", 1, 23, "expected an integer, found '0.5'"),
        ("aipp_op { mean_chn_0: 2147483648 }", 1, 23, "not 2147483648"),
        ("aipp_op { related_input_rank: -1 }", 1, 31, "not -1"),
        ("aipp_op { mean_chn_0: 089 }", 1, 23, "no octal number"),
        ("aipp_op { mean_chn_0: 12px }", 1, 23, "'12p' is no number"),
        ("aipp_op { min_chn_0: 0x10 }", 1, 22, "expected a decimal number"),
        ("aipp_op { min_chn_0: 1e39 }", 1, 22, "finite number of 32 bits"),
        ("aipp_op { min_chn_0: nan }", 1, 22, "finite number of 32 bits"),
        ("aipp_op { min_chn_0: true }", 1, 22, "expected a number, found 'true'"),
        ("aipp_op { related_input_name: data }", 1, 31, "expected text in quotes"),
        ("aipp_op { related_input_name: 'a\n' }", 1, 31, "no closing '"),
        (r"aipp_op { related_input_name: 'a\q' }", 1, 33, r"escape '\\q' is unknown"),
        (r"aipp_op { related_input_name: '\xff' }", 1, 31, "not UTF-8"),
        ("aipp_op: true", 1, 10, "expected '{' after aipp_op, found 'true'"),
        ("aipp_op {\n  crop: true\n", 3, 1, "expected '}', found the end of the text"),
        ("aipp_op { crop: true >", 1, 22, "expected the name of a field, found '>'"),
        ("aipp_op { } }", 1, 13, "expected the name of a field, found '}'"),
        ("aipp_op { matrix_r0c0: [1 2] }", 1, 27, "expected ',' or ']', found '2'"),
        ("aipp_op { crop: true;; }", 1, 22, "expected the name of a field, found ';'"),
        ("aipp_op { [ext.field]: 1 }", 1, 11, "expected the name of a field, found '['"),
        ("aipp_op { crop = true }", 1, 16, "'=' has no meaning here"),
        ("aipp_op { crop: }", 1, 17, "expected true or false, found '}'"),
        ("аipp_op { }", 1, 1, "has no meaning here"),  # noqa: RUF001 - a Cyrillic letter
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(AippSyntaxError) as caught:
        parse(text, "aipp.cfg")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"aipp.cfg, line {line}, column {column}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "dialect", "line"),
    [
        ("aipp_op {\n input_para { format: YUV420SP_U8 } }", "Kirin", 2),
        ("aipp_op { crop_func { switch: true } }", "Kirin", 1),
        ("input_para { }", "Kirin", 1),
        ("# pre\naipp_mode: static\ninput_format: YUV420SP_U8", "OMG before B850", 2),
        ("mean_chn_0: 104", "OMG before B850", 1),
    ],
)
def test_the_other_two_grammars_are_named(text: str, dialect: str, line: int) -> None:
    with pytest.raises(AippDialectError, match=dialect) as caught:
        parse(text)
    assert (caught.value.dialect, caught.value.line) == (dialect, line)
    assert caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(AippError, match=r"none\.cfg: cannot be read: No such file"):
        read_config(str(tmp_path / "none.cfg"))
    path = tmp_path / "latin.cfg"
    path.write_bytes(b"aipp_op {\n # \xe9\n}")
    with pytest.raises(AippSyntaxError, match="byte 0xe9") as caught:
        read_config(str(path))
    assert (caught.value.line, caught.value.column) == (2, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": 1},
        {"mean_chn_0": 1.0},
        {"mean_chn_0": True},
        {"min_chn_0": math.inf},
        {"min_chn_0": 10**400},
        {"min_chn_0": "1"},
        {"var_reci_chn_0": (None,)},
        {"input_format": "RGB"},
        {"related_input_rank": -1},
        {"related_input_name": "\ud800"},
    ],
    ids=str,
)
def test_values_of_a_wrong_type_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AippError, match=next(iter(wrong))):
        AippOp(**wrong)


# --- anything else ---

WORDS = (
    "aipp_op", "multi_shape_op", "{", "}", "<", ">", "[", "]", ":", ";", ",", "-", "#x\n",
    "aipp_mode", "static", "input_format", "YUV420SP_U8", "crop", "true", "False", "t", "1", "0",
    "mean_chn_0", "min_chn_0", "matrix_r0c0", "var_reci_chn_0", "007", "0x1F", "1.5", ".5e3", "2f",
    "1e5", "batch_list", "related_input_name", "'a'", '"b\\n"', "inf", "\n", "related_input_rank",
)  # fmt: skip


@given(st.text(max_size=60) | st.text("{}:;,<>[]-.0123456789eExf'\"\\# \naipc_o", max_size=60))
@settings(max_examples=400)
def test_random_text_raises_nothing_but_the_typed_error(text: str) -> None:
    read_or_refused(text)


@given(st.text("0123456789.eE+-xXfF", min_size=1, max_size=12) | st.just("9" * 5000))
@settings(max_examples=300)
def test_random_numbers_are_read_as_protobuf_reads_them(vendor: Any, number: str) -> None:
    compare(vendor, f"aipp_op {{ min_chn_0: {number} }}")
    compare(vendor, f"aipp_op {{ mean_chn_0: {number} }}")


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=600)
def test_random_words_are_read_as_protobuf_reads_them(vendor: Any, words: list[str]) -> None:
    compare(vendor, " ".join(words))
    compare(vendor, f"aipp_op {{ {' '.join(words)} }}")


# The specification takes these, protobuf's Python library does not: octal numbers, a space after
# the minus sign.
PYTHON_REFUSES = re.compile(r"\b0[0-7]|-\s")
# And the other way round: a plus sign.
PYTHON_TAKES = re.compile(r"[: ]\+")


def read_or_refused(text: str) -> AippConfig | None:
    try:
        return parse(text)
    except AippError:
        return None


def compare(vendor: Any, text: str) -> None:
    """Both read the same, or both refuse, but for what is stricter here on purpose."""
    ours = read_or_refused(text)
    try:
        theirs = vendor.parse(text)
    except vendor.error:
        theirs = None
    if ours is not None:
        assert theirs is not None or PYTHON_REFUSES.search(text), text
        assert theirs is None or fields_of(theirs) == fields_of(ours), text
    elif theirs is not None:
        assert stricter(text, theirs), text


def stricter(text: str, theirs: Any) -> bool:
    found = fields_of(theirs)
    numbers = [value for op in found["aipp_op"] for value in flat(op)]
    endless = any(isinstance(value, float) and not math.isfinite(value) for value in numbers)
    known = all(
        op.get("aipp_mode", 0) in list(Mode) and op.get("input_format", 0) in list(InputFormat)
        for op in found["aipp_op"]
    )
    return endless or not known or bool(PYTHON_TAKES.search(text))


def flat(op: dict[str, Any]) -> list[Any]:
    lists = (value if isinstance(value, list) else [value] for value in op.values())
    return [item for items in lists for item in items]


def fields_of(message: Any) -> dict[str, Any]:
    """What is not the zero of its type, of ours or of protobuf's."""
    if isinstance(message, Message):
        pairs = [(name, getattr(message, name)) for name in schema(type(message))]
    else:
        pairs = [(field.name, getattr(message, field.name)) for field in message.DESCRIPTOR.fields]
    out = {}
    for name, value in pairs:
        if isinstance(value, (bool, int, float, str)) or value is None:
            out[name] = value
        else:
            out[name] = [
                item if isinstance(item, (bool, int, float, str)) else fields_of(item)
                for item in value
            ]
    return {name: value for name, value in out.items() if value or name == "aipp_op"}
