"""The selfie networks compute what MediaPipe's TensorFlow Lite files compute."""

from __future__ import annotations

import importlib.util
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from safetensors import safe_open  # noqa: E402 - after the skip

from npukit_convert.torch_to_onnx import export  # noqa: E402
from npukit_convert.weights import load_weights  # noqa: E402

Floats = npt.NDArray[np.float32]

REPOSITORY = Path(__file__).resolve().parents[3]
MODEL = REPOSITORY / "skills" / "portrait_matting" / "model"
SHARED = Path(os.environ.get("NPUKIT_SHARED") or REPOSITORY.parent / "shared")

ORIGINAL_PARAMETERS = 106_401
# The zero row and column before the four kernels with stride 2: 3x3 to 4x4, 5x5 to 6x6.
ADDED_ZEROS = (16 * 3 + 16 + 72) * (16 - 9) + 96 * (36 - 25)
STRIDED = (
    "encoder.stem.0",
    "encoder.to_quarter.depthwise",
    "encoder.to_eighth.0.depthwise",
    "encoder.to_sixteenth.0.depthwise",
)


@dataclass(frozen=True)
class Case:
    """One of the two networks; the numbers are the alpha of `drawn_portrait`.

    They come from ai-edge-litert 2.3.0 running the TensorFlow Lite file of npm
    @mediapipe/selfie_segmentation 0.1.1675465747, which has no code in common with net.py.
    """

    name: str
    shape: tuple[int, int, int, int]
    golden_onnx: str
    mean: float
    deviation: float
    alpha: dict[tuple[int, int], float]

    def __str__(self) -> str:
        return self.name


LANDSCAPE = Case(
    name="landscape",
    shape=(1, 3, 144, 256),
    golden_onnx="mp_selfie_landscape.onnx",
    mean=0.216984,
    deviation=0.409843,
    alpha={
        (2, 2): 0.0,
        (18, 136): 0.199434,
        (39, 152): 0.324449,
        (72, 110): 0.792627,
        (72, 128): 1.0,
        (76, 144): 0.221803,
        (105, 85): 0.151711,
        (115, 77): 0.242243,
        (135, 68): 0.389212,
        (137, 67): 0.313318,
    },
)
SQUARE = Case(
    name="square",
    shape=(1, 3, 256, 256),
    golden_onnx="mp_selfie_256.onnx",
    mean=0.380921,
    deviation=0.483799,
    alpha={
        (2, 2): 0.0,
        (35, 110): 0.835626,
        (69, 84): 0.500844,
        (128, 128): 1.0,
        (164, 98): 0.710203,
        (166, 166): 0.128490,
        (196, 209): 0.324141,
        (212, 221): 0.395539,
        (244, 22): 0.873381,
        (246, 21): 0.497738,
    },
)


