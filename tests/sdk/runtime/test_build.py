"""The simulator build: comes back whole, or is refused; known by its content."""

import hashlib
import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.errors import ModelError
from npukit.preprocess import Preprocess
from npukit.runtime.build import (
    MAGIC,
    InputSpec,
    SimulatorBuild,
    is_build,
    read_build,
    write_build,
)

SMALL = SimulatorBuild(
    name="net",
    inputs={
        "image": InputSpec((1, 3, 4, 6), Preprocess(scale=(0.5, 0.25, 2.0))),
        "alpha_prev": InputSpec((1, 1, 4, 6)),
    },
    outputs=("alpha",),
    states={"alpha_prev": "alpha"},
    onnx=b"\x08\x07not a network",
    record={"opset": 13},
)
HEADER: dict[str, Any] = {
    "name": "net",
    "inputs": {"image": {"shape": [1, 3, 4, 6], "preprocess": {}}},
    "outputs": ["alpha"],
    "states": {},
    "record": {},
}


def write_raw(path: Path, content: bytes) -> str:
    """A file whose checksum is right, whatever it holds."""
    path.write_bytes(MAGIC + hashlib.sha256(content).digest() + content)
    return str(path)


def write_header(path: Path, header: object) -> str:
    text = json.dumps(header).encode()
    return write_raw(path, struct.pack("<Q", len(text)) + text + b"onnx")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.sim"
    write_build(str(path), SMALL)
    return path


# --- whole ---


names = st.text(min_size=1, max_size=8)
shapes = st.lists(st.integers(1, 4096), min_size=0, max_size=5).map(tuple)
declared = st.none() | st.builds(
    lambda to, mean: Preprocess(to=to, mean=(mean,) * 3, scale=(1.0, 0.5, mean)),
    st.sampled_from(["rgb", "bgr"]),
    st.floats(-300, 300),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
builds = st.builds(
    SimulatorBuild,
    name=names,
    inputs=st.dictionaries(names, st.builds(InputSpec, shapes, declared), max_size=4),
    outputs=st.lists(names, max_size=4).map(tuple),
    states=st.dictionaries(names, names, max_size=3),
    onnx=st.binary(max_size=200),
    record=st.dictionaries(names, values, max_size=3),
)


@given(builds)
def test_a_build_comes_back_whole(build: SimulatorBuild) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "b.sim")
        write_build(path, build)
        back = read_build(path)
    assert back == build
    # The order of inputs is that of the network.
    assert list(back.inputs) == list(build.inputs)


def test_writing_twice_gives_the_same_bytes(small: Path) -> None:
    before = small.read_bytes()
    write_build(str(small), read_build(str(small)))
    assert small.read_bytes() == before


def test_a_build_is_known_by_its_content(small: Path, tmp_path: Path) -> None:
    for name in ("net.om", "net.onnx", "net", "net.txt"):
        path = tmp_path / name
        path.write_bytes(small.read_bytes())
        assert is_build(str(path))
        assert read_build(str(path)) == SMALL
    for content in (b"", MAGIC[:-1], b"\x08\x07\x12\x00onnx", b"IMOD" + bytes(300)):
        path = tmp_path / "other.sim"
        path.write_bytes(content)
        assert not is_build(str(path))
        with pytest.raises(ModelError, match=r"other\.sim: not a simulator build.*convert"):
            read_build(str(path))


def test_a_failed_write_leaves_the_old_file(small: Path) -> None:
    before = small.read_bytes()
    with pytest.raises(TypeError):
        write_build(str(small), SimulatorBuild("x", {}, (), b"", {}, {"no": object()}))
    assert small.read_bytes() == before
    assert [path.name for path in small.parent.iterdir()] == ["small.sim"]


# --- damaged ---


def test_every_truncation_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for length in range(len(whole)):
        small.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"small\.sim"):
            read_build(str(small))


def test_every_flipped_bit_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            small.write_bytes(changed)
            with pytest.raises(ModelError, match=r"small\.sim"):
                read_build(str(small))


def test_what_is_added_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for added in (b"\0", b"\n", whole):
        small.write_bytes(whole + added)
        with pytest.raises(ModelError, match="cut short or changed"):
            read_build(str(small))


@pytest.mark.parametrize("name", ["absent.sim", ""])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)  # the empty name is the folder itself
    with pytest.raises(
        ModelError, match=r"cannot be read: (No such file|Is a directory)"
    ) as caught:
        read_build(path)
    assert path in str(caught.value)


# --- written by another hand: the checksum is right, the content is not ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 0),
        struct.pack("<Q", 5) + b"{",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"\xff\xfe",
        struct.pack("<Q", 3) + b"nul",
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_content_that_is_no_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match="the header is wrong"):
        read_build(write_raw(tmp_path / "a.sim", content))


@pytest.mark.parametrize("header", [None, True, 5, "text", [], {}, [[1]], list(HEADER)], ids=repr)
def test_a_header_that_is_no_mapping_is_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(ModelError, match="the header is wrong"):
        read_build(write_header(tmp_path / "a.sim", header))


def test_the_header_of_these_tests_is_right(tmp_path: Path) -> None:
    build = read_build(write_header(tmp_path / "a.sim", HEADER))
    assert build.inputs == {"image": InputSpec((1, 3, 4, 6), Preprocess())}
    assert build.onnx == b"onnx"


@pytest.mark.parametrize("key", HEADER)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    header = {name: value for name, value in HEADER.items() if name != key}
    with pytest.raises(ModelError, match=f"key '{key}' is missing"):
        read_build(write_header(tmp_path / "a.sim", header))


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unknown key 'sattes' \(did you mean 'states'"):
        read_build(write_header(tmp_path / "a.sim", {**HEADER, "sattes": {}}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("inputs", None),
        ("inputs", []),
        ("inputs", {"image": None}),
        ("inputs", {"image": []}),
        ("inputs", {"image": {}}),
        ("inputs", {"image": {"shape": 5}}),
        ("inputs", {"image": {"shape": None}}),
        ("inputs", {"image": {"shape": "1344"}}),
        ("inputs", {"image": {"shape": [1, 3, 0, 6]}}),
        ("inputs", {"image": {"shape": [1, 3, -4, 6]}}),
        ("inputs", {"image": {"shape": [1, 3, 4.0, 6]}}),
        ("inputs", {"image": {"shape": [1, 3, None, 6]}}),
        ("inputs", {"image": {"shape": [[1]]}}),
        ("inputs", {"image": {"shape": [1], "preproces": {}}}),
        ("inputs", {"image": {"shape": [1], "preprocess": 5}}),
        ("inputs", {"image": {"shape": [1], "preprocess": []}}),
        ("inputs", {"image": {"shape": [1], "preprocess": {"to": "grey"}}}),
        ("inputs", {"image": {"shape": [1], "preprocess": {"to": [3]}}}),
        ("inputs", {"image": {"shape": [1], "preprocess": {"mean": [1e400, 0, 0]}}}),
        ("outputs", None),
        ("outputs", 5),
        ("states", None),
        ("states", []),
        ("states", "x"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(ModelError, match="the header is wrong"):
        read_build(write_header(tmp_path / "a.sim", {**HEADER, key: value}))
