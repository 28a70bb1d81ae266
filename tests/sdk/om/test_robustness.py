"""Damaged offline models: refused with a typed error, soon and in little memory, whatever is wrong.

`make test` takes a sample; `make fuzz` (NPUKIT_FUZZ=all) every truncation and 20,000 mutants of
each file.
"""

from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from support import om_files

from npukit.errors import ModelError, OfflineModelError
from npukit.om import OmFile, parse_om, wire
from npukit.om.container import SIMULATOR
from npukit.om.integrity import with_digest
from npukit.om.wrapping import build_of

ALL = os.environ.get("NPUKIT_FUZZ") == "all"
MUTANTS = 20_000 if ALL else 250
SLOWEST = 5.0  # seconds of processor time for one file; an ordinary one takes 0.02
HEADER, ROW = 256, struct.Struct("<III")


def read(data: bytes) -> OmFile:
    """All that a caller would ask of a file."""
    om = parse_om(memoryview(data), "net.om")
    om.inputs(), om.outputs(), om.number("memory_size"), om.text("target_type")
    assert sum(len(content) for _, _, content in om.constants()) >= 0
    if om.wraps_simulator_build:
        build_of(om)
    return om


def survives(data: bytes) -> bool:
    """Whether it is read; otherwise it was refused with a typed error, and in time."""
    before, error = time.process_time(), None
    try:
        read(data)
    except ModelError as refusal:
        error = refusal
    assert time.process_time() - before < SLOWEST
    assert error is None or error.where == "net.om"
    return error is None


