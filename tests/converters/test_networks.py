"""Whole networks: what later steps start from is what torch computes, and worth comparing."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from support.networks.catalogue import NETWORKS, Network, cases, find  # noqa: E402 - after the skip
from support.networks.onnx_files import FOLDER, ONNX_FILES, OnnxFile  # noqa: E402

from npukit_convert.execute.onnx_runtime import OnnxRuntime  # noqa: E402
from npukit_convert.execute.torch_eager import TorchEager  # noqa: E402
from npukit_convert.feeds import AMPLITUDES, Feeder  # noqa: E402
from npukit_convert.figures import difference  # noqa: E402
from npukit_convert.torch_to_onnx import export  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
# What conversions may be off by: an error in one layer must show as more.
TOLERANCE = 1e-4
# Of the same networks in the test data beside the repository.
REFERENCES = {
    "blazeface": "mp_face_short",
    "face_landmark": "mp_face_landmark",
    "esrgan_slim_x2": "upscalerjs_esrgan_slim_x2",
}
SMALL = [network for network in NETWORKS if not network.name.startswith("modnet")]


@functools.cache
def built(name: str) -> Any:
    """The network of this name; tests leave it as it is."""
    return find(name).build()


def run(module: Any, network: Network, amplitude: float) -> list[Any]:
    random = torch.Generator().manual_seed(1)
    feeds = [amplitude * torch.randn(shape, generator=random) for shape in network.inputs.values()]
    with torch.no_grad():
        result = module(*feeds)
    return list(result) if isinstance(result, tuple) else [result]


def session(onnx: bytes | Path) -> Any:
    source = str(onnx) if isinstance(onnx, Path) else onnx
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def norms(module: Any) -> list[tuple[str, Any]]:
    """The BatchNorms that inference runs."""
    return [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.BatchNorm2d) and not name.startswith("hr_branch.conv_hr.")
    ]


# --- torch modules ---


@pytest.mark.parametrize("network", cases())
def test_the_exported_graph_computes_what_torch_computes(network: Network) -> None:
    module = built(network.name)
    onnx, _ = export(module, network.inputs, network.outputs)
    torch_, runtime = TorchEager(module, inputs=network.inputs), OnnxRuntime(onnx)
    for amplitude in AMPLITUDES:
        feeds = Feeder(network.specs).noise(amplitude, 0)
        for one, other in zip(torch_.run(feeds).values(), runtime.run(feeds).values(), strict=True):
            assert difference(one, other).max_abs <= TOLERANCE
    exported = session(onnx)
    assert {item.name: tuple(item.shape) for item in exported.get_inputs()} == network.inputs
    shapes = {item.name: tuple(item.shape) for item in exported.get_outputs()}
    results = run(module, network, 1.0)
    expected = (tuple(one.shape) for one in results)
    assert shapes == dict(zip(network.outputs, expected, strict=True))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_number_of_parameters(network: Network) -> None:
    assert sum(value.numel() for value in network.factory().parameters()) == network.parameters


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet18", 11_689_512), ("mobilenet_v3", 2_542_856), ("modnet_512", 6_487_075)],
)
def test_known_networks_are_as_large_as_published(name: str, published: int) -> None:
    assert find(name).parameters == published


@pytest.mark.parametrize("network", cases())
def test_outputs_neither_saturate_nor_vanish(network: Network) -> None:
    results = [run(built(network.name), network, amplitude) for amplitude in (0.1, 1.0)]
    for name, one in zip(2 * network.outputs, chain(*results), strict=True):
        assert torch.isfinite(one).all()
        if name == "scores":
            assert 0.5 < one.std() < 10
        else:
            assert 0 <= one.min() < one.max() <= 1
            assert one.std() > 0.05
        if name in ("alpha", "mask", "pha"):
            assert 0.1 < one.mean() < 0.9
            assert ((one < 0.01) | (one > 0.99)).float().mean() < 0.2


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_a_seed_gives_one_network(network: Network) -> None:
    one, same, other = (network.build(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, same[key]) for key, value in one.items())
    floats = [key for key, value in one.items() if value.is_floating_point()]
    assert not any(torch.equal(one[key], other[key]) for key in floats if one[key].ndim > 1)


@pytest.mark.parametrize("network", cases())
def test_no_batch_norm_is_the_identity(network: Network) -> None:
    for name, layer in norms(built(network.name)):
        spread = layer.running_var.sqrt()
        assert (layer.running_mean / spread).abs().mean() > 0.05, name
        assert (layer.running_var - 1).abs().mean() > 0.1, name
        assert (layer.weight - 1).abs().mean() > 0.1, name
        assert layer.bias.abs().mean() > 0.05, name


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_a_wrong_batch_norm_shows_in_the_outputs(network: Network) -> None:
    module = built(network.name)
    before = run(module, network, 1.0)
    for name, layer in norms(module):
        kept = layer.running_mean.clone()
        layer.running_mean.zero_()
        after = run(module, network, 1.0)
        layer.running_mean.copy_(kept)
        worst = max((one - other).abs().max() for one, other in zip(before, after, strict=True))
        assert worst > 10 * TOLERANCE, name


@pytest.mark.parametrize("name", ["matting_mobilenetv2", "modnet_320"])
def test_every_relu6_has_something_to_clamp(name: str) -> None:
    module, shares = built(name), []
    handles = [
        layer.register_forward_hook(lambda _layer, _in, out: shares.append((out == 6).sum().item()))
        for layer in module.modules()
        if isinstance(layer, torch.nn.ReLU6)
    ]
    run(module, find(name), 1.0)
    for handle in handles:
        handle.remove()
    assert len(shares) == len(handles) > 10
    assert min(shares) > 0


def test_names_are_unique() -> None:
    names = [network.name for network in NETWORKS]
    assert len(set(names)) == len(names)


# --- trained networks, as ONNX ---


@pytest.fixture(params=ONNX_FILES, ids=lambda file: file.name)
def file(request: pytest.FixtureRequest) -> OnnxFile:
    chosen: OnnxFile = request.param
    return chosen


def picture(file: OnnxFile) -> Any:
    (shape,) = file.inputs.values()
    return np.random.default_rng(0).uniform(*file.values, shape).astype(np.float32)


def test_files_are_those_whose_origin_is_told(file: OnnxFile) -> None:
    digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
    told = (FOLDER / "README.md").read_text("utf-8")
    assert f"| `{file.path.name}` | `{digest}` |" in told
    assert file.path.name in (REPOSITORY / "NOTICE").read_text("utf-8")


def test_every_file_is_listed() -> None:
    assert {path.stem for path in FOLDER.glob("*.onnx")} == {file.name for file in ONNX_FILES}


def test_files_have_the_inputs_and_outputs_that_are_told(file: OnnxFile) -> None:
    network = session(file.path)
    assert {item.name: tuple(item.shape) for item in network.get_inputs()} == file.inputs
    assert {item.name: tuple(item.shape) for item in network.get_outputs()} == file.outputs


def test_files_give_out_something(file: OnnxFile) -> None:
    for one in session(file.path).run(list(file.outputs), {"image": picture(file)}):
        assert np.isfinite(one).all()
        assert np.abs(one).max() > 0.5


def test_files_compute_what_an_independent_conversion_computes(
    file: OnnxFile, shared_data: Callable[[str], Path]
) -> None:
    reference = session(shared_data(f"onnx/{REFERENCES[file.name]}.onnx"))
    (source,) = reference.get_inputs()
    image = picture(file)
    found = session(file.path).run(list(file.outputs), {"image": image})
    for one, other in zip(found, reference.run(None, {source.name: image}), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max())
