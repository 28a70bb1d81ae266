"""The operators that have a Caffe layer, one file per family."""

from npukit.plugins import Plugins
from npukit_convert.onnx_to_caffe.families.base import Family

FAMILIES: Plugins[Family] = Plugins(__name__, __path__, Family, "operator family")
