"""BatchNormalization and constant Mul, Add, Sub, Div in the weights beside them."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.passes._convolution import fold_affine
from npukit_convert.passes.base import Pass, Stage


class FoldBatchNorm(Pass):
    """After a Conv, ConvTranspose or Gemm; before a Conv or Gemm too, where no zero is padded in.

    Computed in float64: only the result is rounded.
    """

    stage: ClassVar[Stage] = Stage.FUSE
    summary: ClassVar[str] = "BatchNormalization and constant factors in the weights beside them"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        return fold_affine(model.graph, ("BatchNormalization", "Mul", "Add", "Sub", "Div"))
