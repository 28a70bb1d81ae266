"""The pyACL runtime against a stand-in `acl` module that enforces order, sizes and release.

What a real board alone can show is in docs/verified.md.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.interpreters import REPOSITORY
from support.stand_in_acl import AIPP, GEAR, StandInAcl, StandInModel, StandInPort

from npukit import aipp
from npukit.aipp.csc import Csc
from npukit.aipp.dynamic import DynamicParameters, PictureParameters
from npukit.errors import ModelError, PluginError
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess
from npukit.runtime import RUNTIMES
from npukit.runtime.base import Runtime
from npukit.runtime.declaration import Declaration, InputSpec

F32, F16, U8, I32 = 0, 1, 4, 3
SPEC = Preprocess()
PICTURE = InputSpec((1, 3, 4, 8), SPEC)
STATEFUL = Declaration(
    {"image": PICTURE, "last": InputSpec((1, 1, 4, 8))},
    {"alpha": (1, 1, 4, 8), "mean": (1, 1, 1, 1)},
    {"last": "alpha"},
)
PLAIN = Declaration({"image": PICTURE}, {"mean": (1, 1, 1, 1)}, {})


def small(dtype: int = F32, names: bool = True) -> StandInModel:
    """`alpha = last + 1` and the mean of the picture's 48 bytes."""
    kind = {F32: np.float32, F16: np.float16}[dtype]

    def run(inputs: list[bytes], call: Mapping[str, Any]) -> list[bytes]:
        image, last = inputs
        assert len(image) == 48
        mean = np.frombuffer(image, np.uint8).mean(dtype=np.float32)
        return [(np.frombuffer(last, kind) + kind(1)).tobytes(), kind(mean).tobytes()]

    size = np.dtype(kind).itemsize
    return StandInModel(
        [StandInPort("image" if names else "data", (1, 4, 8, 3), U8, 48),
         StandInPort("last" if names else "data_1", (1, 1, 4, 8), dtype, 32 * size)],
        [StandInPort("Add_1:0:alpha" if names else "Add", (1, 1, 4, 8), dtype, 32 * size),
         StandInPort("Mean_2:0:mean" if names else "Mean", (1, 1, 1, 1), dtype, size)],
        run,
    )  # fmt: skip


def batched(batches: tuple[int, ...] = (1, 2, 4), aipp: bool = False) -> StandInModel:
    """The mean of each picture of a batch."""
    most = max(batches)

    def run(inputs: list[bytes], call: Mapping[str, Any]) -> list[bytes]:
        pictures = np.frombuffer(inputs[0], np.uint8).reshape(most, 48)[: call["batch"]]
        ran.append(call)
        return [pictures.mean(axis=1, dtype=np.float32).tobytes()]

    added = [StandInPort(AIPP, (1,), U8, 64 + 96 * most)] if aipp else []
    ran.clear()
    return StandInModel(
        [StandInPort("image", (-1, 4, 8, 3), U8, 48 * most), *added,
         StandInPort(GEAR, (1,), I32, 4)],
        [StandInPort("Mean:0:mean", (-1, 1, 1, 1), F32, 4 * most)],
        run,
        batches,
    )  # fmt: skip


ran: list[Mapping[str, Any]] = []


class Board:
    """A stand-in process: its `acl` and the runtime on top of it."""

    def __init__(self, acl: StandInAcl, folder: Path) -> None:
        self.acl, self._folder = acl, folder
        self.runtime: Runtime = importlib.import_module("npukit.runtime.ascend").AscendRuntime()

    def om(self, model: StandInModel, name: str = "net.om") -> str:
        path = self._folder / name
        path.write_bytes(b"stand-in")
        self.acl.models[str(path)] = model
        return str(path)


@pytest.fixture(params=[1, 0], ids=["host", "device"])
def board(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Board]:
    acl = StandInAcl(run_mode=request.param)
    for name in ("_acl", "_acl_aipp", "ascend"):
        monkeypatch.delitem(sys.modules, f"npukit.runtime.{name}", raising=False)
    package = importlib.import_module("npukit.runtime")
    for name in ("_acl", "_acl_aipp", "ascend"):
        monkeypatch.delattr(package, name, raising=False)
    monkeypatch.setitem(sys.modules, "acl", acl)  # type: ignore[arg-type]
    board = Board(acl, tmp_path)
    yield board
    board.runtime.stop()
    for name in ("_acl", "_acl_aipp", "ascend"):
        sys.modules.pop(f"npukit.runtime.{name}", None)
    assert acl.leaks() == []


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 8), np.uint8)


