"""Plugins by file name: a new runtime, source or sink is one new module in its package.

A module named `NAME.py` holds one class below the package's base class. Nothing is imported
before it is asked for, and one that fails to import keeps its reason.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Dict, Generic, Iterable, Iterator, Tuple, Type, TypeVar

from npukit.errors import PluginError, did_you_mean

T = TypeVar("T")

# Modules of a plugin package that are no plugins.
_SUPPORT = ("base", "build", "declaration")


class Plugins(Generic[T]):
    """The modules of one package that each hold a subclass of `base`."""

    def __init__(self, package: str, path: Iterable[str], base: Type[T], kind: str) -> None:
        """`package` and its `path` are searched; `kind` is the word for messages."""
        self.package = package
        self._path = list(path)
        self._base = base
        self.kind = kind

    def names(self) -> Tuple[str, ...]:
        """All names, whether or not they can be imported here."""
        found = (module.name for module in pkgutil.iter_modules(self._path))
        return tuple(
            sorted(name for name in found if name not in _SUPPORT and not name.startswith("_"))
        )

    def get(self, name: str) -> Type[T]:
        """The class of a plugin.

        Raises:
            PluginError: an unknown name, or one that fails to import, with its reason.
        """
        if name not in self.names():
            raise PluginError(
                "unknown {} {!r}".format(self.kind, name), hint=did_you_mean(name, self.names())
            )
        try:
            module = importlib.import_module("{}.{}".format(self.package, name))
        except Exception as error:  # whatever the vendor's module raises
            raise PluginError(
                "{} {!r} cannot be used here: {}: {}".format(
                    self.kind, name, type(error).__name__, error
                ),
                hint="install what it needs, or use another {}".format(self.kind),
            ) from error
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, self._base)
                and value.__module__ == module.__name__
                and not value.__name__.startswith("_")
            ):
                return value
        raise PluginError("module {} holds no {}".format(module.__name__, self._base.__name__))

    def usable(self) -> Iterator[Type[T]]:
        """The classes that can be used here, by name."""
        for name in self.names():
            try:
                yield self.get(name)
            except PluginError:
                continue

    def summary(self) -> str:
        """All names for a hint, with the reason of each that cannot be used here."""
        reasons = self.failures()
        return ", ".join(
            "{} ({})".format(name, reasons[name]) if name in reasons else name
            for name in self.names()
        )

    def failures(self) -> Dict[str, str]:
        """Name and reason of each plugin that cannot be used here."""
        reasons = {}
        for name in self.names():
            try:
                self.get(name)
            except PluginError as error:
                reasons[name] = str(error)
        return reasons
