"""Bundles on the board: check one, and unpack it whole or not at all."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Dict, Iterator, NamedTuple, Optional, Tuple

from .archive import CHUNK, Archive, Entry
from .contents import MANIFEST, MAX_MANIFEST, MAX_SIGNATURE, SIGNATURE, parse_manifest
from .errors import BundleError, SignatureToolError
from .scratch import check_space, scratch, write
from .signatures import signer
from .simulated import HEAD, is_simulator_build

__all__ = [
    "BundleError",
    "Opened",
    "SignatureToolError",
    "Wanted",
    "files",
    "opened",
    "unpack",
    "verify",
]

SIMULATOR = "simulator"  # the target that takes simulator builds


class Wanted(NamedTuple):
    """What a bundle must be to be taken; None asks for nothing."""

    target: Optional[str] = None
    allowed_signers: Optional[str] = None
    sha256: Optional[str] = None
    board: Optional[str] = None


class Opened(NamedTuple):
    """A bundle whose manifest and signature are checked, and whose files come next.

    Attributes:
        first: header of the first of them.
        raw: the bytes of the manifest, and of the signature where there is one.
    """

    archive: Archive
    manifest: Dict[str, Any]
    signed_by: Optional[str]
    first: Optional[Entry]
    raw: Dict[str, bytes]


def verify(
    path: str,
    expected_target: Optional[str] = None,
    allowed_signers: Optional[str] = None,
    sha256: Optional[str] = None,
    expected_board: Optional[str] = None,
) -> Dict[str, Any]:
    """Check a bundle from its first to its last byte; nothing is written.

    Args:
        path: of the bundle.
        expected_target: target of this board; None takes any.
        allowed_signers: file of the keys whose bundles are taken; None asks for no signature.
        sha256: of the whole file, as the sender said over a channel that is trusted.
        expected_board: name of this board; None takes any.

    Returns:
        The manifest (`contents.FIELDS`), and `signed_by`: the signer's name in
        `allowed_signers`, None where no signature was asked for.

    Raises:
        SignatureToolError: a signature is asked for, and cannot be checked here.
        BundleError: the bundle is damaged, forged, not for this board, or not allowed.
    """
    with opened(path, Wanted(expected_target, allowed_signers, sha256, expected_board)) as found:
        for _, chunks in files(found):
            for _ in chunks:
                pass
    return dict(found.manifest, signed_by=found.signed_by)


def unpack(
    path: str,
    folder: str,
    expected_target: Optional[str] = None,
    allowed_signers: Optional[str] = None,
    sha256: Optional[str] = None,
    expected_board: Optional[str] = None,
) -> Dict[str, Any]:
    """Check a bundle and put its files into a new folder, which appears only when complete.

    Args:
        path: of the bundle.
        folder: to be made; its parent exists.
        expected_target: see `verify`; so are the others.

    Returns:
        See `verify`.

    Raises:
        SignatureToolError: see `verify`.
        BundleError: see `verify`; or `folder` exists, the disk is full, or it cannot be written.
            Nothing stays behind.
    """
    if os.path.lexists(folder):
        raise BundleError("{} exists already: nothing is overwritten".format(folder))
    wanted = Wanted(expected_target, allowed_signers, sha256, expected_board)
    with opened(path, wanted) as found:
        try:
            with scratch(folder) as inside:
                check_space(inside, found.manifest)
                for entry, chunks in files(found):
                    write(os.path.join(inside, *entry.name.split("/")), chunks, entry.executable)
                for name, text in found.raw.items():
                    write(os.path.join(inside, name), iter((text,)))
                # Content before name: a power cut leaves no half folder. One call for all files
                # takes a tenth of the time of one for each.
                os.sync()
                os.rename(inside, folder)
        except OSError as error:
            raise BundleError(
                "cannot be unpacked to {}: {}".format(folder, error.strerror or error)
            ) from error
    return dict(found.manifest, signed_by=found.signed_by)


@contextmanager
def opened(path: str, wanted: Wanted) -> Iterator[Opened]:
    """Open a bundle and judge its manifest and signature; see `verify` for what is raised."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise BundleError("{} cannot be read: {}".format(path, error.strerror)) from error
        if wanted.sha256 is not None:
            _check_sum(file, wanted.sha256)
        yield _begin(Archive(file), wanted)


