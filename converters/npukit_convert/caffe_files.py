"""What a Caffe network's files hold: the layers of a prototxt, the blobs of a caffemodel.

For looking at files: nothing is executed, and of the layers' parameters only the inputs' shapes are
read. Field numbers: BVLC Caffe's caffe.proto; the same in all forks seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from npukit.om import wire
from npukit_convert.errors import ConversionError

# Names of V1LayerParameter.LayerType, by number.
V1_TYPES = (
    "NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT", "EUCLIDEAN_LOSS",
    "FLATTEN", "HDF5_DATA", "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA", "INFOGAIN_LOSS",
    "INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS", "POOLING", "RELU", "SIGMOID",
    "SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA", "ELTWISE", "POWER",
    "SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX", "THRESHOLD",
    "DUMMY_DATA", "SLICE", "MVN", "ABSVAL", "SILENCE", "CONTRASTIVE_LOSS", "EXP",
    "DECONVOLUTION",
)  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\s*)*(?:(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<mark>[{}<>:;,\[\]])|(?P<word>[^\s{}<>:;,\[\]"'\#]+)|(?P<end>\Z))"""
)
_DEEPEST = 100


@dataclass(frozen=True)
class CaffeLayer:
    """A layer; `blobs` are the shapes of its weights, which a prototxt does not have."""

    name: str
    type: str
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    blobs: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class CaffeNet:
    """A network.

    Attributes:
        inputs: shape by name; a caffemodel need not have them.
        old_form: whether its layers are of the form that came before 2014 (`layers`).
    """

    name: str
    layers: tuple[CaffeLayer, ...]
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    old_form: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """The blobs that no layer takes, in the layers' order."""
        taken = {name for layer in self.layers for name in layer.bottoms}
        tops = dict.fromkeys(name for layer in self.layers for name in layer.tops)
        return tuple(name for name in tops if name not in taken and name not in self.inputs)

    @property
    def parameters(self) -> int:
        """Numbers in all blobs."""
        return sum(math.prod(shape) for layer in self.layers for shape in layer.blobs)


Message = dict[str, list["str | Message"]]


def read_prototxt(text: str, where: str) -> CaffeNet:
    """Read a network's definition.

    Raises:
        ConversionError: it is no protobuf text; names the line.
    """
    net = parse_text(text, where)
    old = "layers" in net
    layers = tuple(
        CaffeLayer(
            _first(item, "name"), _first(item, "type"), _texts(item, "bottom"), _texts(item, "top")
        )
        for item in _messages(net, "layers" if old else "layer")
    )
    try:
        inputs = _text_inputs(net)
    except ValueError as error:
        raise ConversionError(
            f"a size of an input is no whole number: {error}", where=where
        ) from error
    return CaffeNet(_first(net, "name"), layers, inputs, old)


def parse_text(text: str, where: str) -> Message:
    """Protobuf text as lists of values by name; the names are not checked.

    Raises:
        ConversionError: braces that do not match, a name without a value, or what is no token.
    """
    root: Message = {}
    outer: list[tuple[Message, str]] = []  # the messages around, and the list in each
    message, pending, listed = root, "", ""
    for kind, part, line in _tokens(text, where):
        if kind != "mark" and (pending or listed):
            value = part[1:-1] if kind == "text" else part
            message.setdefault(pending or listed, []).append(value)
            pending = ""
        elif kind == "word":
            pending = part
        elif part in ":;,":
            continue
        elif part == "[" and pending:
            pending, listed = "", pending
        elif part == "]" and listed:
            listed = ""
        elif part in "{<" and (pending or listed) and len(outer) < _DEEPEST:
            inner: Message = {}
            message.setdefault(pending or listed, []).append(inner)
            outer.append((message, listed))
            message, pending, listed = inner, "", ""
        elif part in "}>" and outer and not (pending or listed):
            message, listed = outer.pop()
        else:
            raise _wrong(where, line, f"{part} is out of place")
    if outer or pending or listed:
        raise _wrong(where, text.count("\n") + 1, "the text ends within a message")
    return root


