"""What a board takes: whole bundles. Everything else is refused, and nothing is written."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import forged, manifest_of, packed, part, strange

from npukit.om import write_wrapped
from npukit.runtime.build import SimulatorBuild, write_build
from npukit_cli.deploy.onboard import archive, bundle_files, contents, names, scratch, simulated
from npukit_cli.deploy.onboard.bundle_files import BundleError, unpack, verify

FILES = {"main.py": b"print()\n", "sub/data.bin": bytes(range(256)) * 3}
MANIFEST = json.dumps(manifest_of(FILES)).encode()
SMALL = forged(FILES)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Tries a bundle, asserts that it leaves nothing, and returns what is said."""

    def attempt(data: bytes, **wanted: Any) -> str:
        place = tmp_path / "place"
        place.mkdir()
        path = tmp_path / "given.skill"
        path.write_bytes(data)
        with pytest.raises(BundleError) as caught:
            unpack(str(path), str(place / "new"), **wanted)
        assert list(place.iterdir()) == []
        assert sorted(item.name for item in tmp_path.iterdir()) == ["given.skill", "place"]
        with pytest.raises(BundleError) as checked:
            verify(str(path), **wanted)
        assert str(checked.value) == str(caught.value)
        return str(caught.value)

    return attempt


def given_as_file(folder: Path, data: bytes) -> str:
    path = folder / "given.skill"
    path.write_bytes(data)
    return str(path)


# --- what is taken -------------------------------------------------------------------------------


def test_a_whole_bundle_is_unpacked(tmp_path: Path) -> None:
    path = given_as_file(tmp_path, SMALL)
    found = unpack(path, str(tmp_path / "new"), "ascend310", expected_board="hilens_kit")
    assert found == {**manifest_of(FILES), "signed_by": None}
    assert verify(path) == found
    written = {
        item.relative_to(tmp_path / "new").as_posix(): item.read_bytes()
        for item in (tmp_path / "new").rglob("*")
        if item.is_file()
    }
    assert written == {**FILES, "bundle.json": MANIFEST}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["given.skill", "new"]


def test_programs_stay_programs(tmp_path: Path) -> None:
    data = b"#!/bin/sh\n"
    manifest = manifest_of({"main.py": data, "run": data})
    manifest["files"]["run"]["executable"] = True
    parts = [part("bundle.json", json.dumps(manifest).encode()), part("main.py", data)]
    program = archive.header(archive.Entry("run", len(data), True)) + data + archive.padding(10)
    unpack(given_as_file(tmp_path, packed([*parts, program])), str(tmp_path / "new"))
    assert os.access(tmp_path / "new" / "run", os.X_OK)
    assert not os.access(tmp_path / "new" / "main.py", os.X_OK) or os.geteuid() == 0
    assert (tmp_path / "new" / "main.py").stat().st_mode & 0o111 == 0