def _check_sum(file: BinaryIO, expected: str) -> None:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK), b""):
        digest.update(chunk)
    file.seek(0)
    if digest.hexdigest() != expected:
        raise BundleError(
            "the file's SHA-256 is {}, sent was {}".format(digest.hexdigest(), expected),
            "it was changed or cut on its way: send it again",
        )


def _begin(archive: Archive, wanted: Wanted) -> Opened:
    """Read the manifest and the signature, and judge by them before any file is looked at."""
    entry = archive.next()
    if entry is None or entry.name != MANIFEST:
        raise BundleError("a bundle begins with {}".format(MANIFEST))
    raw = {MANIFEST: _small(archive, entry, MAX_MANIFEST)}
    entry = archive.next()
    if entry is not None and entry.name == SIGNATURE:
        raw[SIGNATURE] = _small(archive, entry, MAX_SIGNATURE)
        entry = archive.next()
    signed_by = None
    if wanted.allowed_signers is not None:
        if SIGNATURE not in raw:
            raise BundleError(
                "the bundle is not signed, and this board takes signed bundles only",
                "sign it: npukit bundle --sign KEY",
            )
        signed_by = signer(raw[MANIFEST], raw[SIGNATURE], wanted.allowed_signers)
    manifest = parse_manifest(raw[MANIFEST])
    for what, expected in (("target", wanted.target), ("board", wanted.board)):
        if expected is not None and manifest[what] != expected:
            raise BundleError(
                "the bundle is for {} {}, this is {}".format(what, manifest[what], expected),
                "make it for this board: npukit bundle --board NAME",
            )
    return Opened(archive, manifest, signed_by, entry, raw)


def _small(archive: Archive, entry: Entry, limit: int) -> bytes:
    if entry.size > limit:
        raise BundleError("{} has {} bytes, allowed are {}".format(entry.name, entry.size, limit))
    return b"".join(archive.content(entry))


def files(found: Opened) -> Iterator[Tuple[Entry, Iterator[bytes]]]:
    """Each file with its content, which must be used up; checked against the manifest.

    Raises:
        BundleError: a file is missing, too many, out of place or not what the manifest says; a
            simulator build for a real target; bytes after the end.
    """
    expected = found.manifest["files"]
    names = sorted(expected)
    entry = found.first
    for name in names:
        if entry is None:
            raise BundleError("the file {!a} is missing".format(name))
        item = expected[name]
        if entry.name != name:
            raise BundleError(_misplaced(entry.name, name, expected))
        if (entry.size, entry.executable) != (item["size"], item.get("executable", False)):
            raise BundleError("{!a} is not as its manifest says: size or mode".format(name))
        yield entry, _checked(found, entry, item["sha256"])
        entry = found.archive.next()
    if entry is not None:
        raise BundleError(_misplaced(entry.name, "", expected))


def _misplaced(name: str, expected: str, known: Dict[str, Any]) -> str:
    if name not in known:
        return "the file {!a} is not in the manifest".format(name)
    if not expected or name < expected:
        return "the file {!a} is there twice, or out of order".format(name)
    return "the file {!a} is missing".format(expected)


def _checked(found: Opened, entry: Entry, sha256: str) -> Iterator[bytes]:
    digest, head = hashlib.sha256(), b""
    for chunk in found.archive.content(entry):
        digest.update(chunk)
        head += chunk[: HEAD - len(head)]
        yield chunk
    if digest.hexdigest() != sha256:
        raise BundleError("the SHA-256 of {!a} is wrong".format(entry.name), "copy it again")
    if found.manifest["target"] != SIMULATOR and is_simulator_build(head):
        raise BundleError(
            "{!a} is a simulator build, which {} cannot execute".format(
                entry.name, found.manifest["target"]
            ),
            "put the vendor's offline model in its place",
        )
