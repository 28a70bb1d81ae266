"""Dynamic AIPP: the parameter block of each inference, as `aclmdlSetInputAIPP` fills it.

64 bytes for all pictures and 96 for each, little-endian. Source: `tagAippDynamicPara` and
`tagAippDynamicBatchPara` in Ascend's dynamic_aipp.h; ATC manual, "Dynamic AIPP".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from npukit.aipp.cases import CHANNELS
from npukit.aipp.config import InputFormat
from npukit.aipp.csc import ZERO, Csc
from npukit.aipp.errors import AippExpressionError
from npukit.aipp.steps import Steps
from npukit.errors import AippError
from npukit.frame import Rect

HEADER = np.dtype(
    {
        "names": [
            "input_format", "csc", "rbuv_swap", "ax_swap", "batch", "source_w", "source_h",
            "matrix", "output_bias", "input_bias",
        ],
        "formats": [
            "u1", "i1", "i1", "i1", "i1", "<i4", "<i4", ("<i2", 9), ("u1", 3), ("u1", 3),
        ],
        "offsets": [0, 1, 2, 3, 4, 8, 12, 16, 40, 43],
        "itemsize": 64,
    }
)  # fmt: skip
PICTURE = np.dtype(
    {
        "names": [
            "crop", "resize", "padding", "rotation", "start_w", "start_h", "size_w", "size_h",
            "resize_from", "resize_to", "pads", "mean", "minimum", "var_reci",
        ],
        "formats": [
            "i1", "i1", "i1", "i1", "<i4", "<i4", "<i4", "<i4",
            ("<i4", 2), ("<i4", 2), ("<i4", 4), ("<i2", 4), ("<f2", 4), ("<f2", 4),
        ],
        "offsets": [0, 1, 2, 3, 8, 12, 16, 20, 24, 32, 40, 56, 64, 72],
        "itemsize": 96,
    }
)  # fmt: skip


@dataclass(frozen=True)
class PictureParameters:
    """What differs from picture to picture of a batch.

    Attributes:
        crop: the part that is used, or None for the whole.
        padding: pixels left, right, top and bottom.
        mean: int16 a channel. minimum, var_reci: float16 a channel; all are given for four.
    """

    crop: Optional[Rect] = None
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0)
    mean: Tuple[int, ...] = (0, 0, 0, 0)
    minimum: Tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    var_reci: Tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class DynamicParameters:
    """The parameters of one inference.

    Attributes:
        input_format: of all its pictures.
        source: (width, height) of each.
        rbuv_swap, ax_swap: as in a static configuration.
        csc: the colour conversion, or None.
        pictures: one for each of the batch.
    """

    input_format: InputFormat
    source: Tuple[int, int]
    rbuv_swap: bool = False
    ax_swap: bool = False
    csc: Optional[Csc] = None
    pictures: Tuple[PictureParameters, ...] = (PictureParameters(),)

    @classmethod
    def from_steps(cls, steps: Sequence[Steps]) -> DynamicParameters:
        """The block that does what static configurations do, one for each picture.

        Raises:
            AippExpressionError: they differ in what a block has once only, or pad with a value.
        """
        shared = {_shared(item) for item in steps}
        if len(shared) != 1:
            raise AippExpressionError(
                "pictures of one batch share format, size, swaps and colour conversion"
            )
        if any(item.padding_value for item in steps):
            raise AippExpressionError("the block has no place for a padding value")
        first = steps[0]
        return cls(
            first.input_format,
            first.source,
            first.rbuv_swap,
            first.ax_swap,
            first.csc,
            tuple(_picture(item) for item in steps),
        )

    def steps(self) -> List[Steps]:
        """What is done to each picture.

        Raises:
            AippError: a part that leaves the picture, or a format that is not executed here.
        """
        if self.input_format not in CHANNELS:
            raise AippExpressionError("{} is not executed here".format(self.input_format.name))
        return [self._of(item) for item in self.pictures]

    def _of(self, picture: PictureParameters) -> Steps:
        width, height = self.source
        crop = picture.crop or Rect(0, 0, width, height)
        inside = crop.x + crop.width <= width and crop.y + crop.height <= height
        if min(crop.x, crop.y) < 0 or min(crop.width, crop.height) < 1 or not inside:
            raise AippError("crop {} leaves the {}x{} picture".format(tuple(crop), width, height))
        gray = self.csc is not None and self.csc.gray
        count = 1 if gray else CHANNELS[self.input_format]
        return Steps(
            self.input_format, self.source, self.rbuv_swap, self.ax_swap, crop, self.csc,
            picture.mean[:count], picture.minimum[:count], picture.var_reci[:count],
            picture.padding,
        )  # fmt: skip


def pack(parameters: DynamicParameters, batch: int = 0) -> bytes:
    """The bytes of the model's second input.

    Args:
        parameters: of the inference.
        batch: pictures that the model was compiled for, where it is more: the rest is zeros.

    Raises:
        AippError: a number that its place cannot hold.
    """
    count = len(parameters.pictures)
    if not 1 <= count <= 127 or (batch and batch < count):
        raise AippError("a batch of {} pictures does not fit {}".format(count, batch or 127))
    header, pictures = np.zeros(1, HEADER), np.zeros(max(batch, count), PICTURE)
    csc = parameters.csc
    _fill(
        header[0:1],
        {
            "input_format": int(parameters.input_format),
            "csc": csc is not None,
            "rbuv_swap": parameters.rbuv_swap,
            "ax_swap": parameters.ax_swap,
            "batch": count,
            "source_w": parameters.source[0],
            "source_h": parameters.source[1],
            "matrix": [value for row in csc.rows for value in row] if csc else [0] * 9,
            "output_bias": csc.output_bias if csc else ZERO,
            "input_bias": csc.input_bias if csc else ZERO,
        },
    )
    for index, picture in enumerate(parameters.pictures):
        left, right, top, bottom = picture.padding
        crop = picture.crop or Rect(0, 0, 0, 0)
        _fill(
            pictures[index : index + 1],
            {
                "crop": picture.crop is not None,
                "padding": any(picture.padding),
                "start_w": crop.x,
                "start_h": crop.y,
                "size_w": crop.width,
                "size_h": crop.height,
                "pads": [top, bottom, left, right],
                "mean": picture.mean,
                "minimum": picture.minimum,
                "var_reci": picture.var_reci,
            },
        )
    return header.tobytes() + pictures.tobytes()


def unpack(block: bytes) -> DynamicParameters:
    """Read a block.

    Raises:
        AippError: it is cut short, or asks for what the Ascend 310 does not do (scale, rotate).
    """
    if len(block) < HEADER.itemsize:
        raise AippError("a block has {} bytes at least, not {}".format(HEADER.itemsize, len(block)))
    header = np.frombuffer(block, HEADER, 1)[0]
    count, rest = int(header["batch"]), len(block) - HEADER.itemsize
    if count < 1 or rest % PICTURE.itemsize or rest < count * PICTURE.itemsize:
        raise AippError(
            "a block of {} pictures has {} bytes, not {}".format(
                count, HEADER.itemsize + max(count, 1) * PICTURE.itemsize, len(block)
            )
        )
    known = [int(item) for item in InputFormat]
    if header["input_format"] not in known:
        raise AippError("there is no input format {}".format(header["input_format"]))
    matrix = [int(value) for value in header["matrix"]]
    csc = Csc(
        tuple((matrix[row], matrix[row + 1], matrix[row + 2]) for row in (0, 3, 6)),
        _bias(header["input_bias"]),
        _bias(header["output_bias"]),
    )
    found = np.frombuffer(block, PICTURE, count, HEADER.itemsize)
    return DynamicParameters(
        input_format=InputFormat(int(header["input_format"])),
        source=(int(header["source_w"]), int(header["source_h"])),
        rbuv_swap=bool(header["rbuv_swap"]),
        ax_swap=bool(header["ax_swap"]),
        csc=csc if header["csc"] else None,
        pictures=tuple(_read(item) for item in found),
    )


def _read(item: Any) -> PictureParameters:
    for name in ("resize", "rotation"):
        if item[name]:
            raise AippExpressionError("the block asks for {}, which is not supported".format(name))
    if item["padding"] not in (0, 1):
        raise AippExpressionError("the block asks for borders that repeat the picture")
    top, bottom, left, right = (int(value) for value in item["pads"])
    return PictureParameters(
        crop=Rect(*(int(item[name]) for name in ("start_w", "start_h", "size_w", "size_h")))
        if item["crop"]
        else None,
        padding=(left, right, top, bottom) if item["padding"] else (0, 0, 0, 0),
        mean=tuple(int(value) for value in item["mean"]),
        minimum=tuple(float(value) for value in item["minimum"]),
        var_reci=tuple(float(value) for value in item["var_reci"]),
    )


def _fill(record: Any, values: Dict[str, Any]) -> None:
    """Set the fields of one record.

    Raises:
        AippError: a value that is cut by its field's type.
    """
    for name, value in values.items():
        kind = record.dtype[name].base
        numbers = np.asarray(value, np.float64).reshape(-1)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            fits = bool(((limits.min <= numbers) & (numbers <= limits.max)).all())
        else:
            fits = bool((np.abs(numbers) <= np.finfo(kind).max).all())
        shape = record.dtype[name].shape
        if not fits or numbers.size != int(np.prod(shape, dtype=int)):
            raise AippError("{} {!r} does not fit {}".format(name, value, record.dtype[name]))
        record[name] = value


def _bias(values: Any) -> Tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def _shared(item: Steps) -> Tuple[Any, ...]:
    return item.input_format, item.source, item.rbuv_swap, item.ax_swap, item.csc


def _picture(item: Steps) -> PictureParameters:
    whole = Rect(0, 0, *item.source)
    return PictureParameters(
        crop=None if item.crop == whole else item.crop,
        padding=item.padding,
        mean=_four(item.mean, 0),
        minimum=_four(item.minimum, 0.0),
        var_reci=_four(item.var_reci, 1.0),
    )


def _four(values: Tuple[Any, ...], rest: Any) -> Tuple[Any, ...]:
    return values + (rest,) * (4 - len(values))
