"""Options behind the address of a source: `NAME=VALUE,NAME=VALUE`."""

from __future__ import annotations

from typing import Dict, Iterable, Sequence

from npukit.errors import CaptureError, did_you_mean


def parse_options(texts: Iterable[str], names: Sequence[str], where: str) -> Dict[str, str]:
    """Options by name; empty texts are left out.

    Raises:
        CaptureError: one is not NAME=VALUE, has an unknown name, or is given twice.
    """
    options: Dict[str, str] = {}
    for text in filter(None, texts):
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise CaptureError(
                "{!r} is not understood".format(text),
                where=where,
                hint="options are NAME=VALUE, separated by commas: {}".format(", ".join(names)),
            )
        if name not in names:
            raise CaptureError(
                "unknown option {!r}".format(name), where=where, hint=did_you_mean(name, names)
            )
        if name in options:
            raise CaptureError("{} is given twice".format(name), where=where)
        options[name] = value
    return options


def number(name: str, text: str, smallest: float, largest: float, where: str) -> float:
    """The value of an option.

    Raises:
        CaptureError: not a number from `smallest` to `largest`.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not smallest <= value <= largest:
        raise CaptureError(
            "{}={} is not a number from {:g} to {:g}".format(name, text, smallest, largest),
            where=where,
        )
    return value
