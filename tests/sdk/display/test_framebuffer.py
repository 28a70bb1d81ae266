"""The Linux framebuffer sink.

STAND-IN: a file in memory for the device, and answers to its two ioctl requests made from
structures that are declared here. What a driver does with the bytes is not shown by it.
"""

import ctypes
import fcntl
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npukit.color import DEFAULT_COLOR
from npukit.display import open_sink
from npukit.display.framebuffer import FramebufferSink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

U16, U32, LONG = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_ulong


class Bitfield(ctypes.Structure):
    _fields_ = [("offset", U32), ("length", U32), ("msb_right", U32)]


class Variable(ctypes.Structure):
    """Linux, include/uapi/linux/fb.h: struct fb_var_screeninfo."""

    _fields_ = [
        *((name, U32) for name in ("xres", "yres", "xres_virtual", "yres_virtual")),
        *((name, U32) for name in ("xoffset", "yoffset", "bits_per_pixel", "grayscale")),
        *((name, Bitfield) for name in ("red", "green", "blue", "transp")),
        ("rest", U32 * 20),
    ]


class Fixed(ctypes.Structure):
    """Linux, include/uapi/linux/fb.h: struct fb_fix_screeninfo."""

    _fields_ = [
        ("id", ctypes.c_char * 16),
        ("smem_start", LONG),
        *((name, U32) for name in ("smem_len", "type", "type_aux", "visual")),
        *((name, U16) for name in ("xpanstep", "ypanstep", "ywrapstep")),
        ("line_length", U32),
        ("mmio_start", LONG),
        *((name, U32) for name in ("mmio_len", "accel")),
        ("capabilities", U16),
        ("reserved", U16 * 2),
    ]


FORMATS = {
    "xrgb8888": (32, (16, 8), (8, 8), (0, 8)),
    "rgb565": (16, (11, 5), (5, 6), (0, 5)),
    "xbgr8888": (32, (0, 8), (8, 8), (16, 8)),
    "bgr565": (16, (0, 5), (5, 6), (11, 5)),
    "xrgb1555": (16, (10, 5), (5, 5), (0, 5)),
    "palette": (8, (0, 8), (0, 8), (0, 8)),
}
UNTOUCHED = 0xAB


