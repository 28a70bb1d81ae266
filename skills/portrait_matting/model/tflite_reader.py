"""Read the operators and constants of a TensorFlow Lite file, with numpy alone.

A TFLite file is a FlatBuffer: a table is an offset to its vtable, which lists where each field
lies (https://flatbuffers.dev/internals/). Field numbers and operator codes follow
tensorflow/lite/schema/schema.fbs, schema version 3. Only what a float network without control
flow needs is read; sparse tensors and tensors outside the file are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Graph", "Operator", "Tensor", "TfliteError", "read_tflite"]

Array = npt.NDArray[Any]

_OPERATOR_NAMES = {
    0: "ADD",
    1: "AVERAGE_POOL_2D",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    18: "MUL",
    19: "RELU",
    23: "RESIZE_BILINEAR",
    40: "MEAN",
    117: "HARD_SWISH",
}
_CUSTOM = 32
_DTYPES: dict[int, type[np.generic]] = {
    0: np.float32,
    1: np.float16,
    2: np.int32,
    3: np.uint8,
    4: np.int64,
    9: np.int8,
}
_PADDINGS = {0: "SAME", 1: "VALID"}


class TfliteError(ValueError):
    """The bytes are not a TensorFlow Lite model that this reader understands."""


@dataclass(frozen=True)
class Tensor:
    """One tensor: its name, its static shape and, for a constant, its values."""

    name: str
    shape: tuple[int, ...]
    values: Array | None


@dataclass(frozen=True)
class Operator:
    """One operator in execution order.

    Attributes:
        name: Name in the schema ("CONV_2D"), or the name of a custom operator.
        inputs: Tensor numbers; -1 stands for an optional input that is not given.
        outputs: Tensor numbers.
        stride: (vertical, horizontal) of a convolution, else None.
        padding: "SAME" or "VALID" of a convolution, else None.
        custom_options: The raw options of a custom operator.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stride: tuple[int, int] | None = None
    padding: str | None = None
    custom_options: bytes = b""


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a model."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constants(self) -> dict[int, Array]:
        """Return every constant by tensor number; DEQUANTIZE of a constant is looked through.

        Float16 constants stay float16: what they are is known only here.
        """
        found = {
            number: tensor.values
            for number, tensor in enumerate(self.tensors)
            if tensor.values is not None
        }
        for operator in self.operators:
            if operator.name == "DEQUANTIZE" and operator.inputs[0] in found:
                values = found[operator.inputs[0]]
                if values.dtype != np.float16:
                    raise TfliteError(
                        f"Tensor {self.tensors[operator.inputs[0]].name!r} holds quantised "
                        f"{values.dtype} values, but only float16 and float32 weights can be "
                        "read. Use a model with float weights."
                    )
                found[operator.outputs[0]] = values
        return found


