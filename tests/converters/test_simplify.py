"""Nothing wrong is kept, nothing is undone silently, and what is kept is measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnx_ir as ir
import onnxsim
import pytest
from support.graphs import graph, noise, operators, run

from npukit.errors import ConfigError
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build
from npukit.runtime.declaration import InputSpec
from npukit_convert import probes as probes_module
from npukit_convert.errors import ConversionError
from npukit_convert.graph import Rewriter
from npukit_convert.passes.base import CAFFE, Pass, Stage
from npukit_convert.probes import Probes, difference, outputs, probes
from npukit_convert.rewriting import Simplified
from npukit_convert.simplify import run_passes, select, simplify

BUILDS = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting" / "model"
BLOCK = """(float[1,3,8,8] x) => (float[1,3,8,8] y) {
    c = Conv<pads = [1, 1, 1, 1]>(x, w)
    n = BatchNormalization(c, one, zero, zero, one)
    l = Clip(n, low, high) y = Identity(l) }"""


def block() -> bytes:
    return graph(
        BLOCK,
        w=noise(3, 3, 3, 3),
        one=np.full(3, 1.5),
        zero=np.full(3, 0.5),
        low=np.array(0.0),
        high=np.array(6.0),
    )


class Scales(Pass):
    """Multiplies every Relu's result by a number: wrong, but for 1."""

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "test"
    by: float = 1.01
    says: bool = True

    def apply(self, model: ir.Model, form: str) -> list[str]:
        for node in [one for one in model.graph if one.op_type == "Relu"]:
            rewriter = Rewriter(node)
            again = rewriter.add("Relu", [node.inputs[0]])
            rewriter.replace(rewriter.add("Mul", [again, rewriter.constant(self.by)]))
        return ["changed"] if self.says else []


class Silent(Scales):
    by = 1.0
    says = False


class CrashesHalfway(Scales):
    def apply(self, model: ir.Model, form: str) -> list[str]:
        super().apply(model, form)
        raise KeyError("no such thing")


class LeavesNonsense(Scales):
    def apply(self, model: ir.Model, form: str) -> list[str]:
        for node in model.graph:
            node.op_type = "NoSuchOperator"
        return ["changed"]


class NegAsMul(Pass):
    """Right: a Neg as a product with -1."""

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "test"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        found = [one for one in model.graph if one.op_type == "Neg"]
        for node in found:
            rewriter = Rewriter(node)
            rewriter.replace(rewriter.add("Mul", [node.inputs[0], rewriter.constant(-1.0)]))
        return ["as a product"] if found else []


class Endless(Scales):
    by = 1.0


class LosesAnOutput(Scales):
    def apply(self, model: ir.Model, form: str) -> list[str]:
        model.graph.outputs.pop()
        return ["dropped"]


RELU = "(float[1,4] x) => (float[1,4] y, float[1,4] z) { y = Relu(x) z = Neg(x) }"


@pytest.mark.parametrize(
    ("faulty", "why"),
    [
        (Scales(), r"outputs differ by 0?\.?\d.*; allowed is 0.0001"),
        (Silent(), "does not say what"),
        (CrashesHalfway(), "it fails: KeyError: 'no such thing'"),
        (LeavesNonsense(), "ONNX Runtime refuses the network.*NoSuchOperator"),
        (LosesAnOutput(), "outputs differ by inf"),
    ],
    ids=["wrong", "silent", "crash", "nonsense", "output-lost"],
)
def test_a_faulty_pass_is_undone_and_reported(faulty: Pass, why: str) -> None:
    data = graph(RELU)
    result = run(faulty, data)
    (step,) = result.steps
    assert not step.kept
    assert re.search(why, step.why, re.DOTALL), step.why
    assert result.onnx == data
    assert result.max_abs == 0


def test_passes_after_a_faulty_one_start_from_the_graph_before_it() -> None:
    data = graph(RELU)
    one = Endless()
    result = run_passes(data, {"a": CrashesHalfway(), "b": one}, "caffe", probed=probes(data))
    assert [step.kept for step in result.steps][:2] == [False, True]
    assert operators(result.onnx)["Relu"] == 1
    assert result.max_abs == 0


def test_an_endless_lowering_ends() -> None:
    result = run(Endless(), graph(RELU))
    assert 2 <= len(result.steps) <= 20
    assert all(step.kept for step in result.steps)