class Device:
    """The stand-in."""

    def __init__(self, path: Path, width: int, height: int, form: str, **changes: int) -> None:
        bits, *colours = FORMATS[form]
        stride = changes.pop("stride", width * bits // 8)
        self.variable = Variable(xres=width, yres=height, bits_per_pixel=bits)
        for name, colour in zip(("red", "green", "blue"), colours, strict=True):
            setattr(self.variable, name, Bitfield(*colour))
        self.fixed = Fixed(
            id=b"stand-in", visual=2, line_length=stride, smem_len=2 * stride * height
        )
        for name, value in changes.items():
            setattr(self.fixed if hasattr(self.fixed, name) else self.variable, name, value)
        self.path = path
        path.write_bytes(bytes([UNTOUCHED]) * (2 * stride * height))

    def ioctl(self, fd: int, request: int, buffer: bytes) -> bytes:
        assert Path(f"/proc/self/fd/{fd}").readlink() == self.path
        answer = {0x4600: bytes(self.variable), 0x4602: bytes(self.fixed)}[request]
        assert len(buffer) == len(answer), "the kernel would write behind the buffer"
        return answer

    def lines(self) -> np.ndarray:
        """(lines, bytes of a line) of the whole memory."""
        return np.frombuffer(self.path.read_bytes(), np.uint8).reshape(-1, self.fixed.line_length)

    def rgb(self) -> np.ndarray:
        """(H, W, 3) of what is seen, each channel on the scale of its bits."""
        width, height = self.variable.xres, self.variable.yres
        pixel = self.variable.bits_per_pixel // 8
        top, left = self.variable.yoffset, self.variable.xoffset * pixel
        raw = self.lines()[top : top + height, left : left + width * pixel]
        values = raw.reshape(height, width, pixel).astype(np.uint32) @ (256 ** np.arange(pixel))
        channels = (self.variable.red, self.variable.green, self.variable.blue)
        return np.dstack([(values >> c.offset) & (2**c.length - 1) for c in channels])


@pytest.fixture
def plug(tmp_path, monkeypatch) -> Callable[..., Device]:
    def make(width: int, height: int, form: str = "xrgb8888", **changes: int) -> Device:
        device = Device(tmp_path / "fb0", width, height, form, **changes)
        monkeypatch.setattr(fcntl, "ioctl", device.ioctl)
        return device

    return make


def show(device: Device, *frames: Nv21Frame) -> FramebufferSink:
    sink = open_sink(f"framebuffer:{device.path}")
    assert isinstance(sink, FramebufferSink)
    for index, frame in enumerate(frames):
        sink.show(frame, index / 30)
    return sink


SHIFTS = {
    "xrgb8888": (0, 0, 0),
    "xbgr8888": (0, 0, 0),
    "rgb565": (3, 2, 3),
    "bgr565": (3, 2, 3),
}


@pytest.mark.parametrize("form", SHIFTS)
def test_pixels_are_those_of_the_frame_on_black(plug, noise, form: str) -> None:
    device = plug(48, 40, form)
    frame = noise(1, 32, 20)
    sink = show(device, frame)
    seen = device.rgb()
    np.testing.assert_array_equal(seen[10:30, 8:40], frame.to_rgb() >> np.array(SHIFTS[form]))
    seen[10:30, 8:40] = 0
    assert not seen.any()
    sink.close(complete=True)
    assert not device.rgb().any(), "left black"
    assert sink.notices == [f"1 frames to framebuffer:{device.path}"]


@pytest.mark.parametrize("form", SHIFTS)
def test_only_what_is_seen_is_written(plug, noise, form: str) -> None:
    device = plug(32, 20, form, stride=256, xoffset=8, yoffset=5, yres_virtual=40)
    frame = noise(2, 32, 20)
    sink = show(device, frame)
    np.testing.assert_array_equal(device.rgb(), frame.to_rgb() >> np.array(SHIFTS[form]))
    lines = device.lines().copy()
    pixel = device.variable.bits_per_pixel // 8
    lines[5:25, 8 * pixel : 40 * pixel] = UNTOUCHED
    assert set(lines.ravel()) == {UNTOUCHED}
    sink.close(complete=True)


def test_the_unused_byte_is_opaque(plug, noise) -> None:
    device = plug(48, 40)
    sink = show(device, noise(1, 32, 20))
    assert set(device.lines()[:40, 3::4].ravel()) == {255}
    sink.close(complete=True)


def test_a_frame_larger_than_the_screen_is_scaled_down(plug) -> None:
    device = plug(64, 64)
    left_red = np.zeros((96, 256, 3), np.uint8)
    left_red[:, :128] = (250, 10, 10)
    sink = show(device, Nv21Frame.from_rgb(left_red, DEFAULT_COLOR))
    seen = device.rgb()
    assert not seen[:20].any(), "256x96 becomes 64x24"
    assert not seen[44:].any()
    assert np.abs(seen[20:44, :30] - (250, 10, 10)).max() <= 4
    assert np.abs(seen[20:44, 34:]).max() <= 4
    sink.close(complete=True)


def test_a_smaller_frame_leaves_nothing_of_a_larger_one(plug, noise) -> None:
    device = plug(64, 64)
    sink = show(device, noise(1, 64, 64), noise(2, 16, 16))
    seen = device.rgb()
    np.testing.assert_array_equal(seen[24:40, 24:40], noise(2, 16, 16).to_rgb())
    seen[24:40, 24:40] = 0
    assert not seen.any()
    sink.close(complete=True)


def test_an_odd_screen_loses_its_last_line_and_column(plug, noise) -> None:
    device = plug(33, 21)
    frame = noise(1, 32, 20)
    sink = show(device, frame)
    np.testing.assert_array_equal(device.rgb()[:20, :32], frame.to_rgb())
    assert not device.rgb()[20:].any()
    sink.close(complete=True)


def test_frames_are_dropped_rather_than_waited_for(plug) -> None:
    sink = show(plug(32, 32))
    assert not sink.lossless
    sink.close(complete=True)
    sink.close(complete=True)
    assert len(sink.notices) == 1


@pytest.mark.parametrize("form", ["xrgb1555", "palette"])
def test_other_pixels_are_refused_and_named(plug, form: str) -> None:
    device = plug(32, 32, form)
    with pytest.raises(DisplayError, match="its pixels are") as caught:
        show(device)
    assert caught.value.where == str(device.path)
    assert "XRGB8888, XBGR8888, RGB565, BGR565" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [{"visual": 3}, {"type": 1}, {"smem_len": 32 * 32 * 4 - 1}, {"line_length": 127},
     {"yoffset": 33}, {"xoffset": 1}],
    ids=str,
)  # fmt: skip
def test_figures_that_do_not_agree_are_refused(plug, changes: dict[str, int]) -> None:
    with pytest.raises(DisplayError):
        show(plug(32, 32, **changes))


def test_an_ordinary_file_is_no_framebuffer(tmp_path) -> None:
    (tmp_path / "fb0").write_bytes(bytes(4096))
    with pytest.raises(DisplayError, match=r"no framebuffer: .*Inappropriate ioctl"):
        open_sink(f"framebuffer:{tmp_path / 'fb0'}")
    assert (tmp_path / "fb0").read_bytes() == bytes(4096)


def test_a_device_that_is_not_there(tmp_path) -> None:
    with pytest.raises(DisplayError, match="cannot be opened: No such file") as caught:
        open_sink("/dev/fb99")
    assert caught.value.where == "/dev/fb99"
    assert "/dev/fb*" in caught.value.hint
    with pytest.raises(DisplayError, match="no device given"):
        open_sink("framebuffer:")


def test_no_file_is_left_open(plug, noise) -> None:
    device = plug(32, 32)
    before = len(list(Path("/proc/self/fd").iterdir()))
    show(device, noise(1, 32, 32)).close(complete=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
