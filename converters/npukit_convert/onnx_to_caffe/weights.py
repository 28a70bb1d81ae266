"""The blobs that each layer type must have.

BVLC Caffe runs on zeros, without a word, where a blob is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from npukit_convert.onnx_to_caffe.net import Layer

Shapes = Mapping[str, tuple[int, ...]]
Expected = tuple[tuple[int, ...], ...]


def weight_problems(layer: Layer, shapes: Shapes) -> list[str]:
    """What is wrong with a layer's blobs: one line, or none.

    Args:
        layer: of any type; a type without weights must have no blob.
        shapes: of every blob of the network.
    """
    rule = _RULES.get(layer.type)
    expected = rule(layer, shapes) if rule else ()
    found = tuple(tuple(blob.shape) for blob in layer.blobs)
    if found == expected:
        return []
    return [f"its weights are of shapes {_list(found)}, it must have {_list(expected)}"]


def _list(sizes: Expected) -> str:
    return ", ".join(str(list(size)) for size in sizes) or "none"


def _filters(transposed: bool) -> Callable[[Layer, Shapes], Expected]:
    def rule(layer: Layer, shapes: Shapes) -> Expected:
        how = layer.parameters["convolution_param"]
        inputs, outputs = shapes[layer.bottoms[0]][1], _int(how["num_output"])
        group = inputs if layer.type == "ConvolutionDepthwise" else _int(how.get("group", 1))
        first, second = (inputs, outputs) if transposed else (outputs, inputs)
        kernel = (_pair(how, "kernel_h", 0), _pair(how, "kernel_w", -1))
        bias: Expected = ((outputs,),) if how.get("bias_term", True) else ()
        return ((first, second // group, *kernel), *bias)

    return rule


def _pair(how: Mapping[str, Any], name: str, index: int) -> int:
    if name in how:
        return _int(how[name])
    size = how["kernel_size"]
    return _int(size if isinstance(size, int) else list(size)[index])


def _matrix(layer: Layer, shapes: Shapes) -> Expected:
    how = layer.parameters["inner_product_param"]
    size, outputs = shapes[layer.bottoms[0]], _int(how["num_output"])
    inputs = 1
    for extent in size[_int(how.get("axis", 1)) :]:
        inputs *= extent
    bias: Expected = ((outputs,),) if how.get("bias_term", True) else ()
    return ((outputs, inputs), *bias)


def _scale(layer: Layer, shapes: Shapes) -> Expected:
    how = layer.parameters.get("scale_param", {})
    size = shapes[layer.bottoms[0]]
    axis, count = _int(how.get("axis", 1)), _int(how.get("num_axes", 1))
    if len(layer.bottoms) > 1:  # the second bottom is the factor
        part = shapes[layer.bottoms[1]]
        return (part,) if how.get("bias_term", False) else ()
    part = size[axis:] if count == -1 else size[axis : axis + count]
    return (part, part) if how.get("bias_term", False) else (part,)


def _batch_norm(layer: Layer, shapes: Shapes) -> Expected:
    channels = shapes[layer.bottoms[0]][1]
    return ((channels,), (channels,), (1,))


def _slopes(layer: Layer, shapes: Shapes) -> Expected:
    return ((shapes[layer.bottoms[0]][1],),)


def _normalize(layer: Layer, shapes: Shapes) -> Expected:
    shared = layer.parameters.get("norm_param", {}).get("channel_shared", True)
    return ((1,) if shared else (shapes[layer.bottoms[0]][1],),)


def _int(value: Any) -> int:
    return int(value)


_RULES: dict[str, Callable[[Layer, Shapes], Expected]] = {
    "BatchNorm": _batch_norm,
    "Convolution": _filters(transposed=False),
    "ConvolutionDepthwise": _filters(transposed=False),
    "Deconvolution": _filters(transposed=True),
    "InnerProduct": _matrix,
    "Normalize": _normalize,
    "PReLU": _slopes,
    "Scale": _scale,
}
