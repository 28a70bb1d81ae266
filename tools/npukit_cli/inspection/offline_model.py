"""Offline models: a board's, or a simulator build in the same container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from npukit.om import Interface, OmFile, parse_om
from npukit.om.messages import DTYPES
from npukit.om.reader import element_count
from npukit.om.wrapping import build_of
from npukit_cli.inspection.build import build_inputs, record_of
from npukit_cli.inspection.description import Description, Tensor, count, plain

# Source: insert_op.proto of the vendor's metadef.
_FORMATS: Mapping[float, str] = {1: "YUV420SP_U8", 2: "XRGB8888_U8", 3: "RGB888_U8", 4: "YUV400_U8"}
_TARGETS = {"MINI": "Ascend 310 (MINI)"}


def describe_om(data: bytes, path: Path) -> Description:
    """Describe an offline model.

    Raises:
        ModelError: it is damaged, or of a family that is not read.
    """
    om = parse_om(memoryview(data), str(path))
    build = build_of(om) if om.wraps_simulator_build else None
    target = om.text("target_type")
    constants = [(desc, len(content)) for _, desc, content in om.constants()]
    inputs = om.inputs()
    found = Description(
        kind="simulator build in an offline model" if build else "offline model",
        file=str(path),
        bytes=len(data),
        name=om.header.name if om.model is None else om.model.name or om.header.name,
        version="" if om.model is None else om.model.custom_version,
        target="simulator" if build else _TARGETS.get(target, target),
        platform=om.header.platform,
        inputs=tuple(_tensor(item) for item in inputs),
        outputs=tuple(_tensor(item) for item in om.outputs()),
        operators=count(op.type for op in om.operators()),
        parameters=sum(element_count(desc.dims) or 0 for desc, _ in constants),
        weight_bytes=len(om.weights),
        memory_bytes=om.number("memory_size"),
        aipp={item.name: plain(item.aipp) for item in inputs if item.aipp is not None},
        facts=_facts(om),
    )
    if build is not None:
        found.inputs = build_inputs(build, str(path))
        found.facts.update(record_of(build))
    if om.model is None:
        found.kind = "encrypted offline model"
        found.aipp = found.parameters = found.weight_bytes = None
        found.notes = ("encrypted: only the header can be read; the device has the key",)
    return found


def _facts(om: OmFile) -> dict[str, object]:
    facts: dict[str, object] = {
        "header version": f"{om.header.version:#x}",
        "IR version": om.header.ir_version,
        "partitions": {part.name: len(part.data) for part in om.partitions},
    }
    for key, name in (("stream_num", "streams"), ("event_num", "events")):
        if om.number(key) is not None:
            facts[name] = om.number(key)
    dtypes = count(DTYPES.get(desc.dtype, (f"dtype {desc.dtype}",))[0]
                   for _, desc, _ in om.constants())  # fmt: skip
    if dtypes:
        facts["constants"] = dtypes
    return facts


def _tensor(item: Interface) -> Tensor:
    form = item.layout
    if item.aipp is not None:
        number = (item.aipp.get("input_format") or (0,))[0]
        form = _FORMATS.get(number, f"input_format {number}")
    return Tensor(item.name, item.dtype, item.shape, form, item.nbytes)
