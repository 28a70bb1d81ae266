"""Both engines for Caffe networks: the numbers of plain numpy, and typed errors alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_files import caffemodel, input_layer, write_net

from npukit_convert.errors import ExecutionError
from npukit_convert.execute import Executor, open_model
from npukit_convert.execute.caffe_bvlc import CaffeBVLC, explain
from npukit_convert.execute.caffe_opencv import CaffeOpenCV, for_opencv

Open = Callable[..., Executor]


@pytest.fixture(params=["opencv", "bvlc"])
def engine(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open networks with one engine, and close them."""
    python = request.getfixturevalue("caffe_python") if request.param == "bvlc" else None
    opened: list[Executor] = []

    def call(prototxt: Path, weights: Path | None = None) -> Executor:
        opened.append(open_model(prototxt, weights=weights, caffe_python=python))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


def test_outputs_and_layers_are_those_of_numpy(engine: Open, small: Any) -> None:
    net = engine(small.prototxt)
    assert net.inputs == {"image": (1, 2, 5, 7), "gain": (1, 3, 2, 3)}
    assert net.outputs == ("first", "rest")
    for _ in range(2):  # an in-place layer of the first run leaves nothing for the second
        found = net.run(small.feeds)
        assert list(found) == ["first", "rest"]
        for name, value in found.items():
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, small.outputs[name], atol=1e-5)
        layers = dict(net.layers(small.feeds))
        assert list(layers) == list(small.layers)
        for name, value in layers.items():
            np.testing.assert_allclose(value, small.layers[name], atol=1e-5, err_msg=name)


def test_results_belong_to_the_caller(engine: Open, small: Any) -> None:
    net = engine(small.prototxt)
    first = net.run(small.feeds)
    kept = {name: value.copy() for name, value in first.items()}
    net.run({name: 3 * value for name, value in small.feeds.items()})
    for name, value in first.items():
        assert np.array_equal(value, kept[name])


def test_weights_may_lie_elsewhere(engine: Open, small: Any, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.bin"
    small.prototxt.with_suffix(".caffemodel").rename(moved)
    found = engine(small.prototxt, moved).run(small.feeds)
    np.testing.assert_allclose(found["rest"], small.outputs["rest"], atol=1e-5)


def test_inputs_of_the_old_kind(engine: Open, tmp_path: Path) -> None:
    path = write_net(
        tmp_path,
        'input: "x" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2\n'
        'layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { scale: 2 shift: 1 } }',
        {},
    )
    value = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(engine(path).run({"x": value})["y"], 2 * value + 1)


def test_a_layer_for_training_only_is_left_out(caffe_python: Path, tmp_path: Path) -> None:
    text = input_layer("x", 1, 1, 2, 2) + (
        'layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }\n'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" top: "loss"'
        " include { phase: TRAIN } }"
    )
    with CaffeBVLC(write_net(tmp_path, text, {}), python=caffe_python) as net:
        assert net.outputs == ("y",)
        assert net.run({"x": np.ones((1, 1, 2, 2), np.float32)})["y"].max() == 2


CONVOLUTION = input_layer("x", 1, 1, 4, 4) + (
    'layer { name: "c" type: "Convolution" bottom: "x" top: "c"'
    " convolution_param { num_output: 2 kernel_size: 3 } }"
)
WEIGHTS = {"c": ("Convolution", [np.ones((2, 1, 3, 3)), np.ones(2)])}


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        (CONVOLUTION.replace("num_output: 2", "num_output: 3"), WEIGHTS),
        (CONVOLUTION.replace("kernel_size: 3", "kernel_size: 9"), WEIGHTS),
        (CONVOLUTION.replace('bottom: "x"', 'bottom: "y"'), WEIGHTS),
        (CONVOLUTION.replace("kernel_size", "kernal_size"), WEIGHTS),
        (CONVOLUTION.replace('"Convolution"', '"Convolvtion"'), {}),
    ],
    ids=["other-shape", "kernel-too-large", "no-such-blob", "no-such-field", "no-such-layer"],
)
def test_what_an_engine_refuses_is_a_typed_error(tmp_path: Path, text: str, weights: Any) -> None:
    path = write_net(tmp_path, text, weights)
    with pytest.raises(ExecutionError, match=r"Caffe \(OpenCV\) fails: .+") as caught:
        CaffeOpenCV(path).run({"x": np.ones((1, 1, 4, 4), np.float32)})
    assert caught.value.where == str(path)


