"""What must work on a board: Python 3.7 with numpy and OpenCV as on the HiLens Kit, no more.

Run by that Python, in a folder that holds `npukit` and the skills: `python board.py RESULTS`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import traceback
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple, Type

import cv2
import numpy as np

import npukit
import npukit.skill
from npukit.aipp import Executor, Rounding, lift, lower, parse, reference, steps, to_text
from npukit.background import open_background
from npukit.buffers import BufferPool
from npukit.capture import SOURCES, _v4l2, open_source
from npukit.capture.pattern import read_counter
from npukit.channel import Channel
from npukit.color import Color, Matrix, Range
from npukit.color_edge import ColorEdge
from npukit.compositing import (
    Matte,
    TemporalFilter,
    blend,
    guided_filter,
    sharpen_edge,
    to_8bit,
)
from npukit.display import SINKS, open_sink
from npukit.errors import (
    CaptureError,
    ConfigError,
    DisplayError,
    FrameError,
    ModelError,
    NpukitError,
    PluginError,
    SkillError,
)
from npukit.frame import Nv21Frame, Rect
from npukit.manifest import read_manifest
from npukit.metrics import Timings
from npukit.om import read_om, unwrap, write_wrapped
from npukit.preprocess import Preprocess, to_tensor
from npukit.profiles import boards, load_board, load_target, targets
from npukit.quality import QualityMeter
from npukit.runtime import RUNTIMES
from npukit.runtime.base import TensorSpec
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec
from npukit.session import Session, run_skill
from npukit.skill import load_skill

# A board of this test's own: its runtime is numpy_net.py.
npukit.skill.load_board = lambda name: (
    SimpleNamespace(runtime="numpy_net", target="board37")
    if name == "board37"
    else load_board(name)
)

# Modules that need a package which is not there (no board has PyAV or ONNX Runtime, and the
# vendor's module is on the Kit alone), and that package.
HOST_ONLY = {
    "npukit.capture.hilens": "hilens",
    "npukit.capture.rtsp": "av",
    "npukit.capture.video": "av",
    "npukit.display._encoder": "av",
    "npukit.display._file": "av",
    "npukit.display._publisher": "av",
    "npukit.display.h264": "av",
    "npukit.display.hilens": "hilens",
    "npukit.display.rtmp": "av",
    "npukit.display.video": "av",
    "npukit.runtime._acl": "acl",
    "npukit.runtime._acl_aipp": "acl",
    "npukit.runtime.ascend": "acl",
    "npukit.runtime.hilens": "hilens",
    "npukit.runtime.simulator": "onnxruntime",
}
COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]

# Ascend CANN, AIPP configuration, YUV420SP to RGB: rows R, G, B over Y, U, V in 1/256, luma bias.
AIPP = {
    "bt601 full": ((256, 0, 359), (256, -88, -183), (256, 454, 0), 0),
    "bt601 limited": ((298, 0, 409), (298, -100, -208), (298, 516, 0), 16),
    "bt709 full": ((256, 0, 403), (256, -48, -120), (256, 475, 0), 0),
    "bt709 limited": ((298, 0, 459), (298, -55, -136), (298, 541, 0), 16),
}


def raises(kind: Type[NpukitError], call: Callable[..., Any], *arguments: Any) -> str:
    """The text of the typed error that a call must raise."""
    try:
        call(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError("{} was not raised by {}{}".format(kind.__name__, call, arguments))


def noise(width: int, height: int, color: Color = Color(), seed: int = 0) -> Nv21Frame:  # noqa: B008
    random = np.random.RandomState(seed)
    return Nv21Frame(
        random.randint(0, 256, (height, width)).astype(np.uint8),
        random.randint(0, 256, (height // 2, width // 2, 2)).astype(np.uint8),
        color,
    )


def integer_rgb(frame: Nv21Frame) -> np.ndarray:
    """RGB by the formula of Ascend's preprocessing unit, in integers."""
    red, green, blue, black = AIPP[str(frame.color)]
    v, u = np.moveaxis(frame.vu.repeat(2, axis=0).repeat(2, axis=1).astype(np.int64), 2, 0)
    yuv = np.stack([frame.y.astype(np.int64) - black, u - 128, v - 128], axis=2)
    return np.clip((yuv @ np.array([red, green, blue]).T) >> 8, 0, 255).astype(np.uint8)


