"""Passes run on a graph: what they make is executed, and kept only if it computes the same."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx as onnx_package
import onnx_ir as ir
import onnxsim

from npukit.errors import ConfigError
from npukit_convert import probes
from npukit_convert.fp16 import emulate
from npukit_convert.graph import read_graph, tidy, write_graph
from npukit_convert.passes.base import Pass, Stage

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
            after it from fp32 on the graph before, relative as above; None where it was not
            measured: it is for lowering passes that changed something.
        together: how many steps the figures are of; more than 1 where a large network was
            executed once for all the passes of a stage.
        milliseconds: with its verification; that of several together is in the last one's.
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
    together: int = 1
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
    runner: Runner = field(repr=False, compare=False)


class Runner:
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
        self._together = probed.large
        self._outputs = self._original = probes.outputs(onnx, self._feeds)
        self._in_fp16: list[probes.Outputs] | None = None  # of self._onnx, once it is asked for
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
        step = Step(ONNXSIM, Stage.CLEAN, _counted(before, after))
        if step.changes:
            self._verify(step, after.SerializeToString, {}, start)
        else:
            self._note(step, start)

    def run(self, passes: Mapping[str, Pass]) -> None:
        """Run each pass once; those that lower again, until none of them changes anything."""
        for stage in Stage:
            chosen = {name: one for name, one in passes.items() if one.stage == stage}
            rounds = _ROUNDS if stage == Stage.LOWER else 1
            if not (self._together and self._all_at_once(chosen, rounds)):
                self._one_by_one(chosen, rounds)

    def result(self) -> Simplified:
        """What has come out."""
        return Simplified(
            self._onnx,
            tuple(self._steps),
            *probes.difference(self._original, self._outputs),
            self,
        )

    def towards(self, form: str) -> Runner:
        """One that begins where this has ended."""
        next_one = copy.copy(self)
        next_one._form, next_one._steps, next_one._original = form, [], self._outputs
        return next_one

    def _one_by_one(self, left: Mapping[str, Pass], rounds: int) -> None:
        """Execute the graph after each pass; what is wrong is undone."""
        for count in range(rounds):
            done = [self._step(name, one, report=count == 0) for name, one in left.items()]
            # One that was undone would be undone again.
            left = {
                name: one for (name, one), step in zip(left.items(), done, strict=True) if step.kept
            }
            if not any(step.kept and step.changes for step in done):
                break

    def _all_at_once(self, passes: Mapping[str, Pass], rounds: int) -> bool:
        """Execute the graph once, after all passes; False, and nothing is done, if it is wrong."""
        start = time.perf_counter()
        steps: list[Step] = []
        for count in range(rounds):
            done = [self._apply(name, one) for name, one in passes.items()]
            steps += [step for step in done if step.changes or not step.kept or count == 0]
            if not all(step.kept for step in done) or not any(step.changes for step in done):
                break
        changed = [step for step in steps if step.changes]
        why = next((step.why for step in steps if not step.kept), "")
        figures = Step("", Stage.CLEAN)
        if changed and not why:
            by = {step.name: passes[step.name] for step in changed}
            figures, why = self._accept(changed[-1], self._written, by)
        if why:
            self._model = None
            return False
        for step in steps:
            if step.changes:
                last = step is changed[-1]
                step = replace(
                    figures,
                    name=step.name,
                    changes=step.changes,
                    together=len(changed),
                    milliseconds=step.milliseconds,
                )
                if last:
                    spent = sum(one.milliseconds for one in steps if one is not changed[-1])
                    step = replace(step, milliseconds=1000 * (time.perf_counter() - start) - spent)
            self._steps.append(step)
        return True

    def _step(self, name: str, one: Pass, report: bool) -> Step:
        start = time.perf_counter()
        step = self._apply(name, one)
        if not step.kept:
            return self._undo(step, step.why, start)
        if step.changes:
            return self._verify(step, self._written, {name: one}, start)
        return self._note(step, start) if report else step

    def _apply(self, name: str, one: Pass) -> Step:
        """Rewrite the graph, without executing it; not `kept` when the pass fails."""
        start = time.perf_counter()
        if self._model is None:
            self._model = read_graph(self._onnx)
        before = _structure(self._model)
        step = Step(name, one.stage)
        try:
            step = replace(step, changes=tuple(one.apply(self._model, self._form)))
            changed = _structure(self._model) != before
            if step.changes and changed:
                tidy(self._model)
        except ConfigError:  # of the user's options: to be mended, not to be passed over
            raise
        except Exception as error:  # noqa: BLE001 - a faulty pass may raise anything
            why = f"it fails: {type(error).__name__}: {error}"
            self._model = None
            return replace(step, kept=False, why=why)
        if changed and not step.changes:
            why = "it changes the graph and does not say what"
            self._model = None
            return replace(step, kept=False, why=why)
        if not changed:
            step = replace(step, changes=())
        return replace(step, milliseconds=1000 * (time.perf_counter() - start))

    def _verify(
        self, step: Step, onnx: Callable[[], bytes], by: Mapping[str, Pass], start: float
    ) -> Step:
        step, why = self._accept(step, onnx, by)
        return self._undo(step, why, start) if why else self._note(step, start)

    def _accept(
        self, step: Step, write: Callable[[], bytes], by: Mapping[str, Pass]
    ) -> tuple[Step, str]:
        """Take up a graph if it computes the same: the step with its figures, or why not."""
        feeds = self._feeds
        in_fp16 = None
        try:
            onnx = write()
            for one in by.values():
                feeds = [one.feeds(given) for given in feeds]
            after = probes.outputs(onnx, feeds)
            if self._fp16 and step.stage == Stage.LOWER:
                if self._in_fp16 is None:
                    self._in_fp16 = self._emulated(self._onnx, self._feeds)
                in_fp16 = self._emulated(onnx, feeds)
        except Exception as error:  # noqa: BLE001 - what a faulty pass leaves may fail anywhere
            return step, str(error)
        max_abs, relative = probes.difference(self._outputs, after)
        step = replace(step, max_abs=max_abs, relative=relative)
        if in_fp16 is not None and self._in_fp16 is not None:
            exact = self._outputs[: self._usual]
            step = replace(
                step,
                fp16_before=probes.difference(exact, self._in_fp16)[1],
                fp16_after=probes.difference(exact, in_fp16)[1],
            )
        if not relative <= self._tolerance and not self._is_rounding(after):
            why = f"outputs differ by {max_abs:.2g}, {relative:.2g} of the largest"
            return step, f"{why}; allowed is {self._tolerance:.2g}"
        self._onnx, self._feeds = onnx, feeds
        self._outputs, self._in_fp16 = after, in_fp16
        return step, ""

    def _is_rounding(self, after: Sequence[probes.Outputs]) -> bool:
        """Whether all that differs too much does so where the network is that steep."""
        allowed = probes.conditions(self._onnx, self._feeds, self._outputs)
        return all(
            probes.difference([one], [other])[1] <= max(self._tolerance, most)
            for one, other, most in zip(self._outputs, after, allowed, strict=True)
        )

    def _written(self) -> bytes:
        assert self._model is not None  # noqa: S101 - a pass has just changed it
        return write_graph(self._model)

    def _emulated(self, onnx: bytes, feeds: Sequence[probes.Feeds]) -> list[probes.Outputs]:
        return probes.outputs(emulate(onnx), feeds[: self._usual])

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
