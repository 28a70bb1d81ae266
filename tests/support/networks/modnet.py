"""MODNet of the portrait skill, and what its authors' checkpoints hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import torch

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2] / "skills" / "portrait_matting" / "model" / "modnet.py"


def _load() -> ModuleType:
    # By path: a skill's folder is no package.
    spec = importlib.util.spec_from_file_location("portrait_matting_modnet", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_module = _load()
MODNet = _module.MODNet
build = _module.build
build_with_previous_alpha = _module.build_with_previous_alpha


def official_keys() -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and type of every entry of an authors' checkpoint (commit 28165a4), in its order.

    The encoder stands there twice, under `backbone` and under `lr_branch.backbone`.
    """
    lines = (HERE / "modnet_keys.tsv").read_text("utf-8").splitlines()[1:]
    entries = (line.split("\t") for line in lines)
    return {
        key: (
            () if shape == "scalar" else tuple(int(side) for side in shape.split("x")),
            getattr(torch, dtype),
        )
        for key, shape, dtype in entries
    }