def test_inputs_are_checked_before_the_engine_sees_them(engine: Open, small: Any) -> None:
    net = engine(small.prototxt)
    with pytest.raises(ExecutionError, match=r"input 'gain' takes \(1, 3, 2, 3\), got \(3, 2, 3\)"):
        net.run({**small.feeds, "gain": small.feeds["gain"][0]})
    with pytest.raises(ExecutionError, match="input 'gain' is missing"):
        list(net.layers({"image": small.feeds["image"]}))
    with pytest.raises(ExecutionError, match="no input 'imgae'") as caught:
        net.run({**small.feeds, "imgae": small.feeds["image"]})
    assert "did you mean 'image'?" in caught.value.hint
    assert net.run(small.feeds).keys() == {"first", "rest"}, "it still works"


# --- OpenCV --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("round_mode: FLOOR", "ceil_mode: false"),
        ("round_mode:CEIL }", "ceil_mode:true }"),
        ("round_mode: 1", "ceil_mode: false"),
        ("round_mode: 0", "ceil_mode: true"),
        ('name: "around_mode: 1"', 'name: "around_mode: 1"'),
    ],
)
def test_round_mode_in_the_words_of_opencv(text: str, translated: str) -> None:
    assert for_opencv(text) == translated


# --- BVLC ----------------------------------------------------------------------------------------


def test_a_failed_check_is_told_and_ends_nothing_else(
    caffe_python: Path, small: Any, tmp_path: Path
) -> None:
    path = write_net(tmp_path, CONVOLUTION.replace("num_output: 2", "num_output: 3"), WEIGHTS)
    with pytest.raises(ExecutionError, match=r"shape mismatch.*Source param shape is 2 1 3 3"):
        CaffeBVLC(path, python=caffe_python)
    path = write_net(tmp_path, CONVOLUTION.replace("kernel_size", "kernal_size"), WEIGHTS)
    with pytest.raises(ExecutionError, match='has no field named "kernal_size"') as caught:
        CaffeBVLC(path, python=caffe_python)
    assert "npukit-caffe-" not in caught.value.message, "no temporary name"
    with CaffeBVLC(small.prototxt, python=caffe_python) as net:
        assert len(net.run(small.feeds)) == 2


def test_nothing_is_left_behind(
    caffe_python: Path, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with CaffeBVLC(small.prototxt, python=caffe_python) as net:
        next(iter(net.layers(small.feeds)))
        assert len(list(scratch.iterdir())) == 1
    assert list(scratch.iterdir()) == []
    net.close()
    with pytest.raises(ExecutionError, match="the process has ended"):
        net.run(small.feeds)


def test_a_python_without_caffe_says_how_to_get_it(small: Any) -> None:
    with pytest.raises(ExecutionError, match="No module named 'caffe'") as caught:
        CaffeBVLC(small.prototxt, python=Path(sys.executable))
    assert "pip install 'kendryte-caffe==1.0.0.20210829'" in caught.value.hint


def test_a_python_that_does_not_start(small: Any, tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="does not start: No such file"):
        CaffeBVLC(small.prototxt, python=tmp_path / "python")


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "it says nothing"),
        ("warning\nF1121 15:02:11.123456    77 net.cpp:1] Check failed: a == b\n*** Check", None),
        ("Traceback\nValueError: no\n", "ValueError: no"),
    ],
)
def test_the_reason_is_found_in_the_log(log: str, reason: str | None) -> None:
    assert explain(log)[0] == (reason or "net.cpp:1] Check failed: a == b")


# --- damaged files -------------------------------------------------------------------------------


def test_every_truncation_of_the_weights_is_a_typed_error(tmp_path: Path) -> None:
    path = write_net(tmp_path, CONVOLUTION, WEIGHTS)
    whole = caffemodel(WEIGHTS)
    for length in range(len(whole)):
        path.with_suffix(".caffemodel").write_bytes(whole[:length])
        with pytest.raises(ExecutionError) as caught:
            CaffeOpenCV(path)
        assert caught.value.where == str(path.with_suffix(".caffemodel"))


def test_every_truncation_of_the_prototxt_is_a_typed_error(tmp_path: Path) -> None:
    text = CONVOLUTION.rstrip()
    path = write_net(tmp_path, text, WEIGHTS)
    for length in range(len(text)):
        path.write_text(text[:length], "utf-8")
        try:
            with pytest.raises(ExecutionError, match=r"not a prototxt|the network has no"):
                CaffeOpenCV(path)
        except BaseException as error:
            error.add_note(f"cut at {length}: {text[:length]!r}")
            raise
