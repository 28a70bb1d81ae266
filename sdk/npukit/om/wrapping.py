"""A simulator build in the container of an offline model: it lies where a skill has its .om.

The build's own bytes are the attribute `npukit_build` of the model definition, because readers such
as Netron refuse partitions of unknown types. Graph and weights are there to be looked at.
"""

from __future__ import annotations

from typing import Mapping, Optional

import numpy as np

from npukit.errors import ModelError, OfflineModelError
from npukit.files import replacing
from npukit.om.codec import encode
from npukit.om.container import (
    MAGIC,
    MODEL_DEF,
    SIMULATOR,
    SVP_MAGIC,
    WEIGHTS,
    Header,
    pack_container,
)
from npukit.om.graph import Aipp, OmGraph, OmNode, OmTensor, Picture, lower
from npukit.om.integrity import with_digest
from npukit.om.messages import AttrDef, ModelDef
from npukit.om.reader import OmFile, read_om
from npukit.runtime.base import input_tensor
from npukit.runtime.build import SimulatorBuild, pack_build, parse_build

PAYLOAD = "npukit_build"


def wrap(
    build: SimulatorBuild,
    graph: Optional[OmGraph] = None,
    aipp: Optional[Mapping[str, Aipp]] = None,
) -> bytes:
    """A simulator build as an offline model; equal arguments give equal bytes.

    Args:
        build: what the simulator executes.
        graph: of the network, for readers; without it one operator stands for the whole.
        aipp: by input, the fields of its preprocessing under their names in the vendor's files.

    Raises:
        OfflineModelError: the graph is of another network, or `aipp` names an input that takes
            no picture; see also `lower`.
    """
    pictures = {name: _picture(build, name, fields) for name, fields in (aipp or {}).items()}
    definition, weights = lower(_fitting(graph, build), pictures)
    attrs = {
        PAYLOAD: AttrDef(bt=memoryview(pack_build(build))),
        "target_type": AttrDef(s=memoryview(b"SIMULATOR")),
        "weight_size": AttrDef(i=len(weights)),
    }
    model = ModelDef(name=build.name, version=2, custom_version=SIMULATOR, graph=(definition,),
                     attr=attrs)  # fmt: skip
    header = Header(build.name, SIMULATOR, has_checksum=True, operators=len(definition.op))
    partitions = {MODEL_DEF: encode(model)}
    if weights:
        partitions[WEIGHTS] = weights
    return with_digest(pack_container(header, partitions))


def write_wrapped(
    path: str,
    build: SimulatorBuild,
    graph: Optional[OmGraph] = None,
    aipp: Optional[Mapping[str, Aipp]] = None,
) -> None:
    """Write `wrap`'s bytes; an older file stays whole until the new one is complete."""
    content = wrap(build, graph, aipp)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def is_om(path: str) -> bool:
    """Whether the file begins as an offline model does; not where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in (MAGIC, SVP_MAGIC)
    except OSError:
        return False


def unwrap(path: str) -> SimulatorBuild:
    """The simulator build in an offline model.

    Raises:
        OfflineModelError: no such file, another kind of file, a damaged one, or a board's.
        ModelError: the build in it is damaged.
    """
    return build_of(read_om(path))


def build_of(om: OmFile) -> SimulatorBuild:
    """The simulator build in an offline model that was read.

    Raises:
        OfflineModelError: it is a board's.
        ModelError: the build in it is damaged.
    """
    payload = om.model.attr.get(PAYLOAD) if om.model is not None else None
    if not om.wraps_simulator_build or payload is None or payload.bt is None:
        raise OfflineModelError(
            "a board's offline model (platform {}{}): only the chip that it was compiled for "
            "executes it".format(
                om.header.platform or "unknown", ", encrypted" if om.header.encrypted else ""
            ),
            where=om.where,
            hint="`npukit convert` makes a simulator build of the trained network: put that here; "
            "`npukit inspect` shows what this file takes",
        )
    return parse_build(bytes(payload.bt), om.where)


def _picture(build: SimulatorBuild, name: str, fields: Aipp) -> Picture:
    spec = build.inputs.get(name)
    if spec is None or spec.preprocess is None:
        raise OfflineModelError(
            "input {!r} takes no picture: it has no AIPP".format(name), where=build.name
        )
    try:
        return Picture(fields, input_tensor(name, spec, build.name).nbytes)
    except ModelError as error:
        raise OfflineModelError(error.message, where=build.name) from error


def _fitting(graph: Optional[OmGraph], build: SimulatorBuild) -> OmGraph:
    """The graph with the build's inputs and outputs, in their order."""
    if graph is None:
        return _whole(build)
    if set(graph.inputs) != set(build.inputs):
        raise OfflineModelError(
            "the graph takes {}, the build {}".format(
                ", ".join(graph.inputs) or "nothing", ", ".join(build.inputs) or "nothing"
            ),
            where=build.name,
            hint="describe the network that is in the build",
        )
    return graph._replace(inputs=tuple(build.inputs), outputs=build.outputs)


def _whole(build: SimulatorBuild) -> OmGraph:
    """The graph of a network that nobody described: one operator from inputs to outputs."""
    node = OmNode(build.name, "SimulatorBuild", tuple(build.inputs), build.outputs)
    tensors = {
        name: OmTensor(np.dtype(np.float32).name, spec.shape) for name, spec in build.inputs.items()
    }
    return OmGraph(build.name, (node,), tuple(build.inputs), build.outputs, tensors)
