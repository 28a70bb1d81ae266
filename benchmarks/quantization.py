"""int8 against float32: size, measured speed and accuracy, and what was expected beforehand.

Everything goes through the project's own quantisation, as `npukit convert --precision int8` does
it. Speed: ONNX Runtime on this CPU, both in turn, medians. Ranges come from frames of the demo
clip, accuracy from other frames of it. MODNet's and ResNet's weights are random (nobody publishes
theirs in a package), so that their accuracy says little: a trained network loses less.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.clips import DEMO, ROOT, SKILL
from benchmarks.measure import table
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.quantization.findings.payoff import payoff
from npukit_convert.quantization.measured.speed import measure_speed
from npukit_convert.quantization.plans.qdq import prepare
from npukit_convert.quantization.quantize import Task, quantize_network
from npukit_convert.quantization.settings import INT8, CalibrationConfig, QuantizationConfig
from npukit_convert.simplify import simplify

SIZE_AIM, SPEED_AIM, LOSS_AIM_DB = 0.30, 2.0, 1.0
_SAMPLES = 64
_TRAINED = ROOT / "tests" / "data" / "onnx"
# Networks of the tests, with weights of realistic size.
_EXPORT = """
import json, sys
sys.path.insert(0, "tests")
from support.networks.catalogue import find
from support.networks.randomise import randomise
from npukit_convert.torch_to_onnx import export
name, size, path = sys.argv[1:]
network = find(name)
shapes = {"image": (1, 3, int(size), int(size))}
module = randomise(network.factory(), shapes)
open(path, "wb").write(export(module, shapes, network.outputs)[0])
"""


@dataclass(frozen=True)
class Candidate:
    """A network to quantise.

    Attributes:
        title: in the table.
        network: float32 ONNX.
        inputs: with their preprocessing.
        states: of the network.
        precision: the section of an accuracy.yaml.
        aims: whether size, speed and loss are aimed at.
    """

    title: str
    network: bytes
    inputs: Mapping[str, InputSpec]
    states: Mapping[str, str] = field(default_factory=dict)
    precision: Mapping[str, Any] = field(default_factory=dict)
    aims: bool = False


@dataclass(frozen=True)
class QuantizationRow:
    """One network.

    Attributes:
        case: its name.
        size: int8 : float32 in bytes.
        speed: float32 : int8 in time, by threads.
        fp32_ms: of one inference, by threads.
        expected: speed and size, said beforehand.
        verdict: of the payoff.
        psnr_db: against float32, of the worst output.
        output: its name.
        task: measure to (float32, int8, unit).
        aims: whether it is one of those with an aim.
    """

    case: str
    size: float
    speed: Mapping[int, float]
    fp32_ms: Mapping[int, float]
    expected: tuple[float, float]
    verdict: str
    psnr_db: float
    output: str
    task: Mapping[str, tuple[float, float, str]]
    aims: bool

    @property
    def losses(self) -> list[float]:
        """What int8 loses against the truth, dB; nothing where the task has no such measure."""
        return [one - other for one, other, unit in self.task.values() if unit == "dB"]

    @property
    def reached(self) -> bool | None:
        """Whether the aims of size, speed (one thread) and loss are reached; None without."""
        if not self.aims:
            return None
        return (
            self.size <= SIZE_AIM
            and self.speed[1] >= SPEED_AIM
            and all(loss < LOSS_AIM_DB for loss in self.losses)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "reached": self.reached}


def rows(threads: Iterable[int] = (1, 2)) -> Iterator[QuantizationRow]:
    """All networks, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        for candidate in candidates(Path(folder)):
            yield measured(candidate, Path(folder), threads)


def candidates(folder: Path) -> Iterator[Candidate]:
    """The networks, each made when it is asked for."""
    unit = Preprocess(geometry="center", scale=(1 / 255,) * 3)
    signed = Preprocess(geometry="center", mean=(127.5,) * 3, scale=(1 / 127.5,) * 3)
    deviation = Preprocess(geometry="center", mean=(127.5,) * 3, scale=(1 / 64,) * 3)
    enlarged = {"task": "super_resolution"}
    yield Candidate(
        "ESRGAN-slim x2, 64x64", *_trained("esrgan_slim_x2", 64, unit), precision=enlarged,
        aims=True,
    )  # fmt: skip
    yield Candidate(
        "MODNet-shaped, dense, 256x256, random weights",
        *_random("modnet_dense", 256, deviation, folder), aims=True,
    )  # fmt: skip
    yield Candidate(
        "ResNet-18, 224x224, random weights",
        *_random("resnet18", 224, deviation, folder), aims=True,
    )  # fmt: skip
    for name in ("landscape", "square"):
        build = read_build(str(SKILL / "model" / f"selfie_{name}.sim"))
        matting = {"task": "matting", "truth": str(DEMO.with_name("demo_alpha.mp4"))}
        yield Candidate(f"selfie {name}", build.onnx, build.inputs, build.states, matting)
    yield Candidate("BlazeFace, 128x128", *_trained("blazeface", 128, signed))
    yield Candidate("face landmarks, 192x192", *_trained("face_landmark", 192, unit))


