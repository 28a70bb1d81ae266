"""How fast a quantised network is on this CPU, against float32."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from npukit.arrays import F32
from npukit_convert.errors import CalibrationError, ExecutionError
from npukit_convert.quantization.results import Speed

_ROUNDS = 15
_ROUND_S = 0.02  # of each network in a round at least, so that the clock and a hiccup are small
_BUDGET_S = 20.0  # of all rounds: a slow network gets fewer
_LEAST = 5


def measure_speed(
    network: bytes,
    quantised: bytes,
    feeds: Sequence[Mapping[str, F32]],
    threads: int,
) -> Speed:
    """Time both in turn, again and again, after runs that do not count.

    Sessions are as the simulated board has them: ONNX Runtime's optimisations are on, waiting
    threads sleep. The order in a round changes with every round, so that neither always finds
    the caches as the other left them. With one thread it is the processor time of that thread,
    which other programs hardly change; with more it is the time on the clock.

    Args:
        network, quantised: ONNX of the same inputs.
        feeds: in turn; at least one.
        threads: CPU threads of one inference.

    Raises:
        CalibrationError: nothing to feed.
        ExecutionError: ONNX Runtime refuses a network.
    """
    if not len(feeds):
        raise CalibrationError("there is nothing to time the networks with")
    given = [dict(feed) for feed in feeds]
    both = [_Timed(model, given, threads) for model in (network, quantised)]
    slowest = sum(one.run(1) for one in both for _ in range(2)) / 2.0  # the first run sets up
    repeats = [max(1, round(_ROUND_S / max(one.run(1), 1e-6))) for one in both]
    rounds = max(_LEAST, min(_ROUNDS, int(_BUDGET_S / max(slowest, 1e-6))))
    rows = []
    for number in range(rounds):
        places = (0, 1) if number % 2 else (1, 0)
        times = {place: both[place].run(repeats[place]) for place in places}
        rows.append((times[0], times[1]))
    return Speed(
        fp32_ms=1e3 * median(row[0] for row in rows),
        quantised_ms=1e3 * median(row[1] for row in rows),
        ratio=median(row[0] / row[1] for row in rows),
        rounds=rounds,
        threads=threads,
    )


class _Timed:
    def __init__(self, model: bytes, feeds: Sequence[Mapping[str, F32]], threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the types of ONNX Runtime's binding are not public
            raise ExecutionError(f"ONNX Runtime refuses the network: {error}") from error
        self._clock = time.thread_time if threads == 1 else time.perf_counter
        self._feeds = feeds
        self._next = 0

    def run(self, times: int) -> float:
        """Seconds of one inference."""
        began = self._clock()
        for _ in range(times):
            self._session.run(None, self._feeds[self._next])
            self._next = (self._next + 1) % len(self._feeds)
        return (self._clock() - began) / times
