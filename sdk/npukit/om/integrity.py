"""The checksum of wrapped simulator builds: SHA-256, as hexadecimal text in the header's field.

It covers the whole file, the field itself taken as zeros. How the vendor's compilers fill the field
is not documented; the files seen leave it empty.
"""

from __future__ import annotations

import hashlib

from npukit.errors import OfflineModelError
from npukit.om.container import Header

_START, _END = 12, 76  # of the header's checksum


def digest(data: memoryview) -> bytes:
    """The checksum of a file's bytes."""
    whole = hashlib.sha256(data[:_START])
    whole.update(bytes(_END - _START))
    whole.update(data[_END:])
    return whole.hexdigest().encode("ascii")


def with_digest(data: bytes) -> bytes:
    """The file with its checksum in the header."""
    return data[:_START] + digest(memoryview(data)) + data[_END:]


def check_digest(data: memoryview, header: Header, where: str) -> None:
    """Refuse a file that was changed.

    Raises:
        OfflineModelError: the checksum is another.
    """
    if header.checksum != digest(data):
        raise OfflineModelError(
            "the simulator build's file is cut short or changed ({} bytes)".format(len(data)),
            where=where,
            hint="copy the file again, or make it anew",
        )
