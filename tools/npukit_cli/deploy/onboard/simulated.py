"""Simulator builds, recognised by their first bytes: they are for no real board."""

from __future__ import annotations

HEAD = 256  # bytes that suffice
_BUILD = b"NPUKSIM1"
_OFFLINE_MODEL = b"IMOD"
# Where the container names its platform, by its version (see docs/topics/offline-model.md).
_PLATFORM = slice(156, 180)


def is_simulator_build(head: bytes) -> bool:
    """Whether a file that begins with `head` (256 bytes, or all there are) is for the simulator."""
    if head.startswith(_BUILD):
        return True
    return head.startswith(_OFFLINE_MODEL) and b"simulator\0" in head[_PLATFORM]
