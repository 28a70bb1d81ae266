"""Passwords are hidden in addresses; what is no address stays as it is."""

from __future__ import annotations

import pytest

from npukit.addresses import hide_password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@host:554/x?channel=1#timeout=3", "rtsp://***@host:554/x?channel=1#timeout=3"),
        ("rtsp://u@host/x", "rtsp://***@host/x"),
        ("rtsp:rtsp://u:p@host/x", "rtsp:rtsp://***@host/x"),
        ("//u:p@host/x", "//***@host/x"),
        ("--camera=rtsp://u:p@host/x", "--camera=rtsp://***@host/x"),
        ("hilens:rtsp://u:p@host/x,640x480", "hilens:rtsp://***@host/x,640x480"),
        # Characters that should have been quoted.
        ("rtsp://u:p/q@host/x", "rtsp://***@host/x"),
        ("rtsp://u:p#q?r s@t@host/x", "rtsp://***@host/x"),
        ("rtsp://u:p\nq@host/x", "rtsp://***@host/x"),
        # Credentials in the query or path, and keys of streams.
        ("rtsp://h/x?user=a&password=b&c=1", "rtsp://h/x?user=a&password=***&c=1"),
        ("rtsp://h/user=a_passwd=b_c=1/x", "rtsp://h/user=a_passwd=***/x"),
        ("srt://h/app/x?streamkey=b&Token=c", "srt://h/app/x?streamkey=***&Token=***"),
        ("rtmp://h/app/key", "rtmp://h/app/***"),
        ("--display=rtmp://h:1/app/key", "--display=rtmp://h:1/app/***"),
        ("rtmp:rtmp://u:p@h/app/key?x=1", "rtmp:rtmp://***@h/app/***"),
        ("rtmps://u:p@q/r/s@h/app/key", "rtmps://***"),  # s@h may be part of the key
        # No addresses, or nothing to hide.
        ("rtsp://host/x", "rtsp://host/x"),
        ("clip@home.mp4", "clip@home.mp4"),
        ("/data//me@home.mp4", "/data//me@home.mp4"),
        ("camera:0,fps=30", "camera:0,fps=30"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert hide_password(text) == shown
