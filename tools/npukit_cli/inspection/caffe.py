"""Caffe networks: the definition (prototxt) and the trained file (caffemodel)."""

from __future__ import annotations

import math
from pathlib import Path

from npukit_cli.inspection.description import Description, Tensor, count, layout
from npukit_convert.caffe_files import CaffeNet, read_caffemodel, read_prototxt

_OLD_FORM = (
    "its layers are of the old form (`layers`), which the vendor's compiler refuses: upgrade it "
    "with Caffe's upgrade_net_proto_text or upgrade_net_proto_binary"
)


def describe_prototxt(text: str, path: Path) -> Description:
    """Describe a definition.

    Raises:
        ConversionError: it is no protobuf text.
    """
    net = read_prototxt(text, str(path))
    found = _description("Caffe definition (prototxt)", net, path)
    found.notes += ("the numbers are in the caffemodel beside it",)
    return found


def describe_caffemodel(data: bytes, path: Path) -> Description:
    """Describe a trained network.

    Raises:
        ConversionError: it is damaged.
    """
    net = read_caffemodel(memoryview(data), str(path))
    found = _description("Caffe weights (caffemodel)", net, path)
    found.parameters = net.parameters
    found.weight_bytes = 4 * net.parameters
    found.notes += ("the inputs' shapes are in the prototxt beside it",)
    return found


def _description(kind: str, net: CaffeNet, path: Path) -> Description:
    return Description(
        kind=kind,
        file=str(path),
        bytes=path.stat().st_size,
        name=net.name,
        inputs=tuple(
            Tensor(name, "float32", shape, layout(shape),
                   4 * math.prod(shape) if shape else None)
            for name, shape in net.inputs.items()
        ),
        outputs=tuple(Tensor(name, "float32", ()) for name in net.outputs),
        operators=count(layer.type for layer in net.layers),
        notes=(_OLD_FORM,) if net.old_form else (),
    )  # fmt: skip