def test_without_pyacl_the_reason_is_kept() -> None:
    with pytest.raises(PluginError, match="No module named 'acl'"):
        RUNTIMES.get("ascend")


def test_the_documented_calls_in_the_documented_order(board: Board) -> None:
    board.runtime.start("")
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    model.infer({"image": noise(0)})
    model.close()
    board.runtime.stop()
    seen = [name for name in board.acl.calls if not name.startswith("get_")]
    buffers = ["malloc", "create_data_buffer", "add_dataset_buffer"] * 2
    gone = ["destroy_data_buffer", "free"] * 2
    assert seen == [
        "init", "set_device", "create_context", "set_context", "load_from_file", "create_desc",
        "create_dataset", *buffers, "create_dataset", *buffers,
        "set_context", "memcpy", "memcpy", "execute", "memcpy", "memcpy",
        "set_context", *gone, "destroy_dataset", *gone, "destroy_dataset", "destroy_desc", "unload",
        "set_context", "destroy_context", "reset_device", "finalize",
    ]  # fmt: skip
    assert board.acl.leaks() == []


@pytest.mark.parametrize("dtype", [F32, F16])
@pytest.mark.parametrize("names", [True, False])
def test_a_model_with_a_picture_and_a_state(board: Board, dtype: int, names: bool) -> None:
    model = board.runtime.load(board.om(small(dtype, names)), declared=STATEFUL)
    assert model.inputs["image"].shape == (6, 8)
    kept = []
    for count in (1, 2, 3):
        frame = Nv21Frame.from_packed(noise(count), SPEC.color)
        outputs = model.infer({"image": model.inputs["image"].feed(frame)})
        assert list(outputs) == ["alpha", "mean"]
        assert {array.dtype for array in outputs.values()} == {np.dtype(np.float32)}
        assert (outputs["alpha"] == count).all()
        expected = noise(count).mean()
        assert outputs["mean"].item() == pytest.approx(expected, rel=1e-3 if dtype else 1e-6)
        kept.append(outputs["alpha"])
    assert [array[0, 0, 0, 0] for array in kept] == [1, 2, 3], "results belong to the caller"
    model.reset()
    assert (model.infer({"image": noise(0)})["alpha"] == 1).all()


def test_outputs_in_another_order_are_found_by_name(board: Board) -> None:
    model = small()
    turned = model._replace(
        outputs=model.outputs[::-1], run=lambda given, call: model.run(given, call)[::-1]
    )
    outputs = board.runtime.load(board.om(turned), declared=STATEFUL).infer({"image": noise(0)})
    assert (outputs["alpha"] == 1).all()


def test_buffers_are_reused(board: Board) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    before = board.acl.calls.count("malloc")
    for seed in range(20):
        model.infer({"image": noise(seed)})
    assert board.acl.calls.count("malloc") == before == 4


def test_inputs_that_are_not_contiguous(board: Board) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    wide = np.random.default_rng(0).integers(0, 256, (6, 16), np.uint8)
    assert model.infer({"image": wide[:, ::2]})["mean"].item() == pytest.approx(wide[:, ::2].mean())


def test_without_declaration_the_file_says_what_it_takes(board: Board) -> None:
    model = board.runtime.load(board.om(small(F16)))
    assert [(spec.name, spec.shape, spec.dtype) for spec in model.inputs.values()] == [
        ("image", (48,), "uint8"),  # its dims are those of the picture, not of NV21 bytes
        ("last", (1, 1, 4, 8), "float32"),
    ]
    outputs = model.infer({"image": noise(0).ravel(), "last": np.ones((1, 1, 4, 8), np.float32)})
    assert (outputs["Add_1:0:alpha"] == 2).all()


# --- batches, sizes, AIPP ---


def test_several_pictures_at_once(board: Board) -> None:
    model = board.runtime.load(board.om(batched()), declared=PLAIN)
    items = [{"image": noise(seed)} for seed in range(7)]
    means = [item["mean"].item() for item in model.infer_many(items)]
    assert means == pytest.approx([noise(seed).mean() for seed in range(7)])
    assert [call["batch"] for call in ran] == [4, 4]
    assert model.infer({"image": noise(3)})["mean"].item() == pytest.approx(noise(3).mean())
    assert [call["batch"] for call in ran] == [4, 4, 1]
    assert model.infer_many([]) == []


