"""Sinks for frames; one file per kind, found by its name."""

from __future__ import annotations

from npukit.addresses import hide_password
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.plugins import Plugins

SINKS: Plugins[Sink] = Plugins(__name__, __path__, Sink, "sink")


def open_sink(target: str) -> Sink:
    """Open a sink.

    Args:
        target: `KIND:REST` with the name of a kind (see `SINKS.names()`), a bare kind (`null`),
            or what one of the kinds accepts as it is: the path of a video or folder to write.

    Raises:
        DisplayError: nothing accepts it, or it cannot be opened.
    """
    kind, _, rest = target.partition(":")
    if kind in SINKS.names():
        return SINKS.get(kind).open(rest)
    for sink in SINKS.usable():
        if sink.accepts(target):
            return sink.open(target)
    raise DisplayError(
        "no kind of sink accepts it",
        where=hide_password(target),
        hint="a .mp4 file, a folder (with / at its end), or a kind: {}".format(SINKS.summary()),
    )


__all__ = ["SINKS", "Sink", "open_sink"]
