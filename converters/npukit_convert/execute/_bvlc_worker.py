"""Executes a Caffe network for `caffe_bvlc.py`; run by path, with Caffe's own Python.

Syntax and library of Python 3.7, Caffe and numpy alone. Requests and answers are lines of JSON:
{"feeds": {BLOB: FILE.npy}, "into": FOLDER, "layers": bool} on stdin; {"names": [...]} on stdout
when the results lie in the folder as 0.npy, 1.npy, ... A check that fails ends the process: so
Caffe does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import caffe
import numpy as np


def main(prototxt: str, caffemodel: str) -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints
    caffe.set_mode_cpu()
    net = caffe.Net(prototxt, caffemodel, caffe.TEST)
    _say(answers, {"inputs": list(net.inputs)})
    for line in sys.stdin:
        request = json.loads(line)
        for name, file in request["feeds"].items():
            net.blobs[name].data[...] = np.load(file)
        names = []  # type: list[str]
        for name, value in _results(net, request["layers"]):
            np.save(f"{request['into']}/{len(names)}.npy", value)
            names.append(name)
        _say(answers, {"names": names})


def _results(net: Any, layers: bool) -> Iterator[tuple[str, Any]]:
    if not layers:
        yield from net.forward().items()
        return
    # One layer at a time: an in-place layer overwrites what the one before it gave.
    for index, name in enumerate(net._layer_names):
        net._forward(index, index)
        tops = net.top_names[name]
        if net.layers[index].type in ("Input", "Split"):
            continue
        for place, top in enumerate(tops):
            yield name if len(tops) == 1 else f"{name}:{place}", net.blobs[top].data


def _say(answers: TextIO, data: Any) -> None:
    answers.write(json.dumps(data) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
