"""What ATC quantises with: the file of --compression_optimize_conf, and what that names.

ATC instructions of CANN 6.3 to 9.0, `--compression_optimize_conf`; AMCT, "Simplified PTQ
Configuration File". Calibration runs on a chip: ATC must be called where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from npukit.arrays import F32
from npukit.errors import ConfigError


def compression_conf(
    name: str,
    feeds: Sequence[Mapping[str, F32]],
    excluded: Sequence[str],
    symmetric: bool,
    soc_version: str,
) -> dict[str, bytes]:
    """The files, the configuration first.

    Args:
        name: of the model.
        feeds: the network's inputs, a frame each, in the network's order.
        excluded: layers that stay in float16.
        symmetric: int8 activations without an offset.
        soc_version: of the chip that calibrates, which is the one that is compiled for.

    Raises:
        ConfigError: a name that the formats cannot say.
    """
    files = {
        tensor: (
            f"{name}.cal.{place}.bin",
            b"".join(np.ascontiguousarray(frame[tensor], "<f4").tobytes() for frame in feeds),
        )
        for place, tensor in enumerate(feeds[0])
    }
    shapes = ";".join(
        f"{_plain(tensor)}:{','.join(map(str, value.shape))}" for tensor, value in feeds[0].items()
    )
    settings = f"{name}.quant.cfg"
    lines = [
        "calibration:",
        "{",
        f"input_data_dir: {','.join(f'./{file}' for file, _ in files.values())}",
        f"input_shape: {shapes}",
        f"config_file: {settings}",
        f"infer_soc: {soc_version}",
        "infer_device_id: 0",
        "log: info",
        "}",
    ]
    return {
        f"{name}.cal.conf": ("\n".join(lines) + "\n").encode(),
        settings: _settings(excluded, symmetric).encode(),
        **dict(files.values()),
    }


def _settings(excluded: Sequence[str], symmetric: bool) -> str:
    """AMCT's configuration in protobuf's text format."""
    lines = [f"activation_offset: {'false' if symmetric else 'true'}"]
    lines += [f'skip_layers: "{_quoted(layer)}"' for layer in excluded]
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    if any(letter in name for letter in ";,\n{}"):
        raise ConfigError(
            f"ATC's calibration file cannot name the input {name!r}", where="calibration"
        )
    return name


def _quoted(name: str) -> str:
    if '"' in name or "\\" in name or "\n" in name:
        raise ConfigError(f"AMCT's configuration cannot name {name!r}", where="calibration")
    return name
