"""What the compiler and the chip refuse in the sizes of a static block.

Sources: E81012, the operator package's aipp_comm.py (CANN 20.1.rc1); E70014, metadef's
error_code.json.
"""

from __future__ import annotations

from typing import Iterator

from npukit.aipp.cases import NO_CODE, Case, Violation, output_size
from npukit.aipp.config import InputFormat


def source_size(case: Case) -> Iterator[Violation]:
    """A size is given where something is cut or padded, and is even for YUV420SP."""
    for axis in "wh":
        name = "src_image_size_" + axis
        value = case.op.get(name)
        moved = case.op.get("crop") or case.op.get("padding")
        if moved and value <= 0:
            yield Violation(
                "E81012", name, "when crop or padding is enabled, {} must be above 0".format(name)
            )
        if case.op.input_format == InputFormat.YUV420SP_U8 and value % 2:
            yield Violation(
                "E81012", name, "{}[{}] must be even for YUV420SP_U8".format(name, value)
            )


def profiles(case: Case) -> Iterator[Violation]:
    """With profiles of the image size, a static block says nothing of sizes."""
    if not case.context.dynamic_image_sizes:
        return
    for name in ("crop", "padding", "src_image_size_w", "src_image_size_h"):
        if case.op.get(name):
            yield Violation(
                NO_CODE,
                name,
                "with --dynamic_image_size, {} must be left out of static AIPP".format(name),
            )


def crop(case: Case) -> Iterator[Violation]:
    """The part lies in the picture, on even numbers for YUV420SP."""
    op = case.op
    if not op.get("crop"):
        return
    for axis, network in (("w", case.network.width), ("h", case.network.height)):
        start, size = op.get("load_start_pos_" + axis), op.get("crop_size_" + axis)
        source = op.get("src_image_size_" + axis)
        if size == 0 and op.get("padding"):
            yield Violation(
                "E81012",
                "crop_size_" + axis,
                "crop_size_{} must be given when padding is enabled".format(axis),
            )
        elif start + (size or network or 0) > source:
            yield Violation(
                "E81012",
                "crop_size_" + axis,
                "load_start_pos_{0}[{1}] + crop_size_{0}[{2}] must not exceed "
                "src_image_size_{0}[{3}]".format(axis, start, size or network, source),
            )
        for name, value in (("load_start_pos_", start), ("crop_size_", size)):
            if op.input_format == InputFormat.YUV420SP_U8 and value % 2:
                yield Violation(
                    "E81012",
                    name + axis,
                    "when input_format is YUV420SP_U8, {}{}[{}] must be even".format(
                        name, axis, value
                    ),
                )


def result_size(case: Case) -> Iterator[Violation]:
    """What comes out is as large as what the network takes."""
    width, height = output_size(case.op, case.network.width, case.network.height)
    for axis, given, network in (
        ("w", width, case.network.width),
        ("h", height, case.network.height),
    ):
        if given is not None and network is not None and given != network:
            yield Violation(
                "E70014",
                ("crop_size_" if case.op.get("crop") else "src_image_size_") + axis,
                "aipp output H and W should equal data's H and W: {} gives {}, the network "
                "takes {}".format(axis, given, network),
            )
    largest = case.chip.limits["aipp_padded_width_max"].value
    if case.op.get("padding") and largest is not None and (width or 0) > largest:
        yield Violation(
            "E81012",
            "right_padding_size",
            "after padding, the width[{}] must not exceed {}".format(width, largest),
        )
