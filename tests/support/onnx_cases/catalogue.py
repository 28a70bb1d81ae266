"""All cases: `CASES` of each module beside this one."""

from __future__ import annotations

import importlib
from pathlib import Path

from support.onnx_cases.case import Case

_SUPPORT = ("case", "catalogue")
MODULES = sorted(file.stem for file in Path(__file__).parent.glob("*.py"))
CASES: list[Case] = [
    case
    for name in MODULES
    if name not in _SUPPORT
    for case in importlib.import_module(f"support.onnx_cases.{name}").CASES
]
