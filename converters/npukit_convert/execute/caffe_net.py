"""A Caffe network's two files, checked before an engine sees them.

The checks are those that an engine leaves out: BVLC Caffe matches weights by layer name and runs
on zeros, without a word, where none matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npukit_convert.errors import ExecutionError
from npukit_convert.execute.caffemodel import StoredLayer, read_caffemodel
from npukit_convert.execute.prototxt import Message, parse

_FILTERS = {
    "Convolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
    "Embed": "embed_param",
}


@dataclass(frozen=True)
class CaffeLayer:
    """A layer of the prototxt: name, type, the blobs that it reads and writes, its fields."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    fields: Message


@dataclass(frozen=True)
class CaffeNet:
    """A network for deployment.

    Attributes:
        inputs: shape by blob name.
        layers: in order, without inputs and those of training only.
        prototxt, caffemodel: the files' contents.
        where: the prototxt's name, for messages.
    """

    inputs: dict[str, tuple[int, ...]]
    layers: tuple[CaffeLayer, ...]
    prototxt: str
    caffemodel: bytes
    where: str

    @property
    def outputs(self) -> dict[str, tuple[str, int]]:
        """Blobs that nothing reads: the layer that writes each last, and which top it is."""
        written: dict[str, tuple[str, int]] = {}
        for layer in self.layers:
            for bottom in layer.bottoms:
                written.pop(bottom, None)
            for place, top in enumerate(layer.tops):
                written[top] = (layer.name, place)
        return written


def read_net(prototxt: Path, caffemodel: Path | None = None) -> CaffeNet:
    """Read and check both files.

    Args:
        prototxt: of the network for deployment, with its inputs.
        caffemodel: the weights; the file of the same name beside the prototxt if not given.

    Raises:
        ExecutionError: a file is missing or damaged, the network has no input or a dynamic one,
            or weights of a layer are missing.
    """
    where = str(prototxt)
    weights = caffemodel or prototxt.with_suffix(".caffemodel")
    data = _read(prototxt, "give the .prototxt of the network")
    stored_bytes = _read(weights, "it must lie beside the .prototxt, or be given")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExecutionError(f"the prototxt is not UTF-8: {error}", where=where) from error
    whole = parse(text, where)
    if whole.messages("layers"):
        raise ExecutionError(
            "the prototxt is of Caffe's old format (V1: `layers`)",
            where=where,
            hint="upgrade it with Caffe's upgrade_net_proto_text",
        )
    layers = [_layer(fields, where) for fields in whole.messages("layer") if _deployed(fields)]
    inputs = {
        **_old_inputs(whole, where),
        **{
            top: shape
            for layer in layers
            if layer.type == "Input"
            for top, shape in _input_tops(layer, where)
        },
    }
    if not inputs:
        raise ExecutionError(
            "the network has no input", where=where, hint="give the deploy.prototxt of the network"
        )
    kept = tuple(layer for layer in layers if layer.type != "Input")
    if not kept:
        raise ExecutionError("the network has no layer", where=where)
    _check_weights(kept, read_caffemodel(stored_bytes, str(weights)), str(weights))
    return CaffeNet(inputs, kept, text, stored_bytes, where)


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExecutionError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint=hint
        ) from error


def _layer(fields: Message, where: str) -> CaffeLayer:
    name, kind = fields.text("name"), fields.text("type")
    if not name or not kind:
        raise ExecutionError("a layer without name or type", where=f"{where}:{fields.line}")
    bottoms, tops = tuple(fields.texts("bottom")), tuple(fields.texts("top"))
    return CaffeLayer(name, kind, bottoms, tops, fields)


def _deployed(fields: Message) -> bool:
    """Whether Caffe keeps the layer in its TEST phase."""
    only = [rule.text("phase") for rule in fields.messages("include") if rule.texts("phase")]
    never = [rule.text("phase") for rule in fields.messages("exclude") if rule.texts("phase")]
    test = ("TEST", "1")
    return not any(phase in test for phase in never) and (
        not only or any(phase in test for phase in only)
    )


def _old_inputs(whole: Message, where: str) -> dict[str, tuple[int, ...]]:
    """`input:` with `input_shape` each, or with four `input_dim` each."""
    names = whole.texts("input")
    shapes = [_shape(shape, where) for shape in whole.messages("input_shape")]
    if not shapes:
        sides = [_side(side, where, whole.line) for side in whole.texts("input_dim")]
        shapes = [tuple(sides[at : at + 4]) for at in range(0, len(sides), 4)]
    if len(names) != len(shapes):
        raise ExecutionError(f"{len(names)} inputs, {len(shapes)} shapes", where=where)
    return dict(zip(names, shapes, strict=True))


def _input_tops(layer: CaffeLayer, where: str) -> list[tuple[str, tuple[int, ...]]]:
    shapes = [_shape(one, where) for one in layer.fields.message("input_param").messages("shape")]
    shapes = shapes * len(layer.tops) if len(shapes) == 1 else shapes
    if len(shapes) != len(layer.tops):
        raise ExecutionError(
            f"input {layer.name!r} has {len(layer.tops)} tops and {len(shapes)} shapes",
            where=f"{where}:{layer.fields.line}",
        )
    return list(zip(layer.tops, shapes, strict=True))


def _shape(fields: Message, where: str) -> tuple[int, ...]:
    return tuple(_side(side, where, fields.line) for side in fields.texts("dim"))


def _side(text: str, where: str, line: int) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ExecutionError(f"{text!r} is no size of an input", where=f"{where}:{line}")
    return int(text)


def _check_weights(
    layers: tuple[CaffeLayer, ...], stored: dict[str, StoredLayer], where: str
) -> None:
    for layer in layers:
        wanted = _blob_count(layer)
        found = stored.get(layer.name)
        if found is not None and found.type not in ("", layer.type):
            raise ExecutionError(
                f"layer {layer.name!r} is a {found.type} here, a {layer.type} in the prototxt",
                where=where,
            )
        count = len(found.blobs) if found else 0
        if wanted is not None and count != wanted:
            raise ExecutionError(
                f"{layer.type} layer {layer.name!r} needs {wanted} blobs, the file has {count}",
                where=where,
                hint="weights are matched by layer name: both files must be of one network",
            )


def _blob_count(layer: CaffeLayer) -> int | None:
    """How many blobs the layer has; None for types that are not known here."""
    if layer.type in _FILTERS:
        return 1 + _flag(layer, _FILTERS[layer.type], "bias_term", default=True)
    if layer.type == "Scale":
        own = 1 if len(layer.bottoms) == 1 else 0
        return own + _flag(layer, "scale_param", "bias_term", default=False)
    if layer.type == "Bias":
        return 1 if len(layer.bottoms) == 1 else 0
    return {"BatchNorm": 3, "PReLU": 1, "Normalize": 1}.get(layer.type)


def _flag(layer: CaffeLayer, group: str, name: str, default: bool) -> bool:
    text = layer.fields.message(group).text(name, "true" if default else "false")
    return text in ("true", "True", "t", "1")
