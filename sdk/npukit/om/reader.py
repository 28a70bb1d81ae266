"""Offline models as data: the file's parts, its graph, its inputs and outputs."""

from __future__ import annotations

from typing import Dict, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

from npukit.errors import OfflineModelError
from npukit.om.codec import decode
from npukit.om.container import (
    MODEL_DEF,
    SIMULATOR,
    WEIGHTS,
    Header,
    Partition,
    parse_header,
    parse_partitions,
)
from npukit.om.integrity import check_digest
from npukit.om.messages import DTYPES, AttrDef, ModelDef, NamedAttrs, OpDef, TensorDescriptor
from npukit.om.wire import WireError

Number = Union[int, float, bool]


class Interface(NamedTuple):
    """An input or output of a model, as its caller sees it.

    Attributes:
        dtype: of the bytes, by numpy's name where it has the type.
        shape: -1 stands for an axis that is not known.
        layout: NCHW, NHWC, ...
        nbytes: size, None where it is not known.
        aipp: fields of the preprocessing in the device, None without.
    """

    name: str
    dtype: str
    shape: Tuple[int, ...]
    layout: str
    nbytes: Optional[int]
    aipp: Optional[Mapping[str, Tuple[Number, ...]]] = None


class OmFile(NamedTuple):
    """An offline model; what is large are slices of the file's bytes.

    Attributes:
        model: the definition, None where the file is encrypted.
        weights: the partition of constants.
    """

    where: str
    header: Header
    partitions: Tuple[Partition, ...]
    model: Optional[ModelDef]
    weights: memoryview = memoryview(b"")

    @property
    def wraps_simulator_build(self) -> bool:
        """Whether it is for the simulator, not for a board."""
        return self.header.platform == SIMULATOR

    def operators(self) -> Tuple[OpDef, ...]:
        """Every operator of every graph, constants and outputs among them."""
        graphs = () if self.model is None else self.model.graph
        return tuple(op for graph in graphs for op in graph.op)

    def constants(self) -> Iterator[Tuple[OpDef, TensorDescriptor, memoryview]]:
        """Each constant with its description and its bytes, in the layout that it lies in."""
        for op in self.operators():
            value = op.attr.get("value", AttrDef()).t if op.type == "Const" else None
            if value is not None and value.desc is not None:
                yield op, value.desc, value.data or self._weight(op, value.desc)

    def inputs(self) -> Tuple[Interface, ...]:
        """What the model takes."""
        found = []
        for op in self.operators():
            described = op.input_desc or op.output_desc
            if op.type == "Data" and described:
                aipp = op.attr.get("aipp", AttrDef()).func
                size = described[0].size if aipp is not None else 0
                found.append(_interface(op.name, described[0], size, aipp))
        return tuple(found)

    def outputs(self) -> Tuple[Interface, ...]:
        """What the model gives; without names of their own, those of the operators behind."""
        return tuple(
            _interface(desc.name or name.rpartition(":")[0], desc)
            for op in self.operators()
            if op.type == "NetOutput"
            for name, desc in zip(op.input, op.output_desc or op.input_desc)
        )

    def number(self, name: str) -> Optional[int]:
        """An attribute of the model that is a whole number, None where there is none."""
        attr = None if self.model is None else self.model.attr.get(name)
        # The compiler leaves a zero out.
        return None if attr is None else attr.i or 0

    def text(self, name: str) -> str:
        """An attribute of the model that is a text, "" where there is none."""
        attr = None if self.model is None else self.model.attr.get(name)
        return "" if attr is None or attr.s is None else str(attr.s, "utf-8", "replace")

    def _weight(self, op: OpDef, desc: TensorDescriptor) -> memoryview:
        merged = desc.attr.get("merged_offset")
        start = desc.data_offset if merged is None else merged.i or 0
        if start < 0 or desc.weight_size < 0 or start + desc.weight_size > len(self.weights):
            raise OfflineModelError(
                "constant {!r} lies at {} + {} of {} bytes of weights".format(
                    op.name, start, desc.weight_size, len(self.weights)
                ),
                where=self.where,
                hint="copy the file again, or compile it anew",
            )
        return self.weights[start : start + desc.weight_size]


def read_om(path: str) -> OmFile:
    """Read an offline model, of a board or of the simulator; nothing is executed.

    Raises:
        OfflineModelError: no such file, another kind of file, or a damaged one.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise OfflineModelError(
            "the offline model cannot be read: {}".format(error.strerror), where=path
        ) from error
    return parse_om(memoryview(data), path)


def parse_om(data: memoryview, where: str) -> OmFile:
    """Read an offline model's bytes; see `read_om`.

    Memory beyond `data` is proportional to its model definition, some 150 bytes a byte at most.
    """
    header = parse_header(data, where)
    if header.platform == SIMULATOR:
        check_digest(data, header, where)
    if header.encrypted:  # what follows is of no use without the key
        return OmFile(where, header, (), None)
    partitions = parse_partitions(data, header, where)
    content: Dict[int, memoryview] = {part.type: part.data for part in partitions}
    try:
        model = decode(ModelDef, content[MODEL_DEF])
        if not any(graph.op for graph in model.graph):
            raise WireError("it has no operators")
    except WireError as error:
        raise OfflineModelError(
            "the model definition is damaged: {}".format(error),
            where=where,
            hint="copy the file again, or compile it anew",
        ) from error
    om = OmFile(where, header, partitions, model, content.get(WEIGHTS, memoryview(b"")))
    for _ in om.constants():  # each must lie within the weights
        pass
    return om


def element_count(shape: Tuple[int, ...]) -> Optional[int]:
    """Elements of a tensor, None where an axis is not known."""
    count = 1
    for axis in shape:
        if axis < 0:
            return None
        count *= axis
    return count


def _interface(
    name: str, desc: TensorDescriptor, size: int = 0, aipp: Optional[NamedAttrs] = None
) -> Interface:
    dtype, item = DTYPES.get(desc.dtype, ("dtype {}".format(desc.dtype), None))
    count = None if desc.shape is None else element_count(desc.dims)
    nbytes = size or (None if count is None or item is None else count * item)
    fields = None
    if aipp is not None:
        fields = {key: _numbers(attr) for key, attr in sorted(aipp.attr.items())}
    return Interface(name, dtype, desc.dims, desc.layout, nbytes, fields)


def _numbers(attr: AttrDef) -> Tuple[Number, ...]:
    if attr.list is not None:
        return attr.list.i or attr.list.f or attr.list.b
    given: Tuple[Optional[Number], ...] = (attr.i, attr.f, attr.b)
    return tuple(number for number in given if number is not None) or (0,)
