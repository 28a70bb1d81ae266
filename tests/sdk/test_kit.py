"""npukit over the HiLens Kit's module: runtime, source and sink, their calls and their errors.

The drop-in module stands in for the vendor's; where a call itself is what matters, a double does.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper
from support.drop_in import drop_in
from support.interpreters import REPOSITORY

from npukit.capture import open_source
from npukit.capture.pattern import read_counter
from npukit.color import DEFAULT_COLOR, Color, Matrix
from npukit.display import open_sink
from npukit.errors import CaptureError, DisplayError, ModelError, NpukitError, PluginError
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess
from npukit.runtime import RUNTIMES, load_model
from npukit.runtime.base import Runtime
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import Declaration, InputSpec
from npukit.session import Session
from npukit.skill import load_skill

SKILL = REPOSITORY / "skills" / "portrait_matting"
BT709 = Color(Matrix.BT709)
SHAPE = (1, 3, 4, 8)

Settings = Callable[..., ModuleType]


@pytest.fixture
def hilens_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.chdir(tmp_path)
    opened = []

    def enter(**settings: Any) -> ModuleType:
        opened.append(drop_in(tmp_path, **settings))
        return opened[-1].__enter__()

    yield enter
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def hilens(hilens_with: Settings) -> ModuleType:
    return hilens_with()


def test_without_the_vendors_module_each_part_keeps_its_reason() -> None:
    for call in (
        lambda: open_source("hilens"),
        lambda: open_sink("hilens"),
        lambda: RUNTIMES.get("hilens"),
    ):
        with pytest.raises(PluginError, match="No module named 'hilens'"):
            call()


# --- runtime ---


@pytest.fixture
def runtime(hilens: ModuleType) -> Runtime:
    return RUNTIMES.get("hilens")()


DECLARED = Declaration(
    inputs={"image": InputSpec(SHAPE, Preprocess()), "last": InputSpec((1, 1, 4, 8))},
    outputs={"alpha": (1, 1, 4, 8), "mean": (1, 3, 1, 1)},
    states={"last": "alpha"},
)


@pytest.fixture
def om(tmp_path: Path) -> str:
    """A network with a picture and a state: alpha = last + 1, and the mean of each channel."""
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["one"], value_float=1.0),
            helper.make_node("Add", ["last", "one"], ["alpha"]),
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        ],
        "small",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, spec.shape)
            for name, spec in DECLARED.inputs.items()
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in DECLARED.outputs.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    build = SimulatorBuild(
        "small", DECLARED.inputs, tuple(DECLARED.outputs), model.SerializeToString(),
        DECLARED.states,
    )  # fmt: skip
    path = tmp_path / "small.om"
    write_build(str(path), build)
    return str(path)


def test_a_model_gives_what_the_simulator_gives(runtime: Runtime, om: str) -> None:
    frame = Nv21Frame.from_packed(
        np.random.default_rng(2).integers(0, 256, (6, 8), np.uint8), DEFAULT_COLOR
    )
    on_kit, simulated = runtime.load(om, declared=DECLARED), load_model(om)
    assert on_kit.inputs == simulated.inputs
    assert on_kit.outputs == simulated.outputs
    for count in (1, 2, 3):
        feed = {"image": on_kit.inputs["image"].feed(frame)}
        found, expected = on_kit.infer(feed), simulated.infer(feed)
        assert list(found) == ["alpha", "mean"]
        for name, array in found.items():
            assert array.shape == DECLARED.outputs[name]
            assert np.array_equal(array, expected[name])
        assert (found["alpha"] == count).all(), "the state comes back"
    on_kit.reset()
    assert (on_kit.infer(feed)["alpha"] == 1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": {**DECLARED.inputs, "image": InputSpec((1, 3, 8, 8), Preprocess())}}, "17"),
        ({"inputs": {"image": DECLARED.inputs["image"]}, "states": {}}, "17"),
        ({"outputs": {"alpha": (1, 1, 4, 8)}}, "gives 2 outputs, declared are 1"),
        ({"outputs": {"alpha": (1, 1, 4, 8), "mean": (1, 4, 1, 1)}}, "'mean' has 3 values"),
    ],
)
def test_a_model_that_is_not_as_declared(
    runtime: Runtime, om: str, change: dict[str, Any], said: str
) -> None:
    model = runtime.load(om, declared=DECLARED._replace(**change))
    image = np.zeros(model.inputs["image"].shape, np.uint8)
    with pytest.raises(ModelError, match=said) as caught:
        model.infer({"image": image})
    assert caught.value.where == om


def test_what_the_device_does_not_load(runtime: Runtime, tmp_path: Path) -> None:
    path = str(tmp_path / "missing.om")
    with pytest.raises(ModelError, match="failed to create Model") as caught:
        runtime.load(path, declared=DECLARED)
    assert caught.value.where == path
    assert caught.value.hint


def test_a_model_without_declaration(runtime: Runtime, om: str) -> None:
    with pytest.raises(ModelError, match="does not say what a model takes") as caught:
        runtime.load(om)
    assert "manifest" in caught.value.hint


def test_start_and_stop_are_init_and_terminate(
    hilens: ModuleType, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(hilens, "init", lambda verify: calls.append(verify) or 0)
    monkeypatch.setattr(hilens, "terminate", lambda: calls.append("terminate") or 0)
    runtime.start("portraitmatting")
    runtime.stop()
    assert calls == ["portraitmatting", "terminate"]


@pytest.mark.parametrize("check_value", ["", "portrait matting"])
def test_a_check_value_that_the_device_refuses(runtime: Runtime, check_value: str) -> None:
    with pytest.raises(ModelError, match=r"invalid parameter \(code 23\)") as caught:
        runtime.start(check_value)
    assert "check_value" in caught.value.hint


# --- source ---


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """Five pictures of the pattern, with their numbers."""
    path = tmp_path / "small.mp4"
    sink = open_sink(str(path))
    for captured in open_source("pattern:640x360,fps=30,frames=5").frames():
        sink.show(captured.frame, captured.time_s)
    sink.close(complete=True)
    return str(path)


def test_a_file_gives_every_frame_and_ends(hilens: ModuleType, clip: str) -> None:
    source = open_source("hilens:" + clip)
    assert not source.live
    assert source.uri == "hilens:" + clip
    found = list(source.frames())
    assert [captured.index for captured in found] == [0, 1, 2, 3, 4]
    assert [captured.time_s for captured in found] == pytest.approx([n / 30 for n in range(5)])
    for captured, direct in zip(found, open_source(clip).frames(), strict=True):
        assert captured.frame.color == DEFAULT_COLOR
        assert np.array_equal(captured.frame.pack(), direct.frame.pack())
        assert read_counter(captured.frame) == captured.index


def test_the_device_scales_where_a_size_is_given(hilens: ModuleType, clip: str) -> None:
    assert next(open_source(f"hilens:{clip},320x240").frames()).frame.size == (320, 240)


class Double:
    """A camera of the vendor's module: gives what it is told to."""

    given: tuple[Any, ...] = ()
    frames: tuple[Any, ...] = ()

    def __init__(self, *args: Any) -> None:
        type(self).given = args
        self._rest = iter(self.frames)

    def read(self) -> Any:
        for frame in self._rest:
            return frame
        raise RuntimeError("Failed to read frame")


