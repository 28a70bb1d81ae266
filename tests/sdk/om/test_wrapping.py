"""Simulator builds as offline models: back whole, the same bytes each time, readable by others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ge_proto
from support.netron import read_with_netron
from support.om_files import VERSION_2, tiny

from npukit.errors import ModelError, OfflineModelError
from npukit.om import (
    OmGraph,
    OmNode,
    OmTensor,
    is_om,
    parse_om,
    read_om,
    unwrap,
    wrap,
    write_wrapped,
)
from npukit.om.integrity import with_digest
from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, is_build, pack_build
from npukit.runtime.declaration import InputSpec

SHAPE = (1, 3, 4, 6)
BUILD = SimulatorBuild("b", {"image": InputSpec(SHAPE, Preprocess())}, ("out",), b"onnx")
PLAIN = OmGraph("g", (OmNode("n", "Abs", ("image",), ("out",)),), ("image",), ("out",),
                {"image": OmTensor("float32", SHAPE)})  # fmt: skip


@pytest.fixture
def path(tmp_path: Path, wrapped: bytes) -> Path:
    (tmp_path / "net.om").write_bytes(wrapped)
    return tmp_path / "net.om"


# --- back ---


def test_the_build_comes_back_whole(path: Path, wrapped: bytes) -> None:
    build = unwrap(str(path))
    assert build.name == "net"
    assert pack_build(build) in wrapped
    assert build.states == {"state": "alpha"}
    assert list(build.inputs) == ["image", "state"]


def test_without_a_graph_too(tmp_path: Path) -> None:
    write_wrapped(str(tmp_path / "b.om"), BUILD)
    assert unwrap(str(tmp_path / "b.om")) == BUILD
    om = read_om(str(tmp_path / "b.om"))
    assert [op.type for op in om.operators()] == ["Data", "SimulatorBuild", "NetOutput"]
    assert [item.name for item in om.outputs()] == ["out"]


def test_equal_arguments_give_equal_bytes() -> None:
    def once(order: int) -> bytes:
        fields = [("b", 2), ("a", 1)][::order]
        nodes = [node._replace(attrs=dict(fields)) for node in PLAIN.nodes]
        return wrap(BUILD, PLAIN._replace(nodes=tuple(nodes)), {"image": dict(fields)})

    assert once(1) == once(-1)
    assert hashlib.sha256(once(1)).digest() != hashlib.sha256(wrap(BUILD, PLAIN)).digest()


def test_it_is_known_by_its_content(path: Path, tmp_path: Path) -> None:
    assert is_om(str(path))
    assert not is_build(str(path))
    other = tmp_path / "other.om"
    other.write_bytes(pack_build(BUILD))
    assert not is_om(str(other))
    assert not is_om(str(tmp_path / "absent.om"))
    assert not is_om(str(tmp_path))


def test_a_failed_write_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    broken = PLAIN._replace(nodes=(OmNode("n", "Abs", ("absent",), ("out",)),))
    with pytest.raises(OfflineModelError, match="nothing gives the tensor 'absent'"):
        write_wrapped(str(path), BUILD, broken)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("version", [0, VERSION_2])
def test_a_boards_model_is_refused_with_what_to_do(tmp_path: Path, version: int) -> None:
    path = tmp_path / "board.om"
    path.write_bytes(tiny(version or 0x10000000))
    with pytest.raises(OfflineModelError) as caught:
        unwrap(str(path))
    assert "a board's offline model (platform 1.75.22.0.220)" in caught.value.message
    assert "npukit convert" in caught.value.hint
    assert caught.value.where == str(path)


def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    whole = wrap(BUILD, PLAIN)
    path = tmp_path / "net.om"
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(ModelError):
            unwrap(str(path))


def test_a_damaged_build_within_is_refused(tmp_path: Path) -> None:
    whole = wrap(BUILD, PLAIN)
    path = tmp_path / "net.om"
    path.write_bytes(with_digest(whole.replace(b"onnx", b"0nnx")))
    with pytest.raises(ModelError, match="cut short or changed"):
        unwrap(str(path))


# --- what readers see ---


def test_the_header_and_the_partitions(wrapped: bytes) -> None:
    om = parse_om(memoryview(wrapped), "net.om")
    assert om.wraps_simulator_build
    assert (om.header.platform, om.header.name, om.header.operators) == ("simulator", "net", 8)
    assert [part.name for part in om.partitions] == ["MODEL_DEF", "WEIGHTS_DATA"]
    assert om.text("target_type") == "SIMULATOR"


def test_a_picture_is_bytes_and_goes_through_aipp(wrapped: bytes) -> None:
    om = parse_om(memoryview(wrapped), "net.om")
    image, state = om.inputs()
    assert (image.dtype, image.shape, image.layout, image.nbytes) == (
        "uint8", (1, 4, 6, 3), "NHWC", 36,
    )  # fmt: skip
    assert image.aipp == {
        "aipp_mode": (1,), "input_format": (1,), "csc_switch": (True,), "matrix_r0c0": (298,),
        "var_reci_chn_0": (0.25,), "mean_chn_0": (0,),
    }  # fmt: skip
    assert (state.dtype, state.shape, state.nbytes, state.aipp) == (
        "float32", (1, 1, 4, 6), 96, None,
    )  # fmt: skip
    aipp = om.operators()[1]
    assert (aipp.name, aipp.type, aipp.input) == ("image_0_huawei_aipp", "Aipp", ("image:0",))
    assert om.operators()[0].attr["_data_related_aipp_mode"].s == b"static_aipp"


def test_weights_are_aligned_and_whole(wrapped: bytes) -> None:
    om = parse_om(memoryview(wrapped), "net.om")
    found = {op.name: (desc, content) for op, desc, content in om.constants()}
    assert np.frombuffer(found["kernel"][1], np.float32).tolist() == [0, 1, 2, 3]
    assert np.frombuffer(found["bias"][1], np.float32).tolist() == [7]
    assert [desc.data_offset for desc, _ in found.values()] == [0, 512]
    assert found["kernel"][0].dims == (1, 4, 1, 1)


def test_names_that_are_taken_get_a_number() -> None:
    nodes = (
        OmNode("image", "Abs", ("image",), ("a",)),
        OmNode("image", "Abs", ("a",), ("b",)),
        OmNode("", "Abs", ("b",), ("out",)),
    )
    om = parse_om(memoryview(wrap(BUILD, PLAIN._replace(nodes=nodes))), "net.om")
    wiring = [(op.name, op.input) for op in om.operators()]
    assert wiring == [
        ("image", ()), ("image_1", ("image:0",)), ("image_2", ("image_1:0",)),
        ("Abs", ("image_2:0",)), ("Node_Output", ("Abs:0",)),
    ]  # fmt: skip


def test_inputs_and_outputs_are_the_builds_in_its_order() -> None:
    inputs = {"b": InputSpec((1,)), "a": InputSpec((1,))}
    build = SimulatorBuild("net", inputs, ("y", "x"), b"onnx")
    node = OmNode("n", "Split", ("a", "b"), ("x", "y", "z"))
    graph = OmGraph("g", (node,), ("a", "b"), ("x", "y", "z"), {})
    om = parse_om(memoryview(wrap(build, graph)), "net.om")
    assert [item.name for item in om.inputs()] == ["b", "a"]
    assert [item.name for item in om.outputs()] == ["y", "x"]


def test_a_long_name_is_cut_between_characters() -> None:
    build = SimulatorBuild("é" * 40, BUILD.inputs, BUILD.outputs, b"onnx")
    om = parse_om(memoryview(wrap(build)), "net.om")
    assert om.header.name == "é" * 15
    assert om.model is not None
    assert om.model.name == "é" * 40


@pytest.mark.parametrize(
    ("graph", "aipp", "message"),
    [
        (None, {"imgae": {}}, "input 'imgae' takes no picture"),
        (PLAIN._replace(nodes=()), {}, "nothing gives the tensor 'out'"),
        (PLAIN._replace(inputs=("imgae",)), {}, "the graph takes imgae, the build image"),
        (PLAIN._replace(tensors={}), {"image": {}}, r"input 'image' \(\) takes no picture"),
        (PLAIN._replace(tensors={"image": OmTensor("complex64", SHAPE)}), {}, "no complex64"),
    ],
)
def test_what_does_not_fit_is_refused(graph: Any, aipp: Any, message: str) -> None:
    with pytest.raises(OfflineModelError, match=message):
        wrap(BUILD, graph, aipp)


# --- others' readers ---


def test_the_protobuf_library_reads_the_definition(wrapped: bytes) -> None:
    om = parse_om(memoryview(wrapped), "net.om")
    model = ge_proto.ModelDef.FromString(bytes(om.partitions[0].data))
    assert ge_proto.unknown_fields(model) == 0
    assert [op.type for op in model.graph[0].op] == [
        "Data", "Aipp", "Data", "Const", "Const", "Concat", "Convolution", "NetOutput",
    ]  # fmt: skip
    fields = model.graph[0].op[0].attr["aipp"].func.attr
    assert fields["matrix_r0c0"].i == 298
    assert fields["csc_switch"].WhichOneof("value") == "b"
    assert fields["var_reci_chn_0"].f == 0.25
    mix = model.graph[0].op[6]
    assert list(mix.input) == ["join:0", "kernel:0", "", "bias:0"]
    assert list(mix.attr["stride"].list.i) == [1, 1]
    assert mix.attr["mode"].s == b"plain"
    assert list(mix.attr["names"].list.s) == [b"a", b"b"]
    assert model.attr["npukit_build"].bt.startswith(b"NPUKSIM1")


def test_netron_opens_a_wrapped_build(path: Path) -> None:
    shown = read_with_netron(path)
    assert shown["format"] == "DaVinci OM"
    (graph,) = shown["graphs"]
    assert graph["name"] == "graph"
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert [node["type"] for node in graph["nodes"]] == [
        "Data", "Aipp", "Data", "Concat", "Convolution", "NetOutput",
    ]  # fmt: skip
    assert nodes["image"]["outputs"] == [["image:0", "uint8[1,4,6,3]", None]]
    assert nodes["mix"]["inputs"] == [
        ["join:0", "float32[1,4,4,6]", None],
        ["kernel:0", "float32[1,4,1,1]", 16],
        ["bias:0", "float32[1]", 4],
    ]
    assert {"stride", "pad", "scale", "on", "names"} <= set(nodes["mix"]["attributes"])
    assert "aipp" in nodes["image"]["attributes"]


def test_netron_opens_a_build_without_a_graph(tmp_path: Path) -> None:
    write_wrapped(str(tmp_path / "b.om"), BUILD)
    (graph,) = read_with_netron(tmp_path / "b.om")["graphs"]
    assert [node["type"] for node in graph["nodes"]] == ["Data", "SimulatorBuild", "NetOutput"]


def test_netron_refuses_what_is_damaged(path: Path) -> None:
    """So that the tests above could fail."""
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(AssertionError, match="Error: "):
        read_with_netron(path)
