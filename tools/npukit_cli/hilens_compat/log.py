"""Logging as the vendor does it: a line on standard output, at most 255 characters."""

from __future__ import annotations

import os
import sys
import time
from typing import Set

TRACE, DEBUG, INFO, WARNING, ERROR, FATAL = range(6)
_NAMES = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL")
_LONGEST = 255

# One logger a process, as on the device.
_level = [INFO]
_open = [True]
_remarks: Set[str] = set()  # that were made


def set_log_level(level: int) -> None:
    """Show messages from this level on; INFO at first."""
    _level[0] = level


def open_logger(is_open: bool) -> None:
    """`init` opens the logger, `terminate` shuts it down: messages after it are lost."""
    _open[0] = is_open


def explain(message: str) -> None:
    """A line of the simulator's own, of any length: why a call failed."""
    sys.stdout.write("npukit: {}\n".format(message))
    sys.stdout.flush()


def explain_once(message: str) -> None:
    """The same, but only the first time."""
    if message not in _remarks:
        _remarks.add(message)
        explain(message)


def trace(message: str) -> None:
    """Log at TRACE."""
    _write(TRACE, message)


def debug(message: str) -> None:
    """Log at DEBUG."""
    _write(DEBUG, message)


def info(message: str) -> None:
    """Log at INFO."""
    _write(INFO, message)


def warning(message: str) -> None:
    """Log at WARNING."""
    _write(WARNING, message)


def error(message: str) -> None:
    """Log at ERROR."""
    _write(ERROR, message)


def fatal(message: str) -> None:
    """Log at FATAL."""
    _write(FATAL, message)


def _write(level: int, message: str) -> None:
    if not isinstance(message, str):
        raise TypeError("a log message is a str, not {!r}".format(message))
    # The device counts as C does: a Chinese character is three.
    if len(message.encode("utf-8", "replace")) > _LONGEST:
        sys.stdout.write("LOG_FUNCTION ERROR! LOG LENGTH NO MORE THAN 255!\n")
        return
    if "%" in message:
        explain_once("a log message holds a %, which the device may take for a printf format")
    if _open[0] and level >= _level[0]:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        sys.stdout.write("{} {} [{}] {}\n".format(stamp, os.getpid(), _NAMES[level], message))
        sys.stdout.flush()
