"""Operators that a compiler of ONNX files does not take, or takes within limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import onnx_ir as ir

from npukit.operator_tables import Limit
from npukit_convert.graph import OWN_DOMAINS, attribute, constant, operand, shape
from npukit_convert.lint.base import Finding, Rule, Severity, Subject


class OnnxOperators(Rule):
    """Holds each node against the compiler's list and its limits."""

    summary: ClassVar[str] = "operators and attributes that the compiler of ONNX files refuses"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        if subject.network.route != "onnx":
            return []
        found = list(self._opset(subject))
        for node in subject.network.given.graph:
            if node.domain not in OWN_DOMAINS or node.op_type not in subject.table.operators:
                found.append(self._unknown(node, subject))
                continue
            for limit in subject.table.limits:
                if limit.operator == node.op_type and (broken := broken_by(node, limit)):
                    found.append(
                        self.finding(Severity[limit.severity.upper()], node, broken, limit.remedy)
                    )
        return found

    def _unknown(self, node: ir.Node, subject: Subject) -> Finding:
        instead = subject.table.instead.get(node.op_type, "operators that the compiler has")
        if node.domain not in OWN_DOMAINS:
            instead = "ONNX's own operators"
        return self.finding(
            Severity.UNSUPPORTED, node, f"{subject.table.title}, has no {node.op_type}",
            f"use {instead}",
        )  # fmt: skip

    def _opset(self, subject: Subject) -> Iterator[Finding]:
        version = subject.network.given.graph.opset_imports.get("")
        allowed = subject.table.opset
        if version is None or allowed is None or allowed[0] <= version <= allowed[1]:
            return
        names = f"{allowed[0]}" if allowed[0] == allowed[1] else f"{allowed[0]} to {allowed[1]}"
        yield self.finding(
            Severity.LIMITED, None,
            f"the file is of opset {version}, {subject.table.title}, documents {names}",
            f"export with opset {allowed[1]}",
        )  # fmt: skip


def broken_by(node: ir.Node, limit: Limit) -> str:
    """How a node breaks a limit; empty when it keeps to it, or is not meant."""
    if any(attribute(node, key) != value for key, value in limit.when.items()):
        return ""
    kind, _, name = limit.of.partition(" ")
    if kind == "constant":
        value = operand(node, int(name))
        known = value is None or not value.name or constant(value) is not None
        return "" if known else f"input {name} ({value.name if value else ''}) is computed"
    what, values = _values(node, kind, name, limit)
    if limit.within is not None:
        low, high = limit.within
        bad = [one for one in values if not low <= one <= high]
        return f"{what} {bad[0]}, the limits are {low} and {high}" if bad else ""
    bad = [one for one in values if one not in limit.one_of]
    return f"{what} {bad[0]}, it must be {' or '.join(map(str, limit.one_of))}" if bad else ""


def _values(node: ir.Node, kind: str, name: str, limit: Limit) -> tuple[str, list[Any]]:
    if kind == "attribute":
        given = attribute(node, name, limit.default)
        return name, list(given) if isinstance(given, (list, tuple)) else [given]
    size = shape(operand(node, 1 if kind == "kernel" else 0))
    if size is None:
        return kind, []
    if kind == "rank":
        return kind, [len(size)]
    return kind, list(size[2:]) if kind == "kernel" else [size[-1]]
