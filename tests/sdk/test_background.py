"""Backgrounds: each kind, its colours, what is prepared once, how a video goes round."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from npukit.background import (
    Background,
    BlurBackground,
    ColorBackground,
    ImageBackground,
    VideoBackground,
    open_background,
)
from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.display import open_sink
from npukit.errors import CaptureError, ConfigError
from npukit.frame import Nv21Frame, Rect

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
every_color = pytest.mark.parametrize("color", COLORS, ids=str)
Noise = Callable[..., Nv21Frame]
Rgb = tuple[int, int, int]

NAMED: dict[str, Rgb] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "green": (0, 177, 64),
    "blue": (0, 71, 187),
    "#ff0000": (255, 0, 0),
    "#0000FF": (0, 0, 255),
    "#ffff00": (255, 255, 0),
    "#1e90ff": (30, 144, 255),
}


def blank(width: int, height: int, color: Color = DEFAULT_COLOR) -> Nv21Frame:
    return Nv21Frame.filled(width, height, color, (128, 128, 128))


def check_flat(got: Nv21Frame, expected: np.ndarray, tolerance: float) -> None:
    """Compare all of a frame with one (Y, U, V)."""
    y, u, v = np.clip(expected, 0, 255)
    assert np.abs(got.y - y).max() <= tolerance
    assert np.abs(got.vu - [v, u]).max() <= tolerance


# --- colours ---


@every_color
@pytest.mark.parametrize("name", NAMED)
def test_a_colour_is_the_definition_rounded_once(
    itu: SimpleNamespace, color: Color, name: str
) -> None:
    got = open_background(name).behind(blank(6, 4, color))
    assert got.size == (6, 4)
    assert got.color == color
    check_flat(got, itu.yuv(NAMED[name], color), 0.5 + 1e-9)


def test_a_still_is_prepared_once_for_a_size_and_colour() -> None:
    background = ColorBackground((10, 200, 30))
    first = background.behind(blank(8, 6))
    assert background.behind(blank(8, 6)) is first
    background.reset()
    assert background.behind(blank(8, 6)) is first
    assert background.behind(blank(8, 8)).size == (8, 8)
    assert background.behind(blank(8, 8, COLORS[1])).color == COLORS[1]


# --- pictures ---


def write_picture(path: Path, rgb: np.ndarray) -> str:
    assert cv2.imwrite(str(path), rgb[:, :, ::-1])
    return str(path)


@every_color
def test_a_picture_keeps_its_colours(tmp_path: Path, itu: SimpleNamespace, color: Color) -> None:
    for rgb in ((200, 40, 90), (255, 0, 0), (3, 3, 250)):
        path = write_picture(tmp_path / "flat.png", np.full((31, 47, 3), rgb, np.uint8))
        for size in ((20, 30), (94, 62), (46, 30)):
            got = open_background(path).behind(blank(*size, color))
            check_flat(got, itu.yuv(rgb, color), 0.5 + 1e-4)


@pytest.mark.parametrize("picture", [(300, 200), (200, 300), (257, 255), (100, 100)], ids=str)
@pytest.mark.parametrize("size", [(320, 180), (180, 320), (256, 256), (60, 50), (642, 178)])
def test_a_picture_covers_the_frame_and_a_circle_stays_one(
    tmp_path: Path, picture: tuple[int, int], size: tuple[int, int]
) -> None:
    width, height = picture
    rgb = np.full((height, width, 3), 255, np.uint8)
    scale = max(size[0] / width, size[1] / height)
    radius = min(0.2 * min(picture), 0.4 * min(size) / scale)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    inside = np.hypot(across - (width - 1) / 2, down - (height - 1) / 2) < radius
    rgb[inside] = 0
    got = open_background(write_picture(tmp_path / "circle.png", rgb)).behind(blank(*size))
    assert got.size == size
    columns = np.flatnonzero((got.y < 126).any(axis=0))
    rows = np.flatnonzero((got.y < 126).any(axis=1))
    # The whole circle lies in the frame, and its size is that of the scale which covers it.
    for span, middle in ((columns, size[0] / 2), (rows, size[1] / 2)):
        assert abs(np.ptp(span) + 1 - 2 * radius * scale) <= 2 + scale
        assert abs(span.mean() + 0.5 - middle) <= 1.5 + scale / 2
    assert abs(np.ptp(columns) - np.ptp(rows)) <= 2
    # Nothing is left uncovered at the corners.
    assert (got.y[[0, 0, -1, -1], [0, -1, 0, -1]] >= 230).all()


def test_a_picture_is_prepared_once(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))
    background = ImageBackground(path)
    first = background.behind(blank(16, 12))
    Path(path).unlink()
    assert background.behind(blank(16, 12)) is first
    assert background.behind(blank(12, 16)).size == (12, 16)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    with pytest.raises(ConfigError, match=r"text\.png: .*no picture that OpenCV reads"):
        open_background(str(text))
    with pytest.raises(ConfigError, match=r"absent\.png.*does not exist"):
        ImageBackground(str(tmp_path / "absent.png"))


# --- blur ---


def test_a_blur_of_one_colour_is_that_colour() -> None:
    for size in ((2, 2), (16, 2), (64, 48), (200, 100)):
        frame = Nv21Frame.filled(*size, COLORS[1], (90, 20, 200))
        got = BlurBackground(0.1).behind(frame)
        assert got.size == size
        assert got.color == frame.color
        assert (got.y == 90).all()
        assert (got.vu == (200, 20)).all()


def test_a_blur_takes_detail_away_and_leaves_the_light(noise: Noise) -> None:
    frame = noise(0, 160, 96)
    frame.y.flags.writeable = frame.vu.flags.writeable = False
    before = frame.pack()
    previous = frame
    for amount in (0.01, 0.05, 0.2):
        got = BlurBackground(amount).behind(frame)
        for plane, blurred, original in (
            (got.y, previous.y, frame.y),
            (got.vu, previous.vu, frame.vu),
        ):
            assert plane.std() < 0.8 * blurred.std()
            assert abs(plane.mean() - original.mean()) < 4
        previous = got
    assert np.array_equal(frame.pack(), before)


def test_a_blur_moves_nothing_and_spreads_luma_and_chroma_alike() -> None:
    frame = blank(320, 160)
    frame.y[60:100, 140:180] = 255
    frame.vu[30:50, 70:90] = (255, 0)
    got = BlurBackground(0.04).behind(frame)
    spread = []
    for plane in (got.y.astype(float) - 128, got.vu[:, :, 0].astype(float) - 128):
        height, width = plane.shape
        # From the middle of the frame, in units of its width.
        across, down = np.meshgrid(np.arange(width), np.arange(height))
        across, down = (across - (width - 1) / 2) / width, (down - (height - 1) / 2) / width
        assert abs((plane * across).sum() / plane.sum()) < 0.002
        assert abs((plane * down).sum() / plane.sum()) < 0.002
        spread.append(np.sqrt((plane * across**2).sum() / plane.sum()))
    # Variances add: of the square (an eighth of the width), of the blur, and of the cells that
    # it is done in (mean of a cell, linear between cells), 1/40 wide for luma, 1/20 for chroma.
    expected = [np.sqrt(0.125**2 / 12 + 0.04**2 + cell**2 / 4) for cell in (1 / 40, 1 / 20)]
    assert spread == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("amount", [0.0, -0.1, 0.21, float("nan")])
def test_a_blur_beyond_reason_is_refused(amount: float) -> None:
    with pytest.raises(ConfigError, match=r"blur must be in \(0, 0\.2\]"):
        BlurBackground(amount)


# --- video ---

GRAYS = (40, 120, 200)


def write_clip(path: Path, frames: list[Nv21Frame]) -> str:
    sink = open_sink(str(path))
    for index, frame in enumerate(frames):
        sink.show(frame, index / 10)
    sink.close(complete=True)
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three gray frames of BT.601 limited, the middle third of each brighter by 20."""
    frames = [Nv21Frame.filled(96, 64, DEFAULT_COLOR, (gray, 128, 128)) for gray in GRAYS]
    for frame in frames:
        frame.y[:, 32:64] += 20
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames)