def test_a_wrong_pass_within_the_tolerance_is_kept_with_its_difference() -> None:
    result = run(Scales(), graph(RELU), tolerance=0.1)
    (first, *_) = result.steps
    assert first.kept
    assert first.relative == pytest.approx(0.01, rel=1e-3)
    assert result.relative > first.relative  # of all the rounds


class RoundsAnew(Scales):
    """Right, but for the last digit: a Relu's result as 3 times its third."""

    def apply(self, model: ir.Model, form: str) -> list[str]:
        found = [one for one in model.graph if one.op_type == "Relu" and one.name != "third"]
        for node in found:
            rewriter = Rewriter(node)
            relu = rewriter.add("Relu", [node.inputs[0]])
            relu.producer().name = "third"
            third = rewriter.add("Mul", [relu, rewriter.constant(1.0 / 3.0)])
            rewriter.replace(rewriter.add("Mul", [third, rewriter.constant(3.0)]))
        return ["rounds anew"] if found else []


def test_what_is_rounding_of_a_steep_network_is_kept() -> None:
    steep = graph(
        "(float[1,64] x) => (float[1,64] y) { r = Relu(x) s = Mul(r, by) y = Sin(s) }",
        by=np.array(100.0),
    )
    (step, *_) = run(RoundsAnew(), steep).steps
    assert step.kept
    assert step.max_abs > 1e-4, "else the test shows nothing"
    (wrong, *_) = run(Scales(), steep).steps
    assert not wrong.kept


def test_the_whole_order_on_a_small_network() -> None:
    result = simplify(block(), "caffe")
    names = [step.name for step in result.steps]
    stages = [step.stage for step in result.steps]
    assert names[0] == "onnxsim"
    assert stages == sorted(stages)
    assert names.index("clean_shapes") < names.index("fold_batch_norm") < names.index("lower_clip")
    assert all(step.kept for step in result.steps), result.steps
    assert result.relative < 1e-5
    assert set(operators(result.onnx)) == {"Conv", "Relu", "Sub"}


def test_every_pass_alone_reaches_the_same_without_onnxsim() -> None:
    with_it, without = simplify(block(), "caffe"), simplify(block(), "caffe", off=["onnxsim"])
    assert operators(with_it.onnx) == operators(without.onnx)
    assert "onnxsim" not in [step.name for step in without.steps]
    assert [s.name for s in without.steps if s.changes] == [
        "clean_shapes", "fold_batch_norm", "lower_clip"]  # fmt: skip


def test_a_format_without_lowering() -> None:
    result = simplify(block(), "onnx")
    assert operators(result.onnx) == {"Conv": 1, "Clip": 1}


def test_off() -> None:
    result = simplify(block(), "caffe", off=["lower_clip", "onnxsim"])
    assert "lower_clip" not in [step.name for step in result.steps]
    assert operators(result.onnx)["Clip"] == 1


