"""Why an operator has no Caffe form, and what to use instead."""

from __future__ import annotations

_FOLD = (
    "it computes with sizes or integers",
    ("an export with fixed input sizes, so that constant folding removes it"),
)
_NORM = "BatchNorm, InstanceNorm or GroupNorm"
_ROOT = "Caffe has no normalisation by a vector's length that all readers share"
_FLOW = "Caffe has no control flow", "the branch that runs, exported alone"
_ATTENTION = "Caffe multiplies no two blobs as matrices", "convolutions, or `--route onnx`"
_GELU = "Caffe has no error function", "SiLU, Hardswish or ReLU, trained anew, or `--route onnx`"
_SEQUENCE = "Caffe's recurrent layers have no form that all readers share", "convolutions over time"

_REASONS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), (
        "it normalises over channels, place by place", _NORM)),
    **dict.fromkeys(("ReduceL2", "LpNormalization", "ReduceSumSquare"), (_ROOT, _NORM)),
    **dict.fromkeys(("Gelu", "Erf", "FastGelu"), _GELU),
    **dict.fromkeys(("Attention", "MultiHeadAttention", "Einsum", "MatMulInteger"), _ATTENTION),
    **dict.fromkeys(("Loop", "If", "Scan"), _FLOW),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _SEQUENCE),
    **dict.fromkeys(
        ("Shape", "Size", "ConstantOfShape", "Range", "NonZero", "Where", "Equal", "Greater",
         "Less", "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or", "Mod", "Tile"), _FOLD),
    **dict.fromkeys(("Gather", "GatherND", "GatherElements", "ScatterND", "ScatterElements"), (
        "Caffe indexes no blob", "slices, or constant indices of channels")),
    **dict.fromkeys(("ReduceMean", "ReduceSum"), (
        "it reduces the batch, or axes that depend on data",
        "means and sums over channels, height and width")),
    "TopK": ("Caffe has no such layer", "ArgMax, or the selection on the host"),
    "NonMaxSuppression": ("Caffe has no such layer", "the selection on the host"),
    "GridSample": ("Caffe has no such layer", "the warp on the host"),
    "LogSoftmax": ("log(softmax(x)) is -inf where that is 0", "Softmax, and a logarithm later"),
    **dict.fromkeys(("ReduceMax", "ReduceMin", "ReduceProd"), (
        "Caffe pools over height and width alone", "MaxPool, or a maximum over both")),
    **dict.fromkeys(("Sin", "Cos", "Tan", "Atan"), (
        "Caffe has no trigonometry", "a table that the network takes as an input")),
    **dict.fromkeys(("Floor", "Ceil", "Round", "Sign"), (
        "Caffe has no rounding", "rounding on the host")),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), (
        "Caffe computes in float32", "the float network; quantisation comes after")),
}  # fmt: skip


def why_refused(operator: str) -> tuple[str, str]:
    """The reason, and what to use instead."""
    return _REASONS.get(
        operator, ("Caffe has no such layer", "operators of docs/reference/operators.md")
    )
