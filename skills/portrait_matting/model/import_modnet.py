"""Turn a MODNet checkpoint of its authors into a weight file for `convert.yaml`.

    python import_modnet.py modnet_photographic_portrait_matting.ckpt modnet.safetensors

The checkpoints are on the page that https://github.com/ZHKKKe/MODNet names. They were saved from
`DataParallel`, so every key begins with `module.`. Nothing of a checkpoint but tensors is read.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path

import torch
from modnet import MODNet
from safetensors.torch import save_file
from torch import Tensor

from npukit.files import replacing

_FIRST = "backbone.model.features.0.0.weight"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a state dict with the keys and shapes of MODNet, for 3 or 4 channels.

    Raises:
        ValueError: the file is no such checkpoint.
        OSError: it cannot be read.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        # Copies: the encoder stands there twice, and a weight file may not share memory.
        state = {key.removeprefix("module."): value.clone() for key, value in stored.items()}
        channels = state[_FIRST].shape[1]
        MODNet(channels).load_state_dict(state)
    except (pickle.UnpicklingError, EOFError, RuntimeError, AttributeError, LookupError) as error:
        raise ValueError(f"{path} holds no weights of MODNet: {error}") from error
    return state


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Turn a MODNet checkpoint into .safetensors.")
    parser.add_argument("checkpoint", type=Path, help="the authors' file, .ckpt")
    parser.add_argument("weights", type=Path, help="the file to write, .safetensors")
    options = parser.parse_args()
    try:
        state = read_checkpoint(options.checkpoint)
        with replacing(str(options.weights)) as unfinished:
            save_file(state, unfinished)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {options.weights}: {len(state)} tensors.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