def worst(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape, (one.shape, other.shape)
    return float(np.abs(one.astype(np.float64) - other).max())


# --- the environment, and what can be imported in it -------------------------------------------


def check_versions() -> None:
    assert sys.version_info[:2] == (3, 7), sys.version
    assert np.__version__ == "1.21.6", np.__version__
    assert cv2.__version__ == "3.4.2", cv2.__version__
    for name in ("yaml", "av", "onnxruntime", "torch", "typer", "pydantic"):
        assert importlib.util.find_spec(name) is None, name


def check_every_module_imports() -> None:
    failed = {}
    for module in pkgutil.walk_packages(npukit.__path__, "npukit."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed[module.name] = error.name
    assert failed == HOST_ONLY, failed


def check_plugins_keep_their_reason() -> None:
    kinds = {"npukit.capture": SOURCES, "npukit.display": SINKS, "npukit.runtime": RUNTIMES}
    absent: Dict[str, List[str]] = {package: [] for package in kinds}
    for module, needed in HOST_ONLY.items():
        package, _, name = module.rpartition(".")
        if name.startswith("_"):  # what plugins share
            continue
        absent[package].append(name)
        text = raises(PluginError, kinds[package].get, name)
        assert "No module named {!r}".format(needed) in text, text
    for package, plugins in kinds.items():
        assert sorted(plugins.failures()) == sorted(absent[package]), plugins.failures()
        rest = set(plugins.names()) - set(absent[package])
        assert rest, package
        assert all(plugins.get(name) for name in rest)


def check_pyacl() -> None:
    """The runtime for pyACL on a stand-in of that module (see stand_in_acl.py)."""
    stand_in = importlib.import_module("stand_in_acl")
    port = stand_in.StandInPort
    size = 1 * 3 * 4 * 8 * 4
    model = stand_in.StandInModel(
        [port("image", (1, 3, 4, 8), 0, size)], [port("copy", (1, 3, 4, 8), 0, size)],
        lambda inputs, _: inputs,
    )  # fmt: skip
    acl = sys.modules["acl"] = stand_in.StandInAcl()
    try:
        runtime = importlib.import_module("npukit.runtime.ascend").AscendRuntime()
        with tempfile.NamedTemporaryFile(suffix=".om") as file:
            acl.models[file.name] = model
            loaded = runtime.load(file.name)
            given = np.random.RandomState(0).rand(1, 3, 4, 8).astype(np.float32)
            assert np.array_equal(loaded.infer({"image": given})["copy"], given)
        text = raises(ModelError, runtime.load, "absent.om")
        assert "100003" in text, text
        runtime.stop()
        assert acl.leaks() == [], acl.leaks()
    finally:
        del sys.modules["acl"]
        for name in ("ascend", "_acl", "_acl_aipp"):
            sys.modules.pop("npukit.runtime." + name, None)


def check_a_video_says_what_is_missing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "clip.mp4")
        with open(path, "wb"):
            pass
        for text in (
            raises(CaptureError, open_source, path),
            raises(DisplayError, open_sink, path),
        ):
            assert "No module named 'av'" in text, text
            assert "no such file" not in text, text


def check_a_camera_is_asked_for_as_this_opencv_takes_it() -> None:
    if not os.path.exists("/dev/video0"):
        text = raises(CaptureError, open_source, "camera:0")
        assert "no such device: /dev/video0" in text, text
    device = _v4l2.open_device(98)
    assert not device.isOpened()
    device.release()


def check_a_yaml_manifest_says_what_to_do() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "skill.yaml"), "w") as file:
            file.write("name: x\n")
        text = raises(ConfigError, read_manifest, folder)
    assert "PyYAML" in text, text
    assert "skill.json" in text, text


