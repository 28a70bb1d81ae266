"""Families of chips that a conversion can end at; one file per vendor family."""

from __future__ import annotations

from npukit.errors import ConfigError
from npukit.plugins import Plugins
from npukit.profiles import Target
from npukit_convert.targets.base import TargetCompiler

FAMILIES: Plugins[TargetCompiler] = Plugins(
    __name__, __path__, TargetCompiler, "family of compilers"
)


def family_of(target: Target) -> type[TargetCompiler]:
    """The family that compiles for a chip.

    Raises:
        ConfigError: there is none; nothing is compiled for the simulator.
    """
    for family in FAMILIES.usable():
        if family.compiles(target):
            return family
    raise ConfigError(
        f"nothing compiles for {target.title}", where="target", hint=FAMILIES.summary()
    )


__all__ = ["FAMILIES", "TargetCompiler", "family_of"]