def _tokens(text: str, where: str) -> Iterator[tuple[str, str, int]]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        line += text.count("\n", at, found.end() if found else at)
        if found is None or found.lastgroup is None:
            raise _wrong(where, line, f"{text[at : at + 20].strip()!r} is no protobuf text")
        if found.lastgroup == "end":
            return
        yield found.lastgroup, found[found.lastgroup], line
        at = found.end()


def _text_inputs(net: Message) -> dict[str, tuple[int, ...]]:
    names, shapes = _texts(net, "input"), [_dims(item) for item in _messages(net, "input_shape")]
    flat = tuple(int(item) for item in _texts(net, "input_dim"))
    if not shapes:
        shapes = [flat[at : at + 4] for at in range(0, len(flat), 4)]
    shapes += [()] * (len(names) - len(shapes))
    found = dict(zip(names, shapes, strict=False))
    for layer in _messages(net, "layer"):
        if _first(layer, "type") == "Input":
            given = [
                _dims(shape)
                for item in _messages(layer, "input_param")
                for shape in _messages(item, "shape")
            ]
            for index, top in enumerate(_texts(layer, "top")):
                # One shape serves every top.
                found[top] = given[min(index, len(given) - 1)] if given else ()
    return found


def _dims(message: Message) -> tuple[int, ...]:
    return tuple(int(item) for item in _texts(message, "dim"))


def _messages(message: Message, name: str) -> list[Message]:
    return [item for item in message.get(name, ()) if not isinstance(item, str)]


def _texts(message: Message, name: str) -> tuple[str, ...]:
    return tuple(item for item in message.get(name, ()) if isinstance(item, str))


def _first(message: Message, name: str) -> str:
    return next(iter(_texts(message, name)), "")


def read_caffemodel(data: memoryview, where: str) -> CaffeNet:
    """Read a trained network: its layers and the shapes of their blobs, without the numbers.

    Raises:
        ConversionError: it is no such file, or cut.
    """
    name, layers, old = "", [], False
    try:
        for number, on_wire, value in wire.fields(data):
            if isinstance(value, int) or on_wire != wire.BYTES:
                continue
            if number == 1:
                name = str(value, "utf-8", "replace")
            elif number == 100:
                layers.append(_layer(value, name=1, bottom=3, top=4, blobs=7))
            elif number == 2:
                old = True
                layers.append(_layer(value, name=4, bottom=2, top=3, blobs=6))
    except wire.WireError as error:
        raise ConversionError(
            f"the caffemodel is damaged: {error}", where=where, hint="copy the file again"
        ) from error
    return CaffeNet(name, tuple(layers), old_form=old)


def _layer(view: memoryview, name: int, bottom: int, top: int, blobs: int) -> CaffeLayer:
    own, kind = "", ""
    lists: dict[int, list[str]] = {bottom: [], top: []}
    shapes = []
    type_number = 5 if name == 4 else 2
    for number, on_wire, value in wire.fields(view):
        if isinstance(value, int):
            if number == type_number:
                kind = V1_TYPES[value] if value < len(V1_TYPES) else f"type {value}"
        elif on_wire == wire.BYTES and number == blobs:
            shapes.append(_blob(value))
        elif on_wire == wire.BYTES and number in (name, type_number, bottom, top):
            text = str(value, "utf-8", "replace")
            if number == name:
                own = text
            elif number == type_number:
                kind = text
            else:
                lists[number].append(text)
    return CaffeLayer(own, kind, tuple(lists[bottom]), tuple(lists[top]), tuple(shapes))


def _blob(view: memoryview) -> tuple[int, ...]:
    """Its shape: `shape`, or the four sizes of the old form."""
    old, new = [0, 0, 0, 0], None
    for number, _, value in wire.fields(view):
        if isinstance(value, int):
            if 1 <= number <= 4:
                old[number - 1] = value
        elif number == 7:
            new = tuple(dim for part in wire.fields(value) for dim in _ints(part[2]))
    return tuple(old) if new is None else new


def _ints(value: wire.Value) -> Iterator[int]:
    if isinstance(value, int):
        yield wire.signed(value)
    else:
        yield from map(wire.signed, wire.read_varints(value))


def _wrong(where: str, line: int, reason: str) -> ConversionError:
    return ConversionError(f"not protobuf text: {reason}", where=f"{where}:{line}")
