"""Whole networks from PyTorch or ONNX to Caffe files, executed by OpenCV and by BVLC Caffe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from support.networks.catalogue import NETWORKS, Network  # noqa: E402 - after the skip

from npukit.arrays import F32  # noqa: E402
from npukit.runtime.build import read_build  # noqa: E402
from npukit.runtime.declaration import InputSpec  # noqa: E402
from npukit_convert.conversion import caffe_files  # noqa: E402
from npukit_convert.execute.base import Executor  # noqa: E402
from npukit_convert.execute.caffe_bvlc import CaffeBVLC  # noqa: E402
from npukit_convert.execute.caffe_opencv import CaffeOpenCV  # noqa: E402
from npukit_convert.execute.onnx_runtime import OnnxRuntime  # noqa: E402
from npukit_convert.feeds import Feeder, read_pictures  # noqa: E402
from npukit_convert.graph import read_graph  # noqa: E402
from npukit_convert.onnx_to_caffe.convert import to_caffe  # noqa: E402
from npukit_convert.onnx_to_caffe.net import CaffeNet  # noqa: E402
from npukit_convert.simplify import simplify  # noqa: E402
from npukit_convert.torch_to_onnx import export  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ONNX = ROOT / "tests" / "data" / "onnx"
SKILL = ROOT / "skills" / "portrait_matting"
TOLERANCE = 1e-4  # of outputs up to 1; of larger ones, relative to the largest number


class Original(NamedTuple):
    """A network: how to get its ONNX, and its pictures' preprocessing where it is known."""

    name: str
    onnx: Callable[[], bytes]
    inputs: Mapping[str, InputSpec] | None = None
    slow: bool = False


def of_torch(network: Network) -> Original:
    return Original(
        network.name,
        lambda: export(network.build(), network.inputs, network.outputs)[0],
        slow=network.name.startswith("modnet"),
    )


def of_build(name: str) -> Original:
    build = read_build(str(SKILL / "model" / f"{name}.sim"))
    return Original(name, lambda: build.onnx, build.inputs)


ORIGINALS = [
    *(of_build(f"selfie_{name}") for name in ("landscape", "square")),
    *(of_torch(network) for network in NETWORKS if network.name != "modnet_previous_512"),
    *(Original(file.stem, file.read_bytes) for file in sorted(ONNX.glob("*.onnx"))),
]


@pytest.mark.parametrize("form", ["caffe", "caffe-omg"])
@pytest.mark.parametrize(
    "original",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.slow else [])
        for one in ORIGINALS
    ],
)
def test_a_network_computes_the_same_in_both_caffes(
    original: Original, form: str, tmp_path: Path, caffe_python: Path
) -> None:
    onnx = original.onnx()
    lowered = simplify(onnx, form, inputs=original.inputs, fp16=False)
    assert [(step.name, step.why) for step in lowered.steps if not step.kept] == []
    net = to_caffe(read_graph(lowered.onnx), form, "network")
    prototxt, caffemodel = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    for file, data in zip((prototxt, caffemodel), caffe_files(net), strict=True):
        file.write_bytes(data)

    with OnnxRuntime(onnx) as runtime:
        feeds = inputs_for(original, runtime)[: 2 if original.slow else None]
        expected = [runtime.run(one) for one in feeds]
    for name in expected[0]:
        assert np.ptp([one[name] for one in expected]) > 1e-3, f"{name} computes something"
    compare(CaffeOpenCV(prototxt, caffemodel), net, feeds, expected)
    if "Interp" not in {layer.type for layer in net.layers}:  # not in BVLC Caffe
        compare(CaffeBVLC(prototxt, caffemodel, python=caffe_python), net, feeds, expected)


def inputs_for(original: Original, runtime: Executor) -> list[dict[str, F32]]:
    """A frame of a real clip where the preprocessing is known, and noise, large and small."""
    specs = original.inputs or {
        name: InputSpec(tuple(int(size or 1) for size in shape or ()))
        for name, shape in runtime.inputs.items()
    }
    feeder = Feeder(specs)
    real = original.inputs and read_pictures(str(SKILL / "assets" / "demo.mp4"), 1)
    frames = [feeder.frame(picture.frame) for picture in real or ()]
    return [*frames, *(feeder.noise(amplitude, 0) for amplitude in (1.0, 0.1))]


def compare(
    caffe: Executor, net: CaffeNet, feeds: list[dict[str, F32]], expected: list[dict[str, F32]]
) -> None:
    with caffe:
        for one, wanted in zip(feeds, expected, strict=True):
            found = caffe.run({net.names[name]: value for name, value in one.items()})
            for name, value in wanted.items():
                got = found[net.outputs[name]].reshape(value.shape)
                allowed = TOLERANCE * max(1.0, float(np.abs(value).max()))
                np.testing.assert_allclose(got, value, rtol=0, atol=allowed, err_msg=caffe.engine)
