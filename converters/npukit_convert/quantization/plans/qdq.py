"""A precision plan as an ONNX network: ONNX Runtime's quantiser puts Q and DQ around the layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph, write_graph
from npukit_convert.quantization.plans.channels import align_channels
from npukit_convert.quantization.plans.kernels import Layers, find_layers
from npukit_convert.quantization.plans.plan import PrecisionPlan
from npukit_convert.quantization.plans.ranges import Ranges


@dataclass(frozen=True)
class Quantised:
    """A plan's network for ONNX Runtime, which computes it in integers.

    Attributes:
        onnx: the network; layers at fp16 are float32 in it.
        kept: node name to why it is in float.
    """

    onnx: bytes
    kept: Mapping[str, str]


def prepare(network: bytes, where: str = "network") -> bytes:
    """The network as plans speak of it: every node has a name of its own, opset 13 or later.

    Per-channel weights need opset 13.

    Raises:
        ConversionError: not an ONNX network, one that is quantised already, or of an opset that
            cannot be raised.
    """
    model = read_graph(network, where)
    find_layers(model, where)
    taken: set[str] = set()
    for place, node in enumerate(model.graph):
        base = node.name or f"{node.op_type}_{place}"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}#{number}"
        node.name = name
        taken.add(name)
    return write_graph(model)


def quantise(
    network: bytes, ranges: Ranges, plan: PrecisionPlan, layers: Layers | None = None
) -> Quantised:
    """Realise a plan: int8 weights by output channel, uint8 activations.

    Symmetric activations are uint8 around 128, which is the same numbers as int8 around 0: on
    x86 ONNX Runtime has more kernels for them.

    Args:
        network: float32, by `prepare`.
        ranges: of its tensors.
        plan: which layers are int8, and how activations are quantised.
        layers: of the network, where they were found already.

    Raises:
        ConversionError: ONNX Runtime cannot quantise the network.
        ConfigError: the plan is not one of this network.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import TensorData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import add_infer_metadata

    layers = layers or find_layers(read_graph(network, raised=False))
    plan.check(layers)
    chosen = layers.realised(plan.int8())
    kept = {**layers.kept, **dict.fromkeys(plan.fp16(), "the plan says fp16")}
    if not chosen:
        return Quantised(network, kept)
    proto = onnx.load_model_from_string(network)
    own = {node.name for node in proto.graph.node}
    widened = align_channels(proto, set(chosen))
    known = {**ranges.values, **{name: ranges.values[like] for name, like in widened.items()}}
    add_infer_metadata(proto)  # shapes are there: it need not infer them again, by way of a file
    try:
        quantiser = QDQQuantizer(
            proto,
            True,  # weights by channel
            False,  # all 8 bits
            QuantType.QInt8,
            QuantType.QUInt8,
            {
                name: TensorData(lowest=np.float32(low), highest=np.float32(high))
                for name, (low, high) in known.items()
            },
            [*chosen, *widened],
            [],
            sorted({node.op_type for node in proto.graph.node}),
            {"ActivationSymmetric": plan.activations == "symmetric"},
        )
        quantiser.quantize_model()
        quantiser.model.topological_sort()
    except Exception as error:  # it raises many kinds
        raise ConversionError(f"ONNX Runtime cannot quantise the network: {error}") from error
    made: onnx.ModelProto = quantiser.model.model
    _shorten(made, own)
    return Quantised(made.SerializeToString(), kept)


def _shorten(model: onnx.ModelProto, own: set[str]) -> None:
    """Short names for what was put in, and nothing that can be inferred.

    Three new tensors and two nodes for each old one, named after it, are a third of the file of a
    network with small layers. Nodes and tensors of the float network keep their names.
    """
    graph = model.graph
    del graph.value_info[:]
    del model.metadata_props[:]
    kept = {value.name for value in (*graph.input, *graph.output)}
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        if node.name in own:
            kept |= set(node.output)
    taken = kept | own
    fresh = (name for name in map("q{}".format, itertools.count()) if name not in taken)
    short = {name: name for name in ("", *kept)}
    for tensor in graph.initializer:
        tensor.doc_string = ""
        tensor.name = short.setdefault(tensor.name, next(fresh))
    for node in graph.node:
        if node.name not in own:
            node.name = next(fresh)
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name not in short:
                    short[name] = next(fresh)
                names[place] = short[name]