class _Bytes:
    """Little-endian numbers at checked positions."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def number(self, code: str, position: int) -> int:
        if position < 0:
            raise TfliteError(_damaged(f"an offset points to {position}"))
        try:
            (value,) = struct.unpack_from("<" + code, self.content, position)
        except struct.error as error:
            raise TfliteError(_damaged(f"{position} lies behind the end of the file")) from error
        return int(value)

    def slice(self, position: int, length: int) -> bytes:
        if position < 0 or position + length > len(self.content):
            raise TfliteError(
                _damaged(f"{length} bytes at {position} reach behind the end of the file")
            )
        return self.content[position : position + length]

    def follow(self, position: int) -> int:
        return position + self.number("I", position)


class _Table:
    """A FlatBuffer table; fields by their number in the schema."""

    def __init__(self, data: _Bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.vtable = position - data.number("i", position)
        self.vtable_size = data.number("H", self.vtable)

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry + 2 > self.vtable_size:
            return None
        offset = self.data.number("H", self.vtable + entry)
        return self.position + offset if offset else None

    def scalar(self, number: int, code: str, default: int = 0) -> int:
        at = self._field(number)
        return default if at is None else self.data.number(code, at)

    def table(self, number: int) -> _Table | None:
        at = self._field(number)
        return None if at is None else _Table(self.data, self.data.follow(at))

    def raw(self, number: int, item_size: int = 1) -> bytes:
        at = self._field(number)
        if at is None:
            return b""
        start = self.data.follow(at)
        return self.data.slice(start + 4, self.data.number("I", start) * item_size)

    def integers(self, number: int) -> tuple[int, ...]:
        return tuple(int(value) for value in np.frombuffer(self.raw(number, 4), "<i4"))

    def text(self, number: int) -> str:
        return self.raw(number).decode("utf-8", errors="replace")

    def tables(self, number: int) -> Iterator[_Table]:
        at = self._field(number)
        if at is None:
            return
        start = self.data.follow(at)
        for index in range(self.data.number("I", start)):
            yield _Table(self.data, self.data.follow(start + 4 + 4 * index))


def read_tflite(content: bytes) -> Graph:
    """Parse a TensorFlow Lite model.

    Args:
        content: The whole file.

    Returns:
        Its first subgraph.

    Raises:
        TfliteError: The bytes are no TFLite model, are damaged, or use what is not read here.
    """
    if content[4:8] != b"TFL3":
        raise TfliteError(
            "This is not a TensorFlow Lite model: the identifier 'TFL3' is missing. "
            "Check that the right file was given and that it is complete."
        )
    data = _Bytes(content)
    model = _Table(data, data.follow(0))
    codes = [_operator_name(code) for code in model.tables(1)]
    subgraph = next(model.tables(2), None)
    if subgraph is None:
        raise TfliteError(_damaged("it holds no graph"))
    buffers = [buffer.raw(0) for buffer in model.tables(4)]
    tensors = tuple(_tensor(tensor, buffers) for tensor in subgraph.tables(0))
    return Graph(
        tensors=tensors,
        operators=tuple(
            _operator(operator, codes, len(tensors)) for operator in subgraph.tables(3)
        ),
        inputs=subgraph.integers(1),
        outputs=subgraph.integers(2),
    )


def _operator_name(code: _Table) -> str:
    # Old files have the code in field 0 alone, new ones in field 3; the larger one is right.
    builtin = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if builtin == _CUSTOM:
        return code.text(1)
    return _OPERATOR_NAMES.get(builtin, f"BUILTIN_{builtin}")


def _tensor(table: _Table, buffers: list[bytes]) -> Tensor:
    name = table.text(3)
    shape = table.integers(0)
    buffer = table.scalar(2, "I")
    if buffer >= len(buffers):
        raise TfliteError(_damaged(f"tensor {name!r} refers to buffer {buffer} of {len(buffers)}"))
    content = buffers[buffer]
    if not content:
        return Tensor(name, shape, None)
    if table.table(6) is not None:
        raise TfliteError(
            f"Tensor {name!r} is stored sparse, which is not read here. Use a dense model."
        )
    dtype = _DTYPES.get(table.scalar(1, "b"))
    if dtype is None:
        raise TfliteError(f"Tensor {name!r} has the unknown type code {table.scalar(1, 'b')}.")
    # The file is little-endian whatever the host is.
    stored = np.dtype(dtype).newbyteorder("<")
    if len(content) != stored.itemsize * int(np.prod(shape)):
        raise TfliteError(
            _damaged(f"tensor {name!r} of shape {list(shape)} has {len(content)} bytes")
        )
    return Tensor(name, shape, np.frombuffer(content, stored).astype(dtype).reshape(shape))


def _operator(table: _Table, codes: list[str], tensors: int) -> Operator:
    code = table.scalar(0, "I")
    if code >= len(codes):
        raise TfliteError(_damaged(f"an operator has code {code} of {len(codes)}"))
    name = codes[code]
    inputs, outputs = table.integers(1), table.integers(2)
    if not outputs or not all(-1 <= number < tensors for number in (*inputs, *outputs)):
        raise TfliteError(_damaged(f"a {name} operator refers to tensors that do not exist"))
    if name == "DEQUANTIZE" and len(inputs) != 1:
        raise TfliteError(_damaged(f"a DEQUANTIZE operator has {len(inputs)} inputs"))
    stride = padding = None
    options = table.table(4)
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D") and options is not None:
        padding = _PADDINGS.get(options.scalar(0, "b"))
        stride = (options.scalar(2, "i"), options.scalar(1, "i"))
    return Operator(
        name=name,
        inputs=inputs,
        outputs=outputs,
        stride=stride,
        padding=padding,
        custom_options=table.raw(5),
    )


def _damaged(what: str) -> str:
    return f"The TensorFlow Lite model is damaged: {what}. Fetch the file again."
