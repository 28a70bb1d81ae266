"""A real X server without a screen (Xvfb), its picture, and what a user does to a window."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

SIZE = (1400, 900)
_CLIENT_MESSAGE, _KEY_PRESS, _KEY_RELEASE = 33, 2, 3
_DEADLINE_S = 20.0


class Desktop:
    """An X server and its one client of ours."""

    def __init__(self, number: str, folder: Path) -> None:
        self.name = f":{number}"
        self._picture = folder / "Xvfb_screen0"
        self._x = ctypes.CDLL("libX11.so.6")
        for name in ("XOpenDisplay", "XDefaultRootWindow", "XInternAtom", "XStringToKeysym"):
            getattr(self._x, name).restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(self.name.encode()))
        assert self._display, f"no connection to {self.name}"

    def screenshot(self) -> np.ndarray:
        """(H, W, 3) uint8 BGR, from the XWD file that Xvfb keeps its screen in."""
        data = self._picture.read_bytes()
        header = struct.unpack(">25I", data[:100])
        header_size, width, height, bits, line, colours = (
            header[place] for place in (0, 4, 5, 11, 12, 19)
        )
        assert bits == 32
        start = header_size + 12 * colours
        pixels = np.frombuffer(data, np.uint8, height * line, start).reshape(height, line // 4, 4)
        return pixels[:, :width, :3]

    def window(self, title: str) -> int:
        """The number of the window with a title, once it is there."""
        deadline = time.monotonic() + _DEADLINE_S
        while not self.find(title):
            assert time.monotonic() < deadline, f"no window {title!r}"
            time.sleep(0.05)
        return self.find(title)

    def find(self, title: str) -> int:
        """The number of the window with a title, 0 when there is none."""
        return self._search(self._x.XDefaultRootWindow(self._display), title.encode())

    def place(self, window: int) -> tuple[int, int, int, int]:
        """x, y, width, height on the screen."""
        x, y = ctypes.c_int(), ctypes.c_int()
        root = ctypes.c_ulong(self._x.XDefaultRootWindow(self._display))
        self._x.XTranslateCoordinates(
            self._display, ctypes.c_ulong(window), root, 0, 0,
            ctypes.byref(x), ctypes.byref(y), ctypes.byref(ctypes.c_ulong()),
        )  # fmt: skip
        sides = [ctypes.c_uint() for _ in range(4)]
        self._x.XGetGeometry(
            self._display, ctypes.c_ulong(window), ctypes.byref(ctypes.c_ulong()),
            ctypes.byref(ctypes.c_int()), ctypes.byref(ctypes.c_int()),
            *map(ctypes.byref, sides),
        )  # fmt: skip
        return x.value, y.value, sides[0].value, sides[1].value

    def close(self, window: int) -> None:
        """What the window manager says when the user clicks the cross."""
        # XClientMessageEvent: type, serial, send_event, display, window, message_type, format, data
        atom = [
            self._x.XInternAtom(self._display, name, 0)
            for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        ]
        event = struct.pack(
            "@iLiPLLi5l", _CLIENT_MESSAGE, 0, 1, 0, window, atom[0], 32, atom[1], 0, 0, 0, 0
        )
        self._send(window, 0, event)

    def press(self, window: int, key: str) -> None:
        """A key, pressed and released, in a window."""
        code = self._x.XKeysymToKeycode(
            self._display, ctypes.c_ulong(self._x.XStringToKeysym(key.encode()))
        )
        root = self._x.XDefaultRootWindow(self._display)
        for kind, mask in ((_KEY_PRESS, 1), (_KEY_RELEASE, 2)):
            # XKeyEvent: type, serial, send_event, display, window, root, subwindow, time,
            # x, y, x_root, y_root, state, keycode, same_screen
            event = struct.pack(
                "@iLiPLLLLiiiiIIi", kind, 0, 1, 0, window, root, 0, 0, 1, 1, 1, 1, 0, code, 1
            )
            self._send(window, mask, event)

    def _send(self, window: int, mask: int, event: bytes) -> None:
        buffer = ctypes.create_string_buffer(event, 192)  # an XEvent is 24 longs
        sent = self._x.XSendEvent(
            self._display, ctypes.c_ulong(window), 0, ctypes.c_long(mask), buffer
        )
        assert sent
        self._x.XSync(self._display, 0)

    def has_window_manager(self) -> bool:
        return bool(self._property(self._x.XDefaultRootWindow(self._display), "_NET_SUPPORTED"))

    def _property(self, window: int, name: str) -> bytes:
        """The first bytes of a property of a window, to the first zero."""
        value = ctypes.c_char_p()
        ignored = [ctypes.c_ulong(), ctypes.c_int(), ctypes.c_ulong(), ctypes.c_ulong()]
        self._x.XGetWindowProperty(
            self._display, ctypes.c_ulong(window),
            ctypes.c_ulong(self._x.XInternAtom(self._display, name.encode(), 0)),
            ctypes.c_long(0), ctypes.c_long(256), 0, ctypes.c_ulong(0),
            *map(ctypes.byref, ignored), ctypes.byref(value),
        )  # fmt: skip
        return value.value or b""

    def _search(self, window: int, title: bytes) -> int:
        if self._property(window, "_NET_WM_NAME") == title:
            return window
        children, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        ignored = ctypes.c_ulong()
        self._x.XQueryTree(
            self._display, ctypes.c_ulong(window), ctypes.byref(ignored), ctypes.byref(ignored),
            ctypes.byref(children), ctypes.byref(count),
        )  # fmt: skip
        return next(filter(None, (self._search(children[i], title) for i in range(count.value))), 0)


@contextmanager
def desktop(folder: Path) -> Iterator[tuple[Desktop, subprocess.Popen[bytes]]]:
    """An X server with a window manager and its process; skips where there is none to start.

    Without a window manager Qt leaves a window black now and then.
    """
    programs = {name: shutil.which(name) for name in ("Xvfb", "openbox")}
    if not all(programs.values()):
        pytest.skip(
            "NOT CHECKED: real windows. No Xvfb with openbox here: "
            "`apt-get install xvfb openbox` brings them"
        )
    reader, writer = os.pipe()
    command = [
        "Xvfb", "-displayfd", str(writer), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24",
        "-fbdir", str(folder), "-nolisten", "tcp", "-noreset",
    ]  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "x.log").open("wb") as log:
        try:
            started.append(subprocess.Popen(command, pass_fds=[writer], stdout=log, stderr=log))
            os.close(writer)
            with os.fdopen(reader) as told:
                number = told.readline().strip()
            assert number, (folder / "x.log").read_text()
            environment = {**os.environ, "DISPLAY": f":{number}"}
            manager = ["openbox", "--sm-disable"]
            started.append(subprocess.Popen(manager, env=environment, stdout=log, stderr=log))
            screen = Desktop(number, folder)
            deadline = time.monotonic() + _DEADLINE_S
            while not screen.has_window_manager():
                assert time.monotonic() < deadline, (folder / "x.log").read_text()
                time.sleep(0.05)
            yield screen, started[0]
        finally:
            for process in reversed(started):
                process.kill()
                process.wait(10)
