"""What the preprocessing unit does to one picture: a configuration with every default applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional, Tuple

from npukit.aipp.cases import (
    CHANNELS,
    HALF_BYTES,
    PADS,
    Context,
    NetworkInput,
    output_size,
)
from npukit.aipp.config import AippConfig, AippOp, InputFormat, Mode
from npukit.aipp.constraints import check
from npukit.aipp.csc import RGB_DEFAULT, YUV_DEFAULT, Csc
from npukit.aipp.errors import AippExpressionError
from npukit.arrays import U8
from npukit.errors import AippError, FrameError
from npukit.frame import Rect


class Rounding(Enum):
    """What becomes of the eight bits below a level after the colour conversion.

    The vendor's documents show `>> 8` (TRUNCATE); the published kernel of a newer chip rounds
    (NEAREST). Which of the two the Ascend 310 does was not found: no hardware was at hand.
    """

    TRUNCATE = "truncate"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Steps:
    """The steps of one picture, in the order in which they are done.

    Attributes:
        input_format: YUV420SP_U8, RGB888_U8, XRGB8888_U8 or YUV400_U8.
        source: (width, height) of the picture given.
        rbuv_swap: change U with V, or R with B.
        ax_swap: move the first channel of four behind the others.
        crop: the part that is used.
        csc: the colour conversion, or None.
        mean, minimum, var_reci: of each channel after swap and conversion;
            `(value - mean - minimum) * var_reci`.
        padding: pixels left, right, top and bottom.
        padding_value: what they hold.
    """

    input_format: InputFormat
    source: Tuple[int, int]
    rbuv_swap: bool
    ax_swap: bool
    crop: Rect
    csc: Optional[Csc]
    mean: Tuple[int, ...]
    minimum: Tuple[float, ...]
    var_reci: Tuple[float, ...]
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0)
    padding_value: float = 0.0

    @property
    def stored(self) -> int:
        """Channels of the picture given."""
        return CHANNELS[self.input_format]

    @property
    def channels(self) -> int:
        """Channels that the network takes."""
        return 1 if self.csc is not None and self.csc.gray else self.stored

    @property
    def nbytes(self) -> int:
        """Bytes of the picture given."""
        return self.source[0] * self.source[1] * HALF_BYTES[self.input_format] // 2

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height) of the result."""
        left, right, top, bottom = self.padding
        return self.crop.width + left + right, self.crop.height + top + bottom

    def bytes_of(self, packed: U8) -> U8:
        """The picture's bytes in one row.

        Raises:
            FrameError: they are not uint8, or not as many as the picture has.
        """
        if packed.dtype != "uint8" or packed.size != self.nbytes:
            raise FrameError(
                "{} {}x{} is {} bytes of uint8, got {} of {}".format(
                    self.input_format.name, self.source[0], self.source[1], self.nbytes,
                    packed.size, packed.dtype,
                )
            )  # fmt: skip
        return packed.reshape(-1)


def steps(config: AippConfig, size: Optional[Tuple[int, int]] = None, index: int = 0) -> Steps:
    """The steps of one block of a static configuration.

    Args:
        config: the file.
        size: (width, height) that the network takes; needed where the file gives no size.
        index: which block.

    Raises:
        AippConstraintError: the compiler would refuse the file.
        AippError: the block is dynamic, or the size is not known.
    """
    op = config.aipp_op[index] if index < len(config.aipp_op) else None
    if op is None:
        raise AippError(
            "there is no aipp_op {}: the file has {}".format(index, len(config.aipp_op))
        )
    width, height = size or (None, None)
    network = NetworkInput(op.related_input_name or "", width, height)
    inputs = (*(NetworkInput() for _ in range(op.get("related_input_rank"))), network)
    check(AippConfig(aipp_op=(op,)), Context(inputs=inputs))
    if op.get("aipp_mode") != Mode.static:
        raise AippError(
            "the parameters of dynamic AIPP come with each inference",
            hint="npukit.aipp.dynamic reads them",
        )
    return _resolved(op, size)


def _resolved(op: AippOp, size: Optional[Tuple[int, int]]) -> Steps:
    input_format = op.get("input_format")
    if input_format not in CHANNELS:
        raise AippExpressionError("{} is not executed here".format(input_format.name))
    source = (
        op.get("src_image_size_w") or (size or (0, 0))[0],
        op.get("src_image_size_h") or (size or (0, 0))[1],
    )
    result = output_size(op, *(size or (None, None)))
    if not all(source) or not all(result):
        raise AippError("the file gives no size, and the network's is not known")
    if input_format == InputFormat.YUV420SP_U8 and (source[0] % 2 or source[1] % 2):
        raise AippError("YUV420SP_U8 is of even size, not {}x{}".format(*source))
    pads = tuple(op.get(name) if op.get("padding") else 0 for name in PADS)
    csc = resolved_csc(op)
    channels = range(1 if csc is not None and csc.gray else CHANNELS[input_format])
    return Steps(
        input_format=input_format,
        source=source,
        rbuv_swap=op.get("rbuv_swap_switch"),
        ax_swap=op.get("ax_swap_switch"),
        crop=Rect(
            op.get("load_start_pos_w") if op.get("crop") else 0,
            op.get("load_start_pos_h") if op.get("crop") else 0,
            (result[0] or 0) - pads[0] - pads[1],
            (result[1] or 0) - pads[2] - pads[3],
        ),
        csc=csc,
        mean=tuple(op.get("mean_chn_{}".format(item)) for item in channels),
        minimum=tuple(op.get("min_chn_{}".format(item)) for item in channels),
        var_reci=tuple(_or(op.get("var_reci_chn_{}".format(item)), 1.0) for item in channels),
        padding=(pads[0], pads[1], pads[2], pads[3]),
        padding_value=op.get("padding_value"),
    )


def resolved_csc(op: AippOp) -> Optional[Csc]:
    """The conversion of a block, with the compiler's default for each field left out."""
    if not op.get("csc_switch"):
        return None
    from_yuv = op.get("input_format") == InputFormat.YUV420SP_U8
    default = YUV_DEFAULT if from_yuv else RGB_DEFAULT
    rows = tuple(
        tuple(
            _or(op.get("matrix_r{}c{}".format(row, column)), default.rows[row][column])
            for column in range(3)
        )
        for row in range(3)
    )
    bias = [
        tuple(_or(op.get("{}_{}".format(name, item)), of[item]) for item in range(3))
        for name, of in (("input_bias", default.input_bias), ("output_bias", default.output_bias))
    ]
    # Of YUV only the input's bias counts, of RGB only the output's.
    return Csc(rows, bias[0], (0, 0, 0)) if from_yuv else Csc(rows, (0, 0, 0), bias[1])  # type: ignore[arg-type]


def _or(value: Optional[float], default: float) -> float:
    return default if value is None else value
