"""Video files: tags, exact bytes, times, and what happens to files that are not as they should."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from npukit.capture import open_source
from npukit.capture.base import Captured
from npukit.capture.video import VideoSource
from npukit.color import Color, Matrix, Range
from npukit.display import open_sink
from npukit.errors import CaptureError

Write = Callable[..., Path]

RANGES = {Range.LIMITED: 1, Range.FULL: 2}
MATRICES = {Matrix.BT709: (1,), Matrix.BT601: (5, 6)}
TAGGED = [
    (Color(matrix, range_), number)
    for matrix, numbers in MATRICES.items()
    for number in numbers
    for range_ in RANGES
]
COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
LIMITED_601 = (1, 6)


def read(path: Path | str) -> tuple[list[Captured], list[str]]:
    source = open_source(str(path))
    assert isinstance(source, VideoSource)
    frames = list(source.frames())
    source.close()
    return frames, source.notices


def read_until_error(path: Path) -> tuple[list[Captured], CaptureError | None]:
    """What comes before the error, and the error; refused at once counts as no frames."""
    frames: list[Captured] = []
    try:
        source = open_source(str(path))
        try:
            frames.extend(source.frames())
        finally:
            source.close()
    except CaptureError as error:
        return frames, error
    return frames, None


def assert_planes(frame, planes) -> None:
    y, u, v = planes
    height, width = frame.y.shape
    np.testing.assert_array_equal(frame.y, y[:height, :width])
    np.testing.assert_array_equal(frame.vu[:, :, 0], v[: height // 2, : width // 2])
    np.testing.assert_array_equal(frame.vu[:, :, 1], u[: height // 2, : width // 2])


# --- colour tags -----------------------------------------------------------------------------


@pytest.mark.parametrize(("color", "number"), TAGGED, ids=str)
def test_tags_are_honoured_and_bytes_are_not_touched(
    tmp_path, write_clip: Write, noise_planes, color: Color, number: int
) -> None:
    pictures = [noise_planes(seed, 64, 48) for seed in range(3)]
    path = write_clip(tmp_path / "clip.mp4", pictures, tags=(RANGES[color.range], number))
    frames, notices = read(path)
    assert [captured.frame.color for captured in frames] == [color] * 3
    assert notices == []
    for captured, planes in zip(frames, pictures, strict=True):
        assert_planes(captured.frame, planes)


@pytest.mark.parametrize("number", [1, 6])
def test_the_old_full_range_formats_are_full_range(
    tmp_path, write_clip: Write, noise_planes, number: int
) -> None:
    pictures = [noise_planes(1, 64, 48)]
    path = write_clip(tmp_path / "clip.mp4", pictures, pix_fmt="yuvj420p", tags=(2, number))
    with av.open(path) as container:
        assert next(container.decode(video=0)).format.name == "yuvj420p"
    frames, _ = read(path)
    assert frames[0].frame.color.range is Range.FULL
    assert_planes(frames[0].frame, pictures[0])


@pytest.mark.parametrize(
    ("height", "matrix"), [(48, Matrix.BT601), (718, Matrix.BT601), (720, Matrix.BT709)]
)
def test_untagged_follows_the_rule_of_the_one_notice(
    tmp_path, write_clip: Write, noise_planes, height: int, matrix: Matrix
) -> None:
    pictures = [noise_planes(seed, 64, height) for seed in range(3)]
    frames, notices = read(write_clip(tmp_path / "clip.mp4", pictures))
    assert {captured.frame.color for captured in frames} == {Color(matrix, Range.LIMITED)}
    assert len(notices) == 1
    for words in ("no colour tag", f"read as {matrix.value}", "bt709 from 720 lines", "limited"):
        assert words in notices[0]


def test_a_matrix_that_frames_do_not_know_is_said(tmp_path, write_clip: Write, noise_planes):
    path = write_clip(tmp_path / "clip.mp4", [noise_planes(0, 64, 48)] * 3, tags=(1, 9))
    frames, notices = read(path)
    assert frames[0].frame.color == Color(Matrix.BT601, Range.LIMITED)
    assert len(notices) == 1
    assert "read as bt601" in notices[0]
    assert "no colour tag" not in notices[0]


@pytest.mark.parametrize(("name", "count"), [("asl_book", 109), ("asl_walk", 89)])
def test_the_full_range_clips_are_read_as_full_range(shared_data, name: str, count: int) -> None:
    path = shared_data(f"video/{name}.mp4")
    source = open_source(str(path))
    given = 0
    with av.open(path) as container:
        for captured, decoded in zip(source.frames(), container.decode(video=0), strict=True):
            given += 1
            assert captured.frame.color.range is Range.FULL
            if captured.index % 10 == 0:
                np.testing.assert_array_equal(captured.frame.to_i420(), decoded.to_ndarray())
    source.close()
    assert given == count == source.frame_count


# --- exact bytes, sizes, memory --------------------------------------------------------------


def test_decoded_planes_are_the_encoded_ones(tmp_path, write_clip: Write, noise_planes) -> None:
    pictures = [noise_planes(seed, 96, 64) for seed in range(30)]
    path = write_clip(tmp_path / "clip.mp4", pictures, tags=LIMITED_601)
    source = open_source(str(path))
    assert source.frame_count == 30
    assert source.fps == 25.0
    assert not source.live
    frames = list(source.frames())
    assert [captured.index for captured in frames] == list(range(30))
    assert [captured.time_s for captured in frames] == pytest.approx(np.arange(30) / 25)
    for captured, planes in zip(frames, pictures, strict=True):
        assert_planes(captured.frame, planes)
    source.close()
    source.close()


@pytest.mark.parametrize(
    ("width", "height", "lost"),
    [(63, 47, "column and row"), (63, 48, "column"), (64, 47, "row")],
)
def test_odd_sizes_lose_the_last_row_or_column_and_say_so_once(
    tmp_path, write_clip: Write, noise_planes, width: int, height: int, lost: str
) -> None:
    pictures = [noise_planes(seed, width, height) for seed in range(3)]
    path = write_clip(tmp_path / "clip.mkv", pictures, codec="ffv1", options={}, tags=LIMITED_601)
    frames, notices = read(path)
    assert len(frames) == 3
    for captured, planes in zip(frames, pictures, strict=True):
        assert captured.frame.size == (width // 2 * 2, height // 2 * 2)
        assert_planes(captured.frame, planes)
    assert len(notices) == 1
    assert f"{width}x{height}" in notices[0]
    assert f"the last {lost} is cropped" in notices[0]


@pytest.mark.parametrize(("width", "height"), [(1, 48), (64, 1)])
def test_a_picture_without_a_single_block_is_refused(
    tmp_path, write_clip: Write, noise_planes, width: int, height: int
) -> None:
    path = write_clip(
        tmp_path / "clip.mkv", [noise_planes(0, width, height)], codec="rawvideo", options={}
    )
    frames, error = read_until_error(path)
    assert frames == []
    assert "smaller than 2x2" in str(error)


def test_luma_is_a_view_that_nobody_can_write_into(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    path = write_clip(tmp_path / "clip.mp4", [noise_planes(seed, 64, 48) for seed in range(12)])
    source = open_source(str(path))
    for captured in source.frames():
        y = captured.frame.y
        assert not y.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            y[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            y[4:20, 4:20] += 1
    source.close()


def test_held_frames_stay_as_they_were_while_decoding_goes_on(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    # Pictures that are predicted from each other, so that the decoder keeps and reuses frames.
    base = noise_planes(0, 96, 64)
    pictures = [[np.roll(plane, index, axis=1) for plane in base] for index in range(80)]
    path = write_clip(tmp_path / "clip.mp4", pictures, options={"qp": "0", "bf": "3", "refs": "4"})
    source = open_source(str(path))
    held, seen = [], []
    for captured in source.frames():
        held.append(captured.frame)
        seen.append((captured.frame.y.tobytes(), captured.frame.vu.tobytes()))
    source.close()
    del source, captured
    assert len(held) == 80
    for frame, (y, vu), planes in zip(held, seen, pictures, strict=True):
        assert frame.y.tobytes() == y
        assert frame.vu.tobytes() == vu
        assert_planes(frame, planes)


def test_chroma_of_frames_that_were_let_go_is_reused(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    path = write_clip(tmp_path / "clip.mp4", [noise_planes(seed, 64, 48) for seed in range(40)])
    source = open_source(str(path))
    places = [captured.frame.vu.ctypes.data for captured in source.frames()]
    source.close()
    assert len(places) == 40
    assert len(set(places)) <= 3


# --- other pixel formats ---------------------------------------------------------------------


def smooth_rgb(width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 so smooth that where chroma is sited makes no difference of a level."""
    across = np.linspace(0, 1, width)[np.newaxis, :]
    down = np.linspace(0, 1, height)[:, np.newaxis]
    channels = [
        40 + 150 * across + 0 * down,
        200 - 120 * down + 0 * across,
        90 + 60 * across * down,
    ]
    return np.rint(np.dstack(channels)).astype(np.uint8)


