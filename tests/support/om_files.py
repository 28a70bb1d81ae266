"""Offline models as a vendor's compiler lays them out, packed by hand and by the protobuf library.

They share no code with npukit.om, whose reader they test.
"""

from __future__ import annotations

import struct
from typing import Any

from support.ge_proto import ModelDef

VERSION_1, VERSION_2 = 0x10000000, 0x20000000
FLOAT16, FLOAT32, UINT8 = 2, 1, 4
WEIGHTS = bytes(range(256)) * 6  # 3 x 512: the filter in the second block, the bias in the third
FILTER, BIAS = (512, 96), (1024, 32)
TASK = b"\x7fTASK" * 9


def header(length: int, version: int = VERSION_1, name: bytes = b"tiny", **changed: Any) -> bytes:
    """256 bytes; `changed`: encrypt, magic, headsize."""
    text = struct.pack(
        "<4sII64sIBBBB32sI32sI",
        changed.get("magic", b"IMOD"), changed.get("headsize", 256), version, bytes(64), length,
        changed.get("encrypt", 0), 0, 0, 0, name, 0, bytes(32), 2,
    )  # fmt: skip
    if version >= VERSION_2:
        text += struct.pack("<I", 1)
    text += struct.pack("<20sB3xQBB", b"1.75.22.0.220", 1, 0, 0, 0)
    return text.ljust(256, b"\0")


def table(parts: list[tuple[int, int, int]], word: int = 4) -> bytes:
    """Type, offset and size of each partition, in words of 4 or 8 bytes."""
    letter = "I" if word == 4 else "Q"
    numbers = [len(parts), *(number for part in parts for number in part)]
    return struct.pack(f"<{len(numbers)}{letter}", *numbers)


def container(
    parts: dict[int, bytes], version: int = VERSION_1, word: int = 4, **changed: Any
) -> bytes:
    """A file with these partitions one after the other."""
    rows, offset = [], 0
    for kind, content in parts.items():
        rows.append((kind, offset, len(content)))
        offset += len(content)
    body = table(rows, word) + b"".join(parts.values())
    return header(len(body), version, **changed) + body


def tiny(version: int = VERSION_1, word: int = 4, aipp: bool = False) -> bytes:
    """A model of one convolution: 3x4x6 in, 4x4x6 out."""
    return container({0: tiny_model(aipp).SerializeToString(deterministic=True), 1: WEIGHTS,
                      2: TASK}, version, word)  # fmt: skip


def tiny_model(aipp: bool = False) -> Any:
    """Its definition, for the protobuf library."""
    model = ModelDef(name="tiny", version=2, custom_version="1.75.22.0.220")
    graph = model.graph.add(name="tiny")
    data = graph.op.add(name="data", type="Data", id=0)
    described(data.input_desc.add(), UINT8 if aipp else FLOAT32, (1, 3, 4, 6), "NCHW",
              36 if aipp else 288)  # fmt: skip
    described(data.output_desc.add(), FLOAT16, (1, 3, 4, 6), "NC1HWC0", 1000)
    if aipp:
        fields = data.attr["aipp"].func
        fields.name = "aipp"
        fields.attr["input_format"].i = 1
        fields.attr["csc_switch"].b = True
        fields.attr["crop"].SetInParent()  # a zero is written as nothing
        fields.attr["var_reci_chn_0"].f = 0.5
    for index, (name, shape, place, layout) in enumerate(
        [("filter", (4, 3, 1, 4), FILTER, "FRACTAL_Z"), ("bias", (1, 4, 1, 1), BIAS, "NC1HWC0")]
    ):
        const = graph.op.add(name=name, type="Const", id=1 + index)
        desc = const.attr["value"].t.desc
        described(desc, FLOAT16, shape, layout)
        desc.data_offset, desc.weight_size = place
        described(const.output_desc.add(), FLOAT16, (1, 1), "NC1HWC0")
    conv = graph.op.add(name="conv", type="Convolution", id=3)
    conv.input.extend(["data:0", "filter:0", "bias:0"])
    conv.attr["stride"].list.i.extend([1, 1])
    conv.attr["stride"].list.val_type = 2
    conv.attr["alpha"].f = 1.0
    described(conv.input_desc.add(), FLOAT16, (1, 3, 4, 6), "NC1HWC0")
    for _ in range(2):
        described(conv.input_desc.add(), FLOAT16, (1, 1), "NC1HWC0")
    described(conv.output_desc.add(), FLOAT16, (1, 4, 4, 6), "NC1HWC0")
    out = graph.op.add(name="Node_Output", type="NetOutput", input=["conv:0"], id=4)
    described(out.input_desc.add(), FLOAT16, (1, 4, 4, 6), "NC1HWC0")
    described(out.output_desc.add(), FLOAT32, (1, 4, 4, 6), "NCHW", 416)
    model.attr["memory_size"].i = 4096
    model.attr["batch_num"].SetInParent()
    model.attr["target_type"].s = b"MINI"
    return model


def described(desc: Any, dtype: int, shape: tuple[int, ...], layout: str, size: int = 0) -> None:
    """Fill a tensor's description."""
    desc.dtype, desc.layout, desc.size = dtype, layout, size
    desc.shape.dim.extend(shape)
