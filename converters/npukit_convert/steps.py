"""The steps of a conversion; each hands what it made to the next."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from npukit.arrays import F32
from npukit.errors import NpukitError, did_you_mean
from npukit.frame import Nv21Frame
from npukit.profiles import load_target
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec
from npukit_convert import onnx_file
from npukit_convert.compare import Case
from npukit_convert.compile_step import compile_network
from npukit_convert.config import ConvertConfig, write_config
from npukit_convert.conversion import Conversion, caffe_files
from npukit_convert.errors import ConversionError
from npukit_convert.execute.caffe_opencv import CaffeOpenCV
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder, read_pictures
from npukit_convert.figures import Spread, Thresholds
from npukit_convert.fp16 import emulate
from npukit_convert.graph import module_path, read_graph, shape
from npukit_convert.offline import lowering_note, measure, wrap_offline
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.passes.split_state_input import PICTURE, SplitStateInput
from npukit_convert.quantization.half import judge_fp16
from npukit_convert.quantization.plans.qdq import prepare
from npukit_convert.quantization.quantize import Task, quantize_network
from npukit_convert.quantization.rejection import rejection_of_fp16, told
from npukit_convert.quantization.settings import PRESETS
from npukit_convert.record import versions
from npukit_convert.rewriting import Simplified
from npukit_convert.rewriting import Step as PassStep
from npukit_convert.simplify import lower, simplify
from npukit_convert.verify import NOISE, Verified, Verifier

if TYPE_CHECKING:
    from torch import nn

_EXPORTED, _READ = "ONNX (exported)", "ONNX (as read)"
_SIMPLIFIED = "ONNX (simplified)"
FORM_ONNX = "onnx"
_PLAIN_CAFFE, _OMG_CAFFE = "caffe", "caffe-omg"
_BUILD = "simulator build"
_SEED = 0
_OPTIMISED = (
    "the network is right, but not what the simulated board would execute. Known: a Pad of zeros "
    "before a MaxPool is taken for one of -infinity; let the pooling do the padding, or put a Relu "
    "before the Pad. Else another version of onnxruntime may help"
)


@dataclass(frozen=True)
class Done:
    """What a step has to report, see `StepReport`."""

    verified: Verified | None = None
    passes: tuple[PassStep, ...] = ()
    notes: tuple[str, ...] = ()
    measured: Mapping[str, Spread] = field(default_factory=dict)


class Steps:
    """The steps, and what they hand on."""

    def __init__(
        self,
        config: ConvertConfig,
        folder: Path,
        where: str,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`tell` is given the compiler's output, line by line."""
        self.made, self._tell = Conversion(config), tell
        self._config, self._folder, self._where = config, folder, where
        self._inputs = config.input_specs(where)
        self._splits = dict(config.passes.split)
        self._original = _unsplit(self._inputs, self._splits, where)
        self._verifier: Verifier
        self._simplified: Simplified
        self._frames: list[Nv21Frame] = []

    def export(self) -> Done:
        """PyTorch to ONNX."""
        from npukit_convert.execute.torch_eager import TorchEager
        from npukit_convert.torch_to_onnx import export

        module, notes = self._module()
        shapes = {name: spec.shape for name, spec in self._original.items()}
        outputs = self._config.outputs
        self.made.onnx, warnings = export(module, shapes, outputs)
        self._begin()
        with TorchEager(module, str(self._config.model.torch), shapes, outputs) as torch:
            self._verifier.check(torch.engine, torch, outputs, self._where)
        try:
            verified = self._check_onnx(_EXPORTED)
        except NpukitError:
            check_static(self.made.onnx, self._where)  # the likeliest cause, and its place
            raise
        return Done(verified, notes=(*notes, *warnings))

    def read(self) -> Done:
        """An ONNX file."""
        file = str(self._config.model.onnx)
        data = onnx_file.read_onnx(self._folder / file)
        self.made.sources[file] = read_source(self._folder, file)
        onnx_file.check_onnx(data, file)
        if self._config.precision in PRESETS:  # names for all nodes; a quantised one is refused
            data = prepare(data, file)
        shapes = {name: spec.shape for name, spec in self._original.items()}
        self.made.onnx = onnx_file.fix_sizes(data, shapes, file)
        self._begin()
        return Done(self._check_onnx(_READ))

    def simplify(self) -> Done:
        """Fewer, simpler operators."""
        frames = [case.feeds for case in self._verifier.cases if not case.name.startswith(NOISE)]
        done = self._simplified = simplify(
            self.made.onnx,
            FORM_ONNX,
            inputs=self._original,
            feeds=frames[:1],
            tolerance=self._config.verify.max_abs,
            off=self._config.passes.off,
            splits=self._splits,
            fp16=self._config.verify.fp16,
        )
        self.made.onnx = done.onnx
        check_static(done.onnx, self._where)
        if self._splits:
            self._verifier.feed_otherwise(SplitStateInput(self._splits).feeds)
        return Done(self._check_onnx(_SIMPLIFIED), done.steps)

    def caffe(self) -> Done:
        """ONNX to Caffe, by way of operators that Caffe has."""
        form = caffe_form(self._config)
        lowered = lower(self._simplified, form, self._config.passes.off)
        try:
            net = to_caffe(read_graph(lowered.onnx), form, self._config.name)
        except ConversionError as error:
            undone = [f"{step.name}: {step.why}" for step in lowered.steps if not step.kept]
            if undone:
                error.hint = f"these rewrites were undone, which may be why: {'; '.join(undone)}"
            raise
        self.made.caffe = net
        prototxt, caffemodel = caffe_files(net)
        with tempfile.TemporaryDirectory(prefix="npukit-caffe-") as folder:
            text, weights = Path(folder) / "net.prototxt", Path(folder) / "net.caffemodel"
            text.write_bytes(prototxt)
            weights.write_bytes(caffemodel)
            verifier = self._verifier.fork()
            verifier.feed_otherwise(lambda feeds: _renamed(feeds, net.names))
            with CaffeOpenCV(text, weights) as opencv:
                names = [net.outputs[output] for output in self._config.outputs]
                verified = verifier.check(f"Caffe ({form})", opencv, names, self._where)
        return Done(verified, lowered.steps)

    def quantize(self) -> Done:
        """The float network in int8, as far as its accuracy allows."""
        config, where = self._config, self._where
        self.made.onnx = prepare(self.made.onnx, where)  # the plan names its nodes
        assert config.calibration is not None  # noqa: S101 - `make_config` sees to it
        done = self.made.quantization = quantize_network(
            Task(
                self.made.onnx,
                self._inputs,
                config.states,
                config.precision,
                config.calibration,
                config.quantization,
                None if config.accuracy is None else self._folder / config.accuracy,
                None if config.verify.frames is None else self._folder / config.verify.frames,
                config.target,
                self._folder,
                where,
            ),
            self._tell,
        )
        for file in (config.accuracy, config.quantization.plan):
            if file is not None:
                self.made.sources[file] = read_source(self._folder, file)
        result = done.result
        notes = [f"{one.text}: {one.remedy}" for one in result.findings]
        return Done(notes=tuple(notes))

    def build(self) -> Done:
        """What the simulator runs."""
        quantised = self.made.quantization
        build = SimulatorBuild(
            name=self._config.name,
            inputs=self._inputs,
            outputs=self._config.outputs,
            states=self._config.states,
            onnx=self.made.onnx if quantised is None else quantised.onnx,
            record={
                "versions": versions(),
                "sources": dict(self.made.sources),
                "config_sha256": _sha256(write_config(self._config).encode()),
                **({} if quantised is None else {"quantization": quantised.mark()}),
            },
        )
        # A quantised one was judged as it runs, optimised; it differs from float by its nature.
        verified = self._check_build(build) if quantised is None else None
        self.made.build = build
        return Done(verified)

    def _check_build(self, build: SimulatorBuild) -> Verified | None:
        """Execute it as the simulator does: ONNX Runtime optimises, and that can be wrong."""
        with OnnxRuntime(build.onnx, self._where, optimised=True) as runtime:
            try:
                return self._verifier.fork().check(
                    _BUILD, runtime, self._config.outputs, self._where
                )
            except ConversionError as error:
                raise ConversionError(
                    f"ONNX Runtime's optimisations change what the network computes: "
                    f"{error.message}",
                    where=self._where,
                    hint=_OPTIMISED,
                ) from error

    def offline(self) -> Done:
        """The build as Ascend's simulator takes it: in an .om, its pictures through AIPP."""
        build = self.made.build
        assert build is not None  # noqa: S101 - the step before makes it
        if self._config.precision == "fp16":
            build = replace(build, onnx=emulate(build.onnx))
        shown = self.made.onnx if self.made.quantization is None else build.onnx
        self.made.offline, self.made.aipp = wrap_offline(build, shown)
        if self.made.aipp is None:
            return Done()
        exact = lowering_note(self._inputs)
        if not self._frames:
            unknown = "no frames in verify.frames: what AIPP changes was not measured"
            return Done(notes=(exact, unknown))
        return Done(notes=(exact,), measured=measure(self.made.onnx, self._inputs, self._frames))

    def judge(self) -> Done:
        """What fp16 loses, by the floors of accuracy.yaml."""
        config = self._config
        assert config.accuracy is not None  # noqa: S101 - there is no such step without
        frames = None if config.verify.frames is None else self._folder / config.verify.frames
        judged, on = judge_fp16(
            self.made.onnx, self._inputs, config.states, self._folder / config.accuracy, frames
        )
        self.made.sources[config.accuracy] = read_source(self._folder, config.accuracy)
        if judged.missed:
            raise rejection_of_fp16(self.made, judged.missed, self._where)
        return Done(notes=(f"fp16 holds on {on}: {told(judged.floors)}",))

    def compile(self) -> Done:
        """What the board runs."""
        notes = compile_network(self.made, self._inputs, self._folder, self._where, self._tell)
        return Done(notes=notes)

    def _module(self) -> tuple[nn.Module, list[str]]:
        from npukit_convert.torch_module import make_module
        from npukit_convert.weights import load_weights

        name, *weights = source_files(self._config)
        factory = str(self._config.model.torch).partition(":")[2]
        module = make_module(self._folder / name, factory, f"{self._where}, model.torch")
        notes = [f"no weights file: the network is as {factory}() makes it"]
        if weights:
            notes = load_weights(module, self._folder / weights[0])
        for file in (name, *weights):
            self.made.sources[file] = read_source(self._folder, file)
        return module, notes

    def _begin(self) -> None:
        """Make the inputs that all forms are executed on."""
        verify, feeder = self._config.verify, Feeder(self._inputs)
        cases = [Case(f"{NOISE} of {title}", feeds) for title, feeds in feeder.noises(_SEED)]
        if verify.frames is not None:
            pictures = read_pictures(str(self._folder / verify.frames), verify.samples)
            self._frames = [picture.frame for picture in pictures]
            cases += [Case(picture.name, feeder.frame(picture.frame)) for picture in pictures]
        cases = [Case(case.name, _joined(case.feeds, self._splits)) for case in cases]
        self._verifier = Verifier(
            cases, self._config.outputs, Thresholds(verify.max_abs, verify.cosine)
        )

    def _check_onnx(self, form: str) -> Verified | None:
        with OnnxRuntime(self.made.onnx, self._where, optimised=False) as runtime:
            missing = [name for name in self._config.outputs if name not in runtime.outputs]
            if missing:
                raise ConversionError(
                    f"the network has no output {missing[0]!r}",
                    where=self._where,
                    hint=did_you_mean(missing[0], runtime.outputs),
                )
            return self._verifier.check(form, runtime, self._config.outputs, self._where)


