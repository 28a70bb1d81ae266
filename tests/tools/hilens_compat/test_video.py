"""VideoCapture: every argument form, on clips whose bytes are known."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest

Settings = Callable[..., ModuleType]
Output = pytest.CaptureFixture[str]

WIDTH, HEIGHT, COUNT = 160, 128, 5
_BT601, _BT709 = 6, 1  # AVCOL_SPC_*


def write_clip(path: Path, frames: list[np.ndarray], colorspace: int = _BT601) -> None:
    """Write I420 frames without loss, tagged limited range."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range = 1
        stream.codec_context.colorspace = colorspace
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def i420() -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [random.integers(16, 236, (HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def nv21(i420: list[np.ndarray]) -> list[np.ndarray]:
    """The same frames, interleaved by hand."""
    packed = [frame.copy() for frame in i420]
    for frame, planar in zip(packed, i420, strict=True):
        u, v = planar[HEIGHT:].reshape(2, -1)
        frame[HEIGHT:] = np.stack([v, u], axis=1).reshape(HEIGHT // 2, WIDTH)
    return packed


@pytest.fixture
def clip(tmp_path: Path, i420: list[np.ndarray]) -> str:
    path = tmp_path / "clips" / "small.mp4"
    write_clip(path, i420)
    return str(path)


def read_all(camera: Any) -> list[np.ndarray]:
    """Every frame up to the end, as a script reads them."""
    frames = []
    try:
        while True:
            frames.append(camera.read())
    except RuntimeError as end:
        said = str(end)
    assert said == "Failed to read frame"
    return frames


def refused(hilens: ModuleType, *args: Any) -> str:
    with pytest.raises(hilens.CreateError) as caught:
        hilens.VideoCapture(*args)
    value: str = caught.value.value
    return value


# --- files ---


def test_a_file_gives_every_frame_as_nv21(
    hilens: ModuleType, clip: str, nv21: list[np.ndarray]
) -> None:
    camera = hilens.VideoCapture(clip)
    assert (camera.width, camera.height) == (WIDTH, HEIGHT)
    found = read_all(camera)
    assert len(found) == COUNT
    for frame, expected in zip(found, nv21, strict=True):
        assert frame.dtype == np.uint8
        assert np.array_equal(frame, expected)


def test_after_the_end_it_stays_unusable(hilens: ModuleType, clip: str) -> None:
    camera = hilens.VideoCapture(clip)
    assert len(read_all(camera)) == COUNT
    for _ in range(3):
        with pytest.raises(RuntimeError, match=r"^Failed to read frame$"):
            camera.read()


def test_frames_are_the_callers_own(hilens: ModuleType, clip: str, nv21: list[np.ndarray]) -> None:
    camera = hilens.VideoCapture(clip)
    first = camera.read()
    first[:] = 0
    assert np.array_equal(camera.read(), nv21[1])
    assert not first.any()


def test_a_path_is_relative_to_the_working_folder(
    hilens: ModuleType, clip: str, tmp_path: Path, nv21: list[np.ndarray]
) -> None:
    name = str(Path(clip).relative_to(tmp_path))
    assert np.array_equal(hilens.VideoCapture(name).read(), nv21[0])


def test_frames_are_scaled_where_asked_but_width_and_height_are_the_streams(
    hilens: ModuleType, clip: str, nv21: list[np.ndarray]
) -> None:
    camera = hilens.VideoCapture(clip, 320, 130)
    assert (camera.width, camera.height) == (WIDTH, HEIGHT)
    found = camera.read()
    assert found.shape == (195, 320)
    v, u = (cv2.resize(nv21[0][HEIGHT:, start::2], (160, 65)) for start in (0, 1))
    assert np.array_equal(found[:130], cv2.resize(nv21[0][:HEIGHT], (320, 130)))
    assert np.array_equal(found[130:], np.dstack([v, u]).reshape(65, 320))
    assert len(read_all(camera)) == COUNT - 1


@pytest.mark.parametrize(
    "size", [(328, 240), (320, 241), (112, 128), (128, 126), (0, 0), (-160, 128), (320.0, 240),
             ("320", "240"), (None, None)],
)  # fmt: skip
def test_sizes_that_the_device_does_not_scale_to_are_refused(
    hilens: ModuleType, clip: str, size: tuple[Any, Any]
) -> None:
    assert refused(hilens, clip, *size) == "failed to create VideoCapture"


@pytest.mark.parametrize("size", [(128, 128), (144, 130), (np.int64(160), np.int32(128))])
def test_the_smallest_sizes_are_allowed(
    hilens: ModuleType, clip: str, size: tuple[int, int]
) -> None:
    assert hilens.VideoCapture(clip, *size).read().shape == (size[1] * 3 // 2, size[0])


def test_a_stream_in_another_colour_is_told_once_and_given_as_it_is(
    hilens: ModuleType,
    tmp_path: Path,
    i420: list[np.ndarray],
    nv21: list[np.ndarray],
    capsys: Output,
) -> None:
    path = tmp_path / "hd.mp4"
    write_clip(path, i420, _BT709)
    for _ in range(2):
        assert np.array_equal(hilens.VideoCapture(str(path)).read(), nv21[0])
    assert capsys.readouterr().out.count("bt709 limited") == 1


def test_damage_ends_it_for_good(
    hilens: ModuleType, tmp_path: Path, clip: str, nv21: list[np.ndarray], capsys: Output
) -> None:
    whole = Path(clip).read_bytes()
    start = whole.index(b"mdat")
    hole = start + (len(whole) - start) * 3 // 5
    path = tmp_path / "hole.mp4"
    path.write_bytes(whole[:hole] + bytes(20_000) + whole[hole + 20_000 :])
    camera = hilens.VideoCapture(str(path))
    found = read_all(camera)
    assert 0 < len(found) < COUNT
    assert np.array_equal(found[0], nv21[0])
    with pytest.raises(RuntimeError, match=r"^Failed to read frame$"):
        camera.read()
    assert "hole.mp4, frame" in capsys.readouterr().out


# --- cameras ---


def test_no_argument_is_the_boards_camera_as_in_the_studio(
    hilens: ModuleType, tmp_path: Path, i420: list[np.ndarray]
) -> None:
    write_clip(tmp_path / "test" / "camera0.mp4", i420)
    camera = hilens.VideoCapture()
    assert (camera.width, camera.height) == (1280, 720)
    assert camera.read().shape == (1080, 1280)
    assert len(read_all(camera)) == COUNT - 1


@pytest.mark.parametrize(("number", "device"), [(0, "camera:0"), (1, "camera:2")])
def test_numbers_are_usb_cameras(
    hilens: ModuleType, monkeypatch: pytest.MonkeyPatch, number: int, device: str
) -> None:
    from npukit_cli.hilens_compat import video

    opened: list[str] = []
    real = video.open_source

    def open_source(uri: str) -> Any:
        opened.append(uri)
        return real("pattern:640x360,frames=2")

    monkeypatch.setattr(video, "open_source", open_source)
    camera = hilens.VideoCapture(number)
    assert opened == [device]
    assert (camera.width, camera.height) == (1280, 720)
    assert camera.read().shape == (720, 1280, 3)


def test_a_usb_camera_gives_bgr(hilens_with: Settings, tmp_path: Path) -> None:
    blue = np.full((180, 320, 3), (255, 0, 0), np.uint8)
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    frame = hilens_with(camera=str(tmp_path / "blue.png")).VideoCapture(0).read()
    assert frame.dtype == np.uint8
    assert frame.shape == (720, 1280, 3)
    assert np.abs(frame.astype(int) - blue[0, 0]).max() <= 3


@pytest.mark.parametrize("number", [2, -1, 10])
def test_there_are_two_usb_cameras(hilens_with: Settings, number: int) -> None:
    hilens = hilens_with(camera="pattern:640x360,frames=1")
    assert refused(hilens, number) == "failed to create VideoCapture"


def test_camera_replaces_every_form(
    hilens_with: Settings, clip: str, nv21: list[np.ndarray]
) -> None:
    hilens = hilens_with(camera=clip)
    for args in (
        ("rtsp://user:secret@192.0.2.1/stream",),
        ("other.mp4",),
        ("door",),  # a name of the device's configuration
    ):
        camera = hilens.VideoCapture(*args)
        assert (camera.width, camera.height) == (WIDTH, HEIGHT)
        found = read_all(camera)
        assert len(found) == COUNT, "each begins at the start"
        assert np.array_equal(found[0], nv21[0])
    assert hilens.VideoCapture("rtsp://192.0.2.1", 256, 144).read().shape == (216, 256)
    assert hilens.VideoCapture().read().shape == (1080, 1280)
    assert hilens.VideoCapture(1).read().shape == (720, 1280, 3)


def test_what_a_source_has_to_say_is_told_once(
    hilens_with: Settings, tmp_path: Path, capsys: Output
) -> None:
    cv2.imwrite(str(tmp_path / "odd.png"), np.zeros((181, 320, 3), np.uint8))
    hilens = hilens_with(camera=str(tmp_path / "odd.png"))
    for _ in range(2):
        assert len(read_all(hilens.VideoCapture("a.mp4"))) == 1
    assert capsys.readouterr().out.count("320x181 is odd") == 1


def test_a_replaced_camera_still_needs_right_arguments(hilens_with: Settings, clip: str) -> None:
    hilens = hilens_with(camera=clip)
    assert refused(hilens, "other.mp4", 100, 100) == "failed to create VideoCapture"
    assert refused(hilens, None) == "failed to create VideoCapture"
    with pytest.raises(ValueError, match=r"^incorrect parameter$"):
        hilens.VideoCapture("other.mp4", 320)


# --- what cannot be opened ---


@pytest.mark.parametrize("args", [("a.mp4", 320), ("a.mp4", 320, 240, 0), (0, 1)])
def test_other_numbers_of_arguments_are_refused(hilens: ModuleType, args: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"^incorrect parameter$"):
        hilens.VideoCapture(*args)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mp4", "missing.mp4"),
        ("clips/small.MP4", "no .mp4 file"),
        ("clips/small.avi", "no .mp4 file"),
        ("door", "--camera"),
        ("", "--camera"),
        (None, "None is neither"),
        (b"clips/small.mp4", "neither a name nor a number"),
        (1.0, "neither a name nor a number"),
        ("text.mp4", "text.mp4"),
        ("empty.mp4", "empty.mp4"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_its_reason(
    hilens: ModuleType, clip: str, tmp_path: Path, capsys: Output, name: Any, reason: str
) -> None:
    (tmp_path / "clips" / "small.MP4").symlink_to(clip)
    (tmp_path / "clips" / "small.avi").symlink_to(clip)
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    assert refused(hilens, name) == "failed to create VideoCapture"
    assert reason in capsys.readouterr().out


def test_no_clip_for_the_boards_camera(hilens: ModuleType, capsys: Output) -> None:
    assert refused(hilens) == "failed to create VideoCapture"
    assert "test/camera0.mp4" in capsys.readouterr().out


def test_a_password_is_not_logged(hilens: ModuleType, capsys: Output) -> None:
    for address in ("rtsp://user:secret@127.0.0.1:1/x", "RTSP://user:secret@127.0.0.1:1/x"):
        refused(hilens, address)
    out = capsys.readouterr().out
    assert "127.0.0.1" in out
    assert "secret" not in out


def test_a_capture_that_is_let_go_is_closed(
    hilens: ModuleType, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from npukit.capture.video import VideoSource

    closed: list[str] = []
    monkeypatch.setattr(VideoSource, "close", lambda source: closed.append(source.uri))
    camera = hilens.VideoCapture(clip)
    camera.read()
    assert closed == []
    del camera
    assert closed == [clip]
