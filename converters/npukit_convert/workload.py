"""What one operator computes and moves on a chip that stores channels in blocks.

Pure geometry: no board, no time. Feature maps lie as NC1HWC0, weights as fractals, so channel
counts are rounded up to whole blocks; what is computed on the filling is computed for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from npukit_convert.errors import ConversionError
from npukit_convert.graph import attribute, constant, operand, shape, source

Shape = tuple[int, ...]
CUBE = 16  # rows and columns of a block of the matrix unit, Ascend 310 and 310B
_ND_ALIGN = 32  # bytes that a tensor without channel blocks is rounded up to


@dataclass(frozen=True)
class Format:
    """How a chip stores numbers.

    Attributes:
        block: channels of a block (C0).
        item: bytes of a number.
        cube: rows and columns of a block of the matrix unit; 1 to count without filling.
    """

    block: int
    item: int
    cube: int = CUBE

    def bare(self) -> Format:
        """The same numbers without any filling."""
        return Format(1, self.item, 1)


@dataclass(frozen=True)
class Work:
    """What an operator does once.

    Attributes:
        macs: multiply-adds of the matrix unit that the result needs.
        padded_macs: those that are executed, filling included.
        read: bytes of feature maps; weights: bytes of constants; written: bytes of results.
    """

    macs: int = 0
    padded_macs: int = 0
    read: int = 0
    weights: int = 0
    written: int = 0

    @property
    def moved(self) -> int:
        """Bytes in all."""
        return self.read + self.weights + self.written


@dataclass(frozen=True)
class Convolution:
    """The geometry of a convolution, or of a transposed one.

    Attributes:
        size: of its input, (N,C,H,W).
        out: of its output, likewise.
        kernel: height and width.
        groups: 1 for an ordinary one, as many as channels for a depthwise one.
        transposed: zeros are put between the input's pixels, and multiplied like others.
    """

    size: Shape
    out: Shape
    kernel: tuple[int, int]
    groups: int = 1
    transposed: bool = False

    def work(self, form: Format) -> Work:
        """What it computes and moves."""
        inner, outer = self.size[1] // self.groups, self.out[1] // self.groups
        merged = self._merged(inner, outer, form)
        blocks = math.ceil(self.groups / merged)
        filters = (
            math.prod(self.kernel)
            * align(merged * inner, form.block)
            * align(merged * outer, form.cube)
            * blocks
        )
        places = self.out[0] * math.prod(self.out[2:])
        needed = self.size if self.transposed else self.out
        return Work(
            macs=needed[0] * math.prod(needed[2:]) * math.prod(self.kernel)
            * inner * outer * self.groups,
            padded_macs=align(places, form.cube) * filters,
            read=tensor_bytes(self.size, form),
            weights=filters * form.item,
            written=tensor_bytes(self.out, form),
        )  # fmt: skip

    def _merged(self, inner: int, outer: int, form: Format) -> int:
        """Groups that share a block: as many as make both channel counts whole blocks."""
        fill = math.lcm(
            form.block // math.gcd(form.block, inner), form.cube // math.gcd(form.cube, outer)
        )
        return min(self.groups, fill)


def align(count: int, block: int) -> int:
    """The next multiple of a block."""
    return -(-count // block) * block


def tensor_bytes(size: Shape, form: Format) -> int:
    """Bytes of a tensor: (N,C,...) in channel blocks, fewer axes without."""
    if len(size) >= 4:
        return size[0] * align(size[1], form.block) * math.prod(size[2:]) * form.item
    return align(math.prod(size) * form.item, 1 if form.block == 1 else _ND_ALIGN)


def work_of(node: ir.Node, form: Format) -> Work:
    """What a node computes and moves; nothing for one that only names the same bytes anew.

    Raises:
        ConversionError: a size of the node depends on data.
    """
    if node.op_type in FREE:
        return Work()
    return _WORK.get(node.op_type, _elementwise)(node, form)


def convolution_of(node: ir.Node) -> Convolution | None:
    """The geometry of a Conv or ConvTranspose over a picture; None for other nodes."""
    if node.op_type not in ("Conv", "ConvTranspose"):
        return None
    size, out, weights = (_size(v) for v in (source(node), node.outputs[0], source(node, 1)))
    if len(size) < 3:
        return None
    kernel = (1, weights[2]) if len(size) == 3 else (math.prod(weights[2:-1]), weights[-1])
    return Convolution(
        _four(size), _four(out), kernel, int(attribute(node, "group", 1)),
        node.op_type == "ConvTranspose",
    )  # fmt: skip


# Operators that change how bytes are named, not the bytes. (A change of layout that the compiler
# inserts is not counted.)
FREE = frozenset(
    ["Constant", "Dropout", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"]
)


def _convolution(node: ir.Node, form: Format) -> Work:
    found = convolution_of(node)
    return _elementwise(node, form) if found is None else found.work(form)


def _gemm(node: ir.Node, form: Format) -> Work:
    a, b = _size(source(node)), _size(source(node, 1))
    rows, inner = a[::-1] if attribute(node, "transA", 0) else a
    columns = b[0] if attribute(node, "transB", 0) else b[1]
    return _product(node, 1, (rows, inner, columns), form)


def _matmul(node: ir.Node, form: Format) -> Work:
    a, out = _size(source(node)), _size(node.outputs[0])
    b = _size(source(node, 1))
    rows = a[-2] if len(a) > 1 else 1
    columns = b[-1] if len(b) > 1 else 1
    batch = max(1, math.prod(out) // (rows * columns))
    if len(b) == 2:  # the same matrix for the whole batch
        rows, batch = rows * batch, 1
    return _product(node, batch, (rows, a[-1], columns), form)


def _product(node: ir.Node, batch: int, sides: tuple[int, int, int], form: Format) -> Work:
    rows, inner, columns = sides
    matrix = align(inner, form.block) * align(columns, form.cube)
    known = constant(operand(node, 1)) is not None or _is_weight(operand(node, 1))
    second = matrix * batch * form.item
    return Work(
        macs=batch * rows * inner * columns,
        padded_macs=batch * align(rows, form.cube) * matrix,
        read=tensor_bytes(_size(source(node)), form) + (0 if known else second),
        weights=second if known else 0,
        written=tensor_bytes(_size(node.outputs[0]), form),
    )


def _elementwise(node: ir.Node, form: Format) -> Work:
    """Every input read once, every output written once."""
    given = [value for value in node.inputs if value is not None]
    return Work(
        read=sum(tensor_bytes(_size(one), form) for one in given if not _is_weight(one)),
        weights=sum(tensor_bytes(_size(one), form) for one in given if _is_weight(one)),
        written=sum(tensor_bytes(_size(one), form) for one in node.outputs if one.name),
    )


def _normalised(node: ir.Node, form: Format) -> Work:
    """Read for the statistics, and again to apply them."""
    once = _elementwise(node, form)
    return Work(read=2 * once.read, weights=once.weights, written=once.written)


def _resized(node: ir.Node, form: Format) -> Work:
    """The picture alone: scales and sizes are known when it is compiled."""
    sizes = (_size(source(node)), _size(node.outputs[0]))
    return Work(read=tensor_bytes(sizes[0], form), written=tensor_bytes(sizes[1], form))


_WORK: Mapping[str, Callable[[ir.Node, Format], Work]] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "InstanceNormalization": _normalised,
    "GroupNormalization": _normalised,
    "LayerNormalization": _normalised,
    **dict.fromkeys(
        ("Resize", "Upsample", "Pad", "Slice", "Tile", "Expand", "Clip", "ReduceMean", "ReduceMax"),
        _resized,
    ),
}


def _is_weight(value: ir.Value | None) -> bool:
    return value is not None and value.is_initializer() and not value.is_graph_input()


def _size(value: ir.Value) -> Shape:
    size = shape(value)
    if size is None:
        raise ConversionError(
            f"the size of {value.name!r} depends on data",
            hint="export the network with fixed sizes: a chip computes with those alone",
        )
    return size


def _four(size: Shape) -> Shape:
    """(N,C,H,W) of a tensor with one, two or three axes of places."""
    return (*size[:2], math.prod(size[2:-1]), size[-1])
