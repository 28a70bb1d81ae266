"""Display: HDMI, RTMP and H.264 files; the first frame fixes the size."""

import gc
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest

Settings = Callable[..., ModuleType]
Gray = Callable[..., np.ndarray]
Output = pytest.CaptureFixture[str]

WIDTH, HEIGHT = 320, 240


@pytest.fixture
def pictures(hilens_with: Settings, tmp_path: Path) -> ModuleType:
    """Every display gives pictures in `shown/`."""
    return hilens_with(display=f"images:{tmp_path}/shown/")


def refused(hilens: ModuleType, *args: Any) -> str:
    with pytest.raises(hilens.CreateError) as caught:
        hilens.Display(*args)
    value: str = caught.value.value
    return value


def lumas(path: Path) -> list[int]:
    """The mean luma of each frame of a video of flat grays."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    assert all(frame.shape == (HEIGHT * 3 // 2, WIDTH) for frame in frames)
    return [round(float(frame[:HEIGHT].mean())) for frame in frames]


def test_kinds_are_numbered(hilens: ModuleType) -> None:
    assert (hilens.HDMI, hilens.RTMP, hilens.H264_FILE) == (0, 1, 2)


# --- frames ---


def test_frames_are_shown_with_code_0(pictures: ModuleType, gray: Gray, tmp_path: Path) -> None:
    display = pictures.Display(pictures.HDMI)
    for luma in (60, 180):
        code = display.show(gray(WIDTH, HEIGHT, luma))
        assert type(code) is int
        assert code == 0
    found = [cv2.imread(str(tmp_path / "shown" / f"00000{index}.png")) for index in (0, 1)]
    assert [picture.shape for picture in found] == [(HEIGHT, WIDTH, 3)] * 2
    # BT.601 limited: (luma - 16) * 298 >> 8.
    assert [int(picture.min()) for picture in found] == [51, 190]
    assert [int(picture.max()) for picture in found] == [51, 190]


def test_chroma_is_v_first(pictures: ModuleType, gray: Gray, tmp_path: Path) -> None:
    frame = gray(WIDTH, HEIGHT, 81)
    frame[HEIGHT:, 0::2] = 240
    frame[HEIGHT:, 1::2] = 90
    assert pictures.Display(pictures.HDMI).show(frame) == 0
    picture = cv2.imread(str(tmp_path / "shown" / "000000.png"))
    assert picture.reshape(-1, 3).max(axis=0).tolist() == [0, 0, 254]
    assert picture.reshape(-1, 3).min(axis=0).tolist() == [0, 0, 254]


def test_the_first_frame_fixes_the_size(
    pictures: ModuleType, gray: Gray, tmp_path: Path, capsys: Output
) -> None:
    display = pictures.Display(pictures.HDMI)
    assert display.show(gray(WIDTH, HEIGHT)) == 0
    assert display.show(gray(WIDTH, HEIGHT + 2)) == 18
    assert display.show(gray(HEIGHT, WIDTH)) == 18
    assert "(320, 240)" in capsys.readouterr().out
    assert display.show(gray(WIDTH, HEIGHT)) == 0
    assert len(list((tmp_path / "shown").iterdir())) == 2


@pytest.mark.parametrize(
    ("size", "code"), [((126, 240), 18), ((320, 126), 18), ((128, 128), 0)], ids=str
)
def test_frames_have_at_least_128x128(
    pictures: ModuleType, gray: Gray, size: tuple[int, int], code: int
) -> None:
    assert pictures.Display(pictures.HDMI).show(gray(*size)) == code


def test_a_refused_first_frame_fixes_nothing(pictures: ModuleType, gray: Gray) -> None:
    display = pictures.Display(pictures.HDMI)
    assert display.show(gray(64, 64)) == 18
    assert display.show(gray(WIDTH, HEIGHT)) == 0


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.zeros((HEIGHT * 3 // 2, WIDTH), np.float32),
        np.zeros((HEIGHT * 3 // 2 + 1, WIDTH), np.uint8),
        np.zeros((HEIGHT * 3 // 2, WIDTH + 1), np.uint8),
        np.zeros(HEIGHT * 3 // 2 * WIDTH, np.uint8),
    ],
    ids=lambda frame: f"{frame.shape} {frame.dtype}",
)
def test_what_is_not_nv21_is_refused(
    pictures: ModuleType, capsys: Output, frame: np.ndarray
) -> None:
    assert pictures.Display(pictures.HDMI).show(frame) == 18
    assert "Display.show" in capsys.readouterr().out


def test_what_cannot_be_written_is_another_code(
    pictures: ModuleType, gray: Gray, tmp_path: Path, capsys: Output
) -> None:
    display = pictures.Display(pictures.HDMI)
    shutil.rmtree(tmp_path / "shown")
    (tmp_path / "shown").touch()
    assert display.show(gray(WIDTH, HEIGHT)) == 20
    assert "000000.png" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["out.mp4", "out.h264"])
def test_a_frame_may_be_written_into_after_it_was_shown(
    hilens_with: Settings, gray: Gray, tmp_path: Path, name: str
) -> None:
    hilens = hilens_with(display=str(tmp_path / name))
    display = hilens.Display(hilens.HDMI)
    frame = gray(WIDTH, HEIGHT, 50)
    assert display.show(frame) == 0
    frame[:HEIGHT] = 200
    assert display.show(frame) == 0
    del display
    assert lumas(tmp_path / name) == [50, 200]


# --- HDMI ---


def test_hdmi_is_a_folder_of_1080p_pictures_with_the_frame_in_the_middle(
    hilens: ModuleType, gray: Gray, tmp_path: Path
) -> None:
    assert hilens.Display(hilens.HDMI).show(gray(WIDTH, HEIGHT, 126)) == 0
    picture = cv2.imread(str(tmp_path / "out" / "hdmi" / "000000.png"))
    assert picture.shape == (1080, 1920, 3)
    expected = np.zeros_like(picture)
    expected[420:660, 800:1120] = 128
    assert np.array_equal(picture, expected)


def test_there_is_one_hdmi_connector(
    hilens: ModuleType, gray: Gray, tmp_path: Path, capsys: Output
) -> None:
    display = hilens.Display(hilens.HDMI)
    assert refused(hilens, hilens.HDMI) == "failed to create Display"
    assert "in use" in capsys.readouterr().out
    assert display.show(gray(WIDTH, HEIGHT)) == 0
    del display
    gc.collect()
    second = hilens.Display(hilens.HDMI)
    assert second.show(gray(WIDTH + 2, HEIGHT)) == 0, "its own first frame"
    assert len(list((tmp_path / "out" / "hdmi").iterdir())) == 1
    assert len(list((tmp_path / "out" / "hdmi-2").iterdir())) == 1


def test_there_is_one_connector_where_it_is_replaced_too(pictures: ModuleType) -> None:
    display = pictures.Display(pictures.HDMI)
    assert refused(pictures, pictures.HDMI) == "failed to create Display"
    del display
    pictures.Display(pictures.HDMI)


def test_a_display_that_cannot_be_opened_leaves_the_connector_free(
    hilens_with: Settings, tmp_path: Path
) -> None:
    (tmp_path / "shown").touch()
    hilens = hilens_with(display=f"images:{tmp_path}/shown/")
    assert refused(hilens, hilens.HDMI) == "failed to create Display"
    (tmp_path / "shown").unlink()
    hilens.Display(hilens.HDMI)


# --- files and streams ---


def test_h264_file_is_a_raw_stream(hilens: ModuleType, gray: Gray, tmp_path: Path) -> None:
    path = tmp_path / "made" / "out.h264"
    display = hilens.Display(hilens.H264_FILE, str(path))
    for luma in (40, 120, 200):
        assert display.show(gray(WIDTH, HEIGHT, luma)) == 0
    del display
    assert path.read_bytes()[:4] in (b"\0\0\0\1", b"\0\0\1\x67")
    assert lumas(path) == [40, 120, 200]


def test_h264_file_of_another_name_gets_the_suffix(
    hilens: ModuleType, gray: Gray, tmp_path: Path, capsys: Output
) -> None:
    display = hilens.Display(hilens.H264_FILE, str(tmp_path / "out.bin"))
    assert display.show(gray(WIDTH, HEIGHT)) == 0
    del display
    assert lumas(tmp_path / "out.bin.h264") == [128]
    assert "out.bin.h264" in capsys.readouterr().out


@pytest.mark.parametrize("path", [(), (None,), ("",)])
def test_streams_and_files_need_a_path(
    pictures: ModuleType, capsys: Output, path: tuple[Any, ...]
) -> None:
    for kind in (pictures.RTMP, pictures.H264_FILE):
        assert refused(pictures, kind, *path) == "failed to create Display"
    assert capsys.readouterr().out.count("need a path") == 2


@pytest.mark.parametrize("kind", [3, -1, "HDMI", None])
def test_other_kinds_are_refused(pictures: ModuleType, kind: Any) -> None:
    assert refused(pictures, kind) == "failed to create Display"


def test_rtmp_connects_in_the_constructor(hilens: ModuleType, capsys: Output) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"rtmp://127.0.0.1:{unused.getsockname()[1]}/live/secretkey"
        assert refused(hilens, hilens.RTMP, address) == "failed to create Display"
    out = capsys.readouterr().out
    assert "127.0.0.1" in out
    assert "secretkey" not in out


# --- --display ---


def test_display_replaces_every_kind_and_each_gets_a_file_of_its_own(
    hilens_with: Settings, gray: Gray, tmp_path: Path
) -> None:
    hilens = hilens_with(display=str(tmp_path / "out.mp4"))
    displays = [
        hilens.Display(hilens.HDMI),
        hilens.Display(hilens.RTMP, "rtmp://192.0.2.1/live/key"),
        hilens.Display(hilens.H264_FILE, str(tmp_path / "out.h264")),
    ]
    for luma, display in zip((50, 100, 150), displays, strict=True):
        assert display.show(gray(WIDTH, HEIGHT, luma)) == 0
    del display, displays
    gc.collect()
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "out-2.mp4", "out-3.mp4", "out.mp4",
    ]  # fmt: skip
    found = [lumas(tmp_path / name) for name in ("out.mp4", "out-2.mp4", "out-3.mp4")]
    assert found == [[50], [100], [150]]


def test_the_null_display_may_be_shared(hilens_with: Settings, gray: Gray) -> None:
    hilens = hilens_with(display="null")
    displays = [hilens.Display(hilens.HDMI), hilens.Display(hilens.H264_FILE, "out.h264")]
    assert [display.show(gray(WIDTH, HEIGHT)) for display in displays] == [0, 0]


def test_times_follow_the_camera_that_was_opened(
    hilens_with: Settings, gray: Gray, tmp_path: Path
) -> None:
    hilens = hilens_with(
        camera="pattern:640x360,fps=10,frames=9", display=str(tmp_path / "out.mp4")
    )
    display = hilens.Display(hilens.HDMI)
    camera = hilens.VideoCapture()
    for _ in range(9):
        assert display.show(camera.read()) == 0
    del display
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(10)


def test_a_closed_window_ends_the_script(
    pictures: ModuleType, gray: Gray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from npukit.display.images import ImageSink
    from npukit.errors import DisplayClosed

    def show(*_: Any) -> None:
        raise DisplayClosed("the window was closed")

    monkeypatch.setattr(ImageSink, "show", show)
    display = pictures.Display(pictures.HDMI)
    with pytest.raises(SystemExit) as caught:
        display.show(gray(WIDTH, HEIGHT))
    assert caught.value.code == 0
