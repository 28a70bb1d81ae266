"""Joins of two maps: hardly any arithmetic, all of it traffic."""

from __future__ import annotations

from typing import ClassVar

from npukit_convert.graph import constant
from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import work_of

_JOINS = ("Add", "Concat", "Sum")


class Traffic(Rule):
    """Every map is read and written once more, and the older one is kept until then."""

    summary: ClassVar[str] = "Concat and Add of maps"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        found = []
        for node in subject.network.plain.graph:
            computed = [one for one in node.inputs if one is not None and constant(one) is None]
            if node.op_type not in _JOINS or len(computed) < 2:
                continue
            work = work_of(node, subject.machine.format)
            cost = subject.milliseconds(work)
            found.append(
                self.advice(
                    node,
                    f"joins {len(computed)} maps: {work.moved / 2**20:.2f} MiB are moved",
                    "a single path where accuracy allows it; keep joins to small maps",
                    cost,
                    cost,
                )
            )
        return found
