"""One loaded skill and many sources: models once, states anew, a broken source alone."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from npukit.capture import open_source
from npukit.capture.pattern import PatternSource, read_counter
from npukit.display.video import VideoSink
from npukit.errors import CaptureError, ConfigError, DisplayError, PluginError, SkillError
from npukit.pipeline import Packet, Report
from npukit.preprocess.spec import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit.runtime.simulator import SimulatorRuntime
from npukit.session import Session, run_skill
from npukit.skill import load_skill

SHAPE = (1, 3, 8, 16)
STATE = (1, 1, 8, 16)

CODE = """
from npukit.pipeline import Stage
from npukit.preprocess import fit
from npukit.skill import Skill

class Counting(Skill):
    def stages(self):
        if self.settings["fault"] == "stages":
            raise KeyError("stages")
        return Stage("cut", self.cut), Stage("infer", self.infer)

    def reset(self):
        super().reset()
        if self.settings["fault"] == "reset":
            raise KeyError("reset")

    def cut(self, packet):
        image = self.models["counter"].inputs["image"]
        packet.data["image"] = fit(image.preprocess, packet.frame, image.size).pack()

    def infer(self, packet):
        if self.settings["fault"] == "infer" and packet.index == 3:
            raise KeyError("infer")
        image = packet.data["image"]
        packet.data["count"] = self.models["counter"].infer({"image": image})["alpha"]
"""


@pytest.fixture(scope="module")
def counter_build(tmp_path_factory) -> Path:
    """Four channels, RGB and the previous alpha: alpha = previous alpha + 1, whatever the picture.

    So alpha is the number of frames since the state was zero.
    """
    weights = np.zeros((1, 4, 1, 1), np.float32)
    weights[0, 3] = 1.0
    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["image", "alpha_prev"], ["four"], axis=1),
            helper.make_node("Conv", ["four", "weights", "bias"], ["alpha"]),
        ],
        "counter",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE),
            helper.make_tensor_value_info("alpha_prev", TensorProto.FLOAT, STATE),
        ],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, STATE)],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.ones(1, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path = tmp_path_factory.mktemp("build") / "counter.sim"
    write_build(
        str(path),
        SimulatorBuild(
            "counter",
            {"image": InputSpec(SHAPE, Preprocess()), "alpha_prev": InputSpec(STATE)},
            ("alpha",),
            model.SerializeToString(),
            states={"alpha_prev": "alpha"},
        ),
    )
    return path


@pytest.fixture
def folder(tmp_path, counter_build: Path) -> str:
    place = tmp_path / "skill"
    place.mkdir()
    manifest = {
        "name": "counting", "version": "1", "entry": "skill.py:Counting",
        "models": {"counter": {"simulator": str(counter_build)}}, "boards": ["simulator"],
        "capture": "pattern:64x32,frames=4", "display": "null",
        "parameters": {"fault": {"type": "str", "default": "", "help": "where it fails"}},
    }  # fmt: skip
    (place / "skill.json").write_text(json.dumps(manifest))
    (place / "skill.py").write_text(CODE)
    return str(place)


@pytest.fixture
def session(folder: str):
    with Session(load_skill(folder)) as opened:
        yield opened


class Counts:
    """What an observer sees: the number of each frame and the count that the network gave."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.counts: list[float] = []

    def __call__(self, packet: Packet) -> None:
        self.frames.append(read_counter(packet.frame))
        alpha = packet.data["count"]
        assert alpha.min() == alpha.max()
        self.counts.append(float(alpha.max()))


def pattern(count: int) -> str:
    return f"pattern:64x32,frames={count}"


def test_states_go_from_frame_to_frame_and_begin_anew_with_each_source(session: Session) -> None:
    for count in (12, 5, 12):
        counts = Counts()
        report = session.run(pattern(count), ["null"], counts)
        assert report.complete
        assert counts.frames == list(range(count))
        assert counts.counts == list(range(1, count + 1))


def test_states_begin_anew_after_a_source_that_broke_off(tmp_path, folder: str) -> None:
    picture = tmp_path / "pictures"
    picture.mkdir()
    with Session(load_skill(folder)) as session:
        source = open_source(pattern(3))
        for captured in source.frames():
            cv2.imwrite(str(picture / f"{captured.index}.png"), captured.frame.to_bgr())
        (picture / "3.png").write_bytes(b"no picture")
        first, second = Counts(), Counts()
        broken = session.run(str(picture), [], first)
        assert isinstance(broken.error, CaptureError)
        assert first.counts == [1, 2, 3]
        assert session.run(pattern(2), [], second).complete
        assert second.counts == [1, 2]


def test_a_broken_source_does_not_stop_the_others(tmp_path, session: Session) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    sources = [
        pattern(6),
        str(tmp_path / "missing.mp4"),
        str(tmp_path / "text.mp4"),
        "pattern:nonsense",
        "nokind:thing",
        pattern(7),
    ]
    reports: list[Report] = [session.run(uri, ["null"]) for uri in sources]
    assert [report.complete for report in reports] == [True, False, False, False, False, True]
    assert [report.frames_in for report in reports] == [6, 0, 0, 0, 0, 7]
    for uri, report in zip(sources[1:5], reports[1:5], strict=True):
        assert isinstance(report.error, CaptureError)
        assert report.source == uri
        assert uri in str(report.error)
        json.dumps(report.to_dict())


