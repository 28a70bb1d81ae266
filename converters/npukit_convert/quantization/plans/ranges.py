"""What range each tensor of a network takes on real data: measured once, for all plans."""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npukit.arrays import F32
from npukit_convert.errors import ConversionError
from npukit_convert.execute.onnx_runtime import OnnxRuntime, with_outputs
from npukit_convert.quantization.settings import QuantizationConfig

Feeds = Mapping[str, F32]

# More than the quantised levels (128 in ONNX Runtime's search), or there is nothing to choose
# from; its search takes time with their square.
_ENTROPY_BINS = 512
_PERCENTILE_BINS = 2048


@dataclass(frozen=True)
class Ranges:
    """The range of each float tensor that a network computes or takes.

    Attributes:
        values: tensor name to (least, greatest).
        seen: the same without what `method` cut off.
        method: `minmax`, `entropy` or `percentile`.
    """

    values: Mapping[str, tuple[float, float]]
    seen: Mapping[str, tuple[float, float]]
    method: str

    def constants(self) -> dict[str, float]:
        """Tensors that were the same number everywhere, in every frame."""
        return {name: low for name, (low, high) in self.seen.items() if low == high}


def ranges(network: bytes, feeds: Sequence[Feeds], settings: QuantizationConfig) -> Ranges:
    """Execute a network on frames, and take the range of every tensor.

    No more than one frame's tensors are held at a time, for `entropy` and `percentile` no more
    than some of them. Histograms have fixed edges, so the order of the frames does not matter.

    Args:
        network: float32, without quantised operators.
        feeds: the network's inputs, one frame each.
        settings: how a range is taken from what was seen.

    Raises:
        ConversionError: no frames, or a tensor that is not finite on one of them.
        ExecutionError: the network cannot be executed.
    """
    if not feeds:
        raise ConversionError("there are no frames to take ranges from")
    with OnnxRuntime(network, optimised=False) as runtime:  # says what is wrong in typed errors
        runtime.run(feeds[0])
    seen = _seen(network, feeds)
    for name, (low, high) in seen.items():
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ConversionError(
                f"tensor {name!r} reaches {low:g} to {high:g} on the calibration frames",
                hint="the float32 network overflows there: no integer can stand for it",
            )
    if settings.method == "minmax":
        return Ranges(seen, seen, settings.method)
    return Ranges(_cut(network, feeds, settings, seen), seen, settings.method)


class _Reader:
    """Frames as ONNX Runtime's calibrators ask for them."""

    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self._frames = iter(feeds)

    def get_next(self) -> dict[str, F32] | None:
        frame = next(self._frames, None)
        return None if frame is None else dict(frame)


def _seen(network: bytes, feeds: Sequence[Feeds]) -> dict[str, tuple[float, float]]:
    """Least and greatest, reduced inside ONNX Runtime: no tensor leaves it."""
    from onnxruntime.quantization.calibrate import MinMaxCalibrater

    with tempfile.TemporaryDirectory(prefix="npukit-ranges-") as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(network)
        calibrator = MinMaxCalibrater(path, augmented_model_path=f"{folder}/reduced.onnx")
        calibrator.augment_graph()
        calibrator.infer_session = _session(calibrator.augmented_model_path)
        calibrator.collect_data(_Reader(feeds))
        found = calibrator.compute_data()
    pairs = {name: _pair(*data.range_value) for name, data in found.items()}
    # Reduced, an empty tensor (a `roi` that is not given) goes from infinity to -infinity.
    return {name: pairs[name] for name in sorted(pairs) if pairs[name] != (math.inf, -math.inf)}


def _session(path: str) -> Any:
    """As the calibrator would, but reducing each tensor as soon as it is there.

    By default all reductions may come last, with every tensor of the network alive: 2.0 GB for
    MODNet at 512 pixels, in place of 0.4.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _cut(
    network: bytes,
    feeds: Sequence[Feeds],
    settings: QuantizationConfig,
    seen: Mapping[str, tuple[float, float]],
) -> dict[str, tuple[float, float]]:
    """Ranges without what is rare, from histograms between the greatest magnitudes seen."""
    found: dict[str, tuple[float, float]] = dict(seen)
    varying = {name for name, (low, high) in seen.items() if low < high}
    for batch in _batches(network, feeds, varying):
        collector = _collector(settings)
        for tensors in batch:
            for name in sorted(tensors.keys() - collector.histogram_dict.keys()):
                collector.histogram_dict[name] = _empty(*seen[name], collector.num_bins)
            collector.collect_value(tensors)
        if not collector.histogram_dict:
            continue
        with contextlib.redirect_stdout(io.StringIO()):  # it prints
            results = collector.compute_collection_result()
        found.update({name: _pair(*result[:2]) for name, result in results.items()})
    return found


def _batches(
    network: bytes, feeds: Sequence[Feeds], names: set[str]
) -> Iterator[Iterator[dict[str, F32]]]:
    """Some of the tensors at a time, over all frames."""
    yield ({name: frame[name] for name in frame.keys() & names} for frame in feeds)
    for model, written in with_outputs(network):
        wanted = [name for name in written if name in names]
        if wanted:
            with OnnxRuntime(model, outputs=wanted, optimised=False) as runtime:
                yield (runtime.run(frame) for frame in feeds)


def _collector(settings: QuantizationConfig) -> Any:
    from onnxruntime.quantization.calibrate import HistogramCollector

    entropy = settings.method == "entropy"
    return HistogramCollector(
        method=settings.method,
        symmetric=False,  # the quantiser makes ranges symmetric where it is to
        num_bins=_ENTROPY_BINS if entropy else _PERCENTILE_BINS,
        num_quantized_bins=128,
        percentile=settings.percentile,
        scenario="same",
    )


def _empty(low: float, high: float, bins: int) -> tuple[Any, Any, Any, Any, Any]:
    """A histogram with nothing in it, as the collector keeps them."""
    edge = max(abs(low), abs(high))
    counts, edges = np.histogram(np.array([], np.float32), bins, range=(-edge, edge))
    return counts, edges.astype(np.float32), np.float32(low), np.float32(high), np.float32(edge)


def _pair(low: Any, high: Any) -> tuple[float, float]:
    return float(np.min(low)), float(np.max(high))
