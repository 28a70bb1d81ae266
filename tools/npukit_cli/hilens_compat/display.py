"""Display: HDMI, RTMP and raw H.264 files, on npukit's sinks."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Tuple

from npukit.arrays import U8
from npukit.color import DEFAULT_COLOR
from npukit.display import Sink, open_sink
from npukit.errors import DisplayClosed, DisplayError, FrameError, NpukitError
from npukit.frame import Nv21Frame
from npukit_cli.hilens_compat import log, state
from npukit_cli.hilens_compat.codes import CreateError, HiLensEC
from npukit_cli.hilens_compat.settings import read_settings

HDMI, RTMP, H264_FILE = range(3)
_SMALLEST = 128
_H264_SUFFIXES = (".h264", ".264")
_on_hdmi: List[Sink] = []  # there is one connector
_opened: Dict[str, int] = {}  # how many displays a target had


class Display:
    """One output; the first frame fixes its size."""

    def __init__(self, t: int, path: Optional[str] = None) -> None:
        """Open HDMI, RTMP (path: address) or H264_FILE (path: file).

        Raises:
            CreateError: "failed to create Display"; the reason is logged.
        """
        self._size: Optional[Tuple[int, int]] = None
        self._count = 0
        try:
            self._sink = _open(t, path)
        except NpukitError as error:
            log.explain("Display: {}".format(error))
            raise CreateError("failed to create Display") from error
        state.on_close(self, _closing(self._sink))

    def show(self, frame: U8) -> int:
        """Show NV21 (H*3//2, W) uint8; 0, or an error code whose reason is logged."""
        try:
            shown = Nv21Frame.from_packed(frame.copy(), DEFAULT_COLOR)  # the script may reuse it
            self._check(shown.size)
            self._sink.show(shown, self._count / state.frame_rate())
        except DisplayClosed as error:
            log.explain(str(error))
            raise SystemExit(0) from error  # the user's wish, which `except Exception` lets pass
        except NpukitError as error:
            log.explain("Display.show: {}".format(error))
            wrong_frame = isinstance(error, FrameError)
            return int(HiLensEC.INVALID_SRC_SIZE if wrong_frame else HiLensEC.MPP_PROCESS_FAILED)
        self._count += 1
        state.count("frames shown")
        return int(HiLensEC.OK)

    def _check(self, size: Tuple[int, int]) -> None:
        if min(size) < _SMALLEST:
            raise FrameError("{} is smaller than {}x{}".format(size, _SMALLEST, _SMALLEST))
        self._size = self._size or size
        if size != self._size:
            raise FrameError("the first frame was {}, this one is {}".format(self._size, size))


def _open(t: int, path: Optional[str]) -> Sink:
    if t not in (HDMI, RTMP, H264_FILE):
        raise DisplayError("display type {!r}: HDMI, RTMP or H264_FILE".format(t))
    if t == HDMI and _on_hdmi:
        raise DisplayError("the HDMI output is in use: it takes one display at a time")
    if t != HDMI and not path:
        raise DisplayError("RTMP and H264_FILE need a path")
    sink = open_sink(_target(t, path or ""))
    if t == HDMI:
        _on_hdmi.append(sink)
    return sink


def _target(t: int, path: str) -> str:
    settings = read_settings()
    if settings.display:
        return _numbered(settings.display)
    if t == HDMI:
        return _numbered("hdmi:" + os.path.join(settings.out, "hdmi") + "/")
    if t == RTMP:
        return path if path.startswith("rtmp:") else "rtmp:" + path
    if not path.lower().endswith(_H264_SUFFIXES):
        path += _H264_SUFFIXES[0]
        log.explain("H264_FILE: written to {}".format(path))
    return "h264:" + path


def _numbered(target: str) -> str:
    """A file or folder of its own for each display that has this target."""
    number = _opened[target] = _opened.get(target, 0) + 1
    if number == 1 or "/" not in target or "://" in target:
        return target
    stem, suffix = os.path.splitext(target.rstrip("/"))
    return "{}-{}{}{}".format(stem, number, suffix, "/" if target.endswith("/") else "")


def _closing(sink: Sink) -> state.Close:
    def close(complete: bool) -> None:
        if sink in _on_hdmi:
            _on_hdmi.remove(sink)
        try:
            sink.close(complete)
        finally:
            for notice in sink.notices:
                log.explain(notice)

    return close
