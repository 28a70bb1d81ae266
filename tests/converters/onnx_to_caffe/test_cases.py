"""Every operator of the catalogue: lowered, converted and executed by two Caffes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest
from support.caffe import (
    BVLC_LACKS,
    OPENCV_LACKS,
    Array,
    EngineError,
    has_bvlc,
    run_bvlc_batch,
    run_opencv,
)
from support.lowering import lower
from support.onnx_cases.case import Case
from support.onnx_cases.catalogue import CASES

from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.onnx_to_caffe.net import CaffeNet

FORMS = ("caffe", "caffe-omg")
BOTH = pytest.mark.parametrize("form", FORMS)
RUNNABLE = [
    pytest.param(case, form, id=f"{case.title}-{form}")
    for case in CASES
    for form in FORMS
    if not (case.refused or (case.omg and form == "caffe-omg"))
]
EXECUTED = pytest.mark.parametrize(("case", "form"), RUNNABLE)
EACH = pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])


@dataclass(frozen=True)
class Converted:
    """A case for one form: its net or why there is none, and what ONNX Runtime computes."""

    net: CaffeNet | None
    why: str
    lowered: bytes
    expected: Sequence[Mapping[str, Array]]


class Results:
    """Each case converted once, and BVLC Caffe started once for all of them."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Converted] = {}
        self._bvlc: dict[tuple[str, str], object] = {}

    def converted(self, case: Case, form: str) -> Converted:
        key = case.title, form
        if key not in self._made:
            self._made[key] = _convert(case, form)
        return self._made[key]

    def bvlc(self, case: Case, form: str) -> object:
        if not self._bvlc:
            nets = {
                (one.title, kind): (net, one.feeds())
                for one in CASES
                for kind in FORMS
                if (net := self.converted(one, kind).net) and not _lacks(net, BVLC_LACKS)
            }
            self._bvlc = dict(zip(nets, run_bvlc_batch(list(nets.values())), strict=True))
        return self._bvlc[case.title, form]


@pytest.fixture(scope="module")
def results() -> Results:
    return Results()


@BOTH
@EACH
def test_the_passes_change_nothing_that_is_computed(
    results: Results, case: Case, form: str
) -> None:
    made = results.converted(case, form)
    found = execute(made.lowered, case)
    _compare(found, made.expected, case)


@BOTH
@EACH
def test_it_has_the_layers_that_it_should_or_says_why_not(
    results: Results, case: Case, form: str
) -> None:
    made = results.converted(case, form)
    refused = case.refused or (case.omg if form == "caffe-omg" else "")
    if refused:
        assert refused in made.why
        return
    assert made.net is not None, made.why
    if form == "caffe":
        assert [layer.type for layer in made.net.layers] == list(case.layers)
    assert all(layer.name == layer.tops[0] for layer in made.net.layers)


@EXECUTED
def test_opencv_computes_what_onnx_runtime_does(results: Results, case: Case, form: str) -> None:
    made = results.converted(case, form)
    assert made.net is not None, made.why
    if lacking := case.opencv or _lacks(made.net, OPENCV_LACKS):
        pytest.skip(f"OpenCV cannot: {lacking}")
    found = [run_opencv(made.net, feeds) for feeds in case.feeds()]
    _compare(found, made.expected, case)


@EXECUTED
@pytest.mark.skipif(not has_bvlc(), reason="BVLC Caffe needs a Python 3.9")
def test_bvlc_caffe_computes_what_onnx_runtime_does(
    results: Results, case: Case, form: str
) -> None:
    made = results.converted(case, form)
    assert made.net is not None, made.why
    if lacking := _lacks(made.net, BVLC_LACKS):
        pytest.skip(f"BVLC Caffe has no {lacking}")
    found = results.bvlc(case, form)
    assert not isinstance(found, EngineError), found
    _compare(found, made.expected, case)


def test_titles_are_unique() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles)


def execute(onnx: bytes, case: Case) -> list[dict[str, Array]]:
    """What ONNX Runtime computes for each of the case's inputs."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return [
        dict(zip(case.outputs, session.run(list(case.outputs), feeds), strict=True))
        for feeds in case.feeds()
    ]


def _convert(case: Case, form: str) -> Converted:
    onnx = case.model()
    expected, lowered = execute(onnx, case), lower(onnx, form)[0]
    try:
        return Converted(to_caffe(read_graph(lowered), form), "", lowered, expected)
    except ConversionError as error:
        return Converted(None, str(error), lowered, expected)


def _lacks(net: CaffeNet, missing: frozenset[str]) -> str:
    return ", ".join(sorted({layer.type for layer in net.layers} & missing))


def _compare(found: object, expected: Sequence[Mapping[str, Array]], case: Case) -> None:
    assert isinstance(found, list)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in case.outputs:
            wanted = np.asarray(other[name], np.float32)
            assert one[name].shape == wanted.shape
            limit = max(case.tolerance * float(np.abs(wanted).max()), 1e-5)
            assert float(np.abs(one[name] - wanted).max()) <= limit
