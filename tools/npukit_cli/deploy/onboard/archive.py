"""The archive of a bundle: gzip around tar, of plain files in one canonical form.

Python's tarfile reads much more (links, devices, extended headers of any length), of which every
kind is a way to attack. Here a header must equal, byte for byte, the one that `header` makes.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Iterator, NamedTuple, Optional

from .errors import BundleError
from .names import check_name

BLOCK = 512
END = bytes(2 * BLOCK)
CHUNK = 1 << 16  # bytes: what is held in memory at a time
MAX_SIZE = 8**11 - 1  # bytes of a file: what the header's field holds

# POSIX.1-1988 (ustar): name, mode, uid, gid, size, mtime, checksum, type, link, magic, version,
# user, group, major, minor, prefix.
_USTAR = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_CHECKSUM = slice(148, 156)
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a FIFO",
    b"x": "an extended header",
    b"g": "an extended header",
    b"L": "an extended name",
    b"K": "an extended name",
    b"S": "a sparse file",
}


class Entry(NamedTuple):
    """The header of a file: path, size in bytes, whether it is a program."""

    name: str
    size: int
    executable: bool = False


def header(entry: Entry) -> bytes:
    """The 512 bytes before a file's content: no owner, no time.

    Raises:
        BundleError: the name or the file is too long.
    """
    name, prefix = _split(entry.name)
    if entry.size > MAX_SIZE:
        raise BundleError("{!a} has more than {} bytes".format(entry.name, MAX_SIZE))
    mode = b"0000755\0" if entry.executable else b"0000644\0"
    fields = _USTAR.pack(
        name, mode, b"0000000\0", b"0000000\0", b"%011o\0" % entry.size, b"00000000000\0",
        b" " * 8, b"0", b"", b"ustar\0", b"00", b"", b"", b"", b"", prefix,
    )  # fmt: skip
    checksum = b"%06o\0 " % sum(fields)
    return fields[: _CHECKSUM.start] + checksum + fields[_CHECKSUM.stop :]


def padding(size: int) -> bytes:
    """The zeros after a file's content."""
    return bytes(-size % BLOCK)


class Archive:
    """Reads a bundle from its beginning to its end, in bounded memory.

    Every method raises BundleError where the bytes are not those of a whole, canonical bundle.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(wbits=31)  # gzip, with its checksum
        self._pending = b""

    def next(self) -> Optional[Entry]:
        """The next file's header, None at the end."""
        block = self._read(BLOCK)
        if block == bytes(BLOCK):
            self._finish()
            return None
        return _parse(block)

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The content of the file whose header was read last, in chunks; to be used up."""
        left = entry.size
        while left:
            chunk = self._more(min(left, CHUNK))
            if not chunk:
                raise _cut_short()
            left -= len(chunk)
            yield chunk
        rest = padding(entry.size)
        if self._read(len(rest)) != rest:
            raise BundleError("bytes are hidden after {!a}".format(entry.name))

    def _finish(self) -> None:
        if self._read(BLOCK) != bytes(BLOCK):
            raise BundleError("the end of the archive is damaged")
        if self._more(1) or self._inflate.unused_data or self._pending or self._file.read(1):
            raise BundleError("bytes are hidden after the end of the archive")

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            chunk = self._more(size - len(found))
            if not chunk:
                raise _cut_short()
            found += chunk
        return found

    def _more(self, limit: int) -> bytes:
        """Up to `limit` bytes, none only where the compressed stream ends."""
        while not self._inflate.eof:
            try:
                found = self._inflate.decompress(self._pending, limit)
            except zlib.error as error:
                raise BundleError(
                    "the file is no bundle, or damaged: {}".format(error), "copy the file again"
                ) from error
            self._pending = self._inflate.unconsumed_tail
            if found:
                return found
            if not self._pending and not self._inflate.eof:
                self._pending = self._file.read(CHUNK)
                if not self._pending:
                    raise _cut_short()
        return b""


def _parse(block: bytes) -> Entry:
    (name, mode, _, _, size, _, checksum, kind, link, magic, _, _, _, _, _, prefix) = _USTAR.unpack(
        block
    )
    blank = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    if checksum != b"%06o\0 " % sum(blank) or not magic.startswith(b"ustar"):
        raise BundleError("a file's header is damaged, or not of `npukit bundle`")
    path = name.rstrip(b"\0")
    if prefix.rstrip(b"\0"):
        path = prefix.rstrip(b"\0") + b"/" + path
    if kind != b"0":
        target = link.rstrip(b"\0")
        raise BundleError(
            "holds {} {!a}{}".format(
                _KINDS.get(kind, "an entry of type {!a}".format(kind.decode("latin-1"))),
                path.decode("utf-8", "replace"),
                " -> {!a}".format(target.decode("utf-8", "replace")) if target else "",
            ),
            "a bundle holds plain files only",
        )
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError("the file name {!a} is no UTF-8".format(path)) from None
    check_name(text)
    digits = size.rstrip(b"\0")
    if not digits or digits.strip(b"01234567"):
        raise BundleError("the size of {!a} is damaged".format(text))
    entry = Entry(text, int(digits, 8), mode.startswith(b"0000755"))
    if header(entry) != block:
        raise BundleError(
            "the header of {!a} is not of `npukit bundle`".format(text),
            "make the bundle with `npukit bundle`, not with tar",
        )
    return entry


def _split(name: str) -> "tuple[bytes, bytes]":
    """The path in the header's two fields: 100 bytes, and up to 155 of the folders before."""
    path = name.encode("utf-8")
    if len(path) <= 100:
        return path, b""
    for place, byte in enumerate(path):
        if byte == ord("/") and place <= 155 and len(path) - place - 1 <= 100:
            return path[place + 1 :], path[:place]
    raise BundleError("the file name {!a} is too long for a bundle".format(name))


def _cut_short() -> BundleError:
    return BundleError("the file is cut short", "copy it again")
