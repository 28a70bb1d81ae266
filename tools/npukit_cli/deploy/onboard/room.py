"""Whether a release finds room on the board."""

from __future__ import annotations

from typing import Mapping, Optional

from .board_error import BoardError
from .facts import free_disk, free_memory, memory_of
from .files import read_json
from .layout import SkillPlace

_MARGIN = 32 << 20  # bytes that stay free on the disk


def require(place: SkillPlace, needs: Mapping[str, int]) -> None:
    """Check it.

    Raises:
        BoardError: of kind `space` or `memory`.
    """
    problem = shortage(place, needs)
    if problem is not None:
        raise problem


def shortage(place: SkillPlace, needs: Mapping[str, int]) -> Optional[BoardError]:
    """What is lacking of `disk` and `memory` (in bytes), None for nothing."""
    disk, wanted = free_disk(place.board.root), needs.get("disk", 0) + _MARGIN
    if disk < wanted:
        return BoardError(
            "the board's disk has {} MB free, the release needs {} MB".format(
                disk >> 20, wanted >> 20
            ),
            "`npukit board list` shows the releases, --keep says how many stay",
            "space",
        )
    memory = free_memory()
    # What the old release has is free when it stops.
    own = memory_of(read_json(place.state).get("pid"))
    if memory is not None and memory + own < needs.get("memory", 0):
        return BoardError(
            "the board has {} MB of memory free, the skill needs about {} MB".format(
                (memory + own) >> 20, needs["memory"] >> 20
            ),
            "stop what else runs there (`npukit board status`)",
            "memory",
        )
    return None