def load_module(name: str) -> ModuleType:
    # By path: a skill's folder is no package.
    spec = importlib.util.spec_from_file_location(f"portrait_matting_{name}", MODEL / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load_module("net")


@pytest.fixture(scope="module", params=[LANDSCAPE, SQUARE], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="module")
def network(net: ModuleType, case: Case) -> Any:
    built = getattr(net, f"build_{case.name}")()
    load_weights(built, weights_of(case))
    return built


def weights_of(case: Case) -> Path:
    return MODEL / f"selfie_{case.name}.safetensors"


def alpha_of(network: Any, image: Floats) -> Floats:
    with torch.no_grad():
        alpha: Floats = network(torch.from_numpy(image)).numpy()
    return alpha


def alpha_and_logits_of(network: Any, image: Floats) -> tuple[Floats, Floats]:
    """Return the alpha and the values before its sigmoid."""
    kept: list[Any] = []
    hook = network.to_alpha.register_forward_hook(
        lambda _module, _inputs, output: kept.append(output.numpy())
    )
    alpha = alpha_of(network, image)
    hook.remove()
    return alpha, kept[0]


def run_onnx(model: Any, image: Floats) -> tuple[Floats, Floats]:
    """Run a loaded ONNX model of this network; alpha and the values before its sigmoid."""
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    *_, last = (node for node in model.graph.node if node.op_type == "Sigmoid")
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    alpha, logits = session.run(None, {session.get_inputs()[0].name: image})
    return alpha, logits


def drawn_portrait(height: int, width: int) -> Floats:
    """Draw a person from ellipses by arithmetic alone, so that every machine draws the same."""
    v, u = np.mgrid[1 - height : height : 2, 1 - width : width : 2] / height
    picture = np.stack([0.45 + 0.15 * v, 0.5 + 0.1 * u * v, 0.55 - 0.1 * u * u])
    for centre_u, centre_v, radius_u, radius_v, colour in (
        (0, 1.1, 0.85, 0.85, (0.2, 0.25, 0.45)),  # shoulders
        (0, -0.3, 0.36, 0.46, (0.2, 0.13, 0.1)),  # hair
        (0, 0.2, 0.15, 0.3, (0.75, 0.55, 0.45)),  # neck
        (0, -0.2, 0.29, 0.4, (0.85, 0.65, 0.55)),  # face
        (-0.11, -0.25, 0.05, 0.03, (0.15, 0.1, 0.1)),  # eyes
        (0.11, -0.25, 0.05, 0.03, (0.15, 0.1, 0.1)),
        (0, 0.02, 0.1, 0.03, (0.65, 0.3, 0.3)),  # mouth
    ):
        inside = ((u - centre_u) / radius_u) ** 2 + ((v - centre_v) / radius_v) ** 2 < 1
        shaded = np.array(colour)[:, None, None] + 0.08 * u
        picture = np.where(inside, shaded, picture)
    drawn: Floats = np.clip(picture, 0, 1).astype(np.float32)[None]
    return drawn


def noise(shape: tuple[int, ...], amplitude: float) -> Floats:
    return (np.random.default_rng(7).random(shape) * amplitude).astype(np.float32)


def shared_file(relative: str) -> Path:
    path = SHARED / relative
    if not path.is_file():
        pytest.skip(f"reference data is absent: {path} (set NPUKIT_SHARED to its folder)")
    return path


def photograph(shape: tuple[int, int, int, int]) -> Floats:
    cv2 = pytest.importorskip("cv2")
    pixels = cv2.imread(str(shared_file("data/photo/astronaut_512.png")))
    assert pixels is not None
    pixels = cv2.resize(pixels, (shape[3], shape[2]), interpolation=cv2.INTER_AREA)
    rgb = pixels[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    return np.ascontiguousarray(rgb)


# --- the network and its weights ---


def test_parameters_are_the_original_ones_and_zeros(case: Case, network: Any) -> None:
    parameters = dict(network.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == ORIGINAL_PARAMETERS + ADDED_ZEROS
    assert ADDED_ZEROS == 2008
    for name in STRIDED:
        kernel = parameters[f"{name}.weight"]
        assert not kernel[:, :, 0].any()
        assert not kernel[:, :, :, 0].any()
        assert kernel[:, :, 1:, 1:].any()
    assert all(p.dtype is torch.float32 for p in parameters.values())
    assert all(bool(torch.isfinite(p).all()) for p in parameters.values())
    assert not network.training


def test_weight_file_is_float16_and_says_where_it_comes_from(case: Case) -> None:
    with safe_open(weights_of(case), framework="np") as file:
        metadata = file.metadata()
        dtypes = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
    assert dtypes == {"F16"}
    assert metadata["license"] == "Apache-2.0"
    assert metadata["source"] == "npm @mediapipe/selfie_segmentation"
    assert metadata["source_version"] == "0.1.1675465747"
    assert metadata["source_file"].endswith(".tflite")
    assert re.fullmatch("[0-9a-f]{64}", metadata["source_sha256"])


@pytest.mark.parametrize("amplitude", [0.0, 0.5, 1.0, 3.0])
def test_alpha_has_the_shape_of_the_picture_and_lies_in_0_to_1(
    case: Case, network: Any, amplitude: float
) -> None:
    alpha = alpha_of(network, noise(case.shape, amplitude))
    assert alpha.shape == (1, 1, *case.shape[2:])
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_alpha_equals_the_numbers_of_a_tflite_runtime(case: Case, network: Any) -> None:
    alpha = alpha_of(network, drawn_portrait(*case.shape[2:]))[0, 0]
    found = {point: float(alpha[point]) for point in case.alpha}
    assert found == pytest.approx(case.alpha, abs=1e-4)
    assert alpha.mean(dtype=np.float64) == pytest.approx(case.mean, abs=1e-4)
    assert alpha.std(dtype=np.float64) == pytest.approx(case.deviation, abs=1e-4)


def test_a_picture_of_another_shape_is_refused(case: Case, network: Any) -> None:
    _, _, height, width = case.shape
    with pytest.raises(ValueError, match="was built for"):
        network(torch.zeros(1, height, width, 3))
    with pytest.raises(ValueError, match="was built for"):
        network(torch.zeros(1, 3, height + 16, width))


@pytest.mark.parametrize("size", [(150, 256), (144, 250), (0, 256), (-16, 256)])
def test_a_size_that_cannot_be_halved_four_times_is_refused(
    net: ModuleType, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        net.SelfieSegmenter(*size)


# --- against the reference ONNX files ---


@pytest.mark.parametrize("source", ["0.01", "0.3", "1.0", "3.0", "photograph"])
def test_equals_the_reference_onnx(case: Case, network: Any, source: str) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(shared_file(f"data/onnx/{case.golden_onnx}"))
    image = photograph(case.shape) if source == "photograph" else noise(case.shape, float(source))
    # On noise alpha is 0 nearly everywhere, so the values before the sigmoid are compared too.
    expected_alpha, expected_logits = run_onnx(model, image)
    alpha, logits = alpha_and_logits_of(network, image)
    assert np.abs(alpha - expected_alpha).max() <= 1e-4
    assert np.abs(logits - expected_logits).max() <= 1e-4 * np.abs(expected_logits).max()
    if source == "photograph":
        assert 0.2 < alpha.mean() < 0.9


# --- export ---


@pytest.fixture(scope="module")
def exported(case: Case, network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    path: Path = tmp_path_factory.mktemp("onnx") / "selfie.onnx"
    path.write_bytes(export(network, {"image": case.shape}, ["alpha"])[0])
    return path


def test_exported_graph_has_only_the_expected_operators(case: Case, exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    assert Counter(node.op_type for node in model.graph.node) == {
        "Conv": 54,
        "Relu": 22,
        "Mul": 21,
        "Add": 14,
        "HardSigmoid": 11,
        "Sigmoid": 11,
        "GlobalAveragePool": 10,
        "Resize": 3,
        "Constant": 3,  # the scales of the Resize operators
        "ConvTranspose": 1,
    }
    described = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*model.graph.input, *model.graph.output)
    }
    assert described == {"image": case.shape, "alpha": (1, 1, *case.shape[2:])}


def test_exported_graph_pads_evenly_and_resizes_at_half_pixels(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for node in onnx.load(exported).graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            assert len(set(attributes["pads"])) == 1, node.name
        if node.op_type == "Resize":
            assert attributes["mode"] == b"linear"
            assert attributes["coordinate_transformation_mode"] == b"half_pixel"


@pytest.mark.parametrize(("source", "limit"), [("portrait", 1e-4), ("noise", 1e-5)])
def test_exported_graph_computes_what_torch_computes(
    case: Case, network: Any, exported: Path, source: str, limit: float
) -> None:
    onnx = pytest.importorskip("onnx")
    image = drawn_portrait(*case.shape[2:]) if source == "portrait" else noise(case.shape, 1.0)
    expected_alpha, expected_logits = alpha_and_logits_of(network, image)
    alpha, logits = run_onnx(onnx.load(exported), image)
    # The values before the sigmoid reach several hundred, so that float32 rounding alone, in any
    # runtime, moves alpha at the outline by more than 1e-5.
    assert np.abs(logits - expected_logits).max() <= 1e-5 * np.abs(expected_logits).max()
    assert np.abs(alpha - expected_alpha).max() <= limit