def test_the_smallest_batch_that_is_large_enough(board: Board) -> None:
    model = board.runtime.load(board.om(batched((2, 8))), declared=PLAIN)
    model.infer_many([{"image": noise(0)}] * 3)
    model.infer({"image": noise(0)})
    assert [call["batch"] for call in ran] == [8, 2]


def test_frames_of_a_model_with_states_are_not_independent(board: Board) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    with pytest.raises(ModelError, match="one frame after the other"):
        model.infer_many([{"image": noise(0)}])


def test_a_model_for_several_picture_sizes_is_told_which(board: Board) -> None:
    calls: list[Mapping[str, Any]] = []

    def run(inputs: list[bytes], call: Mapping[str, Any]) -> list[bytes]:
        calls.append(call)
        return [np.float32(np.frombuffer(inputs[0], np.uint8)[:48].mean()).tobytes()]

    om = StandInModel(
        [StandInPort("image", (1, -1, -1, 3), U8, 192), StandInPort(GEAR, (2,), I32, 8)],
        [StandInPort("mean", (1, 1, 1, 1), F32, 4)],
        run,
        sizes=[(4, 8), (8, 16)],
    )
    model = board.runtime.load(board.om(om), declared=PLAIN)
    assert model.infer({"image": noise(5)})["mean"].item() == pytest.approx(noise(5).mean())
    assert calls == [{"hw": (4, 8)}]


@pytest.mark.parametrize(
    "spec",
    [
        Preprocess(mean=(123.675, 116.28, 103.53), scale=(0.0171, 0.0175, 0.0174)),
        Preprocess.from_dict({"matrix": "bt709", "range": "full", "to": "bgr"}),
        Preprocess.from_dict({"to": "gray", "mean": [16], "scale": [0.01]}),
        Preprocess.from_dict({"source": "bgr888", "to": "rgb"}),
    ],
    ids=["mean", "bt709", "gray", "bgr888"],
)
def test_dynamic_aipp_is_what_the_static_file_would_do(board: Board, spec: Preprocess) -> None:
    shape = (1, spec.channels, 4, 8)
    size = int(np.prod(spec.packed_shape(8, 4)))
    given: list[dict[str, Any]] = []

    def run(inputs: list[bytes], call: Mapping[str, Any]) -> list[bytes]:
        given.append(call["aipp"])
        return [bytes(4)]

    om = StandInModel(
        [StandInPort("image", (1, 4, 8, 3), U8, size), StandInPort(AIPP, (1,), U8, 160)],
        [StandInPort("mean", (1, 1, 1, 1), F32, 4)],
        run,
    )
    declared = PLAIN._replace(inputs={"image": InputSpec(shape, spec)})
    model = board.runtime.load(board.om(om), declared=declared)
    for _ in range(2):
        model.infer({"image": np.zeros(model.inputs["image"].shape, np.uint8)})
    assert given[0] == given[1]
    call = given[0]
    conversion = None
    if "csc" in call:
        on, values = call["csc"][0], call["csc"][1:]
        assert on == 1
        rows = tuple(values[place : place + 3] for place in (0, 3, 6))
        conversion = Csc(rows, values[12:15], values[9:12])
    found = DynamicParameters(
        aipp.InputFormat(*call["input_format"]),
        call["source"],
        bool(*call["rbuv_swap"]),
        bool(*call["ax_swap"]),
        conversion,
        (
            PictureParameters(
                mean=call["mean 0"], minimum=call["minimum 0"], var_reci=call["var_reci 0"]
            ),
        ),
    ).steps()
    assert found == [aipp.steps(aipp.lower(spec, size=(8, 4)), (8, 4))]


def test_dynamic_aipp_and_batch(board: Board) -> None:
    model = board.runtime.load(board.om(batched(aipp=True)), declared=PLAIN)
    model.infer_many([{"image": noise(0)}] * 2)
    assert ran[-1]["batch"] == 2
    assert "mean 3" in ran[-1]["aipp"], "parameters for each picture of the largest batch"


