"""One source through stages to sinks: order, ends, errors, interrupts, time and memory."""

import faulthandler
import inspect
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.capture import open_source
from npukit.capture.base import Captured, Source
from npukit.capture.pattern import read_counter
from npukit.color import Color
from npukit.display import open_sink
from npukit.display.base import Sink
from npukit.errors import CaptureError, DisplayError, FrameError, ModelError, SkillError
from npukit.frame import Nv21Frame
from npukit.pipeline import Packet, Pipeline, Report, Stage
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec

LIMIT_S = 30.0  # far above what any run here takes; reached only by a hang
FPS = 100.0


class StrangeError(Exception):
    """An error that npukit does not know."""


class Frames(Source):
    """Gives `count` small frames, then ends or raises."""

    def __init__(
        self,
        count: int,
        error: BaseException | None = None,
        live: bool = False,
        pace_s: float = 0.0,
    ) -> None:
        super().__init__("frames", FPS, count)
        self.live = live
        self.given = 0
        self.closed = 0
        self._error = error
        self._pace_s = pace_s

    @classmethod
    def accepts(cls, uri: str) -> bool:
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        raise NotImplementedError

    def frames(self) -> Iterator[Captured]:
        for index in range(self.frame_count):
            time.sleep(self._pace_s)
            self.given += 1
            yield Captured(Nv21Frame.filled(8, 4, Color(), (index % 256, 0, 0)), index, index / FPS)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed += 1


class Kept(Sink):
    """Keeps the numbers of the frames that it is shown."""

    def __init__(
        self,
        target: str = "kept",
        lossless: bool = True,
        before: Callable[[int], None] = lambda _: None,
        closing: BaseException | None = None,
    ) -> None:
        super().__init__(target)
        self.lossless = lossless
        self.seen: list[int] = []
        self.closed: list[bool] = []
        self._before = before
        self._closing = closing

    @classmethod
    def accepts(cls, target: str) -> bool:
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        raise NotImplementedError

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        index = round(time_s * FPS)
        self._before(index)
        assert frame.y[0, 0] == index % 256
        self.seen.append(index)

    def close(self, complete: bool) -> None:
        self.closed.append(complete)
        if self._closing is not None:
            raise self._closing


