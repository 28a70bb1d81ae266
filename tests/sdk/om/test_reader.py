"""The reader: a vendor's file, files in its layout of both versions, and those that are refused."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from support import ge_proto, om_files
from support.netron import read_with_netron
from support.om_files import VERSION_1, VERSION_2, container, tiny, tiny_model

from npukit.errors import ModelError, OfflineModelError
from npukit.om import Interface, OmFile, parse_om, read_om
from npukit.om.codec import encode


def parse(data: bytes) -> OmFile:
    return parse_om(memoryview(data), "net.om")


def refused(data: bytes) -> str:
    with pytest.raises(OfflineModelError) as caught:
        parse(data)
    assert caught.value.where == "net.om"
    assert caught.value.hint
    return str(caught.value)


# --- a compiled file ---


def test_the_vendors_file_is_read_as_it_is_documented(real: bytes) -> None:
    om = parse(real)
    assert om.header.name == "CNNFacepoint"
    assert om.header.platform == "1.11.z.0"
    assert (om.header.version, om.header.ir_version, om.header.platform_type) == (VERSION_1, 2, 1)
    assert om.header.length == len(real) - 256
    assert [(part.name, part.offset, len(part.data)) for part in om.partitions] == [
        ("MODEL_DEF", 0, 11652), ("WEIGHTS_DATA", 11652, 279552), ("TASK_INFO", 291204, 30935),
    ]  # fmt: skip
    assert len(om.operators()) == 34
    assert om.inputs() == (Interface("data", "float32", (1, 1, 40, 40), "NCHW", 6400),)
    assert om.outputs() == (Interface("Dense2", "float32", (1, 136, 1, 1), "NCHW", 544),)
    assert om.text("target_type") == "MINI"
    numbers = {name: om.number(name) for name in ("memory_size", "stream_num", "batch_num", "x")}
    assert numbers == {"memory_size": 108032, "stream_num": 1, "batch_num": 0, "x": None}
    assert not om.wraps_simulator_build


def test_the_vendors_constants_lie_where_their_descriptions_say(real: bytes) -> None:
    constants = {op.name: (desc, len(content)) for op, desc, content in parse(real).constants()}
    assert len(constants) == 12
    desc, size = constants["Conv1_const_1"]
    assert (desc.dims, desc.layout, desc.data_offset) == ((16, 1, 5, 5), "FRACTAL_Z", 512)
    assert size == 12800
    assert constants["Dense2_const_2"][1] == 320


def test_the_vendors_definition_is_written_back_with_the_same_bytes(real: bytes) -> None:
    om = parse(real)
    assert om.model is not None
    # In another order: maps are sorted by key.
    assert sorted(encode(om.model)) == sorted(bytes(om.partitions[0].data))
    theirs = ge_proto.ModelDef.FromString(bytes(om.partitions[0].data))
    assert ge_proto.unknown_fields(theirs) == 0
    assert ge_proto.ModelDef.FromString(encode(om.model)) == theirs


def test_what_is_large_is_a_slice_of_the_file(real: bytes) -> None:
    tracemalloc.start()
    om = parse(real)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(real), "neither weights nor tasks are copied"
    assert om.weights.obj is real


# --- its layout, both versions ---


@pytest.mark.parametrize(
    ("version", "word"), [(VERSION_1, 4), (VERSION_1, 8), (VERSION_2, 4), (VERSION_2, 8)]
)
def test_both_versions_and_both_tables_are_read(version: int, word: int, tmp_path: Path) -> None:
    path = tmp_path / "tiny.om"
    path.write_bytes(tiny(version, word))
    om = read_om(str(path))
    assert (om.header.platform, om.header.platform_type) == ("1.75.22.0.220", 1)
    assert [bytes(part.data) for part in om.partitions[1:]] == [om_files.WEIGHTS, om_files.TASK]
    assert [op.type for op in om.operators()] == [
        "Data", "Const", "Const", "Convolution", "NetOutput",
    ]  # fmt: skip
    assert om.inputs() == (Interface("data", "float32", (1, 3, 4, 6), "NCHW", 288),)
    assert om.outputs() == (Interface("conv", "float32", (1, 4, 4, 6), "NCHW", 384),)
    contents = [bytes(content) for _, _, content in om.constants()]
    assert contents == [om_files.WEIGHTS[512:608], om_files.WEIGHTS[1024:1056]]
    stride = om.operators()[3].attr["stride"].list
    assert stride is not None
    assert stride.i == (1, 1)


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
@pytest.mark.parametrize("word", [4, 8])
def test_netron_reads_the_same_layouts(version: int, word: int, tmp_path: Path) -> None:
    (tmp_path / "tiny.om").write_bytes(tiny(version, word, aipp=True))
    (graph,) = read_with_netron(tmp_path / "tiny.om")["graphs"]
    conv = graph["nodes"][1]
    assert (graph["name"], conv["type"]) == ("tiny", "Convolution")
    assert [size for _, _, size in conv["inputs"]] == [None, 96, 32]


def test_preprocessing_in_the_device_is_shown(tmp_path: Path) -> None:
    (taken,) = parse(tiny(aipp=True)).inputs()
    assert (taken.dtype, taken.nbytes) == ("uint8", 36)
    assert taken.aipp == {
        "input_format": (1,), "csc_switch": (True,), "crop": (0,), "var_reci_chn_0": (0.5,),
    }  # fmt: skip


def test_a_constant_may_hold_its_own_bytes_or_lie_at_a_merged_offset() -> None:
    model = tiny_model()
    desc = model.graph[0].op[1].attr["value"].t.desc
    desc.data_offset = 10**9
    desc.attr["merged_offset"].i = 256
    model.graph[0].op[2].attr["value"].t.data = b"own"
    found = [bytes(content) for _, _, content in parse(packed(model)).constants()]
    assert found == [om_files.WEIGHTS[256:352], b"own"]


def test_types_and_sizes_that_are_not_known_are_said_to_be() -> None:
    model = tiny_model()
    given = model.graph[0].op[0].input_desc[0]
    given.dtype = 77
    given.shape.dim[0] = -1
    (taken,) = parse(packed(model)).inputs()
    assert taken == Interface("data", "dtype 77", (-1, 3, 4, 6), "NCHW", None)


def packed(model: Any, **changed: Any) -> bytes:
    content = model.SerializeToString(deterministic=True)
    return container({0: content, 1: om_files.WEIGHTS, 2: om_files.TASK}, **changed)


# --- other kinds of file ---


def test_an_encrypted_file_shows_its_header() -> None:
    om = parse(container({0: b"\xff" * 100}, encrypt=1))
    assert om.header.encrypted
    assert om.header.name == "tiny"
    assert om.model is None
    assert om.operators() == om.inputs() == om.outputs() == om.partitions == ()
    assert om.number("memory_size") is None


def test_the_svp_family_is_named() -> None:
    assert "SVP family (signature PICO), not of Ascend 310" in refused(b"PICO" + bytes(400))


@pytest.mark.parametrize(
    "content", [b"", b"IMO", b"\x08\x07onnx" * 50, b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_another_kind_of_file_is_named(content: bytes) -> None:
    text = refused(content)
    assert "not an offline model" in text
    assert "Git LFS pointer" in text


@pytest.mark.parametrize("name", ["absent.om", ""])
def test_what_cannot_be_read_is_a_typed_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="the offline model cannot be read"):
        read_om(str(tmp_path / name))


# --- damaged: lengths, counts, offsets ---


def rows(*parts: tuple[int, int, int], count: int | None = None, rest: int = 3000) -> bytes:
    body = om_files.table(list(parts))
    if count is not None:
        body = struct.pack("<I", count) + body[4:]
    body += bytes(rest)
    return om_files.header(len(body)) + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"IMOD" + bytes(200), "204 bytes, the header alone has 256"),
        (om_files.header(0), "the header has 256 of 256 bytes"),
        (om_files.header(5, headsize=4) + bytes(5), "the header has 4 of 261 bytes"),
        (om_files.header(5, headsize=2**32 - 1) + bytes(5), "the header has 4294967295"),
        (om_files.header(6) + bytes(5), "5 bytes after the header, it says 6"),
        (tiny() + b"\0", "bytes after the header, it says"),
        (om_files.header(2) + bytes(2), "it is cut short"),
        (rows((0, 0, 9), count=0), "0 partitions"),
        (rows((0, 0, 9), count=33), "33 partitions"),
        (rows((0, 0, 9), count=2**32 - 1), "4294967295 partitions"),
        (rows((0, 0, 9), count=30, rest=0), "it is cut short"),
        (rows((1, 0, 9)), "there is no model definition"),
        (rows((0, 0, 0), (1, 0, 9)), "there is no model definition"),
        (rows((0, 0, 9), (0, 9, 9)), "partition type 0 is unknown or there twice"),
        (rows((0, 0, 9), (77, 9, 9)), "partition type 77 is unknown"),
        (rows((0, 0, 3001)), "partition 0 ends at 3001, the file at 3000"),
        (rows((0, 2**32 - 1, 9)), "partition 0 ends at 4294967304"),
        (rows((0, 0, 9), (1, 8, 9)), "partitions 0 and 1 overlap"),
    ],
)  # fmt: skip
def test_a_wrong_number_is_named(data: bytes, reason: str) -> None:
    assert reason in refused(data)


@pytest.mark.parametrize(
    ("offset", "size"), [(1537, 0), (1500, 100), (-1, 4), (0, -1), (2**62, 2**62), (0, 2**63 - 1)]
)
def test_a_constant_outside_the_weights_is_refused(offset: int, size: int) -> None:
    model = tiny_model()
    desc = model.graph[0].op[1].attr["value"].t.desc
    desc.data_offset, desc.weight_size = offset, size
    assert "constant 'filter' lies at" in refused(packed(model))


def test_a_definition_that_is_none_is_refused() -> None:
    text = refused(container({0: b"\x3a\x05\x32\x07abc"}))
    assert "the model definition is damaged: ModelDef.graph: " in text


@pytest.mark.parametrize("definition", [b"\x10\x02", b"\x3a\x00"], ids=["no graph", "empty"])
def test_a_definition_without_operators_is_refused(definition: bytes) -> None:
    assert "it has no operators" in refused(container({0: definition}))


def test_a_file_without_weights_is_read() -> None:
    om = parse(container({0: b"\x3a\x02\x32\x00"}))
    assert len(om.operators()) == 1
    assert len(om.weights) == 0
