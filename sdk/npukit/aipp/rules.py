"""What the compiler and the chip refuse in a block: its values, and its formats.

Sources: E10043, GraphEngine's ge_aipp_op.cc; E81012, the operator package's aipp_comm.py (CANN
20.1.rc1); E10034, metadef's error_code.json; ranges, the AIPP configuration template.
"""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

from npukit.aipp.cases import CHANNELS, HALF_BYTES, NO_CODE, PADS, Case, Violation, gives_gray
from npukit.aipp.config import AippOp, InputFormat, Mode
from npukit.aipp.schema import schema


def mode(case: Case) -> Iterator[Violation]:
    """The mode is given."""
    if case.op.get("aipp_mode") == Mode.undefined:
        yield Violation("E10043", "aipp_mode", "aipp_mode must be static or dynamic")


def given_once(case: Case) -> Iterator[Violation]:
    """The schema repeats fields that mean one value."""
    for name, spec in schema(AippOp).items():
        if spec.repeated and len(getattr(case.op, name)) > 1:
            yield Violation("E10043", name, "{} must not be given more than once".format(name))


def not_fp16(case: Case) -> Iterator[Violation]:
    """An input has AIPP or takes float16 from the caller, not both."""
    if case.network.fp16:
        yield Violation(
            "E10034",
            "related_input_rank",
            "input {!r} is named in --input_fp16_nodes and has AIPP".format(case.network.name),
        )


def ranges(case: Case) -> Iterator[Violation]:
    """Numbers are in the ranges of their registers."""
    for name, value in case.op.given().items():
        limits = _range_of(name, case)
        if limits is None:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if not limits[0] <= item <= limits[1] and not (item == 0 and name in _ZERO_TOO):
                yield Violation(
                    "E10043" if item < 0 and name in _NEVER_NEGATIVE else "E81012",
                    name,
                    "{}[{}] must be in [{}, {}]".format(name, item, *limits),
                )


_ZERO_TOO = ("src_image_size_w", "src_image_size_h")
# GraphEngine looks at these before the operator package does.
_NEVER_NEGATIVE = _ZERO_TOO + PADS + ("load_start_pos_w", "load_start_pos_h", "crop_size_w")


def _range_of(name: str, case: Case) -> Optional[Tuple[float, float]]:
    if name.startswith(("mean_chn_", "min_chn_", "output_bias_", "input_bias_")):
        return (0, 255)
    if name.startswith("var_reci_chn_") or name == "padding_value":
        return (-65504, 65504)
    if name.startswith("matrix_"):
        return (-(2**15), 2**15 - 1)
    if name.startswith("load_start_pos_"):
        return (0, 4095)
    if name.startswith("crop_size_"):
        return (0, 4096)
    if name in PADS:
        return (0, case.limit("aipp_padding_max")[1])
    chip = {"src_image_size_w": "aipp_width", "src_image_size_h": "aipp_height"}
    return case.limit(chip[name]) if name in chip else None


def reserved(case: Case) -> Iterator[Violation]:
    """What the chip does not do, or not yet."""
    for name in ("support_rotation", "single_line_mode", "cpadding_value"):
        if case.op.get(name):
            yield Violation(NO_CODE, name, "{} is reserved: it has no effect".format(name))
    for name in ("resize", "raw_rgbir_to_f16_n"):
        if case.op.get(name):
            yield Violation("E81012", name, "{} does not support {}".format(case.chip.title, name))


def max_size(case: Case) -> Iterator[Violation]:
    """The buffer of dynamic AIPP holds the largest picture."""
    given = case.op.get("max_src_image_size")
    if not given:
        yield Violation(
            "E10043", "max_src_image_size", "dynamic AIPP needs max_src_image_size above 0"
        )
    sizes = list(case.context.dynamic_image_sizes)
    if case.network.width and case.network.height:
        sizes.append((case.network.width, case.network.height))
    if given and sizes:
        # The format is not known before run time: the smallest that any of them can take.
        pixels = max(width * height for width, height in sizes) * case.network.batch
        least = pixels * min(HALF_BYTES.values()) // 2
        if case.op.input_format in HALF_BYTES:
            least = pixels * HALF_BYTES[case.op.get("input_format")] // 2
        if given < least:
            yield Violation(
                "E81012",
                "max_src_image_size",
                "max_src_image_size[{}] must be at least {}".format(given, least),
            )


def input_format(case: Case) -> Iterator[Violation]:
    """The chip takes the format, and can convert it."""
    wanted = case.op.get("input_format")
    if wanted == InputFormat.UNDEFINED:
        yield Violation("E10043", "input_format", "static AIPP needs input_format")
    elif wanted.name not in case.chip.input_formats.value:
        yield Violation(
            "E81012",
            "input_format",
            "{} only supports {}, not {}".format(
                case.chip.title, ", ".join(case.chip.input_formats.value), wanted.name
            ),
        )
    if wanted == InputFormat.YUV400_U8 and case.op.get("csc_switch"):
        yield Violation(
            "E81012",
            "csc_switch",
            "when input_format is YUV400_U8, it doesn't make sense to convert to RGB",
        )


def channels(case: Case) -> Iterator[Violation]:
    """The network takes as many channels as the format gives."""
    wanted, given = CHANNELS.get(case.op.get("input_format")), case.network.channels
    if wanted is None or given is None or given == wanted:
        return
    if given == 1 and gives_gray(case.op):
        return  # what the vendor's tables of a conversion to gray are for
    yield Violation(
        "E81012",
        "input_format",
        "input c[{}] must be {} when input_format is {}".format(
            given, wanted, case.op.get("input_format").name
        ),
    )
