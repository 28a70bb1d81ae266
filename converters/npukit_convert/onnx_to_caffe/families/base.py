"""What an operator family is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.onnx_to_caffe.builder import NetBuilder


class Family(ABC):
    """ONNX operators that become Caffe layers by the same rules.

    What Caffe has no layer for has been lowered before, in `npukit_convert.passes`; a family
    writes one layer per node, a few where Caffe needs a reshape beside it.

    Attributes:
        operators: the ONNX names.
        integers: whether a node may take or give integers, which Caffe holds as floats.
    """

    operators: ClassVar[tuple[str, ...]]
    integers: ClassVar[bool] = False

    @abstractmethod
    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """Add the node's layers to the net, or refuse the node with `net.refuse`."""
