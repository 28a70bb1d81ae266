"""What a rule is, what it looks at, and what it has to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, ClassVar

import onnx_ir as ir

from npukit.operator_tables import OperatorTable
from npukit_convert.compiler_input import CompilerInput
from npukit_convert.cost import Machine
from npukit_convert.graph import module_path
from npukit_convert.workload import Work


class Severity(IntEnum):
    """How bad it is."""

    UNSUPPORTED = 1  # the compiler refuses the network
    LIMITED = 2  # it may refuse it, or compute otherwise
    ADVICE = 3  # it is slower than it need be


@dataclass(frozen=True)
class Finding:
    """One thing to change.

    Attributes:
        rule: its name.
        node: of the network; empty for the network as a whole.
        operator: ONNX's, or Caffe's layer type.
        module: where in the torch module it came from; empty when unknown.
        reason: what is wrong, with numbers.
        remedy: what to do.
        cost_ms: estimated time of the layer; None where it is about no single layer.
        saved_ms: what the remedy is estimated to save; None where the model cannot tell.
    """

    rule: str
    severity: Severity
    node: str
    operator: str
    module: str
    reason: str
    remedy: str
    cost_ms: float | None = None
    saved_ms: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**vars(self), "severity": self.severity.name.lower()}


@dataclass(frozen=True)
class Subject:
    """What the rules look at.

    Attributes:
        network: as trained, and as the compiler gets it.
        table: what the compiler takes.
        machine: the board that costs are estimated on.
        content: width and height of the pictures that come in; None when unknown.
    """

    network: CompilerInput
    table: OperatorTable
    machine: Machine
    content: tuple[int, int] | None = None

    def milliseconds(self, work: Work) -> float:
        """Estimated time of some work."""
        return 1000 * self.machine.seconds(work)


class Rule(ABC):
    """Looks for one thing.

    Attributes:
        summary: one line for the docs.
    """

    summary: ClassVar[str]

    @abstractmethod
    def check(self, subject: Subject) -> list[Finding]:
        """What it finds, in the order of the network."""

    @classmethod
    def finding(cls, severity: Severity, node: ir.Node | None, reason: str, remedy: str) -> Finding:
        """A finding of this rule, without costs."""
        return Finding(
            rule=cls.__module__.rpartition(".")[2],
            severity=severity,
            node="" if node is None else node.name or "",
            operator="" if node is None else node.op_type,
            module="" if node is None else module_path(node),
            reason=reason,
            remedy=remedy,
        )

    @classmethod
    def advice(
        cls, node: ir.Node | None, reason: str, remedy: str,
        cost_ms: float | None = None, saved_ms: float | None = None,
    ) -> Finding:  # fmt: skip
        """Advice; savings below nothing are nothing."""
        found = cls.finding(Severity.ADVICE, node, reason, remedy)
        saved = None if saved_ms is None else max(0.0, saved_ms)
        return replace(found, cost_ms=cost_ms, saved_ms=saved)
