"""What one script's process has open and has counted; the launcher closes and tells it."""

from __future__ import annotations

import weakref
from typing import Any, Callable, Dict, List

from npukit_cli.hilens_compat import log

Close = Callable[[bool], None]

_counts: Dict[str, int] = {}
_closes: List[Close] = []
_failures: List[Exception] = []
_frame_rate = [30.0]


def count(what: str) -> None:
    """One more of something."""
    _counts[what] = _counts.get(what, 0) + 1


def counts() -> Dict[str, int]:
    """What was counted."""
    return dict(_counts)


def set_frame_rate(fps: float) -> None:
    """The rate of the source that was opened last, which displays write with."""
    _frame_rate[0] = fps


def frame_rate() -> float:
    """Frames a second."""
    return _frame_rate[0]


def on_close(owner: Any, close: Close) -> None:
    """Have something closed when the script lets go of its owner, at the latest at the end.

    Args:
        owner: the script's object; `close` must not refer to it.
        close: is told whether the script ran through.
    """
    _closes.append(close)
    weakref.finalize(owner, _close, close, True).atexit = False


def close_all(complete: bool) -> int:
    """Close everything, the latest first; how often that failed in this process."""
    while _closes:
        _close(_closes[-1], complete)
    return len(_failures)


def _close(close: Close, complete: bool) -> None:
    if close not in _closes:
        return
    _closes.remove(close)
    try:
        close(complete)
    except Exception as error:  # noqa: BLE001 - the others are closed all the same
        log.explain("closing: {}".format(error))
        _failures.append(error)
