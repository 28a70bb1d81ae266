"""A bundle in pieces, cut where files begin, so that only changed files travel."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from npukit_cli.deploy.onboard.store import MAX_PIECE

_BLOCK = 512  # bytes of a tar
_SIZE = slice(124, 136)


class Pieces(NamedTuple):
    """What to send.

    Attributes:
        sha256: of the whole tar.
        order: SHA-256 of the pieces, in order.
        content: of each piece.
    """

    sha256: str
    order: tuple[str, ...]
    content: dict[str, bytes]


def cut(bundle: bytes) -> Pieces:
    """Cut a bundle (gzip around tar)."""
    tar = gzip.decompress(bundle)
    order, content = [], {}
    for piece in _members(tar):
        name = hashlib.sha256(piece).hexdigest()
        order.append(name)
        content[name] = piece
    return Pieces(hashlib.sha256(tar).hexdigest(), tuple(order), content)


def _members(tar: bytes) -> Iterator[bytes]:
    """Each file with its header, in blocks of bounded size; the end is the last."""
    place = 0
    while tar[place : place + 1].strip(b"\0"):
        size = int(tar[place : place + _BLOCK][_SIZE].strip(b"\0 ") or b"0", 8)
        end = place + _BLOCK + -(-size // _BLOCK) * _BLOCK
        for start in range(place, end, MAX_PIECE):
            yield tar[start : min(start + MAX_PIECE, end)]
        place = end
    for start in range(place, len(tar), MAX_PIECE):
        yield tar[start : start + MAX_PIECE]