def test_a_video_gives_a_frame_for_each_and_goes_round(clip: str) -> None:
    background = open_background(clip)
    frame = blank(96, 64)
    got = [int(np.median(background.behind(frame).y[:, :24])) for _ in range(7)]
    assert got == pytest.approx([*GRAYS, *GRAYS, GRAYS[0]], abs=3)
    background.reset()
    assert np.median(background.behind(frame).y[:, :24]) == pytest.approx(GRAYS[0], abs=3)


@every_color
def test_a_video_comes_in_the_size_and_colour_of_the_frame(
    itu: SimpleNamespace, clip: str, color: Color
) -> None:
    gray = itu.rgb(np.array([GRAYS[0] + 20, 128, 128]), DEFAULT_COLOR)
    # The brighter third lies in the middle of the centred square.
    got = open_background(clip).behind(blank(40, 40, color))
    assert got.size == (40, 40)
    assert got.color == color
    middle = got.crop(Rect(14, 14, 12, 12))
    check_flat(middle, itu.yuv(gray, color), 4)
    assert np.median(got.y[:, :6]) < np.median(got.y[:, 14:26]) - 10


def test_a_video_whose_reading_ends_at_once_is_named() -> None:
    opened = []

    def frames() -> Iterator[Nv21Frame]:
        opened.append(1)
        return iter(())

    background = VideoBackground(frames, "empty.mp4")
    with pytest.raises(ConfigError, match=r"empty\.mp4: .*no frames"):
        background.behind(blank(8, 8))
    assert len(opened) == 1


def test_a_video_is_opened_again_only_at_its_end(noise: Noise) -> None:
    frames = [noise(seed, 8, 8) for seed in range(2)]
    opened = []

    def start() -> Iterator[Nv21Frame]:
        opened.append(1)
        return iter(frames)

    background = VideoBackground(start)
    got = [background.behind(blank(8, 8)).y.copy() for _ in range(5)]
    assert [np.array_equal(picture, frames[i % 2].y) for i, picture in enumerate(got)] == [True] * 5
    assert len(opened) == 3


def test_a_missing_or_broken_video_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"absent\.mp4"):
        open_background(str(tmp_path / "absent.mp4"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 1000)
    with pytest.raises(CaptureError, match=r"broken\.mp4"):
        open_background(str(broken))


# --- by name ---


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("blur", BlurBackground),
        ("blur:0.05", BlurBackground),
        ("green", ColorBackground),
        ("#A0b1C2", ColorBackground),
    ],
)
def test_a_text_names_its_kind(text: str, kind: type[Background]) -> None:
    assert type(open_background(text)) is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur:much", r"background: not a number: 'much'"),
        ("blur:0", r"blur must be in"),
        ("blur:9", r"blur must be in"),
        ("gren", r"'gren' is neither a file nor a colour.*green"),
        ("#12345", r"'#12345' is neither"),
        ("#12345g", r"'#12345g' is neither"),
        ("", r"'' is neither"),
        ("no/such/picture.png", r"neither a file nor a colour"),
    ],
)
def test_a_text_that_names_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_background(text)


def test_a_folder_is_no_background(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        open_background(str(tmp_path))
