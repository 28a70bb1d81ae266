"""Model: bytes in, float32 out, an int and one explaining line when a size does not fit."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.om_files import tiny

from npukit.om import is_om, write_wrapped
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build

Write = Callable[..., str]
Output = pytest.CaptureFixture[str]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
WIDTH, HEIGHT = 8, 4
SHAPE = (1, 3, HEIGHT, WIDTH)
PIXELS = WIDTH * HEIGHT


@pytest.fixture
def same(write_network: Write) -> Callable[..., str]:
    def write(preprocess: Preprocess | None) -> str:
        """A network that gives what reaches it."""
        declared = {} if preprocess is None else {"image": preprocess}
        nodes = [helper.make_node("Identity", ["image"], ["seen"])]
        return write_network({"image": SHAPE}, nodes, {"seen": (FLOAT, SHAPE)}, declared)

    return write


@pytest.fixture
def two_inputs(write_network: Write) -> str:
    """The picture plus a number per channel."""
    return write_network(
        {"image": SHAPE, "bias": (1, 3, 1, 1)},
        [
            helper.make_node("Add", ["image", "bias"], ["sum"]),
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        ],
        {"sum": (FLOAT, SHAPE), "mean": (FLOAT, (1, 3, 1, 1))},
        {"image": Preprocess()},
    )


# --- what reaches the network ---


def test_nv21_bytes_become_rgb_by_the_devices_formula(
    hilens: ModuleType, same: Callable[..., str]
) -> None:
    model = hilens.Model(same(Preprocess(source="nv21")))
    # Y 81, U 90, V 240: R = 298*65 + 409*112 >> 8 = 254; G and B are just below 0.
    packed = [81] * PIXELS + [240, 90] * (PIXELS // 4)
    outputs = model.infer([np.array(packed, np.uint8)])
    assert isinstance(outputs, list)
    assert [(array.shape, array.dtype) for array in outputs] == [((3 * PIXELS,), np.float32)]
    assert outputs[0].reshape(3, -1).max(axis=1).tolist() == [254, 0, 0]
    assert outputs[0].reshape(3, -1).min(axis=1).tolist() == [254, 0, 0]


@pytest.mark.parametrize(("source", "first"), [("rgb888", 0), ("bgr888", 2)])
def test_flattened_pictures_become_nchw_with_mean_and_scale(
    hilens: ModuleType, same: Callable[..., str], source: str, first: int
) -> None:
    declared = Preprocess(source=source, to="rgb", mean=(1, 2, 3), scale=(0.5, 1.0, 2.0))
    model = hilens.Model(same(declared))
    picture = np.arange(3 * PIXELS, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3)
    (found,) = model.infer([picture.flatten()])
    for channel, (mean, scale) in enumerate(((1, 0.5), (2, 1.0), (3, 2.0))):
        plane = picture[:, :, abs(first - channel)]
        assert np.array_equal(found.reshape(SHAPE)[0, channel], (plane - float(mean)) * scale)


def test_without_preprocessing_the_callers_floats_are_taken(
    hilens: ModuleType, same: Callable[..., str]
) -> None:
    tensor = np.random.default_rng(1).random(SHAPE, np.float32)
    (found,) = hilens.Model(same(None)).infer([tensor.flatten()])
    assert np.array_equal(found, tensor.ravel())


def test_bytes_are_taken_as_they_are_whatever_their_type(
    hilens: ModuleType, same: Callable[..., str]
) -> None:
    tensor = np.random.default_rng(1).random(SHAPE, np.float32)
    (found,) = hilens.Model(same(None)).infer([tensor.ravel().view(np.uint8)])
    assert np.array_equal(found, tensor.ravel())


def test_inputs_and_outputs_are_in_the_networks_order(hilens: ModuleType, two_inputs: str) -> None:
    packed = np.full(PIXELS * 3 // 2, 128, np.uint8)  # luma 128 is 298*112 >> 8 = 130
    found = hilens.Model(two_inputs).infer([packed, np.array([1, 2, 3], np.float32)])
    assert [array.shape for array in found] == [(3 * PIXELS,), (3,)]
    assert found[0].reshape(3, -1)[:, 0].tolist() == [131, 132, 133]
    assert found[1].tolist() == [130, 130, 130]


def test_a_view_is_taken_like_its_copy(hilens: ModuleType, same: Callable[..., str]) -> None:
    model = hilens.Model(same(None))
    every_other = np.arange(6 * PIXELS, dtype=np.float32)[::2]
    (found,) = model.infer([every_other])
    assert np.array_equal(found, every_other)
    as_bytes = np.repeat(every_other.copy().view(np.uint8), 2)[::2]
    (found,) = model.infer([as_bytes])
    assert np.array_equal(found, every_other)


def test_outputs_of_another_type_are_given_as_their_bytes(
    hilens: ModuleType, write_network: Write
) -> None:
    path = write_network(
        {"image": SHAPE},
        [helper.make_node("ArgMax", ["image"], ["best"], axis=1)],
        {"best": (INT64, (1, 1, HEIGHT, WIDTH))},
    )
    tensor = np.zeros(SHAPE, np.float32)
    tensor[0, 2, 1, 3] = 1
    (found,) = hilens.Model(path).infer([tensor.ravel()])
    assert found.dtype == np.float32
    assert found.shape == (2 * PIXELS,)
    best = found.view(np.int64).reshape(HEIGHT, WIDTH)
    assert best[1, 3] == 2
    assert best.sum() == 2


def test_each_result_is_the_callers_own(hilens: ModuleType, same: Callable[..., str]) -> None:
    model = hilens.Model(same(None))
    (first,) = model.infer([np.full(3 * PIXELS, 1, np.float32)])
    (second,) = model.infer([np.full(3 * PIXELS, 2, np.float32)])
    assert first[0] == 1
    second[:] = 9
    assert first[0] == 1


# --- sizes that do not fit ---

NV21, RGB, BGR = (Preprocess(source=source) for source in ("nv21", "rgb888", "bgr888"))
NV21_BYTES, RGB_BYTES, FLOAT_BYTES = PIXELS * 3 // 2, PIXELS * 3, PIXELS * 12


@pytest.mark.parametrize(
    ("declared", "given", "dtype", "expected", "cause"),
    [
        (NV21, RGB_BYTES, np.uint8, NV21_BYTES, "RGB of the same size"),
        (RGB, NV21_BYTES, np.uint8, RGB_BYTES, "NV21 of the same size"),
        (BGR, NV21_BYTES, np.uint8, RGB_BYTES, "NV21 of the same size"),
        (NV21, 3 * PIXELS, np.float32, NV21_BYTES, "give uint8"),
        (RGB, 3 * PIXELS, np.float32, RGB_BYTES, "give uint8"),
        (None, RGB_BYTES, np.uint8, FLOAT_BYTES, "give float32"),
        (None, NV21_BYTES, np.uint8, FLOAT_BYTES, "give float32"),
        (RGB, RGB_BYTES * 4, np.uint8, RGB_BYTES, "another size than 8x4"),
        (NV21, NV21_BYTES - 1, np.uint8, NV21_BYTES, "another size than 8x4"),
        (NV21, NV21_BYTES // 2, np.uint8, NV21_BYTES, "another size than 8x4"),
        (RGB, RGB_BYTES * 2, np.uint8, RGB_BYTES, "another size than 8x4"),
        (NV21, 0, np.uint8, NV21_BYTES, "another size than 8x4"),
    ],
)
def test_a_size_that_does_not_fit_is_17_and_one_line(
    hilens: ModuleType,
    same: Callable[..., str],
    capsys: Output,
    declared: Preprocess | None,
    given: int,
    dtype: type,
    expected: int,
    cause: str,
) -> None:
    model = hilens.Model(same(declared))
    array = np.zeros(given, dtype)
    code = model.infer([array])
    assert type(code) is int
    assert code == 17
    (line,) = capsys.readouterr().out.splitlines()
    assert "name=image" in line
    assert f" size={expected};" in line
    assert f"your input size:0: {array.nbytes} ({array.dtype})" in line
    assert cause in line


def test_a_wrong_float_size_names_no_cause(
    hilens: ModuleType, same: Callable[..., str], capsys: Output
) -> None:
    assert hilens.Model(same(None)).infer([np.zeros(7, np.float32)]) == 17
    line = capsys.readouterr().out
    assert "size=384; your input size:0: 28 (float32)" in line
    assert "likely" not in line


def test_the_second_input_is_named(hilens: ModuleType, two_inputs: str, capsys: Output) -> None:
    code = hilens.Model(two_inputs).infer([np.zeros(NV21_BYTES, np.uint8), np.zeros(4, np.float32)])
    assert code == 17
    assert "inputTensorVec[1]: name=bias" in capsys.readouterr().out


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_inputs_is_17(
    hilens: ModuleType, two_inputs: str, capsys: Output, count: int
) -> None:
    arrays = [np.zeros(NV21_BYTES, np.uint8)] * count
    assert hilens.Model(two_inputs).infer(arrays) == 17
    assert f"{count} inputs given, the model has 2: image, bias" in capsys.readouterr().out


def test_a_network_that_fails_is_17(
    hilens: ModuleType, write_network: Write, capsys: Output
) -> None:
    # Gather with an index beyond the picture fails when it is run.
    nodes = [
        helper.make_node("Cast", ["index"], ["whole"], to=INT64),
        helper.make_node("Gather", ["image", "whole"], ["row"], axis=2),
    ]
    outputs = {"row": (FLOAT, (1, 3, 1, WIDTH))}
    path = write_network({"image": SHAPE, "index": (1,)}, nodes, outputs)
    model = hilens.Model(path)
    image = np.zeros(3 * PIXELS, np.float32)
    assert isinstance(model.infer([image, np.array([1], np.float32)]), list)
    assert model.infer([image, np.array([HEIGHT], np.float32)]) == 17
    assert "ONNX Runtime failed" in capsys.readouterr().out


def test_after_an_error_the_model_still_works(hilens: ModuleType, same: Callable[..., str]) -> None:
    model = hilens.Model(same(RGB))
    assert model.infer([np.zeros(1, np.uint8)]) == 17
    (found,) = model.infer([np.full(RGB_BYTES, 5, np.uint8)])
    assert found.tolist() == [5] * RGB_BYTES


# --- types ---


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(RGB_BYTES, np.float64),
        np.zeros(RGB_BYTES, np.int8),
        np.zeros(RGB_BYTES, np.int32),
        np.zeros(RGB_BYTES, ">f4"),
        np.zeros(RGB_BYTES, bool),
        bytes(RGB_BYTES),
        [0] * RGB_BYTES,
    ],
    ids=lambda array: str(getattr(array, "dtype", type(array).__name__)),
)
def test_other_types_are_refused_in_the_devices_words(
    hilens: ModuleType, same: Callable[..., str], array: Any
) -> None:
    model = hilens.Model(same(RGB))
    words = re.escape("input dtype not supported! (valid dtype: uint8, float32)")
    with pytest.raises(ValueError, match=f"^{words}$"):
        model.infer([array])


def test_arrays_are_flat(hilens: ModuleType, same: Callable[..., str]) -> None:
    model = hilens.Model(same(RGB))
    with pytest.raises(TypeError, match=r"1 dimension.*\(4, 8, 3\).*flatten"):
        model.infer([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])


def test_inputs_come_in_a_list(hilens: ModuleType, same: Callable[..., str]) -> None:
    model = hilens.Model(same(RGB))
    with pytest.raises(TypeError, match="list"):
        model.infer(np.zeros(RGB_BYTES, np.uint8))


# --- loading ---


def refused(hilens: ModuleType, name: str) -> str:
    with pytest.raises(hilens.CreateError) as caught:
        hilens.Model(name)
    value: str = caught.value.value
    return value


def test_a_bare_file_name_is_refused(
    hilens: ModuleType,
    same: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    path = Path(same(RGB))
    monkeypatch.chdir(path.parent)
    assert refused(hilens, path.name) == "failed to create Model"
    assert '"./small.om"' in capsys.readouterr().out
    assert hilens.Model("./small.om").infer([np.zeros(RGB_BYTES, np.uint8)]) != 17


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "not a simulator build"),
        (b"IMOD" + bytes(300), "net.om"),
        (b"NPUKSIM1" + bytes(300), "cut short or changed"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    hilens: ModuleType, tmp_path: Path, capsys: Output, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "net.om"
    if content is not None:
        path.write_bytes(content)
    assert refused(hilens, str(path)) == "failed to create Model"
    out = capsys.readouterr().out
    assert reason in out
    assert str(path) in out


def test_a_wrapped_build_runs_where_a_script_has_its_om(
    hilens: ModuleType, same: Callable[..., str]
) -> None:
    path = same(RGB)
    picture = np.random.default_rng(1).integers(0, 256, RGB_BYTES, np.uint8)
    bare = hilens.Model(path).infer([picture])
    write_wrapped(path, read_build(path))
    assert is_om(path)
    (found,) = hilens.Model(path).infer([picture])
    assert np.array_equal(found, bare[0])


def test_a_boards_model_is_refused_with_the_reason(
    hilens: ModuleType, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "board.om").write_bytes(tiny())
    assert refused(hilens, str(tmp_path / "board.om")) == "failed to create Model"
    out = capsys.readouterr().out
    assert "a board's offline model (platform 1.75.22.0.220)" in out
    assert "npukit convert" in out


def test_the_name_is_text(hilens: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="str"):
        hilens.Model(tmp_path / "net.om")
    with pytest.raises(TypeError):
        hilens.Model()