def check_profiles() -> None:
    assert load_board("hilens_kit").runtime == "hilens"
    assert all(load_board(name).name == name for name in boards())
    assert all(load_target(name).name == name for name in targets())


# --- frames --------------------------------------------------------------------------------------


def check_layouts() -> None:
    frame = noise(34, 18)
    packed = frame.pack()
    assert packed.shape == (27, 34)
    assert np.array_equal(packed[18:].reshape(9, 17, 2), frame.vu)
    v, u = frame.vu[:, :, 0].ravel(), frame.vu[:, :, 1].ravel()
    assert np.array_equal(frame.to_nv12()[18:].ravel(), np.stack([u, v], axis=1).ravel())
    assert np.array_equal(frame.to_i420()[18:].ravel(), np.concatenate([u, v]))
    for again in (
        Nv21Frame.from_packed(packed, frame.color),
        Nv21Frame.from_nv12(frame.to_nv12(), frame.color),
        Nv21Frame.from_i420(frame.to_i420(), frame.color),
    ):
        assert np.array_equal(again.y, frame.y)
        assert np.array_equal(again.vu, frame.vu)


def check_rgb_is_the_integer_formula() -> None:
    for color in COLORS:
        frame = noise(256, 128, color)
        reference = integer_rgb(frame)
        assert np.array_equal(frame.to_rgb(), reference), str(color)
        assert np.array_equal(frame.to_bgr(), reference[:, :, ::-1]), str(color)
        tensor = to_tensor(Preprocess(color=color, mean=(1, 2, 3), scale=(0.5,) * 3), frame.pack())
        expected = (reference.astype(np.float32) - (1, 2, 3)) * 0.5
        assert worst(tensor[0], np.moveaxis(expected, 2, 0)) == 0, str(color)


def check_aipp_is_exact_here_too() -> None:
    color = Color(Matrix.BT709, Range.FULL)
    spec = Preprocess(color=color, to="bgr", mean=(123.675, 0.0, 7.0), scale=(0.5, 0.25, 0.125))
    config = parse(to_text(lower(spec)))
    assert lift(config) == spec
    done = steps(config, (38, 22))
    for picture in (0, 1):
        packed = np.random.RandomState(picture).randint(0, 256, done.nbytes).astype(np.uint8)
        for rounding in Rounding:
            plain = reference.run(done, packed, rounding)
            fast = Executor(done, rounding)(packed)
            assert np.array_equal(fast[0], plain.astype(np.float32))


def check_rgb_there_and_back() -> None:
    rgb = np.random.RandomState(1).randint(0, 256, (8, 16, 3)).astype(np.uint8)
    rgb = rgb.repeat(2, axis=0).repeat(2, axis=1)  # even blocks: chroma loses nothing
    for color in COLORS:
        assert worst(Nv21Frame.from_rgb(rgb, color).to_rgb(), rgb) <= 4, str(color)
        assert worst(Nv21Frame.from_bgr(rgb, color).to_bgr(), rgb) <= 4, str(color)


def check_crop_is_a_view() -> None:
    frame = noise(32, 24)
    part = frame.crop(Rect(6, 4, 20, 12))
    assert np.array_equal(part.y, frame.y[4:16, 6:26])
    assert np.array_equal(part.vu, frame.vu[2:8, 3:13])
    assert np.shares_memory(part.y, frame.y)
    assert np.shares_memory(part.vu, frame.vu)
    for rect in (Rect(1, 0, 4, 4), Rect(0, 0, 4, 3), Rect(30, 0, 4, 4), Rect(-2, 0, 4, 4)):
        raises(FrameError, frame.crop, rect)


