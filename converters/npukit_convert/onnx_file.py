"""ONNX files as users bring them: read, checked, and refused with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import onnx

from npukit_convert.errors import ConversionError
from npukit_convert.graph import OWN_DOMAINS

_MOST_SIDES = 4  # of a tensor that goes in or out: NCHW
_MOST_BYTES = 2**31 - 1  # what a protobuf message may hold


def read_onnx(path: Path) -> bytes:
    """The bytes of a network, with data that lies in other files beside it.

    Raises:
        ConversionError: the file is absent, cut or damaged, its external data is missing, or
            it is too large.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(
            f"the network cannot be read: {error.strerror}", where=str(path)
        ) from error
    model = _parse(data, str(path))
    if not any(onnx.external_data_helper.uses_external_data(t) for t in model.graph.initializer):
        return data
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        whole: bytes = model.SerializeToString()
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ConversionError(
            f"the network's external data cannot be read: {error}",
            where=str(path),
            hint="copy the data files with the .onnx into one folder",
        ) from error
    return whole


def check_onnx(data: bytes, where: str) -> None:
    """Refuse what no later step could handle, all of it in one go.

    Raises:
        ConversionError: not ONNX, empty, a name given twice, an operator that ONNX does not
            have, inputs that are no float32, or more than four dimensions.
    """
    if len(data) > _MOST_BYTES:
        raise ConversionError(f"the network has {len(data)} bytes, over 2 GiB", where=where)
    model = _parse(data, where)
    if not model.graph.node:
        raise ConversionError("the network has no operators", where=where)
    problems = [*_operators(model), *_doubled(model), *_types(model)]
    if not problems:
        problems = _checked(model)
    if problems:
        raise ConversionError("; ".join(problems), where=where)


def open_sizes(data: bytes) -> dict[str, tuple[int | str, ...]]:
    """The inputs whose size is not fixed, with what the file says of it."""
    shapes = input_shapes(data)
    return {
        name: shape
        for name, shape in shapes.items()
        if not all(isinstance(size, int) for size in shape)
    }


def input_shapes(data: bytes) -> dict[str, tuple[int | str, ...]]:
    """Shape by name of the inputs that are no weights; a word where a size is open."""
    graph = _parse(data, "network").graph
    weights = {tensor.name for tensor in graph.initializer}
    return {
        value.name: tuple(
            side.dim_value
            if side.HasField("dim_value") and side.dim_value > 0
            else side.dim_param or "?"
            for side in value.type.tensor_type.shape.dim
        )
        for value in graph.input
        if value.name not in weights
    }


def output_names(data: bytes) -> tuple[str, ...]:
    """The names of the outputs, in order."""
    return tuple(value.name for value in _parse(data, "network").graph.output)


def fix_sizes(data: bytes, shapes: Mapping[str, tuple[int, ...]], where: str) -> bytes:
    """The network with open sizes of its inputs set.

    Raises:
        ConversionError: an input that the network has not, or a size it fixes otherwise.
    """
    model = _parse(data, where)
    found = input_shapes(data)
    if set(found) != set(shapes):
        raise ConversionError(
            f"the network takes {sorted(found)}, the config says {sorted(shapes)}", where=where
        )
    for value in model.graph.input:
        if value.name not in shapes:
            continue
        wanted, sides = shapes[value.name], value.type.tensor_type.shape.dim
        fits = len(wanted) == len(sides) and all(
            isinstance(size, str) or size == want
            for size, want in zip(found[value.name], wanted, strict=True)
        )
        if not fits:
            raise ConversionError(
                f"the network takes {value.name!r} of shape {list(found[value.name])}, "
                f"the config says {list(wanted)}",
                where=where,
                hint="correct the config; a fixed size changes only where the network is exported",
            )
        for side, size in zip(sides, wanted, strict=True):
            side.dim_value = size
    if open_sizes(data):  # shapes inside were those of the open sizes
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
    fixed: bytes = model.SerializeToString()
    return fixed


def _parse(data: bytes, where: str) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf raises many kinds
        raise ConversionError(
            f"not an ONNX network, or cut short: {error}",
            where=where,
            hint="copy or export the file again",
        ) from error
    if not model.HasField("graph"):
        raise ConversionError("not an ONNX network: it holds no graph", where=where)
    return model


def _operators(model: onnx.ModelProto) -> list[str]:
    own = {function.name for function in model.functions}
    strange = [
        f"{node.op_type} of domain {node.domain!r} (node {node.name!r})"
        for node in model.graph.node
        if node.domain not in OWN_DOMAINS and node.op_type not in own
    ]
    if not strange:
        return []
    return [
        f"custom operators, which no compiler knows: {', '.join(strange)} (say them in ONNX's own)"
    ]


def _doubled(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    made = [name for node in graph.node for name in node.output if name]
    weights = [tensor.name for tensor in graph.initializer]
    # In files of old an initializer stands among the inputs too.
    inputs = [value.name for value in graph.input if value.name not in set(weights)]
    counts = Counter([*inputs, *weights, *made])
    twice = sorted(name for name, count in counts.items() if count > 1)
    return [f"names given to two values: {', '.join(twice)}"] if twice else []


def _types(model: onnx.ModelProto) -> list[str]:
    kinds = onnx.TensorProto.DataType
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    problems = [
        f"input {value.name!r} is {kinds.Name(value.type.tensor_type.elem_type)}, not FLOAT"
        for value in inputs
        if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT
    ]
    problems += [
        f"{value.name!r} has {len(value.type.tensor_type.shape.dim)} dimensions, chips take "
        f"at most {_MOST_SIDES}"
        for value in (*inputs, *model.graph.output)
        if len(value.type.tensor_type.shape.dim) > _MOST_SIDES
    ]
    doubles = [t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.DOUBLE]
    if doubles:
        problems.append(f"weights in float64: {', '.join(doubles)} (export model.float())")
    return problems


def _checked(model: onnx.ModelProto) -> list[str]:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return [f"ONNX's own checker refuses it: {str(error).strip().splitlines()[0]}"]
    return []
