"""Pieces of bundles by their SHA-256, so that only what changed travels."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from typing import List, Sequence

from .board_error import BoardError
from .files import sha256_of, write_file
from .layout import BoardPlace

MAX_PIECE = 1 << 20  # bytes


def _path(board: BoardPlace, sha256: str) -> str:
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BoardError("{!r} is no SHA-256".format(sha256))
    return os.path.join(board.store, sha256)


def missing(board: BoardPlace, pieces: Sequence[str]) -> List[str]:
    """Those of the pieces that are not there."""
    return [piece for piece in dict.fromkeys(pieces) if not os.path.isfile(_path(board, piece))]


def put(board: BoardPlace, sha256: str, packed: bytes) -> None:
    """Keep a piece that comes compressed by zlib.

    Raises:
        BoardError: it arrived damaged.
    """
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(packed, MAX_PIECE)
    except zlib.error:
        data = b""
    if inflate.unconsumed_tail or hashlib.sha256(data).hexdigest() != sha256:
        raise BoardError("a piece of the bundle arrived damaged", "flash again", "damaged")
    # Not waited for: what a power cut loses is found missing, or damaged, and sent again.
    write_file(_path(board, sha256), data, durable=False)


def assemble(board: BoardPlace, sha256: str, pieces: Sequence[str]) -> List[str]:
    """Put a bundle together in `incoming`.

    The pieces are those of the tar inside; it is wrapped as gzip without compressing again.

    Args:
        board: where.
        sha256: of the tar.
        pieces: their SHA-256, in order.

    Returns:
        The pieces that must be sent (again) before that, if any.

    Raises:
        BoardError: the pieces make up something else.
    """
    lacking = missing(board, pieces)
    for piece in dict.fromkeys(pieces):
        if piece not in lacking and sha256_of(_path(board, piece)) != piece:
            os.remove(_path(board, piece))
            lacking.append(piece)
    if lacking:
        return lacking
    path = bundle_path(board, sha256)
    digest = hashlib.sha256()
    with gzip.GzipFile(path + ".tmp", "wb", compresslevel=0, mtime=0) as file:
        for piece in pieces:
            with open(_path(board, piece), "rb") as part:
                data = part.read()
            digest.update(data)
            file.write(data)
    if digest.hexdigest() != sha256:
        os.remove(path + ".tmp")
        raise BoardError("the pieces do not make up the bundle", "flash again", "damaged")
    os.replace(path + ".tmp", path)
    return []


def bundle_path(board: BoardPlace, sha256: str) -> str:
    """Where a bundle is put together."""
    _path(board, sha256)
    return os.path.join(board.incoming, sha256 + ".bundle")


def collect_garbage(board: BoardPlace) -> None:
    """Forget the pieces that no release on the board came from, and bundles left over."""
    needed = set()
    for place in board.installed():
        for release in place.list():
            needed.update(place.facts(release).get("pieces", ()))
    for name in os.listdir(board.store):
        if name not in needed:
            os.remove(os.path.join(board.store, name))
    for name in os.listdir(board.incoming):
        os.remove(os.path.join(board.incoming, name))