def measured(
    candidate: Candidate, folder: Path, threads: Iterable[int] = (1, 2)
) -> QuantizationRow:
    """Quantise and measure one network; `folder` is for its files."""
    network = prepare(candidate.network)
    before = payoff(network)
    accuracy = folder / "accuracy.yaml"
    # A floor that always holds: what is wanted is a figure.
    section = {"frames": str(DEMO), "floors": {"psnr_db": 0.0}, **candidate.precision}
    accuracy.write_text(yaml.safe_dump({"precision": section}), encoding="utf-8")
    done = quantize_network(
        Task(
            network, candidate.inputs, candidate.states, INT8,
            CalibrationConfig(frames=str(DEMO), samples=_SAMPLES), QuantizationConfig(),
            accuracy, None, None, folder, candidate.title,
        )
    )  # fmt: skip
    result = done.result
    worst = min(result.outputs, key=lambda name: result.outputs[name].psnr_db)
    speeds = {count: measure_speed(network, done.onnx, done.feeds[:8], count) for count in threads}
    return QuantizationRow(
        candidate.title,
        result.quantised_bytes / result.fp32_bytes,
        {count: one.ratio for count, one in speeds.items()},
        {count: one.fp32_ms for count, one in speeds.items()},
        (before.speed_ratio, before.size_ratio),
        before.verdict,
        result.outputs[worst].psnr_db,
        worst,
        {name: (one.fp32, one.quantised, one.unit) for name, one in result.task.items()},
        candidate.aims,
    )


def quantization_table(rows: Iterable[QuantizationRow]) -> list[str]:
    """A table in Markdown."""
    rows = list(rows)
    threads = sorted({count for row in rows for count in row.speed})
    head = (
        "int8 against float32", "size", *(f"speed, {_threads(one)}" for one in threads),
        "expected: speed, size", "PSNR to float32, dB", "task: float32, int8", "aims",
    )  # fmt: skip
    aims = f"Aims: size {SIZE_AIM:g}, speed {SPEED_AIM:g}x, loss below {LOSS_AIM_DB:g} dB."
    return [aims, "", *table(head, (_cells(row, threads) for row in rows))]


def _cells(row: QuantizationRow, threads: Iterable[int]) -> tuple[str, ...]:
    speeds = (
        f"{row.speed[one]:.2f}x ({row.fp32_ms[one]:.1f} ms)" if one in row.speed else ""
        for one in threads
    )
    first = list(row.task.items())[:1]  # the others are in the JSON
    task = "".join(f"{name} {one:.4g}, {other:.4g} {unit}" for name, (one, other, unit) in first)
    reached = {None: "", True: "reached", False: "MISSED"}[row.reached]
    if row.reached and not row.losses:
        reached = "size and speed reached"
    expected = f"{row.expected[0]:.1f}x, {row.expected[1]:.2f}: {row.verdict}"
    return (
        row.case, f"{row.size:.3f}", *speeds, expected, f"{row.psnr_db:.1f} ({row.output})", task,
        reached,
    )  # fmt: skip


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _trained(name: str, side: int, how: Preprocess) -> tuple[bytes, dict[str, InputSpec]]:
    network = (_TRAINED / f"{name}.onnx").read_bytes()
    return simplify(network, "onnx").onnx, {"image": InputSpec((1, 3, side, side), how)}


def _random(
    name: str, side: int, how: Preprocess, folder: Path
) -> tuple[bytes, dict[str, InputSpec]]:
    path = folder / f"{name}.onnx"
    subprocess.run(
        [sys.executable, "-c", _EXPORT, name, str(side), str(path)], check=True, cwd=ROOT
    )
    network = simplify(path.read_bytes(), "onnx").onnx
    return network, {"image": InputSpec((1, 3, side, side), how)}