@pytest.fixture
def double(hilens: ModuleType, monkeypatch: pytest.MonkeyPatch) -> type[Double]:
    class Fresh(Double):
        pass

    monkeypatch.setattr(hilens, "VideoCapture", Fresh)
    return Fresh


@pytest.mark.parametrize(
    ("uri", "arguments", "live"),
    [
        ("hilens", (), True),
        ("hilens:", (), True),
        ("hilens:0", (0,), True),
        ("hilens:1", (1,), True),
        ("hilens:door", ("door",), True),
        ("hilens:door,1920x1080", ("door", 1920, 1080), True),
        ("hilens:rtsp://user:word@host/x", ("rtsp://user:word@host/x",), True),
        ("hilens:rtsp://host/x,640x360", ("rtsp://host/x", 640, 360), True),
        ("hilens:/data/a.mp4", ("/data/a.mp4",), False),
        ("hilens:/data/a,b.mp4", ("/data/a,b.mp4",), False),
        ("hilens:/data/a.mp4,640x360", ("/data/a.mp4", 640, 360), False),
        ("hilens:/data/a.mp4,640", ("/data/a.mp4,640",), True),
    ],
)
def test_an_address_becomes_the_vendors_arguments(
    double: type[Double], uri: str, arguments: tuple[Any, ...], live: bool
) -> None:
    source = open_source(uri)
    assert double.given == arguments
    assert [type(value) for value in double.given] == [type(value) for value in arguments]
    assert source.live is live
    assert "word" not in source.uri


