"""The command lines of omg and atc: exact, and inside the documented grammar.

The grammar is that of the stand-in compiler, written from the vendor's documents.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stand_in_compiler import FLAGS, parse

from npukit.errors import ConfigError
from npukit_convert.compilers.atc import Atc
from npukit_convert.compilers.command import Command, Request
from npukit_convert.compilers.omg import Omg

CAFFE = Request(
    "net", "caffe", "net.prototxt", "net.caffemodel",
    {"image": (1, 3, 144, 256), "last": (1, 1, 144, 256)},
    aipp="net.aipp.cfg", aipp_inputs=("image",),
)  # fmt: skip
ONNX = replace(CAFFE, form="onnx", model="net.onnx", weights=None, soc_version="Ascend310")


def test_omg() -> None:
    assert Omg().arguments(CAFFE) == (
        "--framework=0",
        "--model=net.prototxt",
        "--weight=net.caffemodel",
        "--output=net",
        "--input_shape=image:1,3,144,256;last:1,1,144,256",
        "--input_format=NCHW",
        "--insert_op_conf=net.aipp.cfg",
        "--output_type=FP32",
    )


def test_atc() -> None:
    assert Atc().arguments(ONNX) == (
        "--framework=5",
        "--model=net.onnx",
        "--output=net",
        "--input_shape=image:1,3,144,256;last:1,1,144,256",
        "--input_format=NCHW",
        "--insert_op_conf=net.aipp.cfg",
        "--output_type=FP32",
        "--soc_version=Ascend310",
    )


@pytest.mark.parametrize(
    ("command", "request_", "changes", "flag"),
    [
        (Omg, CAFFE, {"fp16_inputs": ("last",)}, "--input_fp16_nodes=last"),
        (Omg, CAFFE, {"high_precision": True}, "--fp16_high_prec=1"),
        (Omg, CAFFE, {"calibration": "cal.cfg"}, "--cal_conf=cal.cfg"),
        (Omg, CAFFE, {"output_type": "UINT8"}, "--output_type=UINT8"),
        (Omg, CAFFE, {"options": {"ddk_version": "1.31.T15.B150"}}, "--ddk_version=1.31.T15.B150"),
        (Atc, replace(CAFFE, soc_version="Ascend310"), {}, "--weight=net.caffemodel"),
        (Atc, ONNX, {"high_precision": True}, "--op_select_implmode=high_precision"),
        (Atc, ONNX, {"precision_mode": "force_fp16"}, "--precision_mode=force_fp16"),
        (Atc, ONNX, {"output_type": "FP16"}, "--output_type=FP16"),
        (Atc, ONNX, {"batches": (1, 2, 4)}, "--dynamic_batch_size=1,2,4"),
        (
            Atc, ONNX, {"batches": (1, 2)},
            "--input_shape=image:-1,3,144,256;last:-1,1,144,256",
        ),
        (Atc, ONNX, {"sizes": ((144, 256), (72, 128))}, "--dynamic_image_size=144,256;72,128"),
        (
            Atc, ONNX, {"sizes": ((144, 256), (72, 128))},
            "--input_shape=image:1,3,-1,-1;last:1,1,-1,-1",
        ),
        (Atc, ONNX, {"options": {"log": "info"}}, "--log=info"),
        (Atc, ONNX, {"calibration": "cal.cfg"}, "--compression_optimize_conf=cal.cfg"),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_on_the_command_line(
    command: type[Command], request_: Request, changes: dict[str, Any], flag: str
) -> None:
    arguments = command().arguments(replace(request_, **changes))
    assert flag in arguments
    parse(command.tool, list(arguments))


@pytest.mark.parametrize(
    ("command", "request_", "changes", "key"),
    [
        (Omg, CAFFE, {"form": "onnx"}, "route"),
        (Omg, CAFFE, {"output_type": "FP16"}, "compiler.output_type"),
        (Omg, CAFFE, {"batches": (1, 2)}, "compiler.dynamic_batch"),
        (Omg, CAFFE, {"sizes": ((1, 2), (3, 4))}, "compiler.dynamic_image_size"),
        (Omg, CAFFE, {"precision_mode": "force_fp16"}, "compiler.precision_mode"),
        (Omg, CAFFE, {"options": {"soc_version": "Ascend310"}}, "compiler.options"),
        (Omg, CAFFE, {"options": {"model": "other"}}, "compiler.options"),
        (Atc, ONNX, {"soc_version": None}, "compiler.soc_version"),
        (Atc, ONNX, {"fp16_inputs": ("image",)}, "compiler.input_fp16_nodes"),
        (Atc, ONNX, {"fp16_inputs": ("lats",)}, "compiler.input_fp16_nodes"),
        (Atc, ONNX, {"precision_mode": "fp16"}, "compiler.precision_mode"),
        (Atc, ONNX, {"batches": (1, 2), "sizes": ((1, 2), (3, 4))}, "compiler.dynamic_batch"),
        (Atc, ONNX, {"batches": (4,)}, "compiler.dynamic_batch"),
        (Atc, ONNX, {"batches": (4, 4)}, "compiler.dynamic_batch"),
        (Atc, ONNX, {"options": {"net_format": "ND"}}, "compiler.options"),
        (Atc, ONNX, {"calibration": "c", "high_precision": True}, "compiler.high_precision"),
        (
            Atc,
            ONNX,
            {"calibration": "c", "precision_mode": "force_fp32"},
            "compiler.precision_mode",
        ),
        (Atc, ONNX, {"calibration": "c", "batches": (1, 2)}, "compiler.dynamic_batch"),
    ],
)
def test_what_the_compiler_cannot_do_is_refused_before(
    command: type[Command], request_: Request, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        command().arguments(replace(request_, **changes))
    assert caught.value.where == key


def test_the_flags_are_those_of_the_documents() -> None:
    for command in (Omg, Atc):
        assert command.flags == FLAGS[command.tool]


requests = st.builds(
    replace,
    st.just(ONNX),
    shapes=st.dictionaries(
        st.from_regex(r"[A-Za-z_][\w./:-]{0,20}", fullmatch=True),
        st.lists(st.integers(1, 4096), min_size=1, max_size=4).map(tuple),
        min_size=1,
        max_size=4,
    ),
    aipp_inputs=st.just(()),
    output_type=st.sampled_from(["FP32", "FP16", "UINT8"]),
    high_precision=st.booleans(),
    precision_mode=st.sampled_from([None, "force_fp16", "allow_mix_precision"]),
    batches=st.lists(st.integers(1, 64), min_size=2, max_size=8, unique=True).map(tuple)
    | st.just(()),
)


@settings(derandomize=True)
@given(requests)
def test_every_command_line_is_inside_the_grammar(request: Request) -> None:
    flags = parse("atc", list(Atc().arguments(request)))
    shapes = [item.rpartition(":") for item in flags["input_shape"].split(";")]
    assert [name for name, _, _ in shapes] == list(request.shapes)
    for (_, _, sides), shape in zip(shapes, request.shapes.values(), strict=True):
        first = -1 if request.batches else shape[0]
        assert tuple(map(int, sides.split(","))) == (first, *shape[1:])
