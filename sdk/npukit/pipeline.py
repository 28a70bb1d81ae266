"""One source through ordered stages to its sinks, each in a thread of its own.

One thread a stage keeps the order; bounded channels keep memory flat. A stage that ends,
for whatever reason, closes the channel after it (what is there is still delivered) and
cancels the one before it, so an end or an error travels both ways and nothing hangs.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from npukit.capture.base import Captured, Source
from npukit.channel import Channel
from npukit.display.base import Sink
from npukit.errors import DisplayClosed, skill_failed
from npukit.frame import Nv21Frame
from npukit.metrics import Timings

_CAPACITY = 3  # frames waiting before each stage: absorbs jitter, keeps latency low


class Packet:
    """A frame on its way.

    Attributes:
        index, time_s: of the captured frame.
        captured_at: monotonic seconds.
        source: the captured frame.
        frame: the same at first; stages replace it, the last one leaves the result.
        data: what stages hand to later stages and observers.
    """

    __slots__ = ("captured_at", "data", "frame", "index", "source", "time_s")

    def __init__(self, captured: Captured) -> None:
        self.source: Nv21Frame = captured.frame
        self.frame: Nv21Frame = captured.frame
        self.index = captured.index
        self.time_s = captured.time_s
        self.captured_at = time.perf_counter()
        self.data: Dict[str, Any] = {}


class Stage(NamedTuple):
    """A step: its name for the report, and what it does to each packet in turn."""

    name: str
    run: Callable[[Packet], None]


class Report:
    """What happened in one run.

    Attributes:
        source: where the frames came from.
        frames_in: captured. frames_out: by sink, shown.
        dropped: frames thrown away for being late, by stage or sink.
        seconds, cpu_seconds: wall clock and processor time of the run.
        stages: durations by stage. latency: from capture to the end of `show`, by sink.
        notices: what the source and the sinks had to say.
        error: what ended the run early, None when it went to its end.
        interrupted: by Ctrl-C.
        stopped: the user closed what a sink shows on. A live source is complete then.
    """

    def __init__(self, source: str, live: bool = False) -> None:
        self.source = source
        self._live = live
        self.frames_in = 0
        self.frames_out: Dict[str, int] = {}
        self.dropped: Dict[str, int] = {}
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.stages: Dict[str, Timings] = {}
        self.latency: Dict[str, Timings] = {}
        self.notices: List[str] = []
        self.error: Optional[BaseException] = None
        self.interrupted = False
        self.stopped = False

    @property
    def complete(self) -> bool:
        """Whether every frame went its way to the end."""
        cut_short = self.interrupted or (self.stopped and not self._live)
        return self.error is None and not cut_short

    @property
    def fps(self) -> float:
        """Frames a second that were captured, over the whole run."""
        return self.frames_in / self.seconds if self.seconds else 0.0

    def to_dict(self) -> Dict[str, Any]:
        """Plain data, for JSON."""
        frames = max(self.frames_in, 1)
        return {
            "source": self.source,
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "dropped": self.dropped,
            "seconds": round(self.seconds, 4),
            "fps": round(self.fps, 2),
            "cpu_ms_per_frame": round(1e3 * self.cpu_seconds / frames, 4),
            "stages": {name: timings.to_dict() for name, timings in self.stages.items()},
            "latency": {name: timings.to_dict() for name, timings in self.latency.items()},
            "notices": self.notices,
            "error": None if self.error is None else str(self.error),
            "interrupted": self.interrupted,
            "stopped": self.stopped,
        }


class Pipeline:
    """Runs one source once."""

    def __init__(
        self,
        source: Source,
        stages: Sequence[Stage],
        sinks: Sequence[Sink],
        observe: Optional[Callable[[Packet], None]] = None,
    ) -> None:
        """Connect the parts; `observe` sees each finished packet, in order, before the sinks."""
        self._source = source
        self._sinks = list(sinks)
        self._stages = list(stages)
        if observe is not None:
            self._stages.append(Stage("observe", observe))
        self._links = [
            Channel[Packet](_CAPACITY, drop_oldest=source.live and not place)
            for place, _ in enumerate(self._stages)
        ]
        self._ends = [Channel[Packet](_CAPACITY, not sink.lossless) for sink in self._sinks]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.report = report = Report(source.uri, source.live)
        for name in ("capture", *(stage.name for stage in self._stages)):
            report.stages[name] = Timings()
        for name in self._sink_names():
            report.stages["display " + name] = Timings()
            report.latency[name] = Timings()
            report.frames_out[name] = 0

    def run(self) -> Report:
        """Run to the end of the source, to the first error, to Ctrl-C or a closed window.

        Every frame captured before that reaches the sinks (but for those that a live source
        or a screen drops), the sinks are closed, and the report says how it ended.
        """
        report = self.report
        threads = self._threads()
        began, cpu = time.perf_counter(), time.process_time()
        self._run_to_end(threads)
        report.seconds = time.perf_counter() - began
        report.cpu_seconds = time.process_time() - cpu
        for sink in self._sinks:
            try:
                sink.close(complete=report.complete)
            except Exception as error:  # noqa: BLE001 - kept in the report
                self._fail(error)
        self._source.close()
        report.notices.extend(self._source.notices)
        for sink in self._sinks:
            report.notices.extend(sink.notices)
        for name, channel in self._channels().items():
            if channel.dropped:
                report.dropped[name] = channel.dropped
        return report

    def _threads(self) -> List[threading.Thread]:
        jobs: List[Callable[[], None]] = [self._capture]
        for place, stage in enumerate(self._stages):
            jobs.append(partial(self._work, stage, self._links[place], self._outlets(place + 1)))
        for name, sink, inbox in zip(self._sink_names(), self._sinks, self._ends):
            jobs.append(partial(self._show, name, sink, inbox))
        return [threading.Thread(target=job, daemon=True) for job in jobs]

    def _run_to_end(self, threads: Sequence[threading.Thread]) -> None:
        # From the sinks up to the source, so that nothing flows before all is running.
        try:
            for thread in reversed(threads):
                thread.start()
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            # Stop at the source; what was captured still reaches the sinks.
            self.report.interrupted = True
            self._stop_source()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()

    def _capture(self) -> None:
        outlets = self._outlets(0)
        timings = self.report.stages["capture"]
        try:
            began = time.perf_counter()
            for captured in self._source.frames():
                packet = Packet(captured)
                timings.add(packet.captured_at - began)
                self.report.frames_in += 1
                if not self._deliver(outlets, packet) or self._stop.is_set():
                    break
                began = time.perf_counter()
        except BaseException as error:  # noqa: BLE001 - kept in the report
            self._fail(error)
        finally:
            for outlet in outlets:
                outlet.close()

    def _work(
        self, stage: Stage, inbox: Channel[Packet], outlets: Sequence[Channel[Packet]]
    ) -> None:
        timings = self.report.stages[stage.name]
        packet: Optional[Packet] = None
        try:
            for packet in inbox:
                began = time.perf_counter()
                stage.run(packet)
                timings.add(time.perf_counter() - began)
                if not self._deliver(outlets, packet):
                    break
        except BaseException as error:  # noqa: BLE001 - a skill's sys.exit() is an error too
            index = packet.index if packet else "?"
            self._fail(skill_failed(error, "stage {}, frame {}".format(stage.name, index)))
        finally:
            inbox.cancel()
            for outlet in outlets:
                outlet.close()

    def _show(self, name: str, sink: Sink, inbox: Channel[Packet]) -> None:
        timings = self.report.stages["display " + name]
        latency = self.report.latency[name]
        try:
            for packet in inbox:
                began = time.perf_counter()
                sink.show(packet.frame, packet.time_s)
                now = time.perf_counter()
                timings.add(now - began)
                latency.add(now - packet.captured_at)
                self.report.frames_out[name] += 1
        except DisplayClosed:
            # Stop at the source; what was captured still reaches the other sinks.
            self.report.stopped = True
            self._stop_source()
            for _ in inbox:
                pass
        except BaseException as error:  # noqa: BLE001 - kept in the report
            self._fail(error)
        finally:
            inbox.cancel()

    @staticmethod
    def _deliver(outlets: Sequence[Channel[Packet]], packet: Packet) -> bool:
        taken = [outlet.put(packet) for outlet in outlets]  # each, even when one has ended
        return all(taken)

    def _outlets(self, place: int) -> Sequence[Channel[Packet]]:
        return self._links[place : place + 1] or self._ends

    def _channels(self) -> Dict[str, Channel[Packet]]:
        names = [stage.name for stage in self._stages] + self._sink_names()
        return dict(zip(names, self._links + self._ends))

    def _sink_names(self) -> List[str]:
        """The targets, made distinct when one is given twice."""
        targets = [sink.target for sink in self._sinks]
        return [
            target if targets.count(target) == 1 else "{} #{}".format(target, place + 1)
            for place, target in enumerate(targets)
        ]

    def _fail(self, error: BaseException) -> None:
        """Keep the first error, and wait for no further frame."""
        with self._lock:
            self.report.error = self.report.error or error
        self._stop_source()

    def _stop_source(self) -> None:
        """Take no more frames, and wake a source that waits for its device."""
        self._stop.set()
        self._source.stop()
