"""Ascend's offline-model container: read a vendor's files, wrap simulator builds likewise."""

from npukit.om.container import SIMULATOR, Header, Partition
from npukit.om.graph import OmGraph, OmNode, OmTensor
from npukit.om.messages import AttrDef, GraphDef, ModelDef, OpDef, TensorDescriptor
from npukit.om.reader import Interface, OmFile, parse_om, read_om
from npukit.om.wrapping import is_om, unwrap, wrap, write_wrapped

__all__ = [
    "SIMULATOR",
    "AttrDef",
    "GraphDef",
    "Header",
    "Interface",
    "ModelDef",
    "OmFile",
    "OmGraph",
    "OmNode",
    "OmTensor",
    "OpDef",
    "Partition",
    "TensorDescriptor",
    "is_om",
    "parse_om",
    "read_om",
    "unwrap",
    "wrap",
    "write_wrapped",
]