@pytest.mark.parametrize("name", ["lower_clp", "LowerClip", ""])
def test_an_unknown_pass(name: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown pass '{name}'.*known: .*onnxsim"):
        simplify(block(), "caffe", off=[name])


def test_passes_of_every_format_can_be_made() -> None:
    for form in ("onnx", "caffe", "caffe-omg"):
        passes = select(form)
        order = [(one.stage, name) for name, one in passes.items()]
        assert order == sorted(order)
        assert all(one.summary and form in one.formats for one in passes.values())


def test_a_failing_onnxsim_is_reported_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(onnxsim, "simplify", fail)
    result = simplify(block(), "caffe")
    assert (result.steps[0].kept, result.steps[0].why) == (False, "it fails: out of luck")
    assert set(operators(result.onnx)) == {"Conv", "Relu", "Sub"}


def test_a_wrong_onnxsim_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = onnxsim.simplify

    def lie(model: Any, **options: Any) -> Any:
        made, checked = real(model, **options)
        kernel = max(made.graph.initializer, key=lambda one: len(one.dims))
        zeros = np.zeros(tuple(kernel.dims), np.float32)
        kernel.CopyFrom(onnx.numpy_helper.from_array(zeros, kernel.name))
        return made, checked

    monkeypatch.setattr(onnxsim, "simplify", lie)
    first = simplify(block(), "caffe").steps[0]
    assert not first.kept
    assert "differ" in first.why


def test_splits() -> None:
    text = "(float[1,4,8,8] input) => (float[1,2,8,8] y) { y = Conv(input, w) }"
    data = graph(text, w=noise(2, 4, 1, 1))
    result = simplify(data, "caffe", splits={"input": ("image", "alpha_prev")})
    assert operators(result.onnx) == {"Conv": 2, "Add": 1}
    with pytest.raises(ConfigError, match="no input 'inptu'"):
        simplify(data, "caffe", splits={"inptu": ("image", "alpha_prev")})


def test_open_sizes_are_fixed_by_the_declaration() -> None:
    text = "(float[n,3,h,w] x) => (float[n,3,h,w] y) { s = Shape(x) r = Relu(x) y = Reshape(r, s) }"
    result = simplify(graph(text), "caffe", inputs={"x": InputSpec((1, 3, 4, 6))})
    assert operators(result.onnx) == {"Relu": 1}
    with pytest.raises(ConversionError, match="a size is open"):
        simplify(graph(text), "caffe")


def large(data: bytes) -> Probes:
    """As if executing it took long."""
    return dataclasses.replace(probes(data), large=True)


class Once(Scales):
    """Right: every Relu times 1."""

    by = 1.0

    def apply(self, model: ir.Model, form: str) -> list[str]:
        done = any(one.name and "Relu" in one.name for one in model.graph if one.op_type == "Mul")
        return [] if done else super().apply(model, form)


class Adds(Pass):
    """Wrong: adds to every Neg, once."""

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "test"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        found = [one for one in model.graph if one.op_type == "Neg"]
        for node in found:
            rewriter = Rewriter(node)
            minus = rewriter.add("Mul", [node.inputs[0], rewriter.constant(-1.0)])
            rewriter.replace(rewriter.add("Add", [minus, rewriter.constant(0.5)]))
        return ["added"] if found else []


def test_a_large_network_is_executed_once_for_the_passes_of_a_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = graph(RELU)
    ran: list[bytes] = []
    real = probes_module.outputs
    monkeypatch.setattr(
        probes_module, "outputs", lambda onnx, feeds: (ran.append(onnx), real(onnx, feeds))[1]
    )
    right = {"a": Once(), "b": NegAsMul()}
    result = run_passes(data, right, "caffe", probed=large(data), fp16=False)
    assert len(ran) == 2, "before and after"
    changed = [step for step in result.steps if step.changes]
    assert [(step.name, step.together) for step in changed] == [("a", 2), ("b", 2)]
    assert len({(step.max_abs, step.relative) for step in changed}) == 1
    one_by_one = run_passes(data, right, "caffe", probed=probes(data))
    assert operators(one_by_one.onnx) == operators(result.onnx)
    assert {step.together for step in one_by_one.steps} == {1}


@pytest.mark.parametrize(
    ("faulty", "why"),
    [(Adds(), "outputs differ by 0.5"), (CrashesHalfway(), "KeyError"), (Silent(), "say what")],
    ids=["wrong", "crash", "silent"],
)
def test_of_a_large_network_too_only_the_faulty_pass_is_undone(faulty: Pass, why: str) -> None:
    data = graph(RELU)
    passes = {"a": NegAsMul(), "b": faulty} if not isinstance(faulty, Adds) else {
        "a": Once(), "b": faulty}  # fmt: skip
    result = run_passes(data, passes, "caffe", probed=large(data))
    undone = [step for step in result.steps if not step.kept]
    assert [step.name for step in undone] == ["b"]
    assert why in undone[0].why
    assert [step.name for step in result.steps if step.changes and step.kept] == ["a"]
    assert operators(result.onnx)["Mul"] == 1
    assert result.relative < 1e-6


def test_fp16_of_a_large_network_is_that_of_all_lowering() -> None:
    data = graph(RELU)
    passes = {"a": Once(), "b": NegAsMul()}
    steps = run_passes(data, passes, "caffe", probed=large(data)).steps
    assert len({step.fp16_after for step in steps if step.changes}) == 1
    assert all(step.fp16_added is not None for step in steps if step.changes)
    assert all(step.fp16_added is None for step in steps if not step.changes)


def test_bytes_that_are_no_network() -> None:
    for inputs in (None, {"x": InputSpec((1, 3, 4, 6))}):
        with pytest.raises(ConversionError, match=r"not an ONNX model|refuses"):
            simplify(b"no network", "caffe", inputs=inputs)


def test_fp16_shows_what_a_decomposition_loses() -> None:
    class Cancels(Scales):
        def apply(self, model: ir.Model, form: str) -> list[str]:
            (node,) = [one for one in model.graph if one.op_type == "Relu"]
            rewriter = Rewriter(node)
            far = rewriter.add("Add", [node.inputs[0], rewriter.constant(50.0)])
            rewriter.replace(
                rewriter.add("Relu", [rewriter.add("Sub", [far, far.producer().inputs[1]])])
            )
            return ["by way of x + 50"]

    data = graph("(float[1,64] x) => (float[1,64] y) { y = Relu(x) }")
    probed = Probes(probes(data).feeds, 1)
    one = {"it": Cancels()}
    first = run_passes(data, one, "caffe", probed=probed, tolerance=1e-3).steps[0]
    assert first.kept
    assert first.relative < 1e-4
    assert first.fp16_before is not None
    assert first.fp16_added is not None
    assert first.fp16_before < 1e-3
    assert 1e-3 < first.fp16_added < 0.1
    without = run_passes(data, one, "caffe", probed=probed, tolerance=1e-3, fp16=False).steps[0]
    assert without.fp16_added is None


def test_not_a_number_where_there_was_one_is_a_difference() -> None:
    one = {"y": np.array([1.0, np.nan, np.inf], np.float32)}
    assert difference([one], [one]) == (0, 0)
    for changed in ([np.nan, np.nan, np.inf], [1, 0, np.inf], [1, np.nan, -np.inf], [1, np.nan]):
        assert difference([one], [{"y": np.array(changed, np.float32)}])[0] == np.inf


def test_a_large_network_is_compared_on_one_input_of_all_regimes() -> None:
    (feeds,) = probes(
        graph("(float[1,3,512,512] x) => (float[1,3,512,512] y) { y = Relu(x) }")
    ).feeds
    quarters = [part.std() for part in np.split(feeds["x"], 4, axis=-1)]
    np.testing.assert_allclose(quarters, [1, 0.02, 0.01, 30], rtol=0.05)
    assert feeds["x"][..., 256:384].mean() == pytest.approx(5, abs=0.01)


@pytest.fixture(scope="module")
def matting() -> tuple[bytes, Simplified]:
    build = read_build(str(BUILDS / "selfie_landscape.sim"))
    return build.onnx, simplify(build.onnx, "caffe", inputs=build.inputs)


def test_the_shipped_network(matting: tuple[bytes, Simplified]) -> None:
    onnx, result = matting
    assert all(step.kept for step in result.steps), [s.why for s in result.steps if not s.kept]
    assert "HardSigmoid" in operators(onnx)
    assert not {"HardSigmoid", "HardSwish", "Clip", "Identity"} & set(operators(result.onnx))
    assert result.relative < 1e-5
    (lowered,) = [s for s in result.steps if s.name == "lower_clip" and s.changes]
    assert len(lowered.changes) == 11
    assert lowered.fp16_after is not None
    assert lowered.fp16_after < 0.01


def test_its_outputs_are_those_of_the_network_it_was(matting: tuple[bytes, Simplified]) -> None:
    onnx, result = matting
    frame = {"image": np.random.default_rng(5).random((1, 3, 144, 256), np.float32)}
    (one,), (other,) = outputs(onnx, [frame]), outputs(result.onnx, [frame])
    np.testing.assert_allclose(other["alpha"], one["alpha"], atol=1e-5)


@pytest.mark.parametrize("source", ["nv21", "rgb888", "bgr888"])
@pytest.mark.parametrize("large", [False, True])
def test_noise_for_pictures_of_every_source(source: str, large: bool) -> None:
    side = 640 if large else 16
    spec = InputSpec((1, 3, side, side), Preprocess(source=source, scale=(1 / 255,) * 3))
    sides = ",".join(map(str, spec.shape))
    onnx = graph(f"(float[{sides}] x) => (float[{sides}] y) {{ y = Relu(x) }}")
    made = probes(onnx, {"x": spec}).feeds
    assert len(made) == (1 if large else 4)
    assert all(one["x"].shape == spec.shape and one["x"].min() >= 0 for one in made)