def check_flip_and_rotate() -> None:
    frame = noise(32, 24)
    into = Nv21Frame.empty(32, 24, frame.color)
    for flipped in (frame.flip(), frame.flip(out=into)):
        assert np.array_equal(flipped.y, frame.y[:, ::-1])
        assert np.array_equal(flipped.vu, frame.vu[:, ::-1])
    for degrees, turns in ((90, -1), (180, 2), (270, 1)):
        turned = frame.rotate(degrees)
        assert np.array_equal(turned.y, np.rot90(frame.y, turns))
        assert np.array_equal(turned.vu, np.rot90(frame.vu, turns))


def check_resize_and_letterbox() -> None:
    frame = noise(32, 24)
    half = frame.resize(16, 12, "area")
    mean = frame.y.reshape(12, 2, 16, 2).mean(axis=(1, 3))
    assert worst(half.y, mean) <= 0.5
    assert np.array_equal(frame.resize(64, 48, "nearest").y, frame.y.repeat(2, 0).repeat(2, 1))
    boxed = frame.letterbox(32, 40)
    assert np.array_equal(boxed.y[8:32], frame.y)
    assert np.array_equal(boxed.vu[4:16], frame.vu)
    assert np.array_equal(np.unique(np.delete(boxed.y, np.s_[8:32], axis=0)), [16])
    assert np.array_equal(np.unique(np.delete(boxed.vu, np.s_[4:16], axis=0)), [128])


def check_warp() -> None:
    frame = noise(32, 24)
    shift = np.array([[1.0, 0.0, 4.0], [0.0, 1.0, -2.0]])
    moved = frame.warp_affine(shift, 32, 24, "nearest")
    assert np.array_equal(moved.y[:22, 4:], frame.y[2:, :28])
    assert np.array_equal(moved.vu[:11, 2:], frame.vu[1:, :14])
    assert np.array_equal(np.unique(moved.y[22:]), [16])
    assert np.array_equal(np.unique(moved.vu[11:]), [128])


def check_recolor() -> None:
    y, u, v = 90, 110, 150  # no colour of it leaves the gamut
    for source in COLORS:
        flat = Nv21Frame.filled(16, 8, source, (y, u, v))
        for target in COLORS:
            changed = flat.recolor(target)
            assert changed.color == target
            assert worst(changed.to_rgb(), flat.to_rgb()) <= 4, (str(source), str(target))


def check_odd_sizes_are_refused() -> None:
    raises(FrameError, Nv21Frame.empty, 31, 24, Color())
    raises(
        FrameError, Nv21Frame, np.zeros((4, 4), np.uint8), np.zeros((2, 1, 2), np.uint8), Color()
    )
    raises(FrameError, Nv21Frame.from_rgb, np.zeros((5, 4, 3), np.uint8), Color())


# --- compositing ---------------------------------------------------------------------------------


def check_blend_is_within_a_level() -> None:
    front, back = noise(64, 48, seed=2), noise(64, 48, seed=3)
    alpha = np.random.RandomState(4).randint(0, 256, (48, 64)).astype(np.uint8)
    alpha[:8], alpha[-8:] = 0, 255
    out = blend(front, back, Matte(alpha, front.size))
    share = alpha / 255.0
    assert worst(out.y, share * front.y + (1 - share) * back.y) <= 1
    half = alpha.reshape(24, 2, 32, 2).mean(axis=(1, 3))[:, :, np.newaxis] / 255.0
    assert worst(out.vu, half * front.vu + (1 - half) * back.vu) <= 1.5  # half is rounded to 8 bits
    assert np.array_equal(out.y[:8], back.y[:8])
    assert np.array_equal(out.y[-8:], front.y[-8:])


