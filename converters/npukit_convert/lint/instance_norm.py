"""Normalisation by the picture's own statistics."""

from __future__ import annotations

from typing import ClassVar

from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import work_of

_NORMS = ("InstanceNormalization", "GroupNormalization", "LayerNormalization")


class InstanceNorm(Rule):
    """BatchNorm's statistics are known and fold into the convolution before; these are not."""

    summary: ClassVar[str] = "InstanceNorm, GroupNorm, LayerNorm"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        found = []
        for node in subject.network.plain.graph:
            if node.op_type not in _NORMS:
                continue
            cost = subject.milliseconds(work_of(node, subject.machine.format))
            found.append(
                self.advice(
                    node,
                    "the map is read twice: for its statistics, then to apply them",
                    "train with BatchNorm, which folds into the convolution before it",
                    cost,
                    cost,
                )
            )
        return found