def test_an_older_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("kept")
    with pytest.raises(BundleError, match="exists already"):
        unpack(given_as_file(tmp_path, SMALL), str(tmp_path / "new"))
    assert [item.name for item in (tmp_path / "new").iterdir()] == ["mine"]


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="exists already"):
        unpack(given_as_file(tmp_path, SMALL), str(tmp_path / "new"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- entries that are no plain files -------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (strange("out", tarfile.SYMTYPE, "/etc"), "a symbolic link 'out' -> '/etc'"),
        (strange("out", tarfile.SYMTYPE, "main.py"), "a symbolic link 'out' -> 'main.py'"),
        (strange("out", tarfile.LNKTYPE, "/etc/passwd"), "a hard link 'out' -> '/etc/passwd'"),
        (strange("null", tarfile.CHRTYPE), "a character device 'null'"),
        (strange("disk", tarfile.BLKTYPE), "a block device 'disk'"),
        (strange("pipe", tarfile.FIFOTYPE), "a FIFO 'pipe'"),
        (strange("sub", tarfile.DIRTYPE), "a folder 'sub/'"),
        (strange("x", tarfile.XHDTYPE), "an extended header"),
        (strange("x", tarfile.XGLTYPE), "an extended header"),
        (strange("x", tarfile.GNUTYPE_LONGNAME), "an extended name"),
        (strange("x", tarfile.GNUTYPE_LONGLINK), "an extended name"),
        (strange("x", tarfile.GNUTYPE_SPARSE), "a sparse file"),
        (strange("x", b"7"), "an entry of type '7'"),
        (strange("x", b"Z"), "an entry of type 'Z'"),
        (strange("x" * 150, b"0", form=tarfile.GNU_FORMAT), "an extended name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("place", ["first", "amid", "last"])
def test_what_is_no_plain_file(
    refused: Callable[..., str], entry: bytes, message: str, place: str
) -> None:
    parts = [part("bundle.json", MANIFEST), *(part(name, FILES[name]) for name in sorted(FILES))]
    parts.insert({"first": 0, "amid": 2, "last": 3}[place], entry)
    assert message in refused(packed(parts))


def test_the_archive_of_another_program(refused: Callable[..., str], tmp_path: Path) -> None:
    """With tar's own header the same files are refused: there is one canonical form."""
    other = tarfile.TarInfo("main.py")
    other.size, other.mtime = len(FILES["main.py"]), 1
    block = other.tobuf(tarfile.USTAR_FORMAT) + FILES["main.py"]
    parts = [part("bundle.json", MANIFEST), block.ljust(1024, b"\0")]
    assert "not of `npukit bundle`" in refused(packed(parts))


# --- names ---------------------------------------------------------------------------------------

WRONG_NAMES = {
    "../out": "leaves the folder",
    "sub/../../out": "leaves the folder",
    "sub/..": "leaves the folder",
    "..": "leaves the folder",
    "/etc/passwd": "is absolute",
    "//host/share": "is absolute",
    "sub//x": "has an empty part",
    "./x": "has an empty part",
    "sub/": "has an empty part",
    "a\\..\\b": "holds a backslash",
    "a\nb": "do not print",
    "a\x1b[2J": "do not print",
    "a\u202etxt.py": "do not print",  # right-to-left override
    "a\u200bb": "do not print",  # zero width
    "a\u00a0b": "do not print",  # a space that is none
    "\ufeffmain.py": "do not print",
    "e\u0301": "composed form",  # e and an accent of its own
    "\u212b": "composed form",  # angstrom sign for the letter
    "x ": "space at an end",
    " x": "space at an end",
    "sub./x": "dot at its end",
    "bundle.json": "collide",
    "bundle.json.sig": "collide",
    "BUNDLE.json": "collide",
    "MAIN.py": "collide",
    "ma\uff49n.py": "collide",  # full-width i
    "main.py/x": "is a file and a folder",
    "\u00e4" * 128: "more than 255 bytes",
}


@pytest.mark.parametrize("name", WRONG_NAMES, ids=ascii)
def test_a_name_that_is_not_safe(refused: Callable[..., str], name: str) -> None:
    files = {**FILES, name: b"evil"}
    manifest = json.dumps(manifest_of(files)).encode()
    assert WRONG_NAMES[name] in refused(packed([part("bundle.json", manifest)]))


@pytest.mark.parametrize("name", [name for name in WRONG_NAMES if "/" in name], ids=ascii)
def test_a_path_that_only_the_archive_has(refused: Callable[..., str], name: str) -> None:
    if WRONG_NAMES[name] == "is a file and a folder":
        assert "not in the manifest" in refused(forged(FILES, [part(name, b"evil")]))
    else:
        assert WRONG_NAMES[name] in refused(forged(FILES, [part(name, b"evil")]))


def test_a_name_that_is_no_utf_8(refused: Callable[..., str]) -> None:
    block = bytearray(part("abcd", b""))
    block[1] = 0xFF
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    assert "no UTF-8" in refused(forged(FILES, [bytes(block)]))


def test_names_of_other_languages_are_taken(tmp_path: Path) -> None:
    files = {**FILES, "背景/картина ü.jpg": b"\xff", "n" * 90 + "/" + "m" * 90: b"long"}
    unpack(given_as_file(tmp_path, forged(files)), str(tmp_path / "new"))
    for name, data in files.items():
        assert (tmp_path / "new" / name).read_bytes() == data


@given(st.text(max_size=40))
@settings(derandomize=True, max_examples=300)
def test_a_name_that_passes_stays_below_the_folder(name: str) -> None:
    try:
        names.check_names([name])
    except BundleError:
        return
    assert os.path.normpath(f"/a/b/{name}") == f"/a/b/{name}"


# --- sums, sizes, order --------------------------------------------------------------------------


def test_wrong_sums(refused: Callable[..., str]) -> None:
    changed = {**FILES, "sub/data.bin": bytes(768)}
    assert "SHA-256 of 'sub/data.bin' is wrong" in refused(forged(changed, text=MANIFEST))


def test_another_size(refused: Callable[..., str]) -> None:
    changed = {**FILES, "sub/data.bin": FILES["sub/data.bin"] + b"x"}
    assert "'sub/data.bin' is not as its manifest says" in refused(forged(changed, text=MANIFEST))


def test_a_program_that_is_none(refused: Callable[..., str]) -> None:
    program = archive.header(archive.Entry("main.py", 8, True)) + FILES["main.py"].ljust(512, b"\0")
    assert "size or mode" in refused(packed([part("bundle.json", MANIFEST), program]))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(refused: Callable[..., str], name: str) -> None:
    left = {key: data for key, data in FILES.items() if key != name}
    assert f"'{name}' is missing" in refused(forged(left, text=MANIFEST))


@pytest.mark.parametrize("name", ["added.py", "zzz"])
def test_an_extra_file(refused: Callable[..., str], name: str) -> None:
    text = refused(forged({**FILES, name: b""}, text=MANIFEST))
    assert f"'{name}' is not in the manifest" in text


def test_a_file_twice(refused: Callable[..., str]) -> None:
    again = part("main.py", FILES["main.py"])
    assert "'main.py' is there twice" in refused(forged(FILES, [again]))


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.sig"])
def test_a_second_manifest(refused: Callable[..., str], name: str) -> None:
    text = refused(forged(FILES, [part(name, MANIFEST)]))
    assert f"'{name}' is not in the manifest" in text


def test_the_manifest_comes_first(refused: Callable[..., str]) -> None:
    parts = [part("main.py", FILES["main.py"]), part("bundle.json", MANIFEST)]
    assert "begins with bundle.json" in refused(packed(parts))


def test_nothing_at_all(refused: Callable[..., str]) -> None:
    assert "begins with bundle.json" in refused(packed([]))


# --- bytes ---------------------------------------------------------------------------------------


def test_a_truncated_bundle_is_refused(tmp_path: Path) -> None:
    for length in (*range(0, len(SMALL), 5), *range(len(SMALL) - 24, len(SMALL))):
        path = given_as_file(tmp_path, SMALL[:length])
        with pytest.raises(BundleError):
            unpack(path, str(tmp_path / "new"))
    assert [item.name for item in tmp_path.iterdir()] == ["given.skill"]


def test_every_changed_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """A few bytes have no meaning, as the time in gzip's header; a match has several codes."""
    taken = 0
    for place in range(len(SMALL)):
        data = bytearray(SMALL)
        data[place] ^= 1 << place % 8
        path = given_as_file(tmp_path, bytes(data))
        try:
            found = verify(path)
        except BundleError:
            continue
        assert found == {**manifest_of(FILES), "signed_by": None}
        taken += 1
    assert taken <= 12


@given(st.binary(max_size=300))
@settings(derandomize=True, max_examples=200)
def test_any_bytes_in_an_archive(data: bytes) -> None:
    blocks = data.ljust(-(-len(data) // 512) * 512, b"\0")
    for content in (data, packed([blocks]), packed([part("bundle.json", data)])):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            with pytest.raises(BundleError):
                verify(file.name)


@pytest.mark.parametrize(
    "data",
    [
        SMALL + b"x",
        SMALL + SMALL,
        SMALL + gzip.compress(b""),
        packed([gzip.decompress(SMALL)], end=b""),
        packed([gzip.decompress(SMALL), b"\0"], end=b""),
        packed([gzip.decompress(SMALL), part("x", b"y")], end=b""),
    ],
    ids=["a byte", "a bundle", "an empty stream", "the same", "a zero", "a file"],
)
def test_bytes_after_the_end(refused: Callable[..., str], data: bytes, tmp_path: Path) -> None:
    if data == SMALL:
        verify(given_as_file(tmp_path, data))
    else:
        assert "hidden after the end" in refused(data)


def test_bytes_between_the_files(refused: Callable[..., str]) -> None:
    block = bytearray(part("main.py", FILES["main.py"]))
    block[-1] = 1
    parts = [part("bundle.json", MANIFEST), bytes(block)]
    assert "hidden after 'main.py'" in refused(packed(parts))


@pytest.mark.parametrize(
    "data", [b"", b"\x1f\x8b", b"PK\x03\x04" * 9, b"<!DOCTYPE html>", bytes(2000)],
    ids=["empty", "gzip", "zip", "page", "zeros"],
)  # fmt: skip
def test_another_kind_of_file(refused: Callable[..., str], data: bytes) -> None:
    assert refused(data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        verify(str(tmp_path / "nothing"))


# --- bombs ---------------------------------------------------------------------------------------


def test_a_manifest_of_any_size(refused: Callable[..., str]) -> None:
    bomb = archive.header(archive.Entry("bundle.json", 8**11 - 1))
    assert "allowed are 4194304" in refused(packed([bomb]))


def test_more_bytes_than_a_board_takes(refused: Callable[..., str]) -> None:
    manifest = manifest_of(FILES)
    manifest["files"]["sub/data.bin"]["size"] = 1 << 33
    text = json.dumps(manifest).encode()
    assert "allowed are 4294967296" in refused(packed([part("bundle.json", text)]))


def test_more_bytes_than_the_disk_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(BundleError, match="the disk has 10 bytes free"):
        unpack(given_as_file(tmp_path, SMALL), str(tmp_path / "new"))
    assert [item.name for item in tmp_path.iterdir()] == ["given.skill"]


def test_a_disk_that_fills_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_files.os, "sync", full)
    with pytest.raises(BundleError, match="No space left on device"):
        unpack(given_as_file(tmp_path, SMALL), str(tmp_path / "new"))
    assert [item.name for item in tmp_path.iterdir()] == ["given.skill"]


def test_a_header_that_says_more_than_the_manifest(refused: Callable[..., str]) -> None:
    parts = [part("bundle.json", MANIFEST), part("main.py", bytes(1 << 20), 1 << 32)]
    assert "'main.py' is not as its manifest says" in refused(packed(parts))


def test_memory_is_bounded(tmp_path: Path) -> None:
    """48 MiB of zeros in a file, and as many after the end: 100 KB when compressed."""
    data = bytes(48 << 20)
    files = {"main.py": b"", "zeros": data}
    whole = given_as_file(tmp_path, forged(files))
    tail = tmp_path / "tail.skill"
    tail.write_bytes(packed([gzip.decompress(SMALL), data], end=b""))
    tracemalloc.start()
    try:
        verify(whole)
        with pytest.raises(BundleError, match="hidden"):
            verify(str(tail))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 3_000_000, "cannot be read"),
        (b'{"format": ' + b"9" * 1_000_000 + b"}", "a number of 1000000 digits"),
        (b'{"format": 1e999}', "no whole number"),
        (b'{"format": NaN}', "no whole number"),
        (b'{"format": 1, "format": 1}', "twice: 'format'"),
        (b"\xff", "cannot be read"),
        (b"[]", "is no object"),
        (b"{}", "'format' is missing"),
        (b'{"format": true}', "'format' is no int"),
        (b'{"format": 2}', "of format 2"),
    ],
    ids=["deep", "digits", "infinite", "nan", "twice", "bytes", "list", "empty", "bool", "later"],
)
def test_a_manifest_that_is_none(refused: Callable[..., str], text: bytes, message: str) -> None:
    assert message in refused(forged(FILES, text=text))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "../x", "cannot be a part of a file name"),
        ("name", "", "cannot be a part of a file name"),
        ("version", "1/2", "cannot be a part of a file name"),
        ("version", "..", "cannot be a part of a file name"),
        ("board", "a\nb", "cannot be a part of a file name"),
        ("target", 3, "'target' is no str"),
        ("entry", "missing.py", "which is not in the bundle"),
        ("entry", "../main.py", "which is not in the bundle"),
        ("models", {"net": "missing.om"}, "which is not in the bundle"),
        ("models", {"net": ["main.py"]}, "which is not in the bundle"),
        ("requires", {"python": "3.7", "firmware": ""}, "'memory' is missing"),
        ("requires", {"python": "new", "firmware": "", "memory": 0}, "is no version"),
        ("requires", {"python": "3.7", "firmware": "x", "memory": 0}, "is no version"),
        ("requires", {"python": "3.7", "firmware": "", "memory": -1}, "is negative"),
        ("files", {}, "0 files"),
        ("files", {"main.py": {"size": 1}}, "'sha256' is missing"),
        ("files", {"main.py": {"size": -1, "sha256": "0" * 64}}, "wrong size"),
        ("files", {"main.py": {"size": True, "sha256": "0" * 64}}, "'size' is no int"),
        ("files", {"main.py": {"size": 1, "sha256": "0" * 63}}, "SHA-256"),
        ("files", {"main.py": {"size": 1, "sha256": "0" * 64, "mode": 7}}, "'mode' is unknown"),
        ("more", 1, "'more' is unknown"),
    ],
)  # fmt: skip
def test_a_wrong_field(
    refused: Callable[..., str], field: str, value: object, message: str
) -> None:
    assert message in refused(forged(FILES, **{field: value}))