def has_offline_model(config: ConvertConfig) -> bool:
    """Whether the target's models are .om files."""
    return config.target is not None and load_target(config.target).suffix.value == ".om"


def source_files(config: ConvertConfig) -> list[str]:
    """The files that the trained model is made of; a torch module's Python file is the first."""
    model = config.model
    if model.torch is None:
        return [str(model.onnx)]
    name = model.torch.partition(":")[0]
    file = name if name.endswith(".py") else f"{name}.py"
    return [file, *([] if model.weights is None else [model.weights])]


def read_source(folder: Path, name: str) -> str:
    """The SHA-256 of a file.

    Raises:
        ConversionError: it cannot be read.
    """
    path = folder / name
    try:
        return _sha256(path.read_bytes())
    except OSError as error:
        raise ConversionError(f"cannot be read: {error.strerror}", where=str(path)) from error


def caffe_form(config: ConvertConfig) -> str:
    """The Caffe profile: the layers of the targets' compilers, plain Caffe without a target."""
    return _PLAIN_CAFFE if config.target is None else _OMG_CAFFE


def _unsplit(
    inputs: Mapping[str, InputSpec], splits: Mapping[str, tuple[str, str]], where: str
) -> dict[str, InputSpec]:
    """The inputs as the trained network has them: picture and state in one."""
    original: dict[str, InputSpec] = {}
    parts = {picture: name for name, (picture, _) in splits.items()}
    states = {state for _, state in splits.values()}
    for name, spec in inputs.items():
        if name in parts:
            state = inputs.get(splits[parts[name]][1])
            if state is None or spec.shape[1] != PICTURE or state.shape[2:] != spec.shape[2:]:
                raise ConversionError(
                    f"{parts[name]!r} is split into {splits[parts[name]]}: `inputs` needs both, "
                    "the first of 3 channels, of equal height and width",
                    where=where,
                )
            channels = PICTURE + state.shape[1]
            original[parts[name]] = InputSpec((1, channels, *spec.shape[2:]))
        elif name not in states:
            original[name] = spec
    return original