def test_a_usb_cameras_bgr_becomes_nv21(double: type[Double]) -> None:
    blue = np.full((4, 8, 3), (255, 0, 0), np.uint8)
    double.frames = (blue,)
    frame = next(open_source("hilens:0").frames()).frame
    assert frame.size == (8, 4)
    # ITU-R BT.601, limited range, of pure blue: Y 41, U 240, V 110.
    assert np.unique(frame.y).tolist() == [41]
    assert frame.vu.reshape(-1, 2).tolist() == [[110, 240]] * 8


def test_a_camera_that_fails_says_at_which_frame(double: type[Double]) -> None:
    double.frames = (np.zeros((6, 8), np.uint8),) * 2
    frames = open_source("hilens:rtsp://user:word@host/x").frames()
    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(CaptureError, match="Failed to read frame") as caught:
        next(frames)
    assert caught.value.where.endswith("host/x, frame 2")
    assert "word" not in str(caught.value)


def test_a_file_without_frames_is_an_error(double: type[Double]) -> None:
    with pytest.raises(CaptureError, match="Failed to read frame"):
        next(open_source("hilens:/data/a.mp4").frames())


@pytest.mark.parametrize(
    "uri", ["hilens:missing.mp4", "hilens:5", "hilens:missing.mp4,100x100", "hilens:a.avi"]
)
def test_what_the_device_does_not_open(hilens: ModuleType, uri: str) -> None:
    with pytest.raises(CaptureError, match="does not open it") as caught:
        open_source(uri)
    assert caught.value.where == uri


def test_the_password_is_not_in_an_error(hilens: ModuleType) -> None:
    with pytest.raises(CaptureError) as caught:
        open_source("hilens:rtsp://user:word@127.0.0.1:1/x")
    assert "127.0.0.1" in str(caught.value)
    assert "word" not in str(caught.value)


def test_close_lets_the_camera_go(hilens: ModuleType, double: type[Double]) -> None:
    double.frames = (np.zeros((6, 8), np.uint8),) * 2
    source: Any = open_source("hilens")
    camera = weakref.ref(source._camera)
    next(source.frames())
    source.close()
    source.close()
    gc.collect()
    assert camera() is None


# --- sink ---


def frame_of(color: Color = DEFAULT_COLOR, width: int = 320, height: int = 240) -> Nv21Frame:
    return Nv21Frame.filled(width, height, color, (100, 90, 160))


def test_hdmi_shows_and_says_how_much(hilens: ModuleType, tmp_path: Path) -> None:
    sink = open_sink("hilens")
    assert sink.target == "hilens:hdmi"
    assert not sink.lossless
    sink.show(frame_of(), 0.0)
    sink.close(complete=True)
    assert sink.notices == ["1 frames to hilens:hdmi"]
    screen = cv2.imread(str(tmp_path / "out" / "hdmi" / "000000.png"))
    assert np.array_equal(screen[540, 960], frame_of().to_bgr()[0, 0])