# --- the board's own conditions ------------------------------------------------------------------


def test_another_target(refused: Callable[..., str]) -> None:
    text = refused(SMALL, expected_target="ascend310b")
    assert "for target ascend310, this is ascend310b" in text


def test_another_board_of_the_same_target(refused: Callable[..., str]) -> None:
    text = refused(SMALL, expected_target="ascend310", expected_board="atlas_200dk")
    assert "for board hilens_kit, this is atlas_200dk" in text


def test_another_file_than_was_sent(refused: Callable[..., str], tmp_path: Path) -> None:
    digest = hashlib.sha256(SMALL).hexdigest()
    verify(given_as_file(tmp_path, SMALL), sha256=digest)
    (tmp_path / "given.skill").unlink()
    text = refused(forged({**FILES, "main.py": b"other"}), sha256=digest)
    assert f"sent was {digest}" in text


@pytest.fixture(params=["bare", "wrapped"])
def simulator_build(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    path = tmp_path / "build"
    write = write_build if request.param == "bare" else write_wrapped
    write(str(path), SimulatorBuild("net", {}, (), b"onnx"))
    data = path.read_bytes()
    path.unlink()
    return data


def test_a_simulator_build_is_for_the_simulator_alone(
    refused: Callable[..., str], simulator_build: bytes, tmp_path: Path
) -> None:
    files = {**FILES, "net.om": simulator_build}
    verify(given_as_file(tmp_path, forged(files, target="simulator")), "simulator")
    (tmp_path / "given.skill").unlink()
    # Whether or not the manifest calls it a model.
    assert "'net.om' is a simulator build, which ascend310" in refused(forged(files))


def test_a_simulator_build_is_known_by_its_first_bytes(simulator_build: bytes) -> None:
    assert simulated.is_simulator_build(simulator_build[: simulated.HEAD])
    assert not simulated.is_simulator_build(b"")
    assert not simulated.is_simulator_build(b"IMOD" + bytes(252))


@pytest.mark.parametrize(
    ("texts", "order"),
    [(("1.9", "1.10"), -1), (("1.1", "1.1.0"), 0), (("2", "1.9.9"), 1), (("0", "0.0"), 0)],
)
def test_versions_are_compared_as_numbers(texts: tuple[str, str], order: int) -> None:
    one, other = map(contents.version_key, texts)
    assert (one > other) - (one < other) == order
