"""Why a network gains from int8 or loses: time by operator, parts of it in int8, forms of int8.

python -m benchmarks.quantization_study
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from benchmarks.clips import DEMO
from benchmarks.measure import table
from benchmarks.quantization import Candidate, candidates
from npukit_convert.graph import read_graph
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.evaluation import evaluate
from npukit_convert.quantization.accuracy.judge import Judge
from npukit_convert.quantization.calibration.calibration_set import read_calibration
from npukit_convert.quantization.measured.speed import measure_speed
from npukit_convert.quantization.plans.kernels import MATRIX, find_layers
from npukit_convert.quantization.plans.plan import make_plan
from npukit_convert.quantization.plans.qdq import prepare, quantise
from npukit_convert.quantization.plans.ranges import ranges
from npukit_convert.quantization.settings import INT8, CalibrationConfig, QuantizationConfig
from npukit_convert.workload import convolution_of

_RUNS = 60
_SHOWN_US = 20.0
_TYPES = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}


class Study:
    """A network, with what is needed to quantise and judge it."""

    def __init__(self, candidate: Candidate, folder: Path) -> None:
        self.network = prepare(candidate.network)
        model = read_graph(self.network, raised=False)
        self.layers = find_layers(model)
        self.depthwise, self.pointwise = set[str](), set[str]()
        for node in model.graph:
            shape = convolution_of(node) if node.op_type == "Conv" else None
            if shape is not None and shape.groups > 1:
                self.depthwise.add(str(node.name))
            elif shape is not None and shape.kernel == (1, 1):
                self.pointwise.add(str(node.name))
        given = (candidate.inputs, candidate.states, self.network)
        found = read_calibration(
            CalibrationConfig(frames=str(DEMO)), folder, *given, candidate.title
        )
        self.feeds: Sequence[Mapping[str, Any]] = found.feeds
        accuracy = Accuracy(frames=DEMO)
        self.judge = Judge(self.network, accuracy, evaluate(accuracy, found, *given))

    def realise(self, settings: QuantizationConfig, only: set[str] | None = None) -> bytes:
        """Its int8 form; only these layers, where they are named."""
        plan = make_plan(INT8, self.layers, settings)
        if only is not None:
            plan = plan.with_int8(self.layers.settled(only & set(plan.int8())))
        taken = ranges(self.network, self.feeds, settings)
        return quantise(self.network, taken, plan, self.layers).onnx

    def speed(self, quantised: bytes) -> str:
        """float32 : quantised in time, one thread."""
        return f"{measure_speed(self.network, quantised, self.feeds[:8], 1).ratio:.2f}x"

    def psnr(self, quantised: bytes) -> str:
        """Against float32, of the worst output."""
        judged = self.judge.judge(quantised).outputs.values()
        return f"{min(one.psnr_db for one in judged):.1f} dB"


def by_operator(study: Study) -> Iterator[tuple[str, str, str]]:
    """Microseconds of one inference by kind of kernel, float32 and int8; by ONNX Runtime."""
    both = [_profile(one, study.feeds) for one in (study.network, study.realise(_DEFAULT))]
    kinds = sorted({*both[0], *both[1]}, key=lambda kind: -max(one.get(kind, 0.0) for one in both))
    for kind in kinds:
        if max(one.get(kind, 0.0) for one in both) >= _SHOWN_US:
            yield (kind, *(f"{one.get(kind, 0.0):.0f}" for one in both))
    yield ("all", *(f"{sum(one.values()):.0f}" for one in both))


def parts(study: Study) -> Iterator[tuple[str, str, str]]:
    """The network with only some of its layers in int8."""
    layers = study.layers.operators
    matrix = {name for name, operator in layers.items() if operator in MATRIX}
    chosen = {
        "all that can be": set(layers),
        "without depthwise": set(layers) - study.depthwise,
        "convolutions alone": matrix,
        "1x1 convolutions alone": study.pointwise,
        "depthwise convolutions alone": study.depthwise,
    }
    for title, only in chosen.items():
        quantised = study.realise(_DEFAULT, only)
        yield title, study.speed(quantised), f"{len(quantised) / len(study.network):.2f}"


def settings(study: Study) -> Iterator[tuple[str, str, str]]:
    """Npukit's own settings."""
    for title, one in _SETTINGS.items():
        quantised = study.realise(one)
        yield title, study.speed(quantised), study.psnr(quantised)


def forms(study: Study, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Other types of numbers than npukit takes, by ONNX Runtime's own quantiser."""
    for activations, weights, channels in (
        ("uint8", "int8", True), ("uint8", "uint8", True), ("int8", "int8", True),
        ("uint8", "int8", False),
    ):  # fmt: skip
        path, made = folder / "float.onnx", folder / "int8.onnx"
        path.write_bytes(study.network)
        quantize_static(
            path, made, _Reader(study.feeds), per_channel=channels,
            activation_type=_TYPES[activations], weight_type=_TYPES[weights],
        )  # fmt: skip
        title = (
            f"{activations} activations, {weights} weights by {'channel' if channels else 'tensor'}"
        )
        yield title, study.speed(made.read_bytes()), study.psnr(made.read_bytes())


_DEFAULT = QuantizationConfig()
_SETTINGS = {
    "asymmetric, minmax (default)": _DEFAULT,
    "symmetric": QuantizationConfig(activations="symmetric"),
    "percentile 99.99": QuantizationConfig(method="percentile"),
    "percentile 99.9": QuantizationConfig(method="percentile", percentile=99.9),
}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Mapping[str, Any]]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        """See the base class."""
        return next((dict(one) for one in self._left), None)


def _profile(network: bytes, feeds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = 1, True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        for run in range(_RUNS):
            session.run(None, dict(feeds[run % len(feeds)]))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"]] += event["dur"] / _RUNS
    return dict(times)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {one.title.split(",")[0]: Study(one, folder) for one in candidates(folder)}
        selfie = found["selfie landscape"]
        heads = {
            "selfie landscape, microseconds": (("kernels", "float32", "int8"), by_operator(selfie)),
            "selfie landscape": (("in int8", "speed", "size"), parts(selfie)),
        }
        for title in ("ESRGAN-slim x2", "MODNet-shaped", "BlazeFace"):
            study = found[title]
            head = (title, "speed", "PSNR to float32")
            heads[title] = (head, settings(study))
            heads[f"{title}, forms"] = (head, forms(study, folder))
        for title, (head, rows) in heads.items():
            print("\n".join([f"\n{title}\n", *table(head, rows)]), flush=True)


if __name__ == "__main__":
    main()
