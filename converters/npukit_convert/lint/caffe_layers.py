"""Parts of a network that the compiler of Caffe files does not take."""

from __future__ import annotations

from typing import ClassVar

from npukit_convert.lint.base import Finding, Rule, Severity, Subject


class CaffeLayers(Rule):
    """What the conversion to Caffe refuses, and layer types that the compiler lacks."""

    summary: ClassVar[str] = "operators without a Caffe form, layers past a limit of the compiler"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        network = subject.network
        if network.route != "caffe":
            return []
        rule = __name__.rpartition(".")[2]
        found = [
            Finding(rule, Severity.UNSUPPORTED, one.node, one.operator, one.module, one.why,
                    one.instead or "change the network there")
            for one in network.refused
        ]  # fmt: skip
        layers = network.caffe.layers if network.caffe is not None else ()
        return found + [
            Finding(rule, Severity.UNSUPPORTED, layer.node or layer.name, layer.type, "",
                    f"{subject.table.title}, has no layer {layer.type}", "use --route onnx")
            for layer in layers
            if layer.type not in subject.table.operators
        ]  # fmt: skip
