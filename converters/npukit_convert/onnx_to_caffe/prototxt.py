"""The network's text: a prototxt, in protobuf's text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from npukit_convert.onnx_to_caffe.net import CaffeNet, Layer, Parameter, Word


def to_prototxt(net: CaffeNet) -> str:
    """The text of a network; each input is an `Input` layer."""
    lines = [f"name: {_text(net.name)}"]
    for name, size in net.inputs.items():
        dims = " ".join(f"dim: {extent}" for extent in size)
        lines += [
            "layer {",
            f"  name: {_text(name)}",
            '  type: "Input"',
            f"  top: {_text(name)}",
            f"  input_param {{ shape {{ {dims} }} }}",
            "}",
        ]
    for layer in net.layers:
        lines += ["layer {", *_layer(layer), "}"]
    return "\n".join(lines) + "\n"


def _layer(layer: Layer) -> Iterator[str]:
    yield f"  name: {_text(layer.name)}"
    yield f"  type: {_text(layer.type)}"
    yield from (f"  bottom: {_text(name)}" for name in layer.bottoms)
    yield from (f"  top: {_text(name)}" for name in layer.tops)
    for message, fields in layer.parameters.items():
        yield f"  {message} {{"
        yield from (f"    {line}" for line in _fields(fields))
        yield "  }"


def _fields(fields: Mapping[str, Parameter]) -> Iterator[str]:
    for key, value in fields.items():
        if key == "shape":  # the one nested message that layers here use
            dims = " ".join(f"dim: {size}" for size in _many(value))
            yield f"shape {{ {dims} }}"
        else:
            yield from (f"{key}: {_text(item)}" for item in _many(value))


def _many(value: Parameter) -> tuple[int | float | bool | str, ...]:
    return (value,) if isinstance(value, (int, float, bool, str)) else tuple(value)


def _text(value: float | bool | str) -> str:
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"{value:.9g}"  # float32 to the bit
