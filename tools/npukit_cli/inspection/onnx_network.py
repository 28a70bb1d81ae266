"""ONNX networks, through the `onnx` library: read, not executed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from npukit_cli.inspection.description import Description, Tensor, count, layout
from npukit_convert.errors import ConversionError


def describe_onnx(data: bytes, path: Path) -> Description:
    """Describe a network.

    Raises:
        ConversionError: the file is damaged.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the library's errors have no common base
        raise ConversionError(
            f"the ONNX network is damaged: {error}", where=str(path), hint="copy the file again"
        ) from error
    graph = model.graph
    weights = {item.name for item in graph.initializer}
    sizes = [(math.prod(item.dims), item) for item in graph.initializer]
    opsets = {item.domain or "ai.onnx": item.version for item in model.opset_import}
    return Description(
        kind="ONNX network",
        file=str(path),
        bytes=len(data),
        name=graph.name,
        version=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(_tensor(item) for item in graph.input if item.name not in weights),
        outputs=tuple(_tensor(item) for item in graph.output),
        operators=count(
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in graph.node
        ),
        parameters=sum(size for size, _ in sizes),
        weight_bytes=sum(size * _item_size(item.data_type) for size, item in sizes),
        facts={"opset": opsets, "IR version": model.ir_version},
        notes=_notes(graph),
    )


def _notes(graph: Any) -> tuple[str, ...]:
    outside = sum(bool(item.external_data) for item in graph.initializer)
    return (f"{outside} weights lie in files beside it",) if outside else ()


def _tensor(info: Any) -> Tensor:
    kind = info.type.tensor_type
    shape = tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?"
        for axis in kind.shape.dim
    )
    dtype = _dtype(kind.elem_type)
    sizes = [side for side in shape if isinstance(side, int)]
    fixed = dtype is not None and len(sizes) == len(shape)
    return Tensor(
        info.name,
        "?" if dtype is None else dtype.name,
        shape,
        layout(shape),
        math.prod(sizes) * _item_size(kind.elem_type) if fixed else None,
    )


def _item_size(kind: int) -> int:
    dtype = _dtype(kind)
    return 0 if dtype is None else int(dtype.itemsize)


def _dtype(kind: int) -> Any:
    """Numpy's type; None of one that has no fixed size."""
    from onnx import helper

    try:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
    except (KeyError, ValueError, TypeError):
        return None
    return None if dtype.hasobject else dtype
