"""Rewrites of an ONNX graph, one file each; `npukit_convert.simplify` runs them in order."""

from npukit.plugins import Plugins
from npukit_convert.passes.base import Pass

PASSES: Plugins[Pass] = Plugins(__name__, __path__, Pass, "pass")
