"""What a rule on an AIPP configuration looks at, and what it finds."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from npukit.aipp.config import AippOp, InputFormat
from npukit.profiles import Target

# Source: the size of an input's buffer, AIPP configuration template: bytes of a pixel, halved.
HALF_BYTES = {
    InputFormat.YUV420SP_U8: 3,
    InputFormat.XRGB8888_U8: 8,
    InputFormat.RGB888_U8: 6,
    InputFormat.YUV400_U8: 2,
}
CHANNELS = {
    InputFormat.YUV420SP_U8: 3,
    InputFormat.XRGB8888_U8: 4,
    InputFormat.RGB888_U8: 3,
    InputFormat.YUV400_U8: 1,
}
PADS = ("left_padding_size", "right_padding_size", "top_padding_size", "bottom_padding_size")
NO_CODE = ""


class Violation(NamedTuple):
    """One thing that is refused; `code` is empty where the vendor names none."""

    code: str
    field: str
    message: str

    def __str__(self) -> str:
        if self.code == "E81012":
            return "E81012 Compile op[aipp] failed, cause: {}".format(self.message)
        return "{} {}".format(self.code, self.message).strip()


class NetworkInput(NamedTuple):
    """An input of the network that a block may relate to.

    Attributes:
        name: as in the network.
        width, height: of the picture that the network takes; None where not known.
        channels: that the network takes; None where not known.
        batch: pictures in one inference.
        fp16: whether it is named in --input_fp16_nodes.
    """

    name: str = ""
    width: Optional[int] = None
    height: Optional[int] = None
    channels: Optional[int] = None
    batch: int = 1
    fp16: bool = False


class Context(NamedTuple):
    """What the compiler knows besides the file.

    Attributes:
        inputs: of the network, in order; empty where not known.
        dynamic_image_sizes: (width, height) of each profile of --dynamic_image_size.
        dynamic_dims: whether --dynamic_dims is given.
        target: the chip, a name of `targets/`.
    """

    inputs: Tuple[NetworkInput, ...] = ()
    dynamic_image_sizes: Tuple[Tuple[int, int], ...] = ()
    dynamic_dims: bool = False
    target: str = "ascend310"


class Case(NamedTuple):
    """A block with all that a rule asks for."""

    op: AippOp
    network: NetworkInput
    context: Context
    chip: Target

    def limit(self, name: str) -> Tuple[int, int]:
        """A limit of the chip, as an inclusive range."""
        value = self.chip.limits[name].value
        return value if isinstance(value, tuple) else (0, value)


def output_size(
    op: AippOp, network_width: Optional[int] = None, network_height: Optional[int] = None
) -> Tuple[Optional[int], Optional[int]]:
    """(width, height) after crop and padding; None where it is the network's, not known."""
    sides = []
    for axis, network in (("w", network_width), ("h", network_height)):
        side = op.get("crop_size_" + axis) if op.get("crop") else op.get("src_image_size_" + axis)
        pads = (PADS[:2] if axis == "w" else PADS[2:]) if op.get("padding") else ()
        sides.append(side + sum(op.get(name) for name in pads) if side else network)
    return sides[0], sides[1]


def gives_gray(op: AippOp) -> bool:
    """Whether the colour conversion leaves its first channel alone, as the vendor's tables do."""
    lower = ["matrix_r{}c{}".format(row, column) for row in (1, 2) for column in range(3)]
    return bool(op.get("csc_switch")) and all(getattr(op, name) == (0,) for name in lower)