CONVERTED = [
    ("yuv420p10le", 2, 2, 10),
    ("yuv422p", 2, 1, 8),
    ("yuv444p", 1, 1, 8),
    ("yuv422p10le", 2, 1, 10),
    ("yuv444p10le", 1, 1, 10),
]


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize(("pix_fmt", "across", "down", "bits"), CONVERTED)
def test_other_yuv_formats_keep_their_values_matrix_and_range(
    tmp_path, write_clip: Write, itu: SimpleNamespace,
    color: Color, pix_fmt: str, across: int, down: int, bits: int,
) -> None:  # fmt: skip
    yuv = itu.yuv(smooth_rgb(320, 240), color)
    # Limited range: a byte is the upper 8 of 10 bits. Full range: both go to their maximum.
    stretch = 2.0 ** (bits - 8) if color.range is Range.LIMITED else (2**bits - 1) / 255.0
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    planes = [
        np.rint(stretch * plane).astype(kind)
        for plane in (
            yuv[:, :, 0],
            *(yuv[:, :, c].reshape(240 // down, down, 320 // across, across).mean((1, 3))
              for c in (1, 2)),
        )
    ]  # fmt: skip
    path = write_clip(
        tmp_path / "clip.mkv", [planes] * 2, pix_fmt=pix_fmt, codec="ffv1", options={},
        tags=(RANGES[color.range], MATRICES[color.matrix][-1]),
    )  # fmt: skip
    frames, notices = read(path)
    assert notices == [f"{pix_fmt} is converted to 8-bit 4:2:0"]
    assert_close(frames[1].frame, yuv, color, itu)


@pytest.mark.parametrize("height", [240, 720])
def test_untagged_10_bit_keeps_its_values_too(
    tmp_path, write_clip: Write, itu: SimpleNamespace, height: int
) -> None:
    color = Color(Matrix.BT709 if height >= 720 else Matrix.BT601, Range.LIMITED)
    yuv = itu.yuv(smooth_rgb(320, height), color)
    y, u, v = np.moveaxis(np.rint(4 * yuv).astype("<u2"), 2, 0)
    planes = [y, u[::2, ::2], v[::2, ::2]]
    path = write_clip(
        tmp_path / "clip.mkv", [planes], pix_fmt="yuv420p10le", codec="ffv1", options={}
    )
    frames, notices = read(path)
    assert len(notices) == 2
    assert_close(frames[0].frame, yuv, color, itu)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [("ffv1", "bgr0", "mkv"), ("png", "rgb24", "mov"), ("libx264rgb", "rgb24", "mp4")],
)
@pytest.mark.parametrize("height", [240, 720])
def test_rgb_becomes_limited_range_of_the_matrix_of_its_size(
    tmp_path, write_clip: Write, itu: SimpleNamespace,
    codec: str, pix_fmt: str, suffix: str, height: int,
) -> None:  # fmt: skip
    rgb = smooth_rgb(320, height)
    picture = np.dstack([rgb[:, :, ::-1], rgb[:, :, :1]]) if pix_fmt == "bgr0" else rgb
    path = write_clip(
        tmp_path / f"clip.{suffix}", [[picture]] * 2, pix_fmt=pix_fmt, codec=codec,
        options={"qp": "0"} if codec == "libx264rgb" else {},
    )  # fmt: skip
    frames, notices = read(path)
    color = Color(Matrix.BT709 if height >= 720 else Matrix.BT601, Range.LIMITED)
    assert len(notices) == 1
    assert "is converted to 8-bit 4:2:0" in notices[0]
    assert_close(frames[1].frame, itu.yuv(rgb, color), color, itu)


