"""The container of an offline model: a header of 256 bytes, a table, the partitions.

Little-endian. Sources: GE's `inc/framework/common/types.h` (1.3.0), Netron's source/om.js, and a
compiled file. The table's numbers are 32-bit, in large files 64-bit; offsets count from its end.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from npukit.errors import OfflineModelError

MAGIC = b"IMOD"
SVP_MAGIC = b"PICO"
HEADER_SIZE = 256
VERSION_1, VERSION_2 = 0x10000000, 0x20000000
SIMULATOR = "simulator"  # the platform of a wrapped simulator build

MODEL_DEF, WEIGHTS = 0, 1
PARTITIONS: Mapping[int, str] = {
    MODEL_DEF: "MODEL_DEF", WEIGHTS: "WEIGHTS_DATA", 2: "TASK_INFO", 3: "TBE_KERNELS",
    4: "CUST_AICPU_KERNELS", 5: "SO_BINS", 6: "FLOW_MODEL", 7: "FLOW_SUBMODEL",
    8: "MODEL_INOUT_INFO", 9: "STATIC_TASK_DESC", 10: "DYNAMIC_TASK_DESC", 11: "TASK_PARAM",
    12: "TILING_DATA", 20: "PRE_MODEL_DESC", 21: "PRE_MODEL_SQE", 22: "PRE_KERNEL_ARGS",
    23: "PRE_MODEL_DESC_EXTEND", 24: "BUNDLE_MODEL_INFO",
}  # fmt: skip
_TYPES = 32

# magic, headsize, version, checksum, length, is_encrypt, is_checksum, modeltype, genmode, name,
# ops, userdefineinfo, om_ir_version
_FIRST = struct.Struct("<4sII64sIBBBB32sI32sI")
# platform_version, platform_type, padding, model_length, need_check_os_cpu, is_unknow_model
_REST = struct.Struct("<20sB3xQBB")


class Header(NamedTuple):
    """The first 256 bytes.

    Attributes:
        version: 0x10000000, or 0x20000000 with a count of models.
        length: bytes after the header, as the file says.
        model_type: 0 IR, 1 standard, 2 tiny.
        platform: version of the compiler's platform, or "simulator".
    """

    name: str
    platform: str
    version: int = VERSION_1
    size: int = HEADER_SIZE
    checksum: bytes = bytes(64)
    length: int = 0
    encrypted: bool = False
    has_checksum: bool = False
    model_type: int = 0
    operators: int = 0
    ir_version: int = 2
    models: int = 1
    platform_type: int = 0
    model_length: int = 0
    dynamic: bool = False


class Partition(NamedTuple):
    """A part of the file; `data` is a slice of it, not a copy."""

    type: int
    offset: int
    data: memoryview

    @property
    def name(self) -> str:
        """The type's name."""
        return PARTITIONS.get(self.type, "type {}".format(self.type))


def parse_header(data: memoryview, where: str) -> Header:
    """Read the header, and check that the file is as long as it says.

    Raises:
        OfflineModelError: another kind of file, or one that was cut.
    """
    magic = bytes(data[:4])
    if magic == SVP_MAGIC:
        raise OfflineModelError(
            "an offline model of the SVP family (signature PICO), not of Ascend 310",
            where=where,
            hint="it runs on the cameras it was compiled for; compile the network for Ascend",
        )
    if magic != MAGIC:
        raise OfflineModelError(
            "not an offline model: it begins with {!r}, not {!r}".format(magic, MAGIC),
            where=where,
            hint="a Git LFS pointer has to be fetched, a compressed download unpacked",
        )
    if len(data) < HEADER_SIZE:
        raise _cut("{} bytes, the header alone has {}".format(len(data), HEADER_SIZE), where)
    (_, size, version, checksum, length, encrypted, has_checksum, model_type, _, name,
     operators, _, ir_version) = _FIRST.unpack_from(data)  # fmt: skip
    at, models = _FIRST.size, 1
    if version >= VERSION_2:
        (models,) = struct.unpack_from("<I", data, at)
        at += 4
    platform, platform_type, model_length, _, dynamic = _REST.unpack_from(data, at)
    if not HEADER_SIZE <= size < len(data):
        raise _cut("the header has {} of {} bytes".format(size, len(data)), where)
    rest = len(data) - size
    if rest not in (length, model_length) and rest & 0xFFFFFFFF != length:
        raise _cut("{} bytes after the header, it says {}".format(rest, length), where)
    return Header(
        _text(name), _text(platform), version, size, checksum, length, bool(encrypted),
        bool(has_checksum), model_type, operators, ir_version, models, platform_type,
        model_length, bool(dynamic),
    )  # fmt: skip


