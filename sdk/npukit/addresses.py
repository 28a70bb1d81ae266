"""Addresses of sources and sinks, as they may be shown: without passwords."""

from __future__ import annotations

import re

_SHOWN = "***"
_START = re.compile(r"(?:^|:)//")
# RTMP: //host/application/key, where the key is the password.
_PUBLISHED = re.compile(
    r"(?P<place>(?P<scheme>(?<![a-z])rtmps?://)[^/]*/(?:[^/@]+/)?)", re.IGNORECASE
)
# Cameras take credentials in the path or query too: ?user=a&password=b, /user=a_password=b_x
_SECRET = re.compile(r"(pass\w*?|pwd|token|secret|\w*key|auth)=[^&/;#]*", re.IGNORECASE)


def hide_password(text: str) -> str:
    """An address without user, password and tokens; rather too much is hidden than too little.

    Everything from `//` to the last `@` goes, so that a password with characters that have no
    place in an address (`/`, `#`, a space) is hidden as well.

    Args:
        text: one address, or anything else, which stays as it is.
    """
    published = _PUBLISHED.search(text)
    if published is not None:
        # A further @ belongs to the key or to a password: only the scheme is surely neither.
        end = published.end("place" if "@" not in text[published.end() :] else "scheme")
        text = text[:end] + _SHOWN
    start = _START.search(text)
    if start is None:
        return text
    head, rest = text[: start.end()], text[start.end() :]
    _, at, shown = rest.rpartition("@")
    return head + (_SHOWN + at if at else "") + _SECRET.sub(r"\1=" + _SHOWN, shown)
