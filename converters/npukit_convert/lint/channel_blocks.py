"""Channel counts that do not fill the chip's blocks."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import source
from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import align, convolution_of


class ChannelBlocks(Rule):
    """The chip rounds channels up to whole blocks, and computes on the filling.

    The channels of the network's own inputs and outputs are what they are.
    """

    summary: ClassVar[str] = "channels that are no multiple of the chip's block (16 in fp16)"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        form, found = subject.machine.format, []
        for node in subject.network.plain.graph:
            conv = convolution_of(node)
            if conv is None:
                continue
            odd = [
                f"{count} {side} channels are computed as {align(count, form.block)}"
                for side, count, fixed in (
                    ("input", conv.size[1], source(node).is_graph_input()),
                    ("output", conv.out[1], _leaves(node.outputs[0])),
                )
                if count % form.block and not fixed
            ]
            if not odd:
                continue
            padded, bare = (subject.milliseconds(conv.work(one)) for one in (form, form.bare()))
            found.append(
                self.advice(
                    node,
                    "; ".join(odd),
                    f"use multiples of {form.block}: more channels cost nothing up to there",
                    padded,
                    padded - bare,
                )
            )
        return found


def _leaves(value: ir.Value) -> bool:
    """Whether a value becomes an output through operators that keep its channels."""
    while not value.is_graph_output():
        users = value.consumers()
        if len(users) != 1 or len(users[0].outputs) != 1 or users[0].op_type not in _KEEP:
            return False
        value = users[0].outputs[0]
    return True


_KEEP = (
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Clip",
    "Relu",
    "Resize",
    "Identity",
    "Mul",
    "Add",
    "Reshape",
)
