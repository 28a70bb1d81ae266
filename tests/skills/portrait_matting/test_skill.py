"""The skill end to end: every parameter, its accuracy, and real video with its colour tags."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnxruntime
import pytest
import yaml
from support.interpreters import clean_environment

from npukit.arrays import F32, U8
from npukit.background import open_background
from npukit.capture import open_source
from npukit.capture.base import Captured, Source
from npukit.color import Color, Matrix, Range
from npukit.compositing import blend, to_8bit
from npukit.display.null import NullSink
from npukit.frame import Nv21Frame, Rect, center_rect
from npukit.manifest import read_manifest
from npukit.pipeline import Packet, Pipeline
from npukit.profiles import boards, targets
from npukit.runtime.build import read_build
from npukit.runtime.simulator import SimulatorRuntime
from npukit.session import Session
from npukit.skill import load_skill

SKILL = Path(__file__).resolve().parents[3] / "skills" / "portrait_matting"
DEMO = str(SKILL / "assets" / "demo.mp4")
ACCURACY = yaml.safe_load((SKILL / "accuracy.yaml").read_text("utf-8"))
BACKGROUND = "assets/background.jpg"


class First(Source):
    """The first frames of another source."""

    def __init__(self, source: Source, count: int) -> None:
        super().__init__(source.uri, source.fps, count)
        self._source = source

    @classmethod
    def accepts(cls, uri: str) -> bool:
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        raise NotImplementedError

    def frames(self) -> Iterator[Captured]:
        return itertools.islice(self._source.frames(), self.frame_count)

    def close(self) -> None:
        self._source.close()


def run(count: int, source: str = DEMO, **given: object) -> list[Packet]:
    """The first frames of a source, through the skill with these settings."""
    skill = load_skill(str(SKILL), given)
    packets: list[Packet] = []
    first = First(open_source(source), count)
    report = Pipeline(first, skill.stages(), [NullSink("null")], packets.append).run()
    skill.close()
    assert report.error is None
    assert len(packets) == count
    return packets


def behind(packets: list[Packet], background: str) -> list[Nv21Frame]:
    """The backgrounds of these frames, by themselves."""
    opened = open_background(read_manifest(str(SKILL)).asset(background))
    return [opened.behind(packet.source) for packet in packets]


def same(one: Nv21Frame, other: Nv21Frame) -> bool:
    return (
        one.color == other.color
        and np.array_equal(one.y, other.y)
        and np.array_equal(one.vu, other.vu)
    )


def alphas(packets: list[Packet]) -> list[U8]:
    return [packet.data["matte"].to_plane() for packet in packets]


# --- the manifest --------------------------------------------------------------------------------


def test_the_manifest_holds_together() -> None:
    manifest = read_manifest(str(SKILL))
    assert manifest.name == SKILL.name
    assert set(manifest.boards) <= set(boards())
    for files in manifest.models.values():
        assert set(files) <= set(targets())
        read_build(manifest.path(files["simulator"]))
    assert Path(manifest.asset(manifest.capture["simulator"])).is_file()
    assert manifest.truth is not None
    assert Path(manifest.path(manifest.truth)).is_file()
    tested = {"crop", "mirror", "background", "view", "edge", "smooth"}
    assert set(manifest.parameters) == tested, "a new parameter needs a test in this file"


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crop", "network", "size", "view"),
    [
        ("full", "landscape", (256, 144), Rect(0, 0, 1280, 720)),
        ("square", "square", (256, 256), Rect(280, 0, 720, 720)),
    ],
)
def test_crop_binds_the_network(
    monkeypatch: pytest.MonkeyPatch,
    crop: str,
    network: str,
    size: tuple[int, int],
    view: Rect,
) -> None:
    loaded: list[str] = []
    load = SimulatorRuntime.load

    def load_model(self: SimulatorRuntime, path: str, *rest: Any) -> Any:
        loaded.append(Path(path).name)
        return load(self, path, *rest)

    monkeypatch.setattr(SimulatorRuntime, "load", load_model)
    skill = load_skill(str(SKILL), {"crop": crop})
    assert loaded == [f"selfie_{network}.sim"], "the other network stays on the disk"
    assert list(skill.models) == [network]
    assert skill.models[network].inputs["image"].size == size
    skill.close()
    for packet in run(2, crop=crop, view="side_by_side"):
        assert packet.frame.size == (2 * view.width, view.height)
        left = packet.frame.crop(Rect(0, 0, view.width, view.height))
        assert same(left, packet.source.crop(view))
        alpha = packet.data["matte"].to_plane()
        assert alpha.shape == (view.height, view.width)
        assert 0.2 < (alpha > 128).mean() < 0.8


def test_mirror_flips_the_picture_and_the_alpha() -> None:
    plain, mirrored = run(3), run(3, mirror=True, view="side_by_side")
    for one, other, alpha, flipped in zip(
        plain, mirrored, alphas(plain), alphas(mirrored), strict=True
    ):
        left = other.frame.crop(Rect(0, 0, *one.source.size))
        assert same(left, one.source.flip())
        difference = np.abs(flipped[:, ::-1].astype(int) - alpha).mean() / 255
        assert difference < 0.01, "the network is nearly symmetric"
        assert np.abs(flipped.astype(int) - alpha).mean() / 255 > 5 * difference


def test_the_background_stands_still_in_the_mirror() -> None:
    (packet,) = run(1, mirror=True)
    (scene,) = behind([packet], BACKGROUND)
    clear = alphas([packet])[0] == 0
    assert np.array_equal(packet.frame.y[clear], scene.y[clear])


@pytest.mark.parametrize(
    "background",
    [
        BACKGROUND,
        "green",
        "#204060",
        "blur",
        "blur:0.1",
        "assets/demo_alpha.mp4",
        str(SKILL / "assets" / "launch_pad.jpg"),
    ],
)
def test_the_person_stays_and_the_background_is_the_one_asked_for(background: str) -> None:
    packets = run(3, background=background)
    for packet, scene, alpha in zip(
        packets, behind(packets, background), alphas(packets), strict=True
    ):
        camera, result = packet.source, packet.frame
        assert result.color == camera.color
        opaque, clear = alpha == 255, alpha == 0
        assert opaque.mean() > 0.2
        assert clear.mean() > 0.2
        assert np.array_equal(result.y[opaque], camera.y[opaque])
        assert np.array_equal(result.y[clear], scene.y[clear])
        whole = cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        assert np.array_equal(result.vu[whole == 0], scene.vu[whole == 0])
        assert np.array_equal(result.vu[whole == 255], camera.vu[whole == 255])


def test_the_background_really_is_the_picture() -> None:
    (packet,) = run(1)
    picture = cv2.imread(str(SKILL / BACKGROUND))[:, :, ::-1].astype(int)
    assert picture.shape == (720, 1280, 3)
    clear = alphas([packet])[0] == 0
    difference = np.abs(packet.frame.to_rgb()[clear] - picture[clear])
    assert difference.mean() < 3, "chroma is halved, so not equal"


def test_a_colour_is_that_colour() -> None:
    (packet,) = run(1, background="#204060")
    clear = alphas([packet])[0] == 0
    colours = packet.frame.to_rgb()[clear]
    inner = np.abs(colours.astype(int) - (0x20, 0x40, 0x60)).max(axis=1)
    assert np.median(inner) <= 2


def test_a_background_video_moves_and_starts_again_with_each_source() -> None:
    skill = load_skill(str(SKILL), {"background": "assets/demo_alpha.mp4"})
    shown: list[list[U8]] = []
    for _ in range(2):
        packets: list[Packet] = []
        skill.reset()
        Pipeline(First(open_source(DEMO), 4), skill.stages(), [], packets.append).run()
        shown.append([packet.frame.y.copy() for packet in packets])
    skill.close()
    assert all(np.array_equal(*pair) for pair in zip(*shown, strict=True))
    scenes = behind(packets, "assets/demo_alpha.mp4")
    assert not np.array_equal(scenes[0].y, scenes[3].y)


def test_side_by_side_is_exactly_the_view_and_the_result() -> None:
    for both, result in zip(run(3, view="side_by_side"), run(3, view="result"), strict=True):
        width, height = result.frame.size
        assert both.frame.size == (2 * width, height)
        assert same(both.frame.crop(Rect(0, 0, width, height)), both.source)
        assert same(both.frame.crop(Rect(width, 0, width, height)), result.frame)


def test_the_alpha_view_is_the_alpha() -> None:
    for packet, alpha in zip(run(2, view="alpha"), alphas(run(2)), strict=True):
        assert np.array_equal(packet.frame.y, alpha)
        assert (packet.frame.vu == 128).all()


def test_the_result_is_the_blend_of_the_parts() -> None:
    (packet,) = run(1)
    (scene,) = behind([packet], BACKGROUND)
    assert same(packet.frame, blend(packet.source, scene, packet.data["matte"]))


def test_edge_none_is_what_the_network_says() -> None:
    (packet,) = run(1, edge="none")
    network = onnxruntime.InferenceSession(
        read_build(str(SKILL / "model" / "selfie_landscape.sim")).onnx
    )
    small = packet.source.resize(256, 144)
    image = small.recolor(Color()).to_rgb().astype(np.float32).transpose(2, 0, 1)[np.newaxis] / 255
    (alpha,) = network.run(None, {"image": image})
    assert np.abs(packet.data["alpha"].astype(int) - to_8bit(alpha)).max() <= 1
    large = cv2.resize(alpha[0, 0] * 255, packet.source.size, interpolation=cv2.INTER_LINEAR)
    assert np.abs(alphas([packet])[0] - large).max() <= 1.5


def test_edges_are_refined_as_asked() -> None:
    plain, sharp, guided = (alphas(run(2, edge=edge)) for edge in ("none", "sharpen", "guided"))
    for raw, steep, drawn in zip(plain, sharp, guided, strict=True):
        between = [((alpha > 16) & (alpha < 239)).mean() for alpha in (raw, steep)]
        assert between[1] < 0.8 * between[0], "a steeper edge is a thinner one"
        assert ((raw > 128) == (steep > 128)).mean() > 0.999, "and lies where it lay"
        assert not np.array_equal(raw, drawn)
        assert ((raw > 128) == (drawn > 128)).mean() > 0.98


@pytest.fixture
def noisy_still(tmp_path: Path) -> str:
    """One frame of the demo eight times, each time with other noise of the camera."""
    (packet,) = run(1, view="result")
    picture, random = packet.source.to_bgr(), np.random.default_rng(0)
    for number in range(8):
        noise = random.normal(0, 4, picture.shape)
        noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), noisy)
    return str(tmp_path)


def test_smoothing_calms_a_picture_that_stands_still(noisy_still: str) -> None:
    raw, smooth = (
        alphas(run(8, noisy_still, edge="none", smooth=strength)) for strength in (0, 0.9)
    )
    assert np.array_equal(raw[0], smooth[0]), "the first frame has no past"
    flicker = [
        np.mean([np.abs(one.astype(int) - other).mean() for one, other in itertools.pairwise(kind)])
        for kind in (raw, smooth)
    ]
    assert flicker[0] > 0.05, "there is something to calm"
    assert flicker[1] < 0.6 * flicker[0]


def test_smoothing_forgets_the_last_source(noisy_still: str) -> None:
    with Session(load_skill(str(SKILL), {"smooth": 0.9})) as session:
        seen: list[U8] = []
        for _ in range(2):
            packets: list[Packet] = []
            session.run(noisy_still, ["null"], packets.append)
            seen += alphas(packets[:2])
    assert np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], seen[1]), "another frame is not the same by chance"


def test_nobody_in_the_picture_leaves_the_background_alone(tmp_path: Path) -> None:
    wall = np.full((360, 640, 3), 120, np.uint8)
    assert cv2.imwrite(str(tmp_path / "wall.png"), wall)
    for crop in ("full", "square"):
        (packet,) = run(1, str(tmp_path), crop=crop, edge="sharpen")
        assert packet.data["matte"].rect is None
        view = packet.source if crop == "full" else packet.source.crop(center_rect((640, 360)))
        opened = open_background(str(SKILL / BACKGROUND))
        assert same(packet.frame, opened.behind(view))


@pytest.mark.parametrize("crop", ["full", "square"])
@pytest.mark.parametrize("size", ["64x32", "322x482", "1920x1080"])
def test_any_even_size(size: str, crop: str) -> None:
    (packet,) = run(1, f"pattern:{size},frames=1", crop=crop, background="blur", edge="guided")
    width, height = map(int, size.split("x"))
    side = min(width, height) // 2 * 2
    assert packet.frame.size == ((width, height) if crop == "full" else (side, side))


# --- accuracy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ACCURACY["limits"], ids=lambda limit: str(limit["settings"]))
def test_alpha_on_the_demo_clip_is_as_close_as_promised(limit: dict[str, Any]) -> None:
    settings = limit["settings"]
    truth = open_source(str(SKILL / ACCURACY["truth"])).frames()
    errors: list[float] = []

    def compare(packet: Packet) -> None:
        exact = next(truth).frame
        if settings.get("crop") == "square":
            exact = exact.crop(center_rect(exact.size))
        if settings.get("mirror"):
            exact = exact.flip()
        alpha = packet.data["matte"].to_plane()
        errors.append(float(np.abs(alpha.astype(np.int16) - exact.y).mean()) / 255)

    with Session(load_skill(str(SKILL), settings)) as session:
        report = session.run(str(SKILL / ACCURACY["clip"]), ["null"], compare)
    assert report.complete
    assert report.frames_out == {"null": 120}
    assert len(errors) == 120
    assert np.mean(errors) <= limit["mad"]
    assert max(errors) <= limit["worst"]
    # A limit far above what is measured would let much go wrong unnoticed.
    assert limit["mad"] <= 1.25 * np.mean(errors)
    assert limit["measured"] == pytest.approx([np.mean(errors), max(errors)], rel=0.15)


# --- the board's own start, and real video ----------------------------------------------------


def test_main_runs_the_skill_as_a_board_would(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, SKILL / "main.py"], cwd=tmp_path, env=clean_environment(), check=True
    )
    assert [path.name for path in tmp_path.iterdir()] == ["portrait_matting.mp4"]
    with av.open(str(tmp_path / "portrait_matting.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 120


def _planes(path: Path) -> Iterator[U8]:
    """The decoder's own I420 planes, whatever their tags."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.format.name == "yuvj420p"
            yield frame.to_ndarray()