def _joined(feeds: Mapping[str, F32], splits: Mapping[str, tuple[str, str]]) -> dict[str, F32]:
    joined = dict(feeds)
    for name, (picture, state) in splits.items():
        joined[name] = np.concatenate([joined.pop(picture), joined.pop(state)], axis=1)
    return joined


def _renamed(feeds: Mapping[str, F32], names: Mapping[str, str]) -> dict[str, F32]:
    return {names[name]: value for name, value in feeds.items()}


def check_static(onnx: bytes, where: str) -> None:
    """Refuse a network in which a size depends on data, or that computes in float64.

    Raises:
        ConversionError: names the first such node and its torch module.
    """
    for node in read_graph(onnx).graph:
        if any(value.dtype == ir.DataType.DOUBLE for value in node.outputs):
            raise ConversionError(
                f"{node.op_type} {node.name!r}{_module_of(node)} computes in float64",
                where=where,
                hint="no NPU does: keep that part of the network in float32",
            )
        if any(shape(value) is None for value in node.outputs if value.name):
            raise ConversionError(
                f"the size of what {node.op_type} {node.name!r}{_module_of(node)} gives "
                "depends on data",
                where=where,
                hint="a chip computes with fixed sizes: rewrite that part of the network, or "
                "move it into the skill",
            )


def _module_of(node: ir.Node) -> str:
    place = module_path(node)
    return f" (module {place})" if place else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
