"""The vendor's tables of colour conversions.

Source: Ascend CANN, AIPP configuration, "CSC configuration". YUV to RGB is in `npukit.color`.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple

from npukit.color import Color, Matrix, Range, Rows, to_rgb_matrix

Bias = Tuple[int, int, int]
ZERO: Bias = (0, 0, 0)


class Csc(NamedTuple):
    """A conversion, in 1/256: `(rows · (in - input_bias)) >> 8`, plus output_bias."""

    rows: Rows
    input_bias: Bias
    output_bias: Bias

    @property
    def gray(self) -> bool:
        """Whether it leaves one channel, as the vendor's tables to gray do."""
        return self.rows[1] == self.rows[2] == (0, 0, 0)


def yuv_to_rgb(color: Color, bgr: bool = False) -> Csc:
    """YUV420SP of a colour to RGB; to BGR the first and last row change places."""
    rows, bias = to_rgb_matrix(color)
    return Csc(rows[::-1] if bgr else rows, bias, ZERO)


YUV_TO_GRAY = Csc(((256, 0, 0), (0, 0, 0), (0, 0, 0)), ZERO, ZERO)
RGB_TO_GRAY = Csc(((76, 150, 30), (0, 0, 0), (0, 0, 0)), ZERO, ZERO)

# RGB to YUV444; to YVU444 the second and third row change places.
RGB_TO_YUV: Dict[Color, Csc] = {
    Color(Matrix.BT601, Range.FULL): Csc(
        ((77, 150, 29), (-43, -85, 128), (128, -107, -21)), ZERO, (0, 128, 128)
    ),
    Color(Matrix.BT601, Range.LIMITED): Csc(
        ((66, 129, 25), (-38, -74, 112), (112, -94, -18)), ZERO, (16, 128, 128)
    ),
    Color(Matrix.BT709, Range.FULL): Csc(
        ((55, 183, 19), (-29, -99, 128), (128, -116, -12)), ZERO, (0, 128, 128)
    ),
    Color(Matrix.BT709, Range.LIMITED): Csc(
        ((47, 157, 16), (-26, -87, 112), (112, -102, -10)), ZERO, (16, 128, 128)
    ),
}

# What the compiler takes for each field that is left out (GraphEngine, ge_aipp_op.cc).
YUV_DEFAULT = Csc(((298, 516, 0), (298, -100, -208), (298, 0, 409)), (16, 128, 128), (16, 128, 128))
RGB_DEFAULT = Csc(
    RGB_TO_YUV[Color(Matrix.BT601, Range.LIMITED)].rows, (16, 128, 128), (16, 128, 128)
)


def csc_fields(csc: Csc, bias: str) -> Dict[str, Any]:
    """The fields of `aipp_op` that switch a conversion on.

    Args:
        csc: the conversion.
        bias: which of its two counts, input_bias (from YUV) or output_bias (from RGB). It is
            always written: the compiler's default is 16, 128, 128.
    """
    fields: Dict[str, Any] = {"csc_switch": True}
    for row, values in enumerate(csc.rows):
        for column, value in enumerate(values):
            fields["matrix_r{}c{}".format(row, column)] = (value,)
    for row, level in enumerate(getattr(csc, bias)):
        fields["{}_{}".format(bias, row)] = (level,)
    return fields