def parse_partitions(data: memoryview, header: Header, where: str) -> Tuple[Partition, ...]:
    """Read the table; its numbers are 32-bit, else 64-bit.

    Raises:
        OfflineModelError: neither table fits the file.
    """
    reasons: List[str] = []
    for word in (4, 8):
        try:
            return _table(data, header.size, word)
        except ValueError as error:
            reasons.append("as {}-bit numbers: {}".format(8 * word, error))
    raise _cut("the partition table is wrong; {}".format("; ".join(reasons)), where)


def _table(data: memoryview, at: int, word: int) -> Tuple[Partition, ...]:
    letter = "I" if word == 4 else "Q"
    if at + word > len(data):
        raise ValueError("it is cut short")
    (count,) = struct.unpack_from("<" + letter, data, at)
    if not 0 < count <= _TYPES:
        raise ValueError("{} partitions".format(count))
    base = at + word * (1 + 3 * count)
    if base > len(data):
        raise ValueError("it is cut short")
    numbers = struct.unpack_from("<{}{}".format(3 * count, letter), data, at + word)
    found: Dict[int, Partition] = {}
    for kind, offset, size in zip(*[iter(numbers)] * 3):
        if kind >= _TYPES or kind in found:
            raise ValueError("partition type {} is unknown or there twice".format(kind))
        if offset + size > len(data) - base:
            raise ValueError(
                "partition {} ends at {}, the file at {}".format(
                    kind, offset + size, len(data) - base
                )
            )
        found[kind] = Partition(kind, offset, data[base + offset : base + offset + size])
    if MODEL_DEF not in found or not len(found[MODEL_DEF].data):
        raise ValueError("there is no model definition")
    _check_apart([part for part in found.values() if len(part.data)])
    return tuple(found.values())


def _check_apart(parts: List[Partition]) -> None:
    ordered = sorted(parts, key=lambda part: part.offset)
    for one, other in zip(ordered, ordered[1:]):  # noqa: RUF007 - Python 3.7 has no pairwise
        if one.offset + len(one.data) > other.offset:
            raise ValueError("partitions {} and {} overlap".format(one.type, other.type))


def pack_container(header: Header, partitions: Mapping[int, bytes]) -> bytes:
    """A file with these partitions, in this order, 32-bit table; `length` is filled in.

    Raises:
        OfflineModelError: more than 4 GiB.
    """
    offset, table = 0, [struct.pack("<I", len(partitions))]
    for kind, content in partitions.items():
        if offset + len(content) > 0xFFFFFF00:
            raise OfflineModelError("an offline model holds 4 GiB", where=header.name)
        table.append(struct.pack("<III", kind, offset, len(content)))
        offset += len(content)
    first = _FIRST.pack(
        MAGIC, HEADER_SIZE, header.version, header.checksum, sum(map(len, table)) + offset,
        header.encrypted, header.has_checksum, header.model_type, 0, _bytes(header.name, 32),
        header.operators, bytes(32), header.ir_version,
    )  # fmt: skip
    if header.version >= VERSION_2:
        first += struct.pack("<I", header.models)
    first += _REST.pack(
        _bytes(header.platform, 20), header.platform_type, header.model_length, 0, header.dynamic
    )
    return b"".join([first.ljust(HEADER_SIZE, b"\0"), *table, *partitions.values()])


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _bytes(text: str, size: int) -> bytes:
    """As much of the text as fits before a closing NUL, no character cut in two."""
    return text.encode("utf-8")[: size - 1].decode("utf-8", "ignore").encode("utf-8")


def _cut(reason: str, where: str, hint: Optional[str] = None) -> OfflineModelError:
    return OfflineModelError(
        "the offline model is damaged: {}".format(reason),
        where=where,
        hint=hint or "copy the file again, or compile it anew",
    )
