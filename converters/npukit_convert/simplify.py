"""An ONNX graph made fit for a format by passes, each executed before and after."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx as onnx_package
import onnx_ir as ir
import onnxsim

from npukit.errors import ConfigError, did_you_mean
from npukit.runtime.declaration import InputSpec
from npukit_convert import probes
from npukit_convert.errors import ConversionError
from npukit_convert.fp16 import emulate
from npukit_convert.graph import read_graph, tidy, write_graph
from npukit_convert.passes import PASSES
from npukit_convert.passes.base import Pass, Stage
from npukit_convert.passes.split_state_input import SplitStateInput

ONNXSIM = "onnxsim"
_ROUNDS = 8  # of lowering; three are the most that any known network needs


@dataclass(frozen=True)
class Step:
    """What one pass did.

    Attributes:
        name: of the pass.
        stage: of the pass.
        changes: one line each; empty when there was nothing to do.
        kept: False when the graph before it was taken up again.
        why: it was undone; empty when it was kept.
        max_abs: largest difference of any output, before and after.
        relative: the same, relative to the largest number of that output (at least 0.1); what
            `tolerance` limits.
        fp16_before, fp16_after: largest difference of fp16 arithmetic on the graph before and
            after it from fp32 on the graph before, relative as above; None where nothing
            changed or it was not measured.
        milliseconds: with its verification.
    """

    name: str
    stage: Stage
    changes: tuple[str, ...] = ()
    kept: bool = True
    why: str = ""
    max_abs: float = 0.0
    relative: float = 0.0
    fp16_before: float | None = None
    fp16_after: float | None = None
    milliseconds: float = 0.0

    @property
    def fp16_added(self) -> float | None:
        """The error in fp16 that the step adds to what was there; negative when it helps."""
        if self.fp16_before is None or self.fp16_after is None:
            return None
        return self.fp16_after - self.fp16_before


@dataclass(frozen=True)
class Simplified:
    """A rewritten network.

    Attributes:
        onnx: its bytes.
        steps: in the order they ran. A lowering pass stands there again for each further round
            in which it changed something.
        max_abs, relative: of the whole, as in `Step`.
    """

    onnx: bytes
    steps: tuple[Step, ...]
    max_abs: float
    relative: float
    runner: _Runner = field(repr=False, compare=False)


def lower(done: Simplified, form: str, off: Collection[str] = ()) -> Simplified:
    """Go on towards another format; what was computed on the way is not computed again.

    Args:
        done: by `simplify`; not to be gone on from twice.
        form: as for `simplify`.
        off: names of passes that do not run.

    Raises:
        ConfigError: an unknown pass in `off`.
    """
    passes = select(form, off)
    runner = done.runner.towards(form)
    runner.run(passes)
    return runner.result()


def simplify(
    onnx: bytes,
    form: str,
    *,
    inputs: Mapping[str, InputSpec] | None = None,
    feeds: Sequence[probes.Feeds] = (),
    tolerance: float = 1e-4,
    off: Collection[str] = (),
    splits: Mapping[str, tuple[str, str]] | None = None,
    fp16: bool = True,
) -> Simplified:
    """Run onnxsim, then every pass for a format; keep only what computes the same.

    A pass that fails, or whose graph ONNX Runtime refuses or computes otherwise, is undone and
    reported in `Simplified.steps`.

    Args:
        onnx: float32; sizes are fixed, or given by `inputs`.
        form: what the graph is on its way to: `onnx`, `caffe` or `caffe-omg`.
        inputs: shapes and preprocessing by name, for the inputs that graphs are compared on.
        feeds: real inputs to compare on as well as noise.
        tolerance: largest difference of an output that a pass may make, relative to the
            output's largest number (at least 0.1).
        off: names of passes that do not run; `onnxsim` is one.
        splits: inputs to split in image and state channels, with the two new names.
        fp16: measure each step's error in fp16 too.

    Raises:
        ConfigError: an unknown pass in `off`, an unknown input in `splits`.
        ConversionError: the network itself cannot be read or executed.
    """
    passes = select(form, off, splits)
    onnx = _with_sizes(onnx, inputs)
    runner = _Runner(onnx, form, probes.probes(onnx, inputs, feeds), tolerance, fp16)
    if ONNXSIM not in off:
        runner.onnxsim()
    runner.run(passes)
    return runner.result()


def select(
    form: str,
    off: Collection[str] = (),
    splits: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, Pass]:
    """The passes for a format by name, in the order they run.

    Raises:
        ConfigError: an unknown name in `off`.
        PluginError: a pass that cannot be imported.
    """
    known = (*PASSES.names(), ONNXSIM)
    for name in off:
        if name not in known:
            raise ConfigError(f"unknown pass {name!r}", hint=did_you_mean(name, known))
    kinds = {name: PASSES.get(name) for name in PASSES.names() if name not in off}
    order = sorted(
        (name for name, kind in kinds.items() if form in kind.formats),
        key=lambda name: (kinds[name].stage, name),
    )
    return {
        name: SplitStateInput(splits or {}) if kinds[name] is SplitStateInput else kinds[name]()
        for name in order
    }


def run_passes(
    onnx: bytes,
    passes: Mapping[str, Pass],
    form: str,
    *,
    probed: probes.Probes,
    tolerance: float = 1e-4,
    fp16: bool = True,
) -> Simplified:
    """Run these passes alone, in their order, each verified as by `simplify`.

    Raises:
        ConversionError: the network itself cannot be read or executed.
    """
    runner = _Runner(onnx, form, probed, tolerance, fp16)
    runner.run(passes)
    return runner.result()


class _Runner:
    """The newest graph that is known to be right, and what it computes."""

    def __init__(
        self,
        onnx: bytes,
        form: str,
        probed: probes.Probes,
        tolerance: float,
        fp16: bool,
    ) -> None:
        self._form, self._tolerance, self._fp16 = form, tolerance, fp16
        self._onnx, self._feeds, self._usual = onnx, list(probed.feeds), probed.usual
        self._outputs = self._original = probes.outputs(onnx, self._feeds)
        self._in_fp16 = self._emulated(onnx, self._feeds)
        self._model: ir.Model | None = None  # of self._onnx; None when a pass spoilt it
        self._steps: list[Step] = []

    def onnxsim(self) -> None:
        """Let onnxsim fold constants and fuse."""
        start = time.perf_counter()
        before = onnx_package.load_model_from_string(self._onnx)
        try:
            after, _ = onnxsim.simplify(before, check_n=0)
        except Exception as error:  # noqa: BLE001 - C++ errors come as many kinds
            self._undo(Step(ONNXSIM, Stage.CLEAN), f"it fails: {error}", start)
            return
        changes = _counted(before, after)
        if changes:
            self._verify(Step(ONNXSIM, Stage.CLEAN, changes), after.SerializeToString(), {}, start)
        else:
            self._note(Step(ONNXSIM, Stage.CLEAN), start)

    def run(self, passes: Mapping[str, Pass]) -> None:
        """Run each pass once; those that lower again, until none of them changes anything."""
        for stage in Stage:
            left = {name: one for name, one in passes.items() if one.stage == stage}
            for count in range(_ROUNDS if stage == Stage.LOWER else 1):
                done = [self._step(name, one, report=count == 0) for name, one in left.items()]
                # One that was undone would be undone again.
                left = {
                    name: left[name]
                    for name, step in zip(list(left), done, strict=True)
                    if step.kept
                }
                if not any(step.kept and step.changes for step in done):
                    break

    def result(self) -> Simplified:
        """What has come out."""
        return Simplified(
            self._onnx,
            tuple(self._steps),
            *probes.difference(self._original, self._outputs),
            self,
        )

    def towards(self, form: str) -> _Runner:
        """One that begins where this has ended."""
        next_one = copy.copy(self)
        next_one._form, next_one._steps, next_one._original = form, [], self._outputs
        return next_one

    def _step(self, name: str, one: Pass, report: bool) -> Step:
        start = time.perf_counter()
        if self._model is None:
            self._model = read_graph(self._onnx)
        before = _structure(self._model)
        step = Step(name, one.stage)
        try:
            step = Step(name, one.stage, tuple(one.apply(self._model, self._form)))
            changed = _structure(self._model) != before
            if step.changes and changed:
                data = write_graph(tidy(self._model))
        except ConfigError:  # of the user's options: to be mended, not to be passed over
            raise
        except Exception as error:  # noqa: BLE001 - a faulty pass may raise anything
            return self._undo(step, f"it fails: {type(error).__name__}: {error}", start)
        if changed and not step.changes:
            return self._undo(step, "it changes the graph and does not say what", start)
        if step.changes and changed:
            return self._verify(step, data, {name: one}, start)
        step = Step(name, one.stage)
        return self._note(step, start) if report else step

    def _verify(self, step: Step, onnx: bytes, by: Mapping[str, Pass], start: float) -> Step:
        feeds = self._feeds
        try:
            for one in by.values():
                feeds = [one.feeds(given) for given in feeds]
            after = probes.outputs(onnx, feeds)
            in_fp16 = self._emulated(onnx, feeds)
        except Exception as error:  # noqa: BLE001 - what a faulty pass leaves may fail anywhere
            return self._undo(step, str(error), start)
        max_abs, relative = probes.difference(self._outputs, after)
        step = replace(step, max_abs=max_abs, relative=relative)
        if self._fp16:
            exact = self._outputs[: self._usual]
            step = replace(
                step,
                fp16_before=probes.difference(exact, self._in_fp16)[1],
                fp16_after=probes.difference(exact, in_fp16)[1],
            )
        if not relative <= self._tolerance:
            why = f"outputs differ by {max_abs:.2g}, {relative:.2g} of the largest"
            return self._undo(step, f"{why}; allowed is {self._tolerance:.2g}", start)
        self._onnx, self._feeds = onnx, feeds
        self._outputs, self._in_fp16 = after, in_fp16
        return self._note(step, start)

    def _emulated(self, onnx: bytes, feeds: Sequence[probes.Feeds]) -> list[probes.Outputs]:
        return probes.outputs(emulate(onnx), feeds[: self._usual]) if self._fp16 else []

    def _undo(self, step: Step, why: str, start: float) -> Step:
        self._model = None
        return self._note(replace(step, kept=False, why=why), start)

    def _note(self, step: Step, start: float) -> Step:
        step = replace(step, milliseconds=1000 * (time.perf_counter() - start))
        self._steps.append(step)
        return step


def _structure(model: ir.Model) -> list[tuple[object, ...]]:
    """What a graph is made of, to be compared with itself later.

    The objects themselves: kept alive, none can be taken for another one.
    """
    graph = model.graph
    parts: list[tuple[object, ...]] = [
        (
            node.domain,
            node.op_type,
            *map(_Same, (node, *node.inputs, *node.outputs, *node.attributes.values())),
        )
        for node in graph
    ]
    weights = tuple(_Same(value.const_value) for value in graph.initializers.values())
    return [*parts, tuple(map(_Same, graph.inputs)), tuple(map(_Same, graph.outputs)), weights]


class _Same:
    """Equal to the wrapper of the very same object only."""

    def __init__(self, one: object) -> None:
        self.one = one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.one is other.one

    def __hash__(self) -> int:
        return id(self.one)


def _counted(before: onnx_package.ModelProto, after: onnx_package.ModelProto) -> tuple[str, ...]:
    """How many nodes of each operator there were and are, where that changed."""
    old, new = (Counter(node.op_type for node in one.graph.node) for one in (before, after))
    return tuple(
        f"{operator}: {old[operator]} to {new[operator]}"
        for operator in sorted(old | new)
        if old[operator] != new[operator]
    )


def _with_sizes(onnx: bytes, inputs: Mapping[str, InputSpec] | None) -> bytes:
    """The network with the sizes of its inputs fixed to those given."""
    if not inputs:
        return onnx
    try:
        model = onnx_package.load_model_from_string(onnx)
    except Exception as error:  # protobuf raises many kinds
        raise ConversionError(f"not an ONNX model: {error}") from error
    for value in model.graph.input:
        sides = value.type.tensor_type.shape.dim
        if value.name not in inputs or len(sides) != len(inputs[value.name].shape):
            continue
        for side, size in zip(sides, inputs[value.name].shape, strict=True):
            if not side.HasField("dim_value"):
                side.dim_value = size
    fixed: bytes = model.SerializeToString()
    return fixed
