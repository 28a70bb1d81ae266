"""A small network, its graph by hand, and offline models of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import om_files

from npukit.om import OmGraph, OmNode, OmTensor, wrap
from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec

SHAPE = (1, 3, 4, 6)
BUILD = SimulatorBuild(
    name="net",
    inputs={"image": InputSpec(SHAPE, Preprocess()), "state": InputSpec((1, 1, 4, 6))},
    outputs=("alpha",),
    states={"state": "alpha"},
    onnx=b"\x08\x07" + bytes(range(256)),
    record={"opset": 13},
)
AIPP = {"aipp_mode": 1, "input_format": [1], "csc_switch": True, "matrix_r0c0": [298],
        "var_reci_chn_0": 0.25, "mean_chn_0": [0]}  # fmt: skip
GRAPH = OmGraph(
    name="graph",
    nodes=(
        OmNode("join", "Concat", ("image", "state"), ("four",), {"axis": 1}),
        OmNode(
            "mix", "Convolution", ("four", "kernel", "", "bias"), ("alpha",),
            {"stride": [1, 1], "pad": [0, 0, 0, 0], "mode": "plain", "scale": 0.5, "on": True,
             "names": ["a", "b"], "empty": []},
        ),
    ),
    inputs=("image", "state"),
    outputs=("alpha",),
    tensors={
        "image": OmTensor("float32", SHAPE),
        "state": OmTensor("float32", (1, 1, 4, 6)),
        "four": OmTensor("float32", (1, 4, 4, 6)),
        "alpha": OmTensor("float32", (1, 1, 4, 6)),
    },
    weights={
        "kernel": np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1),
        "bias": np.array([7.0], np.float32),
    },
)  # fmt: skip


@pytest.fixture(scope="session")
def wrapped() -> bytes:
    """A simulator build with a graph and AIPP."""
    return wrap(BUILD, GRAPH, {"image": AIPP})


@pytest.fixture(scope="session")
def real(shared_data: Callable[[str], Path]) -> bytes:
    """A compiled model of the vendor's; the test is skipped where it is absent."""
    return shared_data("om/landmark68_template_model.om").read_bytes()


@pytest.fixture(scope="session", params=["real", "version-1", "version-2", "64-bit", "wrapped"])
def any_om(request: pytest.FixtureRequest) -> bytes:
    """Every kind of file that the reader takes."""
    if request.param in ("real", "wrapped"):
        found: bytes = request.getfixturevalue(request.param)
        return found
    return {
        "version-1": om_files.tiny(),
        "version-2": om_files.tiny(om_files.VERSION_2, aipp=True),
        "64-bit": om_files.tiny(word=8),
    }[request.param]
