"""What a profile is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from npukit_convert.onnx_to_caffe.net import Layer


class Profile(ABC):
    """The layers that a reader of Caffe files takes, and their limits."""

    @abstractmethod
    def violations(self, layer: Layer, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        """Each limit that a layer breaks: the number, the limit, and a remedy.

        Args:
            layer: the layer.
            shapes: of every blob of the network.
        """