def test_models_are_loaded_once_for_many_sources(monkeypatch, folder: str) -> None:
    loads, closes = [], []
    original = SimulatorRuntime.load

    def load(self: SimulatorRuntime, path: str, threads: int, declared: object):
        model = original(self, path, threads, declared)
        loads.append(path)
        monkeypatch.setattr(model, "close", lambda: closes.append(path))
        return model

    monkeypatch.setattr(SimulatorRuntime, "load", load)
    with Session(load_skill(folder)) as session:
        for count in (3, 1, 4):
            assert session.run(pattern(count), ["null"]).complete
        assert session.run("pattern:nonsense", []).error is not None
        assert closes == []
    assert len(loads) == 1
    assert closes == loads


def test_models_are_released_when_the_block_fails(monkeypatch, folder: str) -> None:
    closes = []
    session = Session(load_skill(folder))
    monkeypatch.setattr(session.skill, "close", lambda: closes.append(1))
    with pytest.raises(ZeroDivisionError), session:
        1 / 0  # noqa: B018
    assert closes == [1]


def test_several_displays_each_get_all(tmp_path, session: Session) -> None:
    video, pictures = tmp_path / "out.mp4", tmp_path / "pictures"
    report = session.run(pattern(5), [str(video), f"images:{pictures}", "null", "null"])
    assert report.complete
    assert report.frames_out == {str(video): 5, str(pictures): 5, "null #3": 5, "null #4": 5}
    assert sorted(path.name for path in pictures.iterdir()) == [f"{n:06}.png" for n in range(5)]
    source = open_source(str(video))
    assert [read_counter(captured.frame) for captured in source.frames()] == list(range(5))
    source.close()
    assert report.notices == [f"5 frames in {video}", f"5 pictures in {pictures}"]


def test_no_display_is_the_null_display(session: Session) -> None:
    assert session.run(pattern(3), []).frames_out == {"null": 3}


@pytest.mark.parametrize("target", ["out.gif", "null:x", "video:"])
def test_a_broken_display_is_in_the_report(session: Session, target: str) -> None:
    report = session.run(pattern(3), ["null", target])
    assert isinstance(report.error, DisplayError)
    assert report.frames_in == 0
    assert session.run(pattern(3), ["null"]).complete


def test_an_unusable_kind_is_in_the_report(session: Session, monkeypatch) -> None:
    def unusable(*_) -> None:
        raise PluginError("needs av")

    monkeypatch.setattr("npukit.capture.SOURCES.get", unusable)
    assert isinstance(session.run(pattern(3), []).error, PluginError)


@pytest.fixture
def closings(monkeypatch) -> list[tuple[str, object]]:
    """What is closed, and how."""
    closed: list[tuple[str, object]] = []
    original = VideoSink.close

    def close(self: VideoSink, complete: bool) -> None:
        closed.append((self.target, complete))
        original(self, complete)

    monkeypatch.setattr(VideoSink, "close", close)
    monkeypatch.setattr(PatternSource, "close", lambda self: closed.append((self.uri, None)))
    return closed


@pytest.mark.parametrize("bad", ["source", "second display"])
def test_what_was_opened_is_closed_when_the_rest_cannot_be(
    tmp_path, session: Session, closings: list, bad: str
) -> None:
    out = str(tmp_path / "out.mp4")
    uri = "pattern:nonsense" if bad == "source" else pattern(3)
    displays = [out] if bad == "source" else [out, "out.gif"]
    assert session.run(uri, displays).error is not None
    assert closings == [(out, False)]
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("fault", ["reset", "stages"])
def test_a_skill_that_cannot_begin_is_in_the_report_and_all_is_closed(
    tmp_path, folder: str, closings: list, fault: str
) -> None:
    out = str(tmp_path / "out.mp4")
    with Session(load_skill(folder, {"fault": fault})) as session:
        report = session.run(pattern(3), [out])
    assert isinstance(report.error, SkillError)
    assert f"KeyError: '{fault}'" in report.error.message
    assert f"{folder}/skill.py:" in report.error.where
    assert not report.complete
    assert sorted(closings, key=str) == sorted([(out, False), ("pattern:64x32", None)], key=str)


def test_an_error_of_the_skill_keeps_the_frames_before_it(tmp_path, folder: str) -> None:
    before = threading.active_count()
    with Session(load_skill(folder, {"fault": "infer"})) as session:
        for _ in range(2):  # the second source fares as the first
            counts = Counts()
            report = session.run(pattern(40), [str(tmp_path / "out.mp4")], counts)
            assert isinstance(report.error, SkillError)
            assert "stage infer, frame 3" in report.error.where
            assert counts.counts == [1, 2, 3]
            assert report.frames_out == {str(tmp_path / "out.mp4"): 3}
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["out.part.mp4"]
    assert threading.active_count() == before


# --- what a board starts ---------------------------------------------------------------------


def test_run_skill_uses_the_defaults_of_the_manifest(folder: str) -> None:
    report = run_skill(f"{folder}/main.py")
    assert (report.source, report.frames_in) == ("pattern:64x32", 4)
    assert report.frames_out == {"null": 4}


def test_run_skill_raises_what_ended_the_run(folder: str) -> None:
    with pytest.raises(SkillError, match="frame 3"):
        run_skill(f"{folder}/main.py", {"fault": "infer"})
    with pytest.raises(ConfigError, match="unknown key"):
        run_skill(f"{folder}/main.py", {"falt": "infer"})


def test_an_asset_of_the_skill_is_its_default_source(
    folder: str, edit_manifest: Callable[..., None]
) -> None:
    place = Path(folder)
    with Session(load_skill(folder)) as session:
        assert session.run(pattern(6), [str(place / "clip.mp4")]).complete
    edit_manifest(capture="clip.mp4")
    report = run_skill(f"{folder}/main.py")
    assert (report.source, report.frames_in) == (str(place / "clip.mp4"), 6)


@pytest.fixture
def edit_manifest(folder: str) -> Callable[..., None]:
    def edit(**changes: object) -> None:
        path = Path(folder) / "skill.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit
