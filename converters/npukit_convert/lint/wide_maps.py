"""Many channels where the map is still large."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from npukit_convert.graph import shape
from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import Convolution, convolution_of

_CHANNELS = 64
_STRIDE = 4  # a map is large down to a quarter of the picture's height and width


class WideMaps(Rule):
    """What a layer computes grows with both; 64 channels are enough before the fourth halving."""

    summary: ClassVar[str] = "more than 64 channels on maps of a quarter of the picture or larger"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        sizes = [shape(value) for value in subject.network.plain.graph.inputs]
        pictures = [math.prod(size[2:]) for size in sizes if size is not None and len(size) == 4]
        if not pictures:
            return []
        large, found = max(pictures) / _STRIDE**2, []
        for node in subject.network.plain.graph:
            conv = convolution_of(node)
            if conv is None or max(conv.size[1], conv.out[1]) <= _CHANNELS:
                continue
            if math.prod(conv.out[2:]) < large:
                continue
            form = subject.machine.format
            now, narrow = (subject.milliseconds(one.work(form)) for one in (conv, _narrowed(conv)))
            found.append(
                self.advice(
                    node,
                    f"{conv.size[1]} to {conv.out[1]} channels on {conv.out[2]}x{conv.out[3]}",
                    f"use {_CHANNELS} channels at most there, or halve the map before",
                    now,
                    now - narrow,
                )
            )
        return found


def _narrowed(conv: Convolution) -> Convolution:
    inner, outer = (min(size[1], _CHANNELS) for size in (conv.size, conv.out))
    groups = min(conv.groups, inner, outer)
    if inner % groups or outer % groups:
        groups = 1
    return replace(
        conv,
        size=(conv.size[0], inner, *conv.size[2:]),
        out=(conv.out[0], outer, *conv.out[2:]),
        groups=groups,
    )
