"""Whole networks on their way to Caffe, and how far each Caffe is from ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from support.networks.catalogue import NETWORKS, Network

from npukit.arrays import F32
from npukit.runtime.build import read_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.conversion import caffe_files
from npukit_convert.execute.base import Executor
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder, read_pictures
from npukit_convert.graph import read_graph
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.simplify import simplify
from npukit_convert.torch_to_onnx import export

ROOT = Path(__file__).resolve().parents[2]
ONNX = ROOT / "tests" / "data" / "onnx"
SKILL = ROOT / "skills" / "portrait_matting"

Feeds = dict[str, F32]


class Original(NamedTuple):
    """A network: how to get its ONNX, and its pictures' preprocessing where it is known."""

    name: str
    onnx: Callable[[], bytes]
    inputs: Mapping[str, InputSpec] | None = None
    slow: bool = False


class Lowered(NamedTuple):
    """A network in Caffe's files, and what its original computes.

    Attributes:
        undone: rewrites that were not kept, with the reason.
        expected: the original's outputs for each of `feeds`.
    """

    net: CaffeNet
    prototxt: Path
    caffemodel: Path
    undone: list[tuple[str, str]]
    feeds: list[Feeds]
    expected: list[Feeds]


def of_torch(network: Network) -> Original:
    """One of the catalogue."""
    return Original(
        network.name,
        lambda: export(network.build(), network.inputs, network.outputs)[0],
        slow=network.name.startswith("modnet"),
    )


def of_build(name: str) -> Original:
    """One that portrait matting ships."""
    build = read_build(str(SKILL / "model" / f"{name}.sim"))
    return Original(name, lambda: build.onnx, build.inputs)


ORIGINALS = [
    *(of_build(f"selfie_{name}") for name in ("landscape", "square")),
    *(of_torch(network) for network in NETWORKS if network.name != "modnet_previous_512"),
    *(Original(file.stem, file.read_bytes) for file in sorted(ONNX.glob("*.onnx"))),
]


def lower_to_caffe(original: Original, form: str, folder: Path) -> Lowered:
    """Convert it into `folder`, and execute the original."""
    onnx = original.onnx()
    lowered = simplify(onnx, form, inputs=original.inputs, fp16=False)
    net = to_caffe(read_graph(lowered.onnx), form, "network")
    prototxt, caffemodel = folder / "net.prototxt", folder / "net.caffemodel"
    for file, data in zip((prototxt, caffemodel), caffe_files(net), strict=True):
        file.write_bytes(data)
    undone = [(step.name, step.why) for step in lowered.steps if not step.kept]
    with OnnxRuntime(onnx) as runtime:
        feeds = _feeds(original, runtime)[: 2 if original.slow else None]
        return Lowered(
            net, prototxt, caffemodel, undone, feeds, [runtime.run(one) for one in feeds]
        )


def worst_error(caffe: Executor, lowered: Lowered) -> float:
    """The largest difference of an output; relative to its largest number where that is above 1."""
    net, worst = lowered.net, 0.0
    with caffe:
        for one, wanted in zip(lowered.feeds, lowered.expected, strict=True):
            found = caffe.run({net.names[name]: value for name, value in one.items()})
            worst = max(worst, *_errors(found, wanted, net))
    return worst


def _errors(found: Feeds, wanted: Feeds, net: CaffeNet) -> Sequence[float]:
    errors = []
    for name, value in wanted.items():
        apart = np.abs(found[net.outputs[name]].reshape(value.shape) - value)
        errors.append(float(apart.max()) / max(1.0, float(np.abs(value).max())))
    return [np.inf if np.isnan(error) else error for error in errors]


def _feeds(original: Original, runtime: Executor) -> list[Feeds]:
    """A frame of a real clip where the preprocessing is known, and noise, large and small."""
    specs = original.inputs or {
        name: InputSpec(tuple(int(size or 1) for size in shape or ()))
        for name, shape in runtime.inputs.items()
    }
    feeder = Feeder(specs)
    real = original.inputs and read_pictures(str(SKILL / "assets" / "demo.mp4"), 1)
    frames = [feeder.frame(picture.frame) for picture in real or ()]
    return [*frames, *(feeder.noise(amplitude, 0) for amplitude in (1.0, 0.1))]
