"""Executes converted networks with two independent Caffes: OpenCV's, and BVLC's own."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from support.interpreters import cached_venv, clean_environment, find_python

from npukit_convert.onnx_to_caffe.caffemodel import write_caffemodel
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.onnx_to_caffe.prototxt import to_prototxt

Array = NDArray[np.float32]
Feeds = Mapping[str, Array]
WORKER = Path(__file__).with_name("_bvlc_batch.py")
REQUIREMENTS = ("kendryte-caffe==1.0.0.20210829", "protobuf<3.21", "numpy<2", "scikit-image")
OPENCV_LACKS = frozenset(["ArgMax", "Bias", "Reduction", "Threshold", "Tile"])
BVLC_LACKS = frozenset(["ConvolutionDepthwise", "Interp", "ReLU6", "ShuffleChannel"])


class EngineError(Exception):
    """An engine refuses a network, or ends; the message is its own."""


def files(net: CaffeNet) -> tuple[bytes, bytes]:
    """The prototxt and the caffemodel."""
    model = io.BytesIO()
    write_caffemodel(net, model)
    return to_prototxt(net).encode(), model.getvalue()


def run_opencv(net: CaffeNet, feeds: Feeds) -> dict[str, Array]:
    """Execute in this process; an array per ONNX output.

    Raises:
        EngineError: OpenCV refuses the network.
    """
    text, model = files(net)
    text = text.replace(b"round_mode: FLOOR", b"ceil_mode: false")  # OpenCV's word for it
    try:
        reader = cv2.dnn.readNetFromCaffe(
            np.frombuffer(text, np.uint8), np.frombuffer(model, np.uint8)
        )
        reader.enableFusion(False)  # its fusions refuse some pairs of layers
        reader.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        for name, blob in zip(feeds, net.inputs, strict=True):
            reader.setInput(feeds[name], blob)
        places = _places(net)
        wanted = list(dict.fromkeys(layer for layer, _ in places.values()))
        tops = dict(zip(wanted, reader.forwardAndRetrieve(wanted), strict=True))
    except cv2.error as error:
        raise EngineError(" ".join(str(error).split())) from error
    return {name: np.array(tops[layer][top]) for name, (layer, top) in places.items()}


def _places(net: CaffeNet) -> dict[str, tuple[str, int]]:
    """Output name to the layer that gives it, and which of its tops it is."""
    made = {top: (layer.name, i) for layer in net.layers for i, top in enumerate(layer.tops)}
    return {name: made[blob] for name, blob in net.outputs.items()}


def run_bvlc(net: CaffeNet, feeds: Feeds) -> dict[str, Array]:
    """Execute with BVLC Caffe; an array per ONNX output. Check `has_bvlc` before.

    Raises:
        EngineError: Caffe refuses the network.
    """
    result = run_bvlc_batch([(net, [feeds])])[0]
    if isinstance(result, EngineError):
        raise result
    return result[0]


def run_bvlc_batch(
    work: Sequence[tuple[CaffeNet, Sequence[Feeds]]],
) -> list[list[dict[str, Array]] | EngineError]:
    """Execute many networks, each with several inputs, in one process of Caffe's own Python.

    Returns:
        For each network one result per feeds, or why Caffe refused it.
    """
    with tempfile.TemporaryDirectory() as folder:
        jobs = [_write_job(Path(folder, str(i)), *item) for i, item in enumerate(work)]
        answer = subprocess.run(
            [bvlc_python(), "-I", "-B", WORKER],
            input=json.dumps(jobs),
            capture_output=True,
            encoding="utf-8",
            env=clean_environment(GLOG_minloglevel="2", GLOG_logtostderr="1"),
        )
        lines = answer.stdout.splitlines()
        if answer.returncode or len(lines) != len(jobs):
            raise EngineError(answer.stderr[-2000:])
        return [
            _read_job(Path(folder, str(i)), json.loads(line), *item)
            for i, (line, item) in enumerate(zip(lines, work, strict=True))
        ]


def _write_job(folder: Path, net: CaffeNet, feeds: Sequence[Feeds]) -> dict[str, Any]:
    folder.mkdir()
    text, model = files(net)
    (folder / "net.prototxt").write_bytes(text)
    (folder / "net.caffemodel").write_bytes(model)
    for number, one in enumerate(feeds):
        renamed = {blob: one[name] for name, blob in zip(one, net.inputs, strict=True)}
        np.savez(folder / f"feeds{number}.npz", **renamed)
    return {"folder": str(folder), "feeds": len(feeds), "outputs": list(net.outputs.values())}


def _read_job(
    folder: Path, answer: Mapping[str, Any], net: CaffeNet, feeds: Sequence[Feeds]
) -> list[dict[str, Array]] | EngineError:
    if answer["error"]:
        return EngineError(answer["error"])
    results = []
    for number in range(len(feeds)):
        with np.load(folder / f"results{number}.npz") as found:
            results.append({name: found[blob] for name, blob in net.outputs.items()})
    return results


def has_bvlc() -> bool:
    """Whether there is a Python that BVLC Caffe has wheels for."""
    return find_python("3.9") is not None


@functools.cache
def bvlc_python() -> Path:
    """The interpreter that has BVLC Caffe; made on first use. Check `has_bvlc` before."""
    base = find_python("3.9")
    assert base is not None, "no Python 3.9: skip the test"
    return cached_venv(base, *REQUIREMENTS)