def lengths(start: int, end: int, sample: int, step: int = 1) -> range:
    """Every `step`-th length, or about `sample` of them."""
    return range(start, end, step if ALL else max(1, (end - start) // sample))


def test_whole_files_are_read(any_om: bytes) -> None:
    assert survives(any_om)


def test_every_truncation_is_refused(any_om: bytes) -> None:
    for length in [*lengths(0, len(any_om), 500), *range(400), len(any_om) - 1]:
        with pytest.raises(OfflineModelError):
            read(any_om[:length])


@pytest.fixture(params=["real", "version-1", "version-2", "wrapped"])
def seed_file(request: pytest.FixtureRequest) -> bytes:
    """A file whose partitions are in a table of 32-bit numbers."""
    if request.param in ("real", "wrapped"):
        found: bytes = request.getfixturevalue(request.param)
        return found
    version = om_files.VERSION_1 if request.param == "version-1" else om_files.VERSION_2
    return om_files.tiny(version, aipp=True)


def patched(data: bytes, length: int) -> bytes:
    """The first bytes of a file, with header and table as if it had been written that short."""
    cut = bytearray(data[:length])
    (count,) = struct.unpack_from("<I", cut, HEADER)
    base = HEADER + 4 + 12 * count
    for at in range(HEADER + 4, base, 12):
        kind, offset, size = ROW.unpack_from(cut, at)
        left = max(0, length - base - offset)
        ROW.pack_into(cut, at, kind, min(offset, length - base), min(size, left))
    struct.pack_into("<I", cut, 76, length - HEADER)
    return bytes(cut) if b"simulator" not in cut[156:180] else with_digest(bytes(cut))


def test_a_truncation_that_the_lengths_hide_reaches_the_parser(seed_file: bytes) -> None:
    whole = read(seed_file)
    (count,) = struct.unpack_from("<I", seed_file, HEADER)
    base = HEADER + 4 + 12 * count
    parts = {part.type: part for part in whole.partitions}
    end = (
        base
        + parts[1].offset
        + max(desc.data_offset + desc.weight_size for _, desc, _ in whole.constants())
    )
    definition = base + len(parts[0].data)
    # Within the weights only the comparison with their end differs from length to length.
    for length in [
        *lengths(base + 1, definition, 200),
        *lengths(definition, end, 200, 32),
        end - 1,
    ]:
        with pytest.raises(ModelError):
            read(patched(seed_file, length))
    assert survives(patched(seed_file, len(seed_file)))


def mutant(whole: bytes, seed: int) -> bytes:
    """The file with one to four changes, most of them in header, table and definition."""
    pick = random.Random(seed)
    changed = bytearray(whole)
    definition = min(len(whole), HEADER + 40 + struct.unpack_from("<I", whole, HEADER + 12)[0])
    for _ in range(pick.randint(1, 4)):
        end = pick.choice([HEADER, HEADER + 44, definition, definition, definition, len(whole)])
        at = pick.randrange(min(end, len(changed)))
        size = pick.choice([1, 1, 2, 4, 8, 64])
        CHANGES[pick.randrange(len(CHANGES))](changed, at, size, pick)
        if not changed:
            break
    if len(changed) > HEADER and pick.random() < 0.8:  # so that the length hides the change
        struct.pack_into("<I", changed, 76, len(changed) - HEADER)
    data = bytes(changed)
    return with_digest(data) if SIMULATOR.encode() in data[156:180] else data


def flip(data: bytearray, at: int, _: int, pick: random.Random) -> None:
    data[at] ^= 1 << pick.randrange(8)


def overwrite(data: bytearray, at: int, size: int, pick: random.Random) -> None:
    data[at : at + size] = pick.choice([b"\0", b"\xff", b"\x80", b"\x7f", pick.randbytes(1)]) * size


def insert(data: bytearray, at: int, size: int, pick: random.Random) -> None:
    data[at:at] = pick.randbytes(size)


def delete(data: bytearray, at: int, size: int, _: random.Random) -> None:
    del data[at : at + size]


def repeat(data: bytearray, at: int, size: int, _: random.Random) -> None:
    data[at:at] = data[at : at + size] * 3


def move(data: bytearray, at: int, size: int, pick: random.Random) -> None:
    other = pick.randrange(len(data))
    data[at : at + size] = data[other : other + size]


CHANGES: list[Callable[[bytearray, int, int, random.Random], None]] = [
    flip, flip, overwrite, overwrite, insert, delete, repeat, move,
]  # fmt: skip


def test_mutants_are_read_or_refused(seed_file: bytes) -> None:
    outcomes = [survives(mutant(seed_file, seed)) for seed in range(MUTANTS)]
    # Both happen: some changes do no harm, and the parser behind the lengths is reached.
    assert 0 < sum(outcomes) < len(outcomes)


# --- memory ---


def repeated(content: bytes, size: int = 60_000) -> bytes:
    return content * (size // len(content))


def graph(content: bytes) -> bytes:
    return b"".join(wire.put_bytes(7, content))


@pytest.mark.parametrize(
    "definition",
    [
        repeated(b"\x3a\x00"),
        graph(repeated(b"\x32\x00")),
        graph(repeated(b"\x22\x00")),
        graph(b"".join(wire.put_bytes(6, repeated(b"\x8a\x02\x00")))),
        graph(b"".join(wire.put_bytes(6, *wire.put_bytes(29, repeated(b"\xff\xff\x7f"))))),
        b"".join(wire.put_bytes(11, *wire.put_bytes(2, *wire.put_bytes(1, repeated(b"\x42\x00"))))),
        b"".join(
            part
            for index in range(6000)
            for part in wire.put_bytes(11, b"\x0a\x04", b"%04d" % index)
        ),
    ],
    ids=["graphs", "operators", "texts", "descriptors", "numbers", "list", "attributes"],
)  # fmt: skip
def test_memory_is_proportional_to_the_file(definition: bytes) -> None:
    data = om_files.container({0: definition})
    tracemalloc.start()
    try:
        survives(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * len(data) + 100_000


@pytest.mark.parametrize("number", [2**31, 2**32 - 1, 2**62, 2**64 - 1])
def test_a_length_that_is_a_lie_costs_nothing(number: int) -> None:
    lies = [
        wire.varint(7 << 3 | 2) + wire.varint(number),
        wire.varint(3 << 3 | 2) + wire.varint(number),
    ]
    tracemalloc.start()
    try:
        for lie in lies:
            assert not survives(om_files.container({0: lie}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
