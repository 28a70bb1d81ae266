"""`npukit convert` against `torch.onnx.export` and onnxsim alone; each in a process of its own.

The peer makes an ONNX file and verifies nothing; npukit goes on to Caffe and executes every form.
Libraries are imported in both: a person waits for them too. Memory is the peak of the process,
and over what importing torch alone takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.clips import SKILL

AIM, MEMORY_AIM = 3.0, 6.0
_MODEL = SKILL / "model"
_MEASURE = """
import io, json, resource, sys, time
start = time.perf_counter()
import torch
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def say(imported, **more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    now = time.perf_counter()
    print(json.dumps(
        {"whole": now - start, "work": now - imported, "mib": peak / 1024,
         "above": (peak - base) / 1024, **more}
    ))
"""
_PEER = (
    _MEASURE
    + """
import warnings, onnx, onnxsim
from pathlib import Path
from npukit_convert.torch_module import make_module
imported = time.perf_counter()
warnings.simplefilter("ignore")
file, factory, shape, weights, _ = sys.argv[1:]
module = make_module(Path(file), factory).eval()
if weights:
    module.load_state_dict(torch.load(weights))
buffer = io.BytesIO()
torch.onnx.export(module, torch.zeros(json.loads(shape)), buffer, dynamo=False, opset_version=13)
made, _ = onnxsim.simplify(onnx.load_model_from_string(buffer.getvalue()))
size = len(made.SerializeToString()) / 2**20
say(imported, model_mib=size)
"""
)
_OURS = (
    _MEASURE
    + """
from pathlib import Path
import npukit_cli.converting as converting, npukit_convert.torch_to_onnx
from npukit_convert.request import read_request
imported = time.perf_counter()
file, factory, shape, weights, out = sys.argv[1:]
keys = {"inputs.image.shape": json.loads(shape), "route": "caffe", "verify.max_abs": 1e-3}
if weights:
    keys["model.weights"] = weights
made, _ = converting.run(read_request(f"{file}:{factory}", keys), Path(out), quiet=True)
say(imported, steps={step.name: step.seconds for step in made.steps})
"""
)
# Weights as training would leave them: rounding errors grow in a network that is not trained.
_WEIGHTS = """
import json, sys
from pathlib import Path
sys.path.insert(0, "tests")
import torch
from npukit_convert.torch_module import make_module
from support.networks.randomise import randomise
file, factory, shape, path = sys.argv[1:]
module = make_module(Path(file), factory)
torch.save(randomise(module, {"image": tuple(json.loads(shape))}).state_dict(), path)
"""


@dataclass(frozen=True)
class ConversionRow:
    """One network.

    Attributes:
        case: its name.
        ours, peer: seconds of the process, and of the work without the imports; medians.
        shares: seconds of npukit's steps.
        memory: of npukit, in times the model's size, over what importing torch takes.
    """

    case: str
    ours: tuple[float, float]
    peer: tuple[float, float]
    shares: Mapping[str, float]
    memory: float
    mib: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def rows(rounds: int) -> Iterator[ConversionRow]:
    """The landscape network, and MODNet at its own size."""
    with tempfile.TemporaryDirectory() as folder:
        weights = str(Path(folder) / "modnet.pt")
        modnet = (str(_MODEL / "modnet.py"), "build", "[1, 3, 512, 512]")
        _run(_WEIGHTS, (*modnet, weights))
        selfie = (str(_MODEL / "net.py"), "build_landscape", "[1, 3, 144, 256]")
        yield _measured("MODNet 512x512", (*modnet, weights, folder), rounds)
        yield _measured("selfie 256x144", (*selfie, "", folder), rounds)


def conversion_table(rows: Iterable[ConversionRow]) -> list[str]:
    """A table in Markdown."""
    lines = [
        f"Conversion to Caffe, verified; peer: export + onnxsim. Aims: {AIM:g}x, {MEMORY_AIM:g}x.",
        "",
        "| network | npukit | peer | ratio | without imports | memory | steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        whole = sum(row.shares.values())
        steps = ", ".join(f"{name} {100 * one / whole:.0f}%" for name, one in row.shares.items())
        lines.append(
            f"| {row.case} | {row.ours[0]:.1f} s | {row.peer[0]:.1f} s "
            f"| {row.ours[0] / row.peer[0]:.1f}x | {row.ours[1] / row.peer[1]:.1f}x "
            f"| {row.mib:.0f} MiB, {row.memory:.0f}x | {steps} |"
        )
    return lines


def _measured(case: str, arguments: Sequence[str], rounds: int) -> ConversionRow:
    pairs = [(_run(_OURS, arguments), _run(_PEER, arguments)) for _ in range(rounds)]
    ours, peer = zip(*pairs, strict=True)

    def middle(runs: Sequence[dict[str, Any]], key: str) -> float:
        return median(run[key] for run in runs)

    return ConversionRow(
        case,
        (middle(ours, "whole"), middle(ours, "work")),
        (middle(peer, "whole"), middle(peer, "work")),
        {name: median(run["steps"][name] for run in ours) for name in ours[0]["steps"]},
        middle(ours, "above") / peer[0]["model_mib"],
        middle(ours, "mib"),
    )


def _run(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found
