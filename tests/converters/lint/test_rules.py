"""Every rule: what it finds, what it leaves alone, and what it says that costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from support.graphs import graph

from npukit.errors import ConfigError
from npukit.operator_tables import OperatorTable, load_operators
from npukit.preprocess import Preprocess
from npukit.profiles import load_board, load_target
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.compiler_input import CompilerInput, compiler_input, find_target, routes_to
from npukit_convert.cost import make_machine
from npukit_convert.graph import read_graph
from npukit_convert.lint import RULES, Finding, Subject, check
from npukit_convert.lint.aspect import fitting
from npukit_convert.lint.base import Severity

BOARD = load_board("atlas_200dk")
MACHINE = make_machine(BOARD, load_target("ascend310"))
NEWEST, OLDEST, DDK = "ascend310_onnx_cann5", "ascend310_onnx_cann20_1", "ascend310_caffe_ddk"


def zeros(*size: int) -> Any:
    return np.zeros(size, np.float32)


def network(data: bytes, inputs: dict[str, InputSpec] | None = None) -> CompilerInput:
    model = read_graph(data, raised=False)
    return CompilerInput("net", "onnx", "ascend310", inputs or {}, model, model)


def findings(
    rule: str, text: str, table: str = NEWEST, opset: int = 13, **weights: Any
) -> list[Finding]:
    subject = Subject(network(graph(text, opset, **weights)), load_operators(table), MACHINE)
    return RULES.get(rule)().check(subject)


def conv(inner: int, outer: int, size: int, kernel: int, more: str = "") -> list[Finding]:
    """All findings for one convolution between two others."""
    pad = kernel // 2
    text = f"""(float[1,3,256,256] x) => (float[1,1,{size},{size}] y) {{
        a = Conv <strides=[{256 // size},{256 // size}]> (x, first)
        b = Conv <pads=[{pad},{pad},{pad},{pad}]{more}> (a, w)
        y = Conv (b, last)
    }}"""
    weights = {
        "first": zeros(inner, 3, 1, 1),
        "w": zeros(outer, inner if not more else 1, kernel, kernel),
        "last": zeros(1, outer, 1, 1),
    }
    return check(Subject(network(graph(text, **weights)), load_operators(NEWEST), MACHINE))


def of(found: list[Finding], rule: str, node: str = "Conv_1") -> list[Finding]:
    return [one for one in found if one.rule == rule and one.node == node]


def test_every_rule_loads_and_says_what_it_is_for() -> None:
    assert RULES.failures() == {}
    assert set(RULES.names()) == {
        "aspect", "caffe_layers", "channel_blocks", "instance_norm", "large_kernels",
        "onnx_operators", "traffic", "upsampling", "wide_maps",
    }  # fmt: skip
    for name in RULES.names():
        assert RULES.get(name).summary


# --- what the compiler refuses --------------------------------------------------------------------


def test_an_operator_that_the_compiler_lacks() -> None:
    text = "(float[1,3,8,8] x) => (float[1,3,8,8] y) { y = HardSigmoid (x) }"
    (found,) = findings("onnx_operators", text, OLDEST, opset=11)
    assert (found.severity, found.node, found.operator) == (
        Severity.UNSUPPORTED, "HardSigmoid_0", "HardSigmoid"
    )  # fmt: skip
    assert "CANN 20.1" in found.reason
    assert found.remedy == "use Clip(alpha * x + beta, 0, 1)"
    assert findings("onnx_operators", text) == []


def test_a_custom_operator() -> None:
    model = onnx.load_model_from_string(
        graph("(float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu (x) }")
    )
    model.graph.node[0].domain = "mine"
    model.opset_import.add(domain="mine", version=1)
    subject = Subject(network(model.SerializeToString()), load_operators(NEWEST), MACHINE)
    (found,) = RULES.get("onnx_operators")().check(subject)
    assert found.severity == Severity.UNSUPPORTED
    assert "ONNX's own operators" in found.remedy


def test_an_opset_that_is_not_documented() -> None:
    text = "(float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu (x) }"
    (found,) = findings("onnx_operators", text, OLDEST)
    assert (found.severity, found.node) == (Severity.LIMITED, "")
    assert "of opset 13" in found.reason
    assert "opset 11" in found.remedy
    assert findings("onnx_operators", text, OLDEST, opset=11) == []


LIMITS = [
    ("Conv <strides=[64,1]> (x, w)", "strides 64, the limits are 1 and 63"),
    ("Conv <pads=[0,256,0,0]> (x, w)", "pads 256, the limits are 0 and 255"),
    ("Conv <dilations=[256,1]> (x, w1)", "dilations 256, the limits are 1 and 255"),
    ("Conv (x, wide)", "kernel 256, the limits are 1 and 255"),
    ("Conv (long, w)", "width 5000, the limits are 1 and 4096"),
    ("ConvTranspose <dilations=[2,2]> (x, w)", "dilations 2, the limits are 1 and 1"),
    ('Resize <mode="cubic"> (x, none, scales)', "mode cubic, it must be nearest or linear"),
    ('Resize <mode="nearest"> (x, none, scales)', "nearest_mode round_prefer_floor, it must be"),
]


@pytest.mark.parametrize(("call", "reason"), LIMITS)
def test_limits_of_operators(call: str, reason: str) -> None:
    source = "long" if "long" in call else "x"
    size = "1,3,8,5000" if source == "long" else "1,3,300,300"
    weights = {
        "w": zeros(3, 3, 2, 2), "w1": zeros(3, 3, 2, 1), "wide": zeros(3, 3, 1, 256),
        "scales": np.array([1, 1, 2, 2], np.float32), "none": zeros(0),
    }  # fmt: skip
    used = {name: one for name, one in weights.items() if name in call.replace("w1", "w1 ")}
    found = findings(
        "onnx_operators",
        f"(float[{size}] {source}) => (float[A,B,C,D] y) {{ y = {call} }}",
        **{name: one for name, one in used.items() if f" {name}" in call},
    )
    assert [one.reason[: len(reason)] for one in found] == [reason]


def test_sizes_that_are_computed() -> None:
    text = """(float[1,3,8,8] x, float[4] scales) => (float[A,B,C,D] y) {
        y = Resize <mode="linear"> (x, none, scales)
    }"""
    (found,) = findings("onnx_operators", text, none=zeros(0))
    assert found.reason == "input 2 (scales) is computed"


def test_limits_that_are_kept() -> None:
    text = """(float[1,3,8,8] x) => (float[1,3,16,16] y) {
        a = Conv <pads=[1,1,1,1]> (x, w)
        y = Resize <mode="linear"> (a, none, scales)
    }"""
    scales = np.array([1, 1, 2, 2], np.float32)
    assert findings("onnx_operators", text, w=zeros(3, 3, 3, 3), scales=scales, none=zeros(0)) == []


# --- Caffe ----------------------------------------------------------------------------------------


def build(path: Any, text: str, **weights: Any) -> str:
    data = graph(text, **weights)
    write_build(str(path), SimulatorBuild("net", {"x": InputSpec((1, 64, 32, 32))}, ("y",), data))
    return str(path)


def test_the_caffe_net_is_what_is_held_against_the_ddk(tmp_path: Any) -> None:
    file = build(
        tmp_path / "net.sim",
        "(float[1,64,32,32] x) => (float[1,64,32,32] y) { a = Relu (x)\n y = Erf (a) }",
    )
    given = compiler_input(file, {"route": "caffe"})
    (found,) = RULES.get("caffe_layers")().check(Subject(given, load_operators(DDK), MACHINE))
    assert (found.severity, found.operator) == (Severity.UNSUPPORTED, "Erf")
    assert "error function" in found.reason
    assert "--route onnx" in found.remedy
    assert RULES.get("onnx_operators")().check(Subject(given, load_operators(DDK), MACHINE)) == []


def test_a_layer_past_a_limit_is_named_by_its_node(tmp_path: Any) -> None:
    file = build(
        tmp_path / "net.sim",
        "(float[1,64,32,32] x) => (float[1,64,1,1] y) { y = Conv <strides=[64,64]> (x, w) }",
        w=zeros(64, 64, 1, 1) + 0.01,
    )
    given = compiler_input(file, {"route": "caffe"})
    found = RULES.get("caffe_layers")().check(Subject(given, load_operators(DDK), MACHINE))
    assert [one.reason for one in found] == [
        "height: stride 64, the limit is 63", "width: stride 64, the limit is 63"
    ]  # fmt: skip
    assert (found[0].operator, found[0].node) == ("Convolution", "Conv_0")
    assert found[0].remedy == "use several smaller strides"


def test_layer_types_are_held_against_the_table(tmp_path: Any) -> None:
    file = build(tmp_path / "net.sim", "(float[1,64,32,32] x) => (float[1,64,32,32] y) {"
                 " y = Relu (x) }")  # fmt: skip
    given = compiler_input(file, {"route": "caffe"})
    rule = RULES.get("caffe_layers")()
    assert rule.check(Subject(given, load_operators(DDK), MACHINE)) == []
    none = OperatorTable("t", "nothing", "caffe", "omg", None, ("Exp",), "s", (), {}, ())
    (found,) = rule.check(Subject(given, none, MACHINE))
    assert found.reason == "nothing, has no layer ReLU"


# --- advice ---------------------------------------------------------------------------------------


def test_kernels_above_3x3() -> None:
    (found,) = of(conv(64, 64, 64, 5), "large_kernels")
    assert found.cost_ms is not None
    assert found.saved_ms is not None
    assert found.saved_ms == pytest.approx(found.cost_ms * 16 / 25, rel=0.05)
    assert "5x5" in found.reason
    assert "2 of them in a row" in found.reason
    assert of(conv(64, 64, 64, 3), "large_kernels") == []


def test_channels_that_fill_no_block() -> None:
    (found,) = of(conv(40, 64, 128, 3), "channel_blocks")
    assert found.reason == "40 input channels are computed as 48"
    assert found.saved_ms is not None
    assert found.saved_ms > 0
    assert of(conv(64, 64, 128, 3), "channel_blocks") == []


def test_the_channels_of_pictures_and_results_are_what_they_are() -> None:
    """Three come in, one goes out; the convolutions beside them are not to blame."""
    found = conv(64, 64, 128, 3)
    assert [one for one in found if one.rule == "channel_blocks"] == []


def test_many_channels_on_large_maps() -> None:
    (found,) = of(conv(96, 96, 64, 3), "wide_maps")
    assert found.reason == "96 to 96 channels on 64x64"
    assert found.saved_ms is not None
    assert found.saved_ms == pytest.approx((found.cost_ms or 0) * (1 - 64**2 / 96**2), rel=0.05)
    assert of(conv(96, 96, 32, 3), "wide_maps") == [], "an eighth of the picture is small"
    assert of(conv(64, 64, 128, 3), "wide_maps") == []


def test_a_transposed_convolution() -> None:
    text = """(float[1,64,64,64] x) => (float[1,64,128,128] y) {
        y = ConvTranspose <strides=[2,2], pads=[1,1,1,1]> (x, w)
    }"""
    (found,) = findings("upsampling", text, w=zeros(64, 64, 4, 4))
    assert "transposed 4x4 takes" in found.reason
    assert "nearest" in found.remedy
    assert found.cost_ms is not None
    assert found.saved_ms is not None
    assert 0 <= found.saved_ms < found.cost_ms


@pytest.mark.parametrize(("mode", "count"), [("linear", 1), ("nearest", 0)])
def test_enlarging(mode: str, count: int) -> None:
    text = f"""(float[1,16,8,8] x) => (float[1,16,16,16] y) {{
        y = Resize <mode="{mode}"> (x, none, scales)
    }}"""
    scales = np.array([1, 1, 2, 2], np.float32)
    found = findings("upsampling", text, scales=scales, none=zeros(0))
    assert len(found) == count
    smaller = text.replace("16,16,16", "16,4,4")
    scales = np.array([1, 1, 0.5, 0.5], np.float32)
    assert findings("upsampling", smaller, scales=scales, none=zeros(0)) == []


def test_joins() -> None:
    text = """(float[1,16,64,64] x) => (float[1,32,64,64] y) {
        a = Relu (x)
        b = Add (a, x)
        c = Add (b, bias)
        y = Concat <axis=1> (a, c)
    }"""
    found = findings("traffic", text, bias=zeros(1, 16, 1, 1))
    assert [one.node for one in found] == ["Add_1", "Concat_3"]
    assert found[0].reason == "joins 2 maps: 0.38 MiB are moved"
    assert found[0].cost_ms == pytest.approx(3 * 64 * 64 * 32 / 51.2e9 * 1000)


def test_normalisation_by_own_statistics() -> None:
    text = "(float[1,16,8,8] x) => (float[1,16,8,8] y) { y = InstanceNormalization (x, s, b) }"
    (found,) = findings("instance_norm", text, s=zeros(16), b=zeros(16))
    assert "BatchNorm" in found.remedy
    assert found.cost_ms == found.saved_ms
    assert found.cost_ms is not None


# --- aspect ---------------------------------------------------------------------------------------


def aspects(shape: tuple[int, int], geometry: str, content: Any = (1280, 720)) -> list[Finding]:
    height, width = shape
    text = f"(float[1,3,{height},{width}] x) => (float[1,3,{height},{width}] y) {{ y = Relu (x) }}"
    spec = InputSpec((1, 3, height, width), Preprocess(geometry=geometry))
    subject = Subject(network(graph(text), {"x": spec}), load_operators(NEWEST), MACHINE, content)
    return RULES.get("aspect")().check(subject)


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ("full", "one axis is sampled 1.78 times as densely"),
        ("letterbox", "44% of what is computed are bars"),
        ("center", "44% of each picture is cut off"),
    ],
)
def test_a_square_input_for_wide_pictures(geometry: str, reason: str) -> None:
    (found,) = aspects((256, 256), geometry)
    assert reason in found.reason
    assert found.remedy == "export it as 256x128"
    assert (found.saved_ms is None) == (geometry == "center")
    if found.saved_ms is not None:
        assert found.saved_ms == pytest.approx((found.cost_ms or 0) / 2)


def test_inputs_that_fit_or_have_no_aspect() -> None:
    assert aspects((144, 256), "full") == []
    assert aspects((256, 256), "roi") == [], "the skill chooses the part"
    assert aspects((256, 256), "full", content=None) == []
    assert aspects((256, 256), "full", content=(720, 720)) == []


def test_the_input_that_would_fit() -> None:
    assert fitting((512, 512), (1280, 720)) == (512, 288)
    assert fitting((256, 256), (720, 1280)) == (128, 256)
    assert fitting((64, 64), (4000, 100)) == (64, 32)


# --- order and inputs -----------------------------------------------------------------------------


def test_what_is_refused_comes_first_then_what_saves_most() -> None:
    text = """(float[1,16,64,64] x) => (float[1,16,64,64] y) {
        a = Conv <pads=[2,2,2,2]> (x, w)
        b = HardSigmoid (a)
        c = Add (a, b)
        y = Add (c, x)
    }"""
    data = graph(text, 11, w=zeros(16, 16, 5, 5))
    found = check(Subject(network(data), load_operators(OLDEST), MACHINE))
    assert found[0].severity == Severity.UNSUPPORTED
    saved = [one.saved_ms or 0 for one in found if one.severity == Severity.ADVICE]
    assert saved == sorted(saved, reverse=True)
    assert len(saved) == 3
    assert found[0].to_dict()["severity"] == "unsupported"


def test_the_route_is_what_is_asked_then_the_configs_then_the_boards(tmp_path: Any) -> None:
    file = build(tmp_path / "net.sim", "(float[1,64,32,32] x) => (float[1,64,32,32] y) {"
                 " y = Relu (x) }")  # fmt: skip
    target = find_target("ascend310")
    kit = routes_to(load_board("hilens_kit"), target)
    assert kit == ("caffe",)
    assert routes_to(BOARD, target) == ("onnx", "caffe")
    assert compiler_input(file).route == "onnx"
    assert compiler_input(file, routes=kit).route == "caffe"
    assert compiler_input(file, {"route": "onnx"}, kit).route == "onnx"
    with pytest.raises(ConfigError, match="unknown route 'tf'"):
        compiler_input(file, {"route": "tf"})
    with pytest.raises(ConfigError, match=r"inputs\.x\.shape is fixed"):
        compiler_input(file, {"inputs.x.shape": [1, 3, 8, 8]})


def test_nothing_is_compiled_for_the_simulator() -> None:
    with pytest.raises(ConfigError, match="nothing is compiled"):
        find_target("simulator")
