"""A small Caffe network with its numbers from plain numpy."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from support.caffe_files import input_layer, write_net

from npukit.arrays import F32

# In-place ReLU, floor pooling of an odd size, a top that is an output, two inputs.
TEXT = (
    'name: "small"  # a comment\n'
    + input_layer("image", 1, 2, 5, 7)
    + input_layer("gain", 1, 3, 2, 3)
    + """
layer { name: "mix" type: "Convolution" bottom: "image" top: "mix"
        convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "cut" type: "ReLU" bottom: "mix" top: "mix" relu_param { negative_slope: 0.5 } }
layer { name: "pool" type: "Pooling" bottom: "mix" top: "pool"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 round_mode: FLOOR } }
layer { name: "scaled" type: "Eltwise" bottom: "pool" bottom: "gain" top: "scaled"
        eltwise_param { operation: PROD } }
layer { name: "split" type: "Slice" bottom: "scaled" top: "first" top: "rest"
        slice_param { axis: 1 slice_point: 1 } }
"""
)


class Small(NamedTuple):
    """The network, an input, and what each layer gives for it."""

    prototxt: Path
    feeds: dict[str, F32]
    layers: dict[str, F32]
    outputs: dict[str, F32]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    random = np.random.default_rng(5)
    weight, bias = random.standard_normal((3, 2)), random.standard_normal(3)
    path = write_net(
        tmp_path, TEXT, {"mix": ("Convolution", [weight.reshape(3, 2, 1, 1), bias])}, "small"
    )
    image = random.standard_normal((1, 2, 5, 7)).astype(np.float32)
    gain = random.standard_normal((1, 3, 2, 3)).astype(np.float32)
    mix = np.einsum("oi,nihw->nohw", weight, image) + bias.reshape(1, 3, 1, 1)
    cut = np.where(mix > 0, mix, 0.5 * mix)
    pool = cut[:, :, :4, :6].reshape(1, 3, 2, 2, 3, 2).max((3, 5))
    scaled = pool * gain
    layers = {
        "mix": mix, "cut": cut, "pool": pool, "scaled": scaled,
        "split:0": scaled[:, :1], "split:1": scaled[:, 1:],
    }  # fmt: skip
    outputs = {"first": layers["split:0"], "rest": layers["split:1"]}
    return Small(path, {"image": image, "gain": gain}, layers, outputs)