def check_alpha_tools() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    assert np.array_equal(to_8bit(ramp[np.newaxis, np.newaxis] / np.float32(255)), ramp)
    steep = sharpen_edge(ramp)[0].astype(int)
    assert (np.diff(steep) >= 0).all()
    assert steep[0] == 0
    assert steep[63] == 0
    assert steep[255] == 255
    assert steep[192] == 255
    edge = np.where(np.arange(256) < 128, 0, 255).astype(np.uint8)
    guided = guided_filter(np.tile(edge[::4], (16, 1)), np.tile(edge, (64, 1)))
    assert guided.shape == (64, 256)
    assert guided[:, :96].max() == 0
    assert guided[:, 160:].min() == 255
    smooth = TemporalFilter(0.5)
    first = np.full((4, 4), 100, np.uint8)
    assert np.array_equal(smooth(first), first)
    assert np.array_equal(smooth(first + 4), np.full((4, 4), 102, np.uint8))


def check_edges_by_colour() -> None:
    truth = np.zeros((144, 256), np.uint8)
    cv2.circle(truth, (120, 70), 45, 255, -1)
    half = np.repeat(truth[::2, ::2, np.newaxis] // 4 + 90, 2, axis=2)
    view = Nv21Frame(truth // 2 + 60, half, Color())
    small = cv2.GaussianBlur(cv2.resize(truth, (64, 36), interpolation=cv2.INTER_AREA), (0, 0), 1)
    coarse, refined = QualityMeter(), QualityMeter()
    edge, smooth = ColorEdge(0.5), TemporalFilter(0.5)
    for _ in range(3):
        coarse.add(Matte(small, view.size).to_plane(), truth)
        alpha = edge(smooth(small, view.y), view)
        refined.add(Matte(alpha, view.size).to_plane(), truth)
    for before, after in zip(coarse.errors()[:4], refined.errors()):
        assert after < 0.5 * before, (coarse.errors(), refined.errors())
    assert refined.errors().dtssd < 0.01


def check_backgrounds() -> None:
    frame = noise(64, 48, Color(Matrix.BT709, Range.FULL))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "back.png")
        assert cv2.imwrite(path, np.full((30, 90, 3), (200, 100, 50), np.uint8))
        picture = open_background(path).behind(frame)
        raises(ConfigError, open_background, os.path.join(folder, "absent.png"))
    assert picture.size == frame.size
    assert picture.color == frame.color
    assert worst(picture.to_rgb()[0, 0], np.array([50, 100, 200])) <= 4
    green = open_background("#00c800").behind(frame)
    assert worst(green.to_rgb()[5, 5], np.array([0, 200, 0])) <= 4
    assert open_background("blur").behind(frame).y.std() < frame.y.std() / 2


# --- the pipeline --------------------------------------------------------------------------------


def check_buffers_are_reused() -> None:
    pool = BufferPool()
    one = pool.take(4, 6)
    address, view = one.ctypes.data, one[1:]
    del one
    assert pool.take(4, 6).ctypes.data != address, "a view still holds it"
    del view
    assert address in [array.ctypes.data for array in (pool.take(4, 6), pool.take(4, 6))]


def check_channel_and_timings() -> None:
    channel = Channel[int](2, drop_oldest=True)
    assert all(channel.put(item) for item in range(5))
    channel.close()
    assert list(channel) == [3, 4]
    assert channel.dropped == 3
    timings = Timings()
    for _ in range(10):
        timings.add(0.001)
    assert abs(timings.percentile(50) - 0.001) < 0.00003


def _reference_alphas(frames: int) -> List[np.ndarray]:
    """The alphas of `skill/net.json` on the pattern, from the formulas alone."""
    alphas, previous = [], np.zeros((32, 64))
    for captured in open_source("pattern:64x32,frames={}".format(frames)).frames():
        rgb = integer_rgb(captured.frame) / 255.0
        alpha = np.clip(rgb @ [0.9, -0.2, 0.6], 0, 1)
        previous = 0.5 * previous + 0.5 * alpha
        alphas.append(previous)
    return alphas


def _observed(session: Session, frames: int) -> Tuple[Any, List[Any]]:
    packets: List[Any] = []
    report = session.run("pattern:64x32,frames={}".format(frames), ["null"], packets.append)
    return report, packets


def check_pipeline_with_a_recurrent_model() -> None:
    reference = _reference_alphas(40)
    with Session(load_skill("skill", board="board37")) as session:
        for _ in range(2):  # a second source starts from zero states
            report, packets = _observed(session, 40)
            assert report.complete, report.error
            assert report.frames_in == report.frames_out["null"] == 40
            assert report.dropped == {}
            assert [read_counter(packet.source) for packet in packets] == list(range(40))
            for packet, alpha in zip(packets, reference):
                assert worst(packet.data["alpha"][0, 0], alpha) < 1e-5, packet.index
    assert 0.1 < np.mean(reference) < 0.9, "else the alpha says little"
    plane, result = packets[-1].data["matte"].to_plane(), packets[-1].frame
    green = open_background("green").behind(result)
    assert (plane == 0).any()
    assert np.array_equal(result.y[plane == 0], green.y[plane == 0])
    assert sorted(report.to_dict()["stages"]) == [
        "capture", "composite", "display null", "infer", "observe", "prepare",
    ]  # fmt: skip


def check_an_error_in_a_stage_is_typed() -> None:
    with Session(load_skill("skill", {"fail_at": "7"}, "board37")) as session:
        report, packets = _observed(session, 40)
    assert isinstance(report.error, SkillError), report.error
    assert "ZeroDivisionError: broken on purpose" in str(report.error)
    assert "stage infer, frame 7" in str(report.error)
    assert "skill.py:" in str(report.error)
    assert [packet.index for packet in packets] == list(range(7)), "frames before it are shown"


def check_wrong_inputs_are_typed() -> None:
    with Session(load_skill("skill", board="board37")) as session:
        net = session.skill.models["net"]
        raises(ModelError, net.infer, {"image": np.zeros((48, 32), np.uint8)})
        raises(ModelError, net.infer, {"picture": np.zeros((48, 64), np.uint8)})
        raises(ModelError, net.infer, {})
    raises(ModelError, TensorSpec("state", (1, 1), "float32").feed, noise(8, 8))
    assert "onnxruntime" in raises(PluginError, run_skill, os.path.abspath("needs_onnx/main.py"))


def check_a_build_in_an_offline_model_comes_back() -> None:
    build = SimulatorBuild(
        "net", {"image": InputSpec((1, 3, 4, 6), Preprocess())}, ("out",), b"onnx"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.om")
        write_wrapped(path, build, aipp={"image": {"csc_switch": True, "mean_chn_0": [0]}})
        assert unwrap(path) == build
        (taken,) = read_om(path).inputs()
        assert (taken.dtype, taken.nbytes) == ("uint8", 36)
        with open(path, "rb+") as file:
            file.truncate(1000)
        assert "is damaged" in raises(ModelError, read_om, path)


def check_a_bundle_starts_by_its_main() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", os.path.join("plain_skill", "main.py")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    pictures = sorted(os.listdir("pictures"))
    assert pictures == ["{:06d}.png".format(number) for number in range(9)]
    expected = [
        captured.frame.flip() for captured in open_source("pattern:64x32,frames=9").frames()
    ]
    for name, frame in zip(pictures, expected):
        assert np.array_equal(cv2.imread(os.path.join("pictures", name)), frame.to_bgr()), name


def run_all() -> Dict[str, str]:
    """The traceback of each check, empty for one that holds."""
    outcomes = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                outcomes[name] = ""
            except Exception:  # noqa: BLE001 - the test that started this shows it
                outcomes[name] = traceback.format_exc()
    return outcomes


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as results:
        json.dump(run_all(), results)
