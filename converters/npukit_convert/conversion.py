"""What a conversion has made so far."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from npukit.runtime.build import SimulatorBuild
from npukit_convert.config import ConvertConfig
from npukit_convert.errors import CompilerMissing
from npukit_convert.figures import Spread
from npukit_convert.onnx_to_caffe.caffemodel import write_caffemodel
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.onnx_to_caffe.prototxt import to_prototxt
from npukit_convert.quantization.plans.plan import write_plan
from npukit_convert.quantization.quantize import Quantization
from npukit_convert.rewriting import Step as PassStep
from npukit_convert.targets.base import Compiled
from npukit_convert.verify import Verified


@dataclass(frozen=True)
class StepReport:
    """What one step did, or will do.

    Attributes:
        name: `export` or `read`, `simplify`, `caffe`, `quantize`, `build`, `offline`, `compile`.
        does: one line.
        seconds: with its verification.
        verified: against the form before; None for the first form.
        passes: the rewrites of the graph.
        notes: what a person should know.
        measured: what the chip's arithmetic changes in the outputs, by what is changed.
    """

    name: str
    does: str
    seconds: float = 0.0
    verified: Verified | None = None
    passes: tuple[PassStep, ...] = ()
    notes: tuple[str, ...] = ()
    measured: Mapping[str, Spread] = field(default_factory=dict)


@dataclass
class Conversion:
    """The results of the steps so far.

    Attributes:
        config: what was asked for.
        onnx: the newest form of the float ONNX network.
        quantization: the network in int8 and its plan; None for other precisions.
        caffe: the Caffe network; None for the route `onnx`.
        build: the simulator build.
        offline: the build as an offline model; None without a target that has them.
        aipp: the text of its AIPP configuration; None where no input is a picture.
        compiled: the offline model; None where no compiler was run.
        uncompiled: why, where a compiler was looked for.
        steps: what was done.
        sources: SHA-256 of each file that was read, by its name in the config.
    """

    config: ConvertConfig
    onnx: bytes = b""
    quantization: Quantization | None = None
    caffe: CaffeNet | None = None
    build: SimulatorBuild | None = None
    offline: bytes | None = None
    aipp: str | None = None
    compiled: Compiled | None = None
    uncompiled: CompilerMissing | None = None
    steps: list[StepReport] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """File name to content, of the networks and of what their compiler takes and makes."""
        made, name = self.networks(), self.config.name
        if self.quantization is not None:
            done = self.quantization
            made[f"{name}.int8.onnx"] = done.onnx
            made[f"{name}.plan.yaml"] = write_plan(done.plan, done.kept).encode()
        if self.offline is not None:
            made[f"{name}.om"] = self.offline  # a compiler's takes its place
        if self.aipp is not None:
            made[f"{name}.aipp.cfg"] = self.aipp.encode()
        if self.compiled is not None:
            made.update(self.compiled.files)
            made[f"{name}.compile.log"] = self.compiled.log.encode()
        if self.uncompiled is not None:
            made.update(self.uncompiled.files)
        return made

    def networks(self) -> dict[str, bytes]:
        """File name to content, of the networks."""
        name = self.config.name
        made = {f"{name}.onnx": self.onnx}
        if self.caffe is not None:
            made[f"{name}.prototxt"], made[f"{name}.caffemodel"] = caffe_files(self.caffe)
        return made


def caffe_files(net: CaffeNet) -> tuple[bytes, bytes]:
    """The bytes of prototxt and caffemodel."""
    weights = io.BytesIO()
    write_caffemodel(net, weights)
    return to_prototxt(net).encode(), weights.getvalue()
