"""Preprocessing, declared once.

`spec` is the declaration, `host` its part on the frame's planes (geometry), `device` the part
that the NPU's own unit does (colour and scaling).
"""

from npukit.preprocess.device import to_tensor
from npukit.preprocess.host import fit, source_rect
from npukit.preprocess.spec import Preprocess

__all__ = ["Preprocess", "fit", "source_rect", "to_tensor"]
