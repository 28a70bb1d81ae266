"""The table of ONNX operators and what becomes of them in Caffe, made by converting each case."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.lowering import convert
from support.onnx_cases.case import Case
from support.onnx_cases.catalogue import CASES

from npukit_convert.errors import ConversionError

_HEAD = """# Operators

What becomes of ONNX operators on the route `caffe`: the layers for plain BVLC Caffe, and whether
Ascend's OMG takes them (profile `caffe-omg`, its 42 documented layers and their limits). Each row
is a case that the tests convert and execute in OpenCV and in BVLC Caffe against ONNX Runtime.
Ascend's compiler itself was not run: see [verified](../verified.md).

"""


def operators() -> str:
    """The page."""
    rows = sorted((_operator(case), case.title, *_forms(case)) for case in CASES)
    legal = sum(omg.startswith("yes") for *_, omg in rows)
    taken = sum(not caffe.startswith("no:") for _, _, caffe, _ in rows)
    known = len({operator for operator, *_ in rows})
    summary = (
        f"{len(rows)} variants of {known} operators: {taken} have a form in plain Caffe, "
        f"{legal} in OMG's.\n"
    )
    parts = [_HEAD, summary]
    for operator, group in groupby(rows, key=lambda row: row[0]):
        parts.append(f"\n## {operator}\n\n| variant | Caffe layers | OMG |\n|---|---|---|\n")
        parts += [f"| {title} | {caffe} | {omg} |\n" for _, title, caffe, omg in group]
    return "".join(parts)


def _operator(case: Case) -> str:
    """The operator that a case is about: the word its title begins with, where it is one."""
    present = [word.split("(")[0].split("<")[0].strip() for word in _operations(case.body)]
    first = case.title.split()[0].rstrip(",:")
    return first if first in present else present[0]


def _operations(body: str) -> Iterable[str]:
    for statement in body.replace("{", " ").split("="):
        word = statement.strip().split("(")[0].split("<")[0].strip()
        if word[:1].isupper():
            yield word


def _forms(case: Case) -> tuple[str, str]:
    onnx = case.model()
    made = []
    for form in ("caffe", "caffe-omg"):
        try:
            made.append(_layers([layer.type for layer in convert(onnx, form).layers]))
        except ConversionError as error:
            made.append(f"no: {_reason(error)}")
    caffe, omg = made
    if not omg.startswith("no:"):
        omg = "yes" if omg == caffe else f"yes: {omg}"
    return caffe, omg


def _layers(kinds: Sequence[str]) -> str:
    counts = Counter(kinds)
    return ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in counts.items()) or "nothing"


def _reason(error: ConversionError) -> str:
    """What is wrong with the first node, without its name."""
    lines = error.message.splitlines()
    first = lines[1].strip() if len(lines) > 1 else error.message
    return first.partition(": ")[2].replace("|", "\\|") or first