def _float_picture(packed: U8, full: bool) -> F32:
    """(1, 3, 144, 256) RGB 0..1 by ITU-R BT.601 in floats, its planes scaled before that."""
    height = packed.shape[0] * 2 // 3
    u, v = (
        cv2.resize(plane, (128, 72)).repeat(2, axis=0).repeat(2, axis=1).astype(np.float64) - 128
        for plane in packed[height:].reshape(2, height // 2, -1)
    )
    y = cv2.resize(packed[:height], (256, 144)).astype(np.float64)
    y, u, v = (y / 255, u / 255, v / 255) if full else ((y - 16) / 219, u / 224, v / 224)
    rgb = [y + 1.402 * v, y - (0.114 * 1.772 * u + 0.299 * 1.402 * v) / 0.587, y + 1.772 * u]
    return np.clip(np.stack(rgb)[np.newaxis], 0, 1).astype(np.float32)


@pytest.mark.parametrize(("name", "count"), [("asl_book", 109), ("asl_walk", 89)])
def test_full_range_video_is_read_as_such(
    shared_data: Callable[[str], Path], tmp_path: Path, name: str, count: int
) -> None:
    path = shared_data(f"video/{name}.mp4")
    found: list[F32] = []

    def keep(packet: Packet) -> None:
        assert packet.source.color == Color(Matrix.BT601, Range.FULL)
        found.append(packet.data["alpha"] / np.float32(255))

    with Session(load_skill(str(SKILL))) as session:
        report = session.run(str(path), [str(tmp_path / "out.mp4")], keep)
    assert report.complete
    assert report.frames_in == len(found) == count
    assert report.frames_out == {str(tmp_path / "out.mp4"): count}
    with av.open(str(tmp_path / "out.mp4")) as video:
        ranges = [int(frame.color_range) for frame in video.decode(video=0)]
    assert ranges == [2] * count, "the result says that it is full range, too"

    build = read_build(str(SKILL / "model" / "selfie_landscape.sim"))
    network = onnxruntime.InferenceSession(build.onnx)
    right, wrong, apart = [], [], []
    for alpha, packed in zip(found, _planes(path), strict=True):
        as_full, as_limited = (
            network.run(None, {"image": _float_picture(packed, full)})[0][0, 0]
            for full in (True, False)
        )
        right.append(np.abs(alpha - as_full).mean())
        wrong.append(np.abs(alpha - as_limited).mean())
        apart.append(np.abs(alpha - as_limited).max())
    assert (np.array(right) < 0.75 * np.array(wrong)).all(), "in every frame"
    assert np.mean(right) < 0.0003, "what is left is 8-bit rounding"
    assert max(apart) > 0.5, "ignoring the tag would be seen"
