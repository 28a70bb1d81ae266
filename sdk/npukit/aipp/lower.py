"""The neutral declaration as an AIPP configuration, and back.

Geometry stays with the host: the unit gets the picture that the host has cut and scaled.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from npukit.aipp import reference
from npukit.aipp.config import AippConfig, AippOp, InputFormat, Mode
from npukit.aipp.csc import RGB_TO_GRAY, YUV_TO_GRAY, Csc, csc_fields, yuv_to_rgb
from npukit.aipp.errors import AippExpressionError
from npukit.aipp.steps import steps
from npukit.color import Color, Matrix, Range
from npukit.preprocess.spec import Preprocess

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
_FP16_MAX = 65504.0


class LoweringError(NamedTuple):
    """What float16 leaves between the unit's result and `(value - mean) * scale`.

    Attributes:
        max_abs, mean_abs: of each channel, over its 256 values.
    """

    max_abs: Tuple[float, ...]
    mean_abs: Tuple[float, ...]


def lower(spec: Preprocess, rank: int = 0, size: Optional[Tuple[int, int]] = None) -> AippConfig:
    """The configuration that does the device's part of a declaration.

    Args:
        spec: the declaration.
        rank: which input of the network it is for.
        size: (width, height) of the network's input, to be written into the file; left out, the
            compiler takes the network's own.

    Raises:
        AippExpressionError: a mean outside of 0..510, or a scale that float16 does not hold.
    """
    if spec.source != "nv21" and spec.to == "gray":
        raise AippExpressionError("gray is the luma of nv21, not of {}".format(spec.source))
    fields = source_fields(spec.source, spec.to, spec.color)
    fields.update(scaling_fields(spec.mean, spec.scale))
    if size is not None:
        fields.update(src_image_size_w=size[0], src_image_size_h=size[1])
    return AippConfig(aipp_op=(AippOp(aipp_mode=Mode.static, related_input_rank=rank, **fields),))


def source_fields(source: str, to: str, color: Color) -> Dict[str, Any]:
    """The fields of format, channel order and colour conversion.

    Args:
        source: nv21, nv12, rgb888, bgr888, xrgb8888 or gray8.
        to: rgb, bgr or gray.
        color: that YUV is in.
    """
    if source in ("nv21", "nv12"):
        csc = YUV_TO_GRAY if to == "gray" else yuv_to_rgb(color, bgr=to == "bgr")
        return {
            "input_format": InputFormat.YUV420SP_U8,
            "rbuv_swap_switch": source == "nv21",
            **csc_fields(csc, "input_bias"),
        }
    if source == "gray8":
        return {"input_format": InputFormat.YUV400_U8, "csc_switch": False}
    # For gray the rows of the table are R, G, B: that order has to be there before.
    same = source.lstrip("x")[:3] == ("rgb" if to == "gray" else to)
    fields: Dict[str, Any] = {
        "input_format": InputFormat.RGB888_U8,
        "rbuv_swap_switch": not same,
    }
    if source == "xrgb8888":
        fields.update(input_format=InputFormat.XRGB8888_U8, ax_swap_switch=True)
    gray = csc_fields(RGB_TO_GRAY, "output_bias")
    fields.update(gray if to == "gray" else {"csc_switch": False})
    return fields


def scaling_fields(mean: Sequence[float], scale: Sequence[float]) -> Dict[str, Any]:
    """The fields of `(value - mean) * scale`: whole levels in mean, the rest in min.

    The unit's mean is an integer, and a fraction beside a large whole part would be lost in
    float16, whose steps are 1/16 from 64 on. Where another split comes closer, it is taken.

    Raises:
        AippExpressionError: a number outside of what the fields hold.
    """
    fields: Dict[str, Any] = {}
    for channel, (middle, factor) in enumerate(zip(mean, scale)):
        if not 0.0 <= middle <= 510.0:
            raise AippExpressionError(
                "mean {} of channel {} cannot be said: mean_chn and min_chn hold 0 to 255 "
                "each".format(middle, channel)
            )
        if not abs(factor) <= _FP16_MAX or (factor and abs(np.float16(factor)) < 6e-5):
            raise AippExpressionError(
                "scale {} of channel {} cannot be said in float16".format(factor, channel),
                hint="fold it into the network's first layer",
            )
        whole = _whole_part(middle, factor)
        fields["mean_chn_{}".format(channel)] = whole
        # Decimal, so that 123.675 leaves 0.675.
        fields["min_chn_{}".format(channel)] = float(Decimal(repr(float(middle))) - whole)
        fields["var_reci_chn_{}".format(channel)] = (float(factor),)
    order = ("mean_chn_", "min_chn_", "var_reci_chn_")
    return {name: fields[name] for start in order for name in fields if name.startswith(start)}


def _whole_part(mean: float, scale: float) -> int:
    """The integer to be subtracted first, so that the largest error of 256 levels is least."""
    half, levels = np.float16, np.arange(256)
    floor = min(int(mean), 255)
    tried = np.arange(max(0, int(mean) - 254), floor + 1)[::-1, np.newaxis]
    rest = (mean - tried).astype(half)
    with np.errstate(over="ignore"):
        found = (levels.astype(half) - tried.astype(half) - rest) * half(scale)
        error = np.abs(found.astype(np.float64) - (levels - mean) * scale).max(axis=1)
    best = int(error.argmin())
    # People look for the whole part of the mean: another one has to be worth it.
    return int(tried[best, 0]) if error[best] < 0.99 * error[0] else floor


def lowering_error(spec: Preprocess) -> LoweringError:
    """How far the unit's arithmetic in float16 is from the declaration's.

    Colour conversion is not part of it: it is the same integer arithmetic in both.

    Raises:
        AippExpressionError: the declaration cannot be lowered.
    """
    done = steps(lower(spec), (2, 2))
    levels = np.arange(256, dtype=np.int64)
    found = reference.normalise(done, np.tile(levels, (done.channels, 1, 1)))
    apart = [
        np.abs(found[channel].astype(np.float64) - (levels - mean) * scale)
        for channel, (mean, scale) in enumerate(zip(spec.mean, spec.scale))
    ]
    return LoweringError(
        tuple(float(item.max()) for item in apart), tuple(float(item.mean()) for item in apart)
    )


def lift(config: AippConfig, index: int = 0, source: str = "rgb888") -> Preprocess:
    """The declaration that says what a configuration does.

    Args:
        config: the file.
        index: which block.
        source: what three bytes a pixel are, rgb888 or bgr888: the file only says whether
            their order is changed.

    Returns:
        A declaration with geometry `full`: what is cut and scaled before the unit is not in the
        file. Numbers are the shortest decimal ones for the file's float32.

    Raises:
        AippExpressionError: the block does what a declaration does not know; it says what.
        AippError: the compiler would refuse the block.
    """
    op = config.aipp_op[index] if index < len(config.aipp_op) else AippOp()
    if op.get("padding") or op.get("crop"):
        raise AippExpressionError(
            "the block cuts or pads; a declaration leaves geometry to the host",
            hint="say it as geometry (center, roi, letterbox) and feed the result",
        )
    sized = op.get("src_image_size_w") and op.get("src_image_size_h")
    done = steps(config, None if sized else (2, 2), index)
    if done.input_format == InputFormat.YUV420SP_U8:
        if not done.rbuv_swap:
            raise AippExpressionError(
                "the block reads NV12 (U first); a declaration knows nv21",
                hint="for a camera's NV21 bytes set rbuv_swap_switch: true",
            )
        to, color = _yuv_target(done.csc)
        source = "nv21"
    elif done.input_format == InputFormat.RGB888_U8:
        if done.csc is not None:
            raise AippExpressionError("the block converts RGB to YUV or gray")
        to, color = _swapped(source) if done.rbuv_swap else source[:3], Color()
    else:
        raise AippExpressionError(
            "a declaration has no source for {}".format(done.input_format.name)
        )
    count = 1 if to == "gray" else 3
    return Preprocess(
        source=source,
        color=color,
        to=to,
        mean=tuple(float(done.mean[item] + _shortest(done.minimum[item])) for item in range(count)),
        scale=tuple(float(_shortest(done.var_reci[item])) for item in range(count)),
    )


def _swapped(source: str) -> str:
    return "bgr" if source == "rgb888" else "rgb"


def _yuv_target(csc: Optional[Csc]) -> Tuple[str, Color]:
    if csc is None:
        raise AippExpressionError(
            "the block gives the network Y, U and V", hint="for RGB set csc_switch: true"
        )
    if csc.rows == YUV_TO_GRAY.rows and csc.input_bias == YUV_TO_GRAY.input_bias:
        return "gray", Color()
    for color in COLORS:
        for to in ("rgb", "bgr"):
            if csc == yuv_to_rgb(color, bgr=to == "bgr"):
                return to, color
    raise AippExpressionError(
        "matrix {} with input_bias {} is none of the vendor's tables".format(
            csc.rows, csc.input_bias
        ),
        hint=_nearest_table(csc),
    )


def _nearest_table(csc: Csc) -> str:
    known = {
        (to, str(color)): yuv_to_rgb(color, bgr=to == "bgr")
        for color in COLORS
        for to in ("rgb", "bgr")
    }

    def apart(name: Tuple[str, str]) -> float:
        table = known[name]
        rows = np.abs(np.subtract(table.rows, csc.rows)).sum()
        return float(rows + np.abs(np.subtract(table.input_bias, csc.input_bias)).sum())

    to, color = min(known, key=apart)
    return "the nearest is {} to {}".format(color, to)


def _shortest(value: float) -> Decimal:
    return Decimal(np.format_float_positional(np.float32(value)))
