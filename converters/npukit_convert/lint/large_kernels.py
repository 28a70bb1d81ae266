"""Kernels above 3x3."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import convolution_of

_SIDE = 3


class LargeKernels(Rule):
    """The work of a kernel grows with its area: two 3x3 see what a 5x5 sees for 18 of its 25."""

    summary: ClassVar[str] = "convolutions with kernels above 3x3"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        found = []
        for node in subject.network.plain.graph:
            conv = convolution_of(node)
            if conv is None or conv.transposed or max(conv.kernel) <= _SIDE:
                continue
            small = replace(conv, kernel=(min(_SIDE, conv.kernel[0]), min(_SIDE, conv.kernel[1])))
            row = -(-(max(conv.kernel) - 1) // (_SIDE - 1))
            more = replace(small, size=conv.out)
            one, other, rest = (
                subject.milliseconds(item.work(subject.machine.format))
                for item in (conv, small, more)
            )
            height, width = conv.kernel
            found.append(
                self.advice(
                    node,
                    f"a {height}x{width} kernel takes {one:.3f} ms, a 3x3 {other:.3f} ms, "
                    f"{row} of them in a row {other + (row - 1) * rest:.3f} ms",
                    "use a 3x3 with the same stride, or several in a row",
                    one,
                    one - other,
                )
            )
        return found
