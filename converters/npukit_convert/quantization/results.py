"""What a quantisation made and measured: plain data for the record and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from npukit.arrays import F32, U8


@dataclass(frozen=True)
class Finding:
    """Something a user should know before trusting the model.

    Attributes:
        code: short and stable, such as `few-frames`.
        text: a sentence with its numbers.
        remedy: what to do.
    """

    code: str
    text: str
    remedy: str


@dataclass(frozen=True)
class CalibrationSummary:
    """What the ranges were taken from.

    Attributes:
        source: name of the file or folder, or `noise`.
        read, kept: frames that were there, and distinct ones that were used.
        random: noise in place of frames.
        sha256: of the tensors, in order.
    """

    source: str
    read: int
    kept: int
    random: bool
    sha256: str


@dataclass(frozen=True)
class OutputQuality:
    """An output of the quantised network against float32, over all evaluation cases.

    Attributes:
        psnr_db: `10 log10(range^2 / mse)`, the range being max - min of the float32 output over
            all cases.
        snr_db, cosine, max_abs: as in `figures.Figures`; cosine the least of a case.
    """

    psnr_db: float
    snr_db: float
    cosine: float
    max_abs: float


@dataclass(frozen=True)
class TaskMeasure:
    """A measure of the task against the truth.

    Attributes:
        fp32, quantised: of the two networks.
        unit: such as `dB` or `alpha`.
        higher_is_better: of the measure.
    """

    fp32: float
    quantised: float
    unit: str
    higher_is_better: bool


@dataclass(frozen=True)
class FloorResult:
    """A limit, and whether it holds.

    Attributes:
        metric: such as `psnr_db` or `mad_loss`.
        limit, measured: in the metric's unit.
        held: whether the limit holds.
    """

    metric: str
    limit: float
    measured: float
    held: bool


@dataclass(frozen=True)
class LayerResult:
    """A layer of the float32 network.

    Attributes:
        name, op_type: of its node.
        precision: `int8` or `fp16`.
        why: it stays in float, where it does.
        snr_db: of what it computes in the quantised network against float32; None where the
            quantised network has no such value.
        alone_db: worst PSNR of an output when this layer alone is int8; None when not measured.
        macs: multiply-accumulates of one inference.
        fp16_us, int8_us: estimated on the board; None without a board.
    """

    name: str
    op_type: str
    precision: str
    why: str = ""
    snr_db: float | None = None
    alone_db: float | None = None
    macs: int = 0
    fp16_us: float | None = None
    int8_us: float | None = None


@dataclass(frozen=True)
class WorstFrame:
    """A case on which the quantised network is far off.

    Attributes:
        name: of the case.
        output: that is shown.
        psnr_db: on this case.
        picture: what the network saw, RGB (H, W, 3); None for arrays.
        fp32, quantised: of the output, (H, W) or (3, H, W); the report scales both alike.
    """

    name: str
    output: str
    psnr_db: float
    picture: U8 | None
    fp32: F32
    quantised: F32


@dataclass(frozen=True)
class Speed:
    """Measured on this CPU in one run, interleaved, medians.

    Attributes:
        fp32_ms, quantised_ms: of one inference.
        ratio: median over the rounds of float32 : quantised; above 1 is faster.
        rounds, threads: of the measurement.
    """

    fp32_ms: float
    quantised_ms: float
    ratio: float
    rounds: int
    threads: int


@dataclass(frozen=True)
class QuantizationResult:
    """All of it.

    Attributes:
        preset: `int8` or `int8_mixed`.
        calibration: where the ranges come from.
        evaluation: what the model was judged on, in words, and how many cases.
        findings: warnings.
        outputs, task, floors, layers, worst: see their types.
        default_floor: no accuracy.yaml named one.
        fp32_bytes, quantised_bytes: of the two ONNX files.
        speed: None when it was not measured.
        board_ms: board name to estimated (fp16, plan) latency, ms.
        evaluations: networks that the search for a plan executed.
    """

    preset: str
    calibration: CalibrationSummary
    evaluation: str
    findings: Sequence[Finding]
    outputs: Mapping[str, OutputQuality]
    task: Mapping[str, TaskMeasure]
    floors: Sequence[FloorResult]
    default_floor: bool
    layers: Sequence[LayerResult]
    worst: Sequence[WorstFrame]
    fp32_bytes: int
    quantised_bytes: int
    speed: Speed | None
    board_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    evaluations: int = 0

    @property
    def accepted(self) -> bool:
        """Whether every floor holds."""
        return all(floor.held for floor in self.floors)