# --- refusals ---


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"inputs": {**STATEFUL.inputs, "image": InputSpec((1, 3, 8, 8), SPEC)}},
            r"'image' of the model has 48 bytes, declared are 96",
        ),
        (
            {"inputs": {**STATEFUL.inputs, "image": InputSpec((1, 3, 4, 8))}},
            r"'image' of the model has 48 bytes",
        ),
        ({"inputs": {"image": PICTURE}, "states": {}}, "has 2 inputs, declared are 1"),
        ({"outputs": {"alpha": (1, 1, 4, 8)}}, "has 2 outputs, declared are 1"),
        (
            {"outputs": {**STATEFUL.outputs, "mean": (1, 5, 1, 1)}},
            "'mean' of the model has 4 bytes, declared are 20",
        ),
    ],
)
def test_a_model_that_is_not_as_declared(board: Board, change: dict[str, Any], said: str) -> None:
    board.runtime.start("")
    path = board.om(small())
    with pytest.raises(ModelError, match=said) as caught:
        board.runtime.load(path, declared=STATEFUL._replace(**change))
    assert caught.value.where == path
    assert caught.value.hint
    board.runtime.stop()
    assert board.acl.leaks() == [], "what was loaded half way is given back"


def test_what_the_device_does_not_load(board: Board, tmp_path: Path) -> None:
    (tmp_path / "other.om").write_bytes(b"IMOD" + bytes(300))
    for name, code in (("missing.om", 100003), ("other.om", 100013)):
        with pytest.raises(ModelError, match=f"load_from_file, code {code}") as caught:
            board.runtime.load(str(tmp_path / name), declared=PLAIN)
        assert caught.value.where == str(tmp_path / name)
        assert caught.value.hint


def test_an_unknown_code_keeps_its_number(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    monkeypatch.setattr(board.acl.mdl, "execute", lambda *_: 599999)
    with pytest.raises(ModelError, match="code 599999"):
        model.infer({"image": noise(0)})


def test_wrong_inputs_do_not_reach_the_device(board: Board) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    before = len(board.acl.calls)
    with pytest.raises(ModelError, match="48 bytes"):
        model.infer({"image": np.zeros((6, 10), np.uint8)})
    assert len(board.acl.calls) == before


# --- memory, threads, ends ---


def test_no_memory_gives_back_what_was_had(tmp_path: Path, board: Board) -> None:
    board.acl._memory_left = 100
    with pytest.raises(ModelError, match=r"no memory on the device \(pyACL malloc"):
        board.runtime.load(board.om(small()), declared=STATEFUL)
    assert not board.acl._memory


def test_every_thread_has_the_context(board: Board) -> None:
    model = board.runtime.load(board.om(small()), declared=STATEFUL)
    found: list[float] = []
    thread = threading.Thread(
        target=lambda: found.append(model.infer({"image": noise(1)})["mean"].item())
    )
    thread.start()
    thread.join()
    assert found == [pytest.approx(noise(1).mean())]


def test_close_and_stop_may_come_twice_and_in_any_number(board: Board) -> None:
    one, other = (board.runtime.load(board.om(small(), name), declared=STATEFUL) for name in "ab")
    one.close()
    one.close()
    assert other.infer({"image": noise(0)})["alpha"][0, 0, 0, 0] == 1
    board.runtime.stop()
    board.runtime.stop()
    assert board.acl.leaks() == []
    board.runtime.start("")
    assert board.acl.leaks() == ["context", "device", "init"]


def test_no_device(board: Board) -> None:
    board.acl._devices = 0
    with pytest.raises(ModelError, match=r"no such device \(pyACL set_device") as caught:
        board.runtime.start("")
    assert "npu-smi" in caught.value.hint
    assert board.acl.leaks() == []


def test_another_part_of_the_process_may_own_pyacl(board: Board) -> None:
    assert board.acl.init() == 0  # type: ignore[attr-defined]
    board.runtime.start("")
    board.runtime.stop()
    assert board.acl.leaks() == ["init"]
    board.acl.finalize()  # type: ignore[attr-defined]


ENDS = """
import sys
from support.stand_in_acl import StandInAcl
acl = StandInAcl()
sys.modules["acl"] = acl
import atexit
atexit.register(lambda: print("leaks", acl.leaks()))
from npukit.runtime.ascend import AscendRuntime
AscendRuntime().start("")
print("leaks", acl.leaks())
raise SystemExit(3)
"""


def test_the_device_is_released_when_python_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS],
        cwd=REPOSITORY / "tests",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stdout.splitlines() == ["leaks ['context', 'device', 'init']", "leaks []"]
