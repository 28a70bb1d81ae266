"""What a skill asks of a board, and which of its files go there: two parts of its manifest."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

from npukit.errors import ConfigError, check_keys

_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,5}")


class Requirements(NamedTuple):
    """What a board must have.

    Attributes:
        python: the oldest version that the skill's code runs on, such as "3.7".
        firmware: by board, the oldest version that it works with.
        memory: of the NPU, in MiB; None: what the models say.
    """

    python: str = "3.7"
    firmware: Mapping[str, str] = {}
    memory: Optional[float] = None

    @classmethod
    def from_dict(cls, data: Any, boards: Sequence[str], where: str) -> Requirements:
        """Read `{python, firmware, memory}`; one firmware version stands for all boards.

        Raises:
            ConfigError: an unknown key or board, or a wrong value.
        """
        where = "{}, requires".format(where)
        check_keys(_mapping(data, where), ("python", "firmware", "memory"), where)
        firmware = data.get("firmware") or {}
        if isinstance(firmware, dict):
            check_keys(firmware, boards, "{}, firmware".format(where))
        else:
            firmware = dict.fromkeys(boards, firmware)
        memory = data.get("memory")
        if memory is not None and not (
            type(memory) in (int, float) and 0 < memory < float("inf")  # True is no number
        ):
            raise ConfigError("memory is a number of MiB above 0", where=where)
        return cls(
            _version(data.get("python", cls().python), where),
            {str(board): _version(version, where) for board, version in firmware.items()},
            memory,
        )


class Shipped(NamedTuple):
    """Patterns (as in a shell; a folder's name stands for all in it) on paths of the skill.

    Attributes:
        include: what goes into a bundle though it usually does not.
        exclude: what stays out though it usually goes.
    """

    include: Tuple[str, ...] = ()
    exclude: Tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Any, where: str) -> Shipped:
        """Read `{include, exclude}`.

        Raises:
            ConfigError: an unknown key, or something other than lists of texts.
        """
        where = "{}, bundle".format(where)
        check_keys(_mapping(data, where), cls._fields, where)
        for key, value in data.items():
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ConfigError("{} must be a list of patterns".format(key), where=where)
        return cls(**{key: tuple(value) for key, value in data.items()})


def _version(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise ConfigError(
            "{!r} is no version".format(value),
            where=where,
            hint='numbers and dots, quoted: "3.10" (YAML reads a bare 3.10 as 3.1)',
        )
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError("must be a mapping, not {!r}".format(value), where=where)
    return value
