"""From a lowered ONNX graph to a Caffe network, with all that cannot be said in Caffe named."""

from __future__ import annotations

import onnx_ir as ir

from npukit_convert.errors import ConversionError
from npukit_convert.graph import constant, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder, Refusal, Violation
from npukit_convert.onnx_to_caffe.families import FAMILIES
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.onnx_to_caffe.profiles import PROFILES
from npukit_convert.onnx_to_caffe.refusals import why_refused
from npukit_convert.onnx_to_caffe.weights import weight_problems

MAX_RANK = 4


def to_caffe(model: ir.Model, form: str, name: str = "network") -> CaffeNet:
    """Convert a graph that the passes for `form` have lowered.

    Args:
        model: float32, static shapes; changed (outputs that are used get a copy of their own).
        form: `caffe` or `caffe-omg`, a profile's name with a hyphen.
        name: of the network.

    Raises:
        ConversionError: at least one node or layer has no form in the profile; all are named.
    """
    made, problems = try_caffe(model, form, name)
    if problems:
        raise ConversionError(
            f"{len(problems)} part(s) of the network have no form in {form}:\n  "
            + "\n  ".join(map(str, problems)),
            hint="change these operators in the network, or use `--route onnx`",
        )
    return made


def try_caffe(model: ir.Model, form: str, name: str = "network") -> tuple[CaffeNet, list[Refusal]]:
    """As `to_caffe`, with what has no form in a list; the net is whole when that is empty."""
    graph = model.graph
    _separate_outputs(graph)
    net = NetBuilder(form)
    for value in graph.inputs:
        if (size := shape(value)) is None:
            raise ConversionError(f"input {value.name} has no static shape")
        net.alias(value, net.new_blob(str(value.name), size))
    inputs = dict(net.shapes)
    families = _by_operator()
    for node in graph:
        _convert(node, net, families)
    outputs = {str(value.name): net.blob(value) for value in graph.outputs}
    made = CaffeNet(name, inputs, tuple(net.layers), outputs, dict(net.shapes), dict(net.names))
    return made, _problems(made, net, form)


def _separate_outputs(graph: ir.Graph) -> None:
    """Give each output that is also used a copy: in Caffe only an unused blob is an output."""
    for value in list(graph.outputs):
        if not value.uses() and value.producer() is not None:
            continue
        name = value.name
        if not value.is_graph_input():
            value.name = f"{name}_inner"
        copy = ir.node(
            "Identity",
            [value],
            outputs=[ir.val(str(name), value.dtype, value.shape)],
            name=f"{name}/copy",
        )
        graph.append(copy)
        graph.outputs[graph.outputs.index(value)] = copy.outputs[0]


def _by_operator() -> dict[str, Family]:
    families = [FAMILIES.get(name)() for name in FAMILIES.names()]
    return {operator: family for family in families for operator in family.operators}


def _convert(node: ir.Node, net: NetBuilder, families: dict[str, Family]) -> None:
    family = families.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if family is None:
        net.refuse(node, *why_refused(node.op_type))
        return
    for value in (*node.inputs, *node.outputs):
        given = value is None or constant(value) is not None
        problem = "" if given else _unfit(value, family.integers)
        if problem:
            net.refuse(node, f"{value.name if value else ''} {problem}", _REMEDY)
            return
    family.convert(node, net)


_INTEGERS = (ir.DataType.INT64, ir.DataType.INT32)
_REMEDY = "export with fixed sizes and float32, and let the passes fold what depends on shapes"


def _unfit(value: ir.Value | None, integers: bool) -> str:
    size = shape(value)
    if size is None:
        return "has a size that depends on data"
    if len(size) > MAX_RANK:
        return f"has {len(size)} dimensions {list(size)}, Caffe takes {MAX_RANK}"
    allowed = (None, ir.DataType.FLOAT, *(_INTEGERS if integers else ()))
    if value is not None and value.dtype not in allowed:
        return f"is {value.dtype}, Caffe computes in float32"
    return ""


def _problems(net: CaffeNet, built: NetBuilder, form: str) -> list[Refusal]:
    profile = PROFILES.get(form.replace("-", "_"))()
    # What comes after a refused node may have no shape: it is named, its layers are not checked.
    layers = [one for one in net.layers if all(net.shapes[b] for b in (*one.bottoms, *one.tops))]
    problems = list(built.refusals)
    problems += [
        Violation.of(layer, text)
        for layer in layers
        for text in profile.violations(layer, net.shapes)
    ]
    problems += [
        Violation.of(layer, text) for layer in layers for text in weight_problems(layer, net.shapes)
    ]
    used = {name for layer in net.layers for name in layer.bottoms}
    problems += [
        Violation.of(layer, f"nothing takes its top {top}, so it would be an output")
        for layer in net.layers
        for top in layer.tops
        if not built.refusals  # what a refused node takes is used
        and top not in used
        and top not in net.outputs.values()
    ]
    return problems
