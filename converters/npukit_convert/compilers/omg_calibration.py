"""What OMG quantises with: the file of --cal_conf, and the frames that it names.

Template, keys and the layout of binary inputs: Atlas 500 and Atlas 300 model conversion guides,
"Configuration File Template" and "Description of the Configuration Parameters".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from npukit.arrays import F32
from npukit.errors import ConfigError

_MAGIC = 510  # of a binary input of four axes
_AXES = 4
# How the ranges are searched is that of the template: no other values are documented.
_SEARCH = """\
bin: 150
type: KL
inference_with_data_quantized: false
inference_with_weight_quantized: true
super_parameter: {
  min_percentile: PERCENTILE_HIGH
  max_percentile: PERCENTILE_MID
  start_ratio: 0.7
  end_ratio: 1.3
  step_ratio: 0.01
}
"""


def cal_conf(
    name: str,
    feeds: Sequence[Mapping[str, F32]],
    excluded: Sequence[str],
    symmetric: bool,
) -> dict[str, bytes]:
    """The files, the configuration first.

    Args:
        name: of the model.
        feeds: the network's inputs, a frame each, in the network's order.
        excluded: layers that stay in float16.
        symmetric: int8 activations without an offset, in place of uint8 with one.

    Raises:
        ConfigError: an input without four axes, or a name that the format cannot say.
    """
    lines = [
        "device: USE_CPU",
        f"quantize_algo: {'NON_OFFSET' if symmetric else 'HALF_OFFSET'}",
        "weight_type: VECTOR_TYPE",  # by channel
        _SEARCH.rstrip("\n"),
        *(f"exclude_op: '{_ascii(layer)}'" for layer in excluded),
        f"batch_count: {len(feeds)}",
    ]
    files: dict[str, bytes] = {}
    for place, tensor in enumerate(feeds[0]):
        file = f"{name}.cal.{place}.bin"
        files[file] = _binary(tensor, [frame[tensor] for frame in feeds])
        lines += [
            "preprocess_parameter: {",
            "  input_type: BINARY",
            f"  input_file_path: '{_ascii(file)}'",
            "}",
        ]
    return {f"{name}.cal.conf": ("\n".join(lines) + "\n").encode("ascii"), **files}


def _binary(tensor: str, frames: Sequence[F32]) -> bytes:
    """Magic number, frames, channels, height, width as 32-bit integers, then float32."""
    shape = frames[0].shape
    if len(shape) != _AXES or shape[0] != 1:
        raise ConfigError(
            f"omg calibrates on inputs [1, C, H, W], {tensor!r} is {list(shape)}",
            where="calibration",
            hint="for such a network: --precision fp16",
        )
    header = struct.pack("<5i", _MAGIC, len(frames), *shape[1:])
    return header + b"".join(np.ascontiguousarray(frame, "<f4").tobytes() for frame in frames)


def _ascii(name: str) -> str:
    if not name.isascii() or "'" in name or "\n" in name:
        raise ConfigError(f"omg's configuration cannot name {name!r}", where="calibration")
    return name
