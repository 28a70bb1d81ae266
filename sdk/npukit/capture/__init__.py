"""Sources of frames; one file per kind, found by its name."""

from __future__ import annotations

import os

from npukit.addresses import hide_password
from npukit.capture.base import Captured, Source
from npukit.errors import CaptureError
from npukit.plugins import Plugins

SOURCES: Plugins[Source] = Plugins(__name__, __path__, Source, "source")


def open_source(uri: str) -> Source:
    """Open a source.

    Args:
        uri: `KIND:REST` with the name of a kind (see `SOURCES.names()`), or what one of the
            kinds accepts as it is: the path of a video, of a picture, of a folder of pictures.

    Raises:
        CaptureError: nothing accepts it, or it cannot be opened.
    """
    kind, colon, rest = uri.partition(":")
    # A folder may have the name of a kind, such as images.
    if kind in SOURCES.names() and (colon or not os.path.exists(uri)):
        return SOURCES.get(kind).open(rest)
    for source in SOURCES.usable():
        if source.accepts(uri):
            return source.open(uri)
    if os.path.exists(uri):
        problem, hint = "no kind of source accepts it", "kinds: {}".format(SOURCES.summary())
    else:
        problem = "no such file or folder"
        hint = "paths are taken from {}; other kinds, as KIND:...: {}".format(
            os.getcwd(), ", ".join(SOURCES.names())
        )
    raise CaptureError(problem, where=hide_password(uri), hint=hint)


__all__ = ["SOURCES", "Captured", "Source", "open_source"]