def run(
    source: Source,
    stages: list[Stage],
    sinks: list[Sink],
    observe: Callable[[Packet], None] | None = None,
) -> Report:
    """Run with a limit on its time; nothing of it may be left behind."""
    before = threading.active_count()
    reports: list[Report] = []
    pipeline = Pipeline(source, stages, sinks, observe)
    thread = threading.Thread(target=lambda: reports.append(pipeline.run()), daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    if thread.is_alive():
        faulthandler.dump_traceback(all_threads=True)
        pytest.fail("the pipeline hangs")
    assert reports, "the pipeline raised"
    assert threading.active_count() == before
    return reports[0]


def idle(name: str, delay_s: float = 0.0) -> Stage:
    return Stage(name, lambda _: time.sleep(delay_s))


def raising(name: str, at: int, error: BaseException) -> Stage:
    def work(packet: Packet) -> None:
        if packet.index == at:
            raise error

    return Stage(name, work)


def raise_at(at: int, error: BaseException) -> Callable[[int], None]:
    def before(index: int) -> None:
        if index == at:
            raise error

    return before


# --- to the end ------------------------------------------------------------------------------


def test_every_frame_reaches_every_sink_in_order() -> None:
    source, sinks = Frames(200), [Kept("a"), Kept("b"), Kept("c")]
    observed: list[int] = []
    report = run(
        source, [idle("one"), idle("two"), idle("three")], sinks,
        lambda packet: observed.append(packet.index),
    )  # fmt: skip
    for sink in sinks:
        assert sink.seen == list(range(200))
        assert sink.closed == [True]
    assert observed == list(range(200))
    assert source.closed >= 1
    assert report.complete
    assert report.error is None
    assert report.frames_in == 200
    assert report.frames_out == {"a": 200, "b": 200, "c": 200}
    assert report.dropped == {}


@pytest.mark.parametrize("stages", [0, 1, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_any_number_of_stages_and_frames(stages: int, count: int) -> None:
    sink = Kept()
    report = run(Frames(count), [idle(str(place)) for place in range(stages)], [sink])
    assert sink.seen == list(range(count))
    assert sink.closed == [True]
    assert report.complete


def test_stages_see_what_earlier_ones_left() -> None:
    def first(packet: Packet) -> None:
        packet.data["number"] = packet.index + 1000

    def second(packet: Packet) -> None:
        assert packet.data["number"] == packet.index + 1000
        packet.frame = Nv21Frame.filled(8, 4, Color(), (packet.data["number"] % 256, 1, 1))

    shown: list[int] = []

    class Values(Kept):
        def show(self, frame: Nv21Frame, time_s: float) -> None:
            shown.append(int(frame.y[0, 0]))

    report = run(Frames(40), [Stage("first", first), Stage("second", second)], [Values()])
    assert report.error is None
    assert shown == [(index + 1000) % 256 for index in range(40)]


def test_without_sinks_the_stages_still_run() -> None:
    observed: list[int] = []
    report = run(Frames(20), [idle("one")], [], lambda packet: observed.append(packet.index))
    assert report.complete
    assert observed == list(range(20))


def test_the_same_target_twice_is_told_apart() -> None:
    report = run(Frames(10), [idle("one")], [Kept("same"), Kept("other"), Kept("same")])
    assert report.frames_out == {"same #1": 10, "other": 10, "same #3": 10}
    assert set(report.latency) == {"same #1", "other", "same #3"}


def test_notices_of_source_and_sinks_are_in_the_report() -> None:
    source, sink = Frames(3), Kept()
    source.notice("the last row is cropped")
    source.notice("the last row is cropped")
    sink.notices.append("3 frames in kept")
    report = run(source, [], [sink])
    assert report.notices == ["the last row is cropped", "3 frames in kept"]


# --- slow parts ------------------------------------------------------------------------------


def test_a_slow_sink_that_wants_all_holds_the_source_up() -> None:
    source = Frames(60)
    ahead: list[int] = []
    slow = Kept(before=lambda index: ahead.append(source.given - index))
    report = run(source, [idle("one")], [slow, Kept("fast")], lambda _: time.sleep(0.001))
    assert report.dropped == {}
    assert slow.seen == list(range(60))
    # Three frames wait before each of stage, observer and sink, and each holds one.
    assert max(ahead) <= 3 * 4 + 2


def test_a_live_source_is_never_held_up_and_its_drops_are_counted() -> None:
    source = Frames(150, live=True, pace_s=0.0005)
    sink = Kept()
    report = run(source, [idle("slow", 0.005), idle("next")], [sink])
    assert report.complete
    assert report.frames_in == 150
    assert report.dropped["slow"] > 50
    assert set(report.dropped) == {"slow"}
    assert len(sink.seen) + report.dropped["slow"] == 150
    assert sink.seen == sorted(set(sink.seen))
    assert sink.seen[-1] == 149  # the newest frame is never the one dropped


def test_a_slow_screen_never_holds_up_another_sink() -> None:
    done = threading.Event()
    fast = Kept("file", before=lambda index: done.set() if index == 99 else None)
    # The screen shows nothing further until the file has everything.
    screen = Kept("screen", lossless=False, before=lambda _: done.wait(LIMIT_S))
    report = run(Frames(100), [idle("one")], [screen, fast])
    assert report.complete
    assert fast.seen == list(range(100))
    assert screen.seen[-1] == 99
    assert len(screen.seen) <= 5
    assert report.dropped == {"screen": 100 - len(screen.seen)}
    assert report.frames_out == {"screen": len(screen.seen), "file": 100}


def test_a_sink_that_wants_all_drops_nothing_while_a_screen_does() -> None:
    screen = Kept("screen", lossless=False, before=lambda _: time.sleep(0.004))
    file = Kept("file", before=lambda _: time.sleep(0.0005))
    report = run(Frames(120), [], [screen, file])
    assert file.seen == list(range(120))
    assert report.dropped["screen"] == 120 - len(screen.seen) > 0
    assert "file" not in report.dropped


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.parametrize(
    "error", [CaptureError("damaged", where="clip, frame 7"), StrangeError("bad")]
)
def test_an_error_of_the_source_keeps_all_frames_before_it(
    count: int, error: BaseException
) -> None:
    source, sinks = Frames(count, error), [Kept("a"), Kept("b")]
    report = run(source, [idle("one"), idle("two", 0.001)], sinks)
    assert report.error is error
    assert not report.complete
    assert not report.interrupted
    for sink in sinks:
        assert sink.seen == list(range(count))
        assert sink.closed == [False]
    assert source.closed >= 1


@pytest.mark.parametrize("at", [0, 1, 30, 59])
@pytest.mark.parametrize("place", [0, 1, 2, "observe"])
def test_an_error_of_a_stage_keeps_all_frames_before_it(place, at: int) -> None:
    names = ["one", "two", "three"]
    stages = [
        raising(name, at, StrangeError("bad")) if number == place else idle(name)
        for number, name in enumerate(names)
    ]
    observe = raising("observe", at, StrangeError("bad")).run if place == "observe" else None
    source, sinks = Frames(60), [Kept("a"), Kept("b", before=lambda _: time.sleep(0.0005))]
    report = run(source, stages, sinks, observe)
    for sink in sinks:
        assert sink.seen == list(range(at))
        assert sink.closed == [False]
    assert not report.complete
    assert isinstance(report.error, SkillError)
    name = place if place == "observe" else names[place]
    assert f"stage {name}, frame {at}" in report.error.where
    assert source.closed >= 1


def test_a_foreign_error_becomes_a_skill_error_with_file_and_line() -> None:
    def work(packet: Packet) -> None:
        if packet.index == 4:
            packet.data["missing"]  # the line that the error names

    report = run(Frames(20), [Stage("pick", work)], [Kept()])
    assert isinstance(report.error, SkillError)
    assert isinstance(report.error.__cause__, KeyError)
    lines, first = inspect.getsourcelines(work)
    line = first + next(number for number, text in enumerate(lines) if "the line that" in text)
    assert report.error.where == f"{__file__}:{line}, stage pick, frame 4"
    assert str(report.error).endswith("KeyError: 'missing'")


@pytest.mark.parametrize(
    "error",
    [FrameError("odd"), ModelError("no input", where="net.om"), SkillError("nothing found")],
)
def test_a_typed_error_of_a_stage_stays_itself_and_gets_its_place(error) -> None:
    before = error.where
    report = run(Frames(20), [idle("one"), raising("two", 7, error)], [Kept()])
    assert report.error is error
    assert error.where == ", ".join(filter(None, [before, "stage two, frame 7"]))


@pytest.mark.parametrize("at", [0, 10, 59])
@pytest.mark.parametrize("error", [DisplayError("disk full"), StrangeError("bad")])
def test_an_error_of_a_sink_keeps_all_frames_before_it_in_the_others(
    at: int, error: BaseException
) -> None:
    bad, good = Kept("bad", before=raise_at(at, error)), Kept("good")
    source = Frames(60)
    report = run(source, [idle("one")], [good, bad])
    assert report.error is error
    assert not report.complete
    assert bad.seen == list(range(at))
    assert good.seen == list(range(len(good.seen)))
    assert len(good.seen) >= at + 1
    assert good.closed == bad.closed == [False]
    assert source.given < 60 or at > 40  # the source stops soon
    assert report.frames_out == {"good": len(good.seen), "bad": at}


def test_errors_in_closing_are_kept_and_every_sink_is_closed() -> None:
    error = DisplayError("cannot rename")
    first, second = Kept("first", closing=error), Kept("second")
    report = run(Frames(5), [], [first, second])
    assert report.error is error
    assert not report.complete
    assert len(first.closed) == len(second.closed) == 1


def test_the_first_error_is_the_one_that_is_kept() -> None:
    first = CaptureError("damaged")
    sink = Kept(closing=DisplayError("cannot finish"))
    assert run(Frames(5, first), [], [sink]).error is first


@pytest.mark.parametrize("leaver", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("place", ["source", "stage", "sink"])
def test_code_that_leaves_the_process_is_no_end_of_the_video(place: str, leaver) -> None:
    source = Frames(30, leaver if place == "source" else None)
    stage = raising("one", 12, leaver) if place == "stage" else idle("one")
    bad = Kept("bad", before=raise_at(12, leaver) if place == "sink" else lambda _: None)
    good = Kept("good")
    report = run(source, [stage], [bad, good])
    assert report.error is not None
    assert not report.complete
    assert bad.closed == good.closed == [False]
    assert good.seen[:12] == list(range(12))


def test_errors_in_several_places_at_once_do_not_hang() -> None:
    for _ in range(20):
        report = run(
            Frames(40, StrangeError("source")),
            [raising("one", 20, StrangeError("one")), raising("two", 20, StrangeError("two"))],
            [
                Kept("a", before=raise_at(19, StrangeError("a"))),
                Kept("b", before=raise_at(19, StrangeError("b"))),
            ],
        )
        assert report.error is not None


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    stages=st.integers(0, 4),
    lossy=st.booleans(),
    live=st.booleans(),
    fault=st.sampled_from([None, "source", "stage", "sink"]),
)
def test_whatever_the_delays_order_and_completeness_hold(
    seed: int, stages: int, lossy: bool, live: bool, fault: str | None
) -> None:
    random = np.random.default_rng(seed)
    count, at = 30, int(random.integers(0, 30))
    # Delays for each part: mostly none, now and then a long one.
    delays = 0.004 * random.random((stages + 2, count)) ** 6

    def part(row: int, fails: bool) -> Callable[[int], None]:
        def work(index: int) -> None:
            time.sleep(delays[row, index])
            if fails and index == at:
                raise StrangeError("bad")

        return work

    bad = int(random.integers(0, stages)) if stages else -1
    steps = []
    for place in range(stages):
        work = part(place, fault == "stage" and place == bad)
        steps.append(Stage(str(place), lambda packet, work=work: work(packet.index)))
    source = Frames(
        at if fault == "source" else count, StrangeError("x") if fault == "source" else None
    )
    source.live = live
    sinks = [
        Kept("first", lossless=True, before=part(stages, False)),
        Kept("second", lossless=not lossy, before=part(stages + 1, fault == "sink")),
    ]
    report = run(source, steps, sinks)
    for sink in sinks:
        assert sink.seen == sorted(set(sink.seen))
        assert sink.closed == [report.complete]
        assert report.frames_out[sink.target] == len(sink.seen)
    dropping = live and stages > 0
    if report.complete:
        assert fault is None or dropping or lossy or (fault == "stage" and not stages)
        for sink in sinks:
            lost = report.dropped.get("0", 0) + report.dropped.get(sink.target, 0)
            assert len(sink.seen) + lost == report.frames_in == count
    elif not dropping:
        assert sinks[0].seen[:at] == list(range(at))
        if fault != "sink":
            assert sinks[0].seen == list(range(at))


# --- figures ---------------------------------------------------------------------------------


def test_the_report_has_percentiles_of_every_part_and_is_plain_data() -> None:
    source = Frames(40, pace_s=0.001)
    sinks = [Kept("a", before=lambda _: time.sleep(0.002)), Kept("b")]
    report = run(source, [idle("slow", 0.004), idle("fast")], sinks, lambda _: None)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["source"] == "frames"
    assert data["frames_in"] == 40
    assert data["frames_out"] == {"a": 40, "b": 40}
    assert set(data["stages"]) == {"capture", "slow", "fast", "observe", "display a", "display b"}
    for timing in [*data["stages"].values(), *data["latency"].values()]:
        assert timing["count"] == 40
        assert 0.0 < timing["p50_ms"] <= timing["p95_ms"] <= timing["p99_ms"]
    assert data["stages"]["slow"]["p50_ms"] >= 3.9
    assert data["stages"]["capture"]["p50_ms"] >= 0.97
    assert data["stages"]["fast"]["p50_ms"] < 3.0
    # From capture to the end of show: the slow stage and the sink lie on the way.
    assert data["latency"]["a"]["p50_ms"] >= 5.8
    assert data["seconds"] >= 40 * 0.004
    assert data["fps"] == pytest.approx(40 / data["seconds"], rel=0.01)
    assert (data["error"], data["interrupted"], data["dropped"]) == (None, False, {})


def test_processor_time_counts_work_and_not_waiting() -> None:
    def burn(_: Packet) -> None:
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass

    busy = run(Frames(20), [Stage("burn", burn)], [])
    assert 0.19 <= busy.cpu_seconds <= 0.6
    lazy = run(Frames(20), [idle("wait", 0.02)], [])
    assert lazy.seconds >= 0.4
    assert lazy.cpu_seconds < 0.2
    assert busy.to_dict()["cpu_ms_per_frame"] == pytest.approx(
        1e3 * busy.cpu_seconds / 20, rel=0.01
    )


def test_an_error_is_words_in_the_plain_data() -> None:
    data = run(Frames(3, CaptureError("damaged", where="clip")), [], []).to_dict()
    assert data["error"] == "clip: damaged"


# --- Ctrl-C ----------------------------------------------------------------------------------

INTERRUPTED = """
import json, time
from npukit.capture import open_source
from npukit.display import open_sink
from npukit.pipeline import Pipeline, Stage

def work(packet):
    if packet.index == 40:
        print("running", flush=True)
    time.sleep(0.002)

source = open_source("pattern:320x240,frames=100000")
report = Pipeline(source, [Stage("work", work)], [open_sink({path!r}), open_sink("null")]).run()
print(json.dumps(report.to_dict()))
"""


def test_ctrl_c_stops_at_the_source_and_loses_no_frame(tmp_path) -> None:
    final, part = tmp_path / "out.mp4", tmp_path / "out.part.mp4"
    final.write_bytes(b"an older result")
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(path=str(final))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert errors == ""
    data = json.loads(output)
    assert data["interrupted"] is True
    assert data["error"] is None
    assert 40 < data["frames_in"] < 5000
    assert data["frames_out"] == {str(final): data["frames_in"], "null": data["frames_in"]}
    assert any(str(part) in notice for notice in data["notices"])
    assert final.read_bytes() == b"an older result"
    with av.open(part) as container:
        seen = [
            read_counter(Nv21Frame.from_i420(decoded.to_ndarray(), Color()))
            for decoded in container.decode(video=0)
        ]
    assert seen == list(range(data["frames_in"]))


# --- memory ----------------------------------------------------------------------------------

MEMORY = """
import resource, sys
import numpy as np
from npukit.buffers import BufferPool
from npukit.capture import open_source
from npukit.compositing import Matte, blend, to_8bit
from npukit.display import open_sink
from npukit.frame import Nv21Frame
from npukit.pipeline import Pipeline, Stage
from npukit.preprocess import fit
from npukit.runtime import load_model

uri, build, display, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
model = load_model(build, "simulator", 1)
image = model.inputs["image"]
pool = BufferPool()
behind = []
sizes = {}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def canvas(frame):
    width, height = frame.size
    return Nv21Frame(
        pool.take(height, width), pool.take(height // 2, width // 2, 2), frame.color
    )

def prepare(packet):
    packet.frame = packet.frame.flip(out=canvas(packet.frame))
    packet.data["image"] = fit(image.preprocess, packet.frame, image.size).pack()

def infer(packet):
    packet.data["alpha"] = to_8bit(model.infer({"image": packet.data.pop("image")})["alpha"])

def composite(packet):
    frame = packet.frame
    if not behind:
        behind.append(Nv21Frame.filled(*frame.size, frame.color, (90, 100, 150)))
    packet.frame = blend(frame, behind[0], Matte(packet.data["alpha"], frame.size), canvas(frame))

def observe(packet):
    if packet.index in (500, count - 1):
        sizes[packet.index] = resident()

stages = [Stage("prepare", prepare), Stage("infer", infer), Stage("composite", composite)]
report = Pipeline(open_source(uri), stages, [open_sink(display)], observe).run()
if report.error:
    raise report.error
assert report.frames_out == {display: count}, report.frames_out
print(sizes[count - 1] - sizes[500])
"""


@pytest.fixture(scope="module")
def small_network(tmp_path_factory) -> Path:
    """A gray picture of 32x24 pixels smoothed to an alpha."""
    from onnx import TensorProto, checker, helper, numpy_helper

    from npukit.preprocess.spec import Preprocess

    shape = [1, 3, 24, 32]
    weights = np.full((1, 3, 3, 3), 1 / 27, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights"], ["mean"], pads=[1, 1, 1, 1]),
            helper.make_node("Sigmoid", ["mean"], ["alpha"]),
        ],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 1, 24, 32])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    spec = Preprocess(mean=(128.0,) * 3, scale=(0.05,) * 3)
    path = tmp_path_factory.mktemp("network") / "small.sim"
    build = SimulatorBuild(
        "small", {"image": InputSpec(tuple(shape), spec)}, ("alpha",), model.SerializeToString()
    )
    write_build(str(path), build)
    return path


def grown(uri: str, build: Path, display: str, count: int) -> float:
    """MiB that the process grew by between frame 500 and the last."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, uri, str(build), display, str(count)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 2**20


def test_memory_does_not_grow_over_5000_frames(small_network: Path) -> None:
    assert grown("pattern:320x240,frames=5000", small_network, "null", 5000) < 8.0


def test_memory_does_not_grow_while_videos_are_read_and_written(
    tmp_path, small_network: Path
) -> None:
    sink = open_sink(str(tmp_path / "clip.mp4"))
    for captured in open_source("pattern:96x64,frames=2500").frames():
        sink.show(captured.frame, captured.time_s)
    sink.close(complete=True)
    display = str(tmp_path / "out.mp4")
    assert grown(str(tmp_path / "clip.mp4"), small_network, display, 2500) < 8.0
