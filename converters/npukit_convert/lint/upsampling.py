"""Deconvolution or bilinear enlarging where the nearest pixel and a 3x3 would do."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape, source
from npukit_convert.lint.base import Finding, Rule, Subject
from npukit_convert.workload import Convolution, Work, convolution_of, tensor_bytes, work_of


class Upsampling(Rule):
    """Repeating pixels is a copy; the 3x3 after it learns the rest."""

    summary: ClassVar[str] = "transposed convolutions, and enlarging in mode linear"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        found = []
        for node in subject.network.plain.graph:
            if node.op_type == "ConvTranspose":
                found.append(self._transposed(node, subject))
            elif node.op_type in ("Resize", "Upsample") and _enlarges(node):
                cost = subject.milliseconds(work_of(node, subject.machine.format))
                mode = attribute(node, "mode", "nearest")
                mode = mode.decode() if isinstance(mode, bytes) else mode
                if mode != "nearest":
                    found.append(
                        self.advice(
                            node,
                            f"enlarges in mode {mode}: arithmetic on every pixel, on the vector "
                            "unit (of which the estimate counts the bytes alone)",
                            "use mode nearest and a 3x3 convolution",
                            cost,
                        )
                    )
        return found

    def _transposed(self, node: ir.Node, subject: Subject) -> Finding:
        form, conv = subject.machine.format, convolution_of(node)
        now = subject.milliseconds(work_of(node, form))
        if conv is None:
            return self.advice(node, "a transposed convolution", _REMEDY, now)
        grown = (conv.size[0], conv.size[1], *conv.out[2:])
        copied = Work(read=tensor_bytes(conv.size, form), written=tensor_bytes(grown, form))
        after = Convolution(grown, conv.out, (3, 3), conv.groups)
        new = subject.milliseconds(copied) + subject.milliseconds(after.work(form))
        kernel = "x".join(map(str, conv.kernel))
        return self.advice(
            node,
            f"a transposed {kernel} takes {now:.3f} ms, nearest and a 3x3 {new:.3f} ms",
            _REMEDY,
            now,
            now - new,
        )


_REMEDY = "use Resize in mode nearest and a 3x3 convolution"


def _enlarges(node: ir.Node) -> bool:
    before, after = shape(source(node)), shape(node.outputs[0])
    return before is not None and after is not None and after > before
