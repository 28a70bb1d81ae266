"""ONNX networks by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from npukit.arrays import F32, Array
from npukit.preprocess import Preprocess
from npukit_convert.errors import ExecutionError
from npukit_convert.execute.base import Executor, Shape

_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}
_BATCH_BYTES = 128 << 20  # of layers fetched in one pass
_UNKNOWN_BYTES = 8 << 20  # taken for a tensor whose shape is not inferred


class OnnxRuntime(Executor):
    """A float or quantised ONNX network."""

    engine = "ONNX Runtime"

    def __init__(
        self,
        model: bytes | Path,
        where: str = "",
        outputs: Sequence[str] | None = None,
        preprocess: Mapping[str, Preprocess] | None = None,
        *,
        optimised: bool = True,
    ) -> None:
        """Open a network.

        Args:
            model: the file, or what it holds.
            where: its name for messages.
            outputs: of the network; all if not given.
            preprocess: see `Executor`.
            optimised: let ONNX Runtime rewrite the graph, which is faster; it has rewrites that
                change the result. Layers are always those of the graph as it is written.

        Raises:
            ExecutionError: the file cannot be read, or ONNX Runtime refuses it.
        """
        self._model = model
        where = where or (str(model) if isinstance(model, Path) else "network")
        self._session = _session(model, where, optimised)
        declared = self._session.get_inputs()
        super().__init__(
            where,
            {item.name: _shape(item.shape) for item in declared},
            outputs or [item.name for item in self._session.get_outputs()],
            preprocess,
        )
        self._types = {item.name: _DTYPES.get(item.type) for item in declared}
        for item in declared:
            if item.type not in _DTYPES:
                raise ExecutionError(f"input {item.name!r} is a {item.type}", where=where)

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        return self._fetch(self._session, feeds, self.outputs)

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        for model, names in with_outputs(self._model):
            # As written: an optimised graph has other layers.
            session = _session(model, self.where, optimised=False)
            types = {item.name: item.type for item in session.get_outputs()}
            floats = [name for name in names if types[name] in _FLOATS]
            yield from self._fetch(session, feeds, floats).items()

    def _fetch(
        self, session: Any, feeds: Mapping[str, F32], names: Sequence[str]
    ) -> dict[str, F32]:
        if not names:  # ONNX Runtime would take it for all
            return {}
        typed: dict[str, Array] = {
            name: value.astype(self._types[name], copy=False) for name, value in feeds.items()
        }
        try:
            found = session.run(list(names), typed)
        except Exception as error:  # the types of ONNX Runtime's binding are not public
            raise self._failed(error) from error
        results = {}
        for name, value in zip(names, found, strict=True):
            if not isinstance(value, np.ndarray):
                raise self._failed(f"{name!r} is a {type(value).__name__}, no tensor")
            results[name] = np.asarray(value, np.float32)
        return results


def _session(model: bytes | Path, where: str, optimised: bool = True) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_DISABLE_ALL
    source = model if isinstance(model, bytes) else str(model)
    if isinstance(model, Path):
        try:
            model.open("rb").close()  # says why in one word, ONNX Runtime in a paragraph
        except OSError as error:
            raise ExecutionError(
                f"the file cannot be read: {error.strerror}", where=where
            ) from error
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the types of ONNX Runtime's binding are not public
        raise ExecutionError(
            f"ONNX Runtime refuses the network: {error}",
            where=where,
            hint="the file must be a whole .onnx, with its external data beside it",
        ) from error


def _shape(sides: Sequence[int | str | None]) -> Shape:
    return tuple(side if isinstance(side, int) else None for side in sides)


def with_outputs(model: bytes | Path) -> Iterator[tuple[bytes, list[str]]]:
    """The network again and again, each time with some more of its tensors as outputs."""
    import onnx

    proto = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(str(model))
    try:
        inferred = onnx.shape_inference.infer_shapes(proto)
    except Exception:  # noqa: BLE001 - sizes only serve to bound memory
        inferred = proto
    sizes = {item.name: _bytes(item) for item in inferred.graph.value_info}
    computing = (node for node in proto.graph.node if node.op_type != "Constant")
    written = [name for node in computing for name in node.output if name]
    own = list(proto.graph.output)
    for names in _batches(written, sizes):
        del proto.graph.output[:]
        kept = {item.name: item for item in own}
        proto.graph.output.extend(
            kept.get(name) or onnx.ValueInfoProto(name=name) for name in names
        )
        yield proto.SerializeToString(), names


def _batches(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    held = 0
    for name in names:
        size = sizes.get(name, _UNKNOWN_BYTES)
        if batch and held + size > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(name)
        held += size
    if batch:
        yield batch


def _bytes(item: Any) -> int:
    """Size of a tensor as float32."""
    tensor = item.type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim]
    return 4 * prod(sides) if tensor.HasField("shape") and all(sides) else _UNKNOWN_BYTES