def test_frames_of_another_colour_are_converted(hilens_with: Settings, tmp_path: Path) -> None:
    hilens_with(display=f"images:{tmp_path}/shown")
    sink = open_sink("hilens:hdmi")
    sink.show(frame_of(BT709), 0.0)
    sink.close(complete=True)
    shown = cv2.imread(str(tmp_path / "shown" / "000000.png")).astype(int)
    assert np.abs(shown - frame_of(BT709).to_bgr()).max() <= 2
    assert np.abs(shown - frame_of().to_bgr()).max() > 5, "else this shows nothing"


def test_a_file_takes_every_frame(hilens: ModuleType, tmp_path: Path) -> None:
    path = str(tmp_path / "out.h264")
    sink = open_sink("hilens:" + path)
    assert sink.lossless
    assert sink.target == "hilens:" + path
    for _ in range(3):
        sink.show(frame_of(), 0.0)
    sink.close(complete=True)
    with av.open(path) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_a_refused_frame_is_an_error_with_its_code(hilens: ModuleType) -> None:
    sink = open_sink("hilens")
    sink.show(frame_of(), 0.0)
    with pytest.raises(DisplayError, match=r"refuses frame 1 \(322x240\), code 18") as caught:
        sink.show(frame_of(width=322), 0.1)
    assert caught.value.where == "hilens:hdmi"
    sink.close(complete=False)


def test_the_one_hdmi_connector_is_free_after_close(hilens: ModuleType) -> None:
    first = open_sink("hilens")
    with pytest.raises(DisplayError, match="does not open it") as caught:
        open_sink("hilens:hdmi")
    assert "one display at a time" in caught.value.hint
    first.close(complete=True)
    open_sink("hilens").close(complete=True)


def test_a_streams_key_is_not_shown(hilens: ModuleType) -> None:
    with pytest.raises(DisplayError) as caught:
        open_sink("hilens:rtmp://127.0.0.1:1/live/secretkey")
    assert caught.value.where == "hilens:rtmp"
    assert "secretkey" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("hilens", (0,)),
        ("hilens:hdmi", (0,)),
        ("hilens:rtmp://host/live/key", (1, "rtmp://host/live/key")),
        ("hilens:/data/a.h264", (2, "/data/a.h264")),
    ],
)
def test_a_target_becomes_the_vendors_arguments(
    hilens: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    arguments: tuple[Any, ...],
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(hilens, "Display", lambda *args: given.append(args))
    open_sink(target)
    assert given == [arguments]


# --- a skill ---


def test_a_session_runs_source_after_source_on_hdmi(
    hilens_with: Settings, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hilens = hilens_with(display=f"images:{tmp_path}/shown/", check_value="portraitmatting")
    # The device's files: the simulator builds, under the names of the manifest.
    real = hilens.Model
    monkeypatch.setattr(hilens, "Model", lambda path: real(path[: -len(".om")] + ".sim"))
    with Session(load_skill(str(SKILL), board="hilens_kit")) as session:
        for _ in range(2):
            report = session.run(f"hilens:{clip}", [session.skill.display])
            assert report.error is None
            assert report.frames_in == 5
            assert report.frames_out["hilens:hdmi"] > 0
    assert (tmp_path / "shown" / "000000.png").is_file()
    assert (tmp_path / "shown-2" / "000000.png").is_file()


def test_a_skill_whose_check_value_is_wrong_is_not_started(hilens_with: Settings) -> None:
    hilens_with(check_value="another")
    with pytest.raises(SystemExit):  # as the platform would, and sooner
        load_skill(str(SKILL), board="hilens_kit")


def test_a_model_that_does_not_load_shuts_the_device_down(
    hilens: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(hilens, "terminate", lambda: ended.append(True) or 0)
    with pytest.raises(NpukitError, match="failed to create Model"):
        load_skill(str(SKILL), board="hilens_kit")  # there is no .om in the repository
    assert ended == [True]