def assert_close(frame, yuv: np.ndarray, color: Color, itu: SimpleNamespace) -> None:
    """Within a level and a half (FFmpeg dithers) of a float picture (H, W, 3), and no shift."""
    assert frame.color == color
    luma = frame.y - yuv[:, :, 0]
    chroma = frame.vu - itu.block_mean(yuv[:, :, [2, 1]])
    for difference in (luma, chroma[:, :, 0], chroma[:, :, 1]):
        assert np.abs(difference).max() <= 1.5
        assert abs(difference.mean()) <= 0.5


# --- rotation --------------------------------------------------------------------------------


def patch_matrix(path: Path, a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    """Write the matrix of the track header, ISO/IEC 14496-12 section 8.3.2."""
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd") + 4
    at = box + (40, 52)[data[box]]
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    assert data[at : at + 36] == identity
    fixed = [value << 16 for value in (a, b, c, d, x, y)]
    struct.pack_into(
        ">9i", data, at,
        fixed[0], fixed[1], 0, fixed[2], fixed[3], 0, fixed[4], fixed[5], 1 << 30,
    )  # fmt: skip
    path.write_bytes(data)


def shown(plane: np.ndarray, a: int, b: int, c: int, d: int, x: int, y: int) -> np.ndarray:
    """The plane where section 6.2.2 of the standard puts it.

    A point (p, q), q downwards, is shown at (a p + c q + x, b p + d q + y).
    """
    height, width = plane.shape
    q, p = np.mgrid[0:height, 0:width] + 0.5
    column = np.floor(a * p + c * q + x).astype(int)
    row = np.floor(b * p + d * q + y).astype(int)
    out = np.zeros((height, width) if a else (width, height), plane.dtype)
    assert (column.min(), row.min()) == (0, 0)
    assert (row.max() + 1, column.max() + 1) == out.shape
    out[row, column] = plane
    return out


@pytest.mark.parametrize(
    "matrix",
    [(0, 1, -1, 0, 48, 0), (-1, 0, 0, -1, 64, 48), (0, -1, 1, 0, 0, 64)],
    ids=["clockwise", "half", "counter-clockwise"],
)
def test_the_rotation_tag_turns_the_picture_as_the_standard_says(
    tmp_path, write_clip: Write, noise_planes, matrix: tuple[int, ...]
) -> None:
    pictures = [noise_planes(seed, 64, 48) for seed in range(3)]
    path = write_clip(tmp_path / "clip.mp4", pictures, tags=LIMITED_601)
    patch_matrix(path, *matrix)
    half = (*matrix[:4], matrix[4] // 2, matrix[5] // 2)
    frames, notices = read(path)
    assert len(frames) == 3
    for captured, (y, u, v) in zip(frames, pictures, strict=True):
        assert_planes(captured.frame, [shown(y, *matrix), shown(u, *half), shown(v, *half)])
    assert len(notices) == 1
    assert "rotation" in notices[0]


def test_converted_pictures_are_turned_too(tmp_path, write_clip: Write) -> None:
    y = np.zeros((48, 64), np.uint8)
    y[:, 32:] = 200
    grey = np.full((48, 64), 128, np.uint8)
    path = write_clip(tmp_path / "clip.mp4", [[y, grey, grey]], pix_fmt="yuv444p", tags=LIMITED_601)
    patch_matrix(path, 0, 1, -1, 0, 48, 0)
    frames, _ = read(path)
    assert frames[0].frame.size == (48, 64)
    np.testing.assert_array_equal(frames[0].frame.y, shown(y, 0, 1, -1, 0, 48, 0))


def test_another_angle_is_ignored_and_said(tmp_path, write_clip: Write, noise_planes) -> None:
    pictures = [noise_planes(0, 64, 48)]
    path = write_clip(
        tmp_path / "clip.mp4", pictures, tags=LIMITED_601,
        setup=lambda stream: stream.set_display_rotation(30),
    )  # fmt: skip
    frames, notices = read(path)
    assert_planes(frames[0].frame, pictures[0])
    assert len(notices) == 1
    assert "ignored" in notices[0]


# --- time ------------------------------------------------------------------------------------

TIMES_MS = (0, 40, 55, 130, 700, 701, 2000, 2033)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("start", [0, 5000])
def test_variable_frame_rate_survives_to_the_output_file(
    tmp_path, write_clip: Write, noise_planes, suffix: str, start: int
) -> None:
    pictures = [noise_planes(seed, 64, 48) for seed in range(len(TIMES_MS))]
    path = write_clip(
        tmp_path / f"clip.{suffix}", pictures, times_ms=[start + time for time in TIMES_MS]
    )
    frames, _ = read(path)
    wanted = [time / 1000 for time in TIMES_MS]
    assert [captured.time_s for captured in frames] == pytest.approx(wanted, abs=1e-6)
    sink = open_sink(str(tmp_path / "out.mp4"))
    for captured in frames:
        sink.show(captured.frame, captured.time_s)
    sink.close(complete=True)
    with av.open(tmp_path / "out.mp4") as container:
        written = [frame.time for frame in container.decode(video=0)]
    assert written == pytest.approx(wanted, abs=1e-4)


def test_a_stream_without_times_has_those_of_its_frame_rate(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    path = write_clip(tmp_path / "clip.h264", [noise_planes(seed, 64, 48) for seed in range(6)])
    source = open_source(str(path))
    times = [captured.time_s for captured in source.frames()]
    assert times == pytest.approx(np.arange(6) / source.fps)
    source.close()


# --- what is in the file besides -------------------------------------------------------------


def test_audio_is_dropped_and_said(tmp_path, write_clip: Write, noise_planes) -> None:
    pictures = [noise_planes(seed, 64, 48) for seed in range(5)]
    path = write_clip(tmp_path / "clip.mp4", pictures, tags=LIMITED_601, audio=True)
    with av.open(path) as container:
        assert len(container.streams.audio) == 1
    frames, notices = read(path)
    assert len(frames) == 5
    assert notices == ["the audio track is dropped"]


def test_pixels_that_are_not_square_are_said(tmp_path, write_clip: Write, noise_planes) -> None:
    def wide(stream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = write_clip(
        tmp_path / "clip.mp4", [noise_planes(0, 64, 48)], tags=LIMITED_601, setup=wide
    )
    frames, notices = read(path)
    assert frames[0].frame.size == (64, 48)
    assert len(notices) == 1
    assert "4/3" in notices[0]


def test_a_colon_in_the_name_is_part_of_the_name(
    tmp_path, monkeypatch, write_clip: Write, noise_planes
) -> None:
    write_clip(tmp_path / "clip.mp4", [noise_planes(0, 64, 48)]).rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    frames, _ = read("12:30.mp4")
    assert len(frames) == 1


# --- files that are not as they should be ----------------------------------------------------


def moving(count: int) -> list[list[np.ndarray]]:
    """Pictures that compress a little and are predicted from each other."""
    random = np.random.default_rng(7)
    planes = [random.integers(0, 256, (size * 3, size * 4), np.uint8) for size in (32, 16, 16)]
    return [
        [
            np.roll(plane, index // 2 * step, axis=1)
            for plane, step in zip(planes, (2, 1, 1), strict=True)
        ]
        for index in range(count)
    ]


CONTAINERS = {
    "faststart.mp4": {"file_options": {"movflags": "faststart"}},
    "fragmented.mp4": {"file_options": {"movflags": "frag_keyframe+empty_moov"}},
    "clip.mkv": {},
    "clip.avi": {"codec": "mpeg4"},
}


@pytest.mark.parametrize("part", [0.3, 0.6])
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_cut_file_gives_the_frames_before_the_cut_then_an_error(
    tmp_path, write_clip: Write, name: str, part: float
) -> None:
    path = write_clip(
        tmp_path / name, moving(100), options={"g": "20"}, tags=LIMITED_601, **CONTAINERS[name]
    )
    whole = {round(captured.time_s, 3): captured.frame for captured in read(path)[0]}
    assert len(whole) == 100
    data = path.read_bytes()
    cut = int(len(data) * part)
    expected = whole_packets(path, cut)
    path.write_bytes(data[:cut])
    frames, error = read_until_error(path)
    assert expected - 1 <= len(frames) <= expected
    for captured in frames:
        same = whole[round(captured.time_s, 3)]
        np.testing.assert_array_equal(captured.frame.y, same.y)
        np.testing.assert_array_equal(captured.frame.vu, same.vu)
    assert error is not None
    assert f"{name}, frame {len(frames)}:" in str(error)


def whole_packets(path: Path, size: int) -> int:
    """How many coded pictures lie before `size` bytes."""
    with av.open(path) as container:
        return sum(
            packet.pos + packet.size <= size for packet in container.demux(video=0) if packet.size
        )


def test_a_file_cut_before_its_index_is_refused(tmp_path, write_clip: Write) -> None:
    path = write_clip(tmp_path / "clip.mp4", moving(50))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CaptureError, match=r"clip\.mp4: "):
        open_source(str(path))


@pytest.mark.parametrize("name", ["faststart.mp4", "clip.mkv"])
def test_a_damaged_file_gives_no_damaged_frames(tmp_path, write_clip: Write, name: str) -> None:
    path = write_clip(
        tmp_path / name, moving(60), options={"g": "20"}, tags=LIMITED_601, **CONTAINERS[name]
    )
    whole = {round(captured.time_s, 3): captured.frame for captured in read(path)[0]}
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(3).bytes(4000)
    path.write_bytes(data)
    frames, error = read_until_error(path)
    assert 10 < len(frames) < 40
    for captured in frames:
        np.testing.assert_array_equal(captured.frame.y, whole[round(captured.time_s, 3)].y)
    assert f"{name}, frame {len(frames)}:" in str(error)


def test_a_late_last_frame_is_not_taken_for_a_cut(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    pictures = [noise_planes(seed, 64, 48) for seed in range(5)]
    for suffix in ("mkv", "mp4", "avi"):
        path = write_clip(
            tmp_path / f"clip.{suffix}", pictures, times_ms=[0, 40, 80, 120, 6000],
            codec="mpeg4" if suffix == "avi" else "libx264", options={},
        )  # fmt: skip
        assert len(read(path)[0]) >= 5


def test_a_picture_that_changes_its_size_ends_the_run(
    tmp_path, write_clip: Write, noise_planes
) -> None:
    parts = [
        write_clip(tmp_path / f"{width}.h264", [noise_planes(seed, width, 48) for seed in range(4)])
        for width in (64, 96)
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, error = read_until_error(path)
    assert [captured.frame.size for captured in frames] == [(64, 48)] * 4
    assert "both.h264, frame 4: the picture changes from (64, 48) to (96, 48)" in str(error)


def write_wav(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame("s16", "mono", 8000)
        sound.sample_rate = 8000
        np.frombuffer(sound.planes[0], np.uint8)[:] = 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


WRONG = {
    "text.txt": lambda path: path.write_text("hello\n" * 100),
    "text.mp4": lambda path: path.write_text("hello\n" * 100),
    "empty.mp4": lambda path: path.touch(),
    "noise.mp4": lambda path: path.write_bytes(np.random.default_rng(0).bytes(20000)),
    "sound.wav": write_wav,
    "missing.mp4": lambda _: None,
    "folder": lambda path: path.mkdir(),
    "folder.mp4": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("prefix", ["", "video:"])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_video_is_refused_by_name(tmp_path, name: str, prefix: str) -> None:
    WRONG[name](tmp_path / name)
    with pytest.raises(CaptureError) as caught:
        open_source(prefix + str(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.message
    assert not caught.value.message.startswith("[")  # words, not an error number
