"""The simulator: what a network is given and gives back, its states, its refusals."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.om_files import tiny

from npukit.errors import ModelError, PluginError
from npukit.frame import Nv21Frame
from npukit.om import wrap
from npukit.preprocess import Preprocess, fit, to_tensor
from npukit.runtime import RUNTIMES, Model, Runtime, TensorSpec, load_model
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.om_graph import om_graph

SPEC = Preprocess(mean=(10.0, 20.0, 30.0), scale=(1 / 255, 1 / 128, 0.5))
Shape = tuple[int | str | None, ...]
Values = dict[str, tuple[int, Shape]]
Noise = Callable[..., Nv21Frame]
FLOAT = TensorProto.FLOAT


def network(
    nodes: list[onnx.NodeProto],
    inputs: Values,
    outputs: Values,
    weights: dict[str, np.ndarray] | None = None,
) -> bytes:
    """ONNX bytes, opset 13."""

    def described(values: Values) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in values.items()
        ]

    graph = helper.make_graph(
        nodes,
        "net",
        described(inputs),
        described(outputs),
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="test"
    )
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def identity(
    shape: Shape = (1, 3, 6, 8), kind: int = FLOAT, names: tuple[str, str] = ("image", "picture")
) -> bytes:
    node = helper.make_node("Identity", [names[0]], [names[1]])
    return network([node], {names[0]: (kind, shape)}, {names[1]: (kind, shape)})


def saved(folder: Path, build: SimulatorBuild, name: str = "net.sim") -> str:
    write_build(str(folder / name), build)
    return str(folder / name)


def picture_build(spec: Preprocess = SPEC, onnx_bytes: bytes | None = None) -> SimulatorBuild:
    return SimulatorBuild(
        "picture",
        {"image": InputSpec((1, 3, 6, 8), spec)},
        ("picture",),
        identity() if onnx_bytes is None else onnx_bytes,
    )


@pytest.fixture
def picture(tmp_path: Path) -> Model:
    return load_model(saved(tmp_path, picture_build()))


def noise_bytes(seed: int, height: int = 6, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)


# --- names and bytes ---


def test_inputs_and_outputs_have_names_shapes_and_types(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["image"], ["picture"]),
        helper.make_node("Cast", ["count"], ["rounded"], to=TensorProto.INT32),
    ]
    content = network(
        nodes,
        {"image": (FLOAT, (1, 3, 6, 8)), "count": (TensorProto.INT64, (2, 5))},
        {"picture": (FLOAT, (1, 3, 6, 8)), "rounded": (TensorProto.INT32, (2, 5))},
    )
    build = SimulatorBuild(
        "two",
        {"image": InputSpec((1, 3, 6, 8), SPEC), "count": InputSpec((2, 5))},
        ("rounded", "picture"),
        content,
    )
    model = load_model(saved(tmp_path, build))
    assert model.inputs == {
        "image": TensorSpec("image", (9, 8), "uint8", SPEC),
        "count": TensorSpec("count", (2, 5), "int64"),
    }
    assert list(model.outputs.values()) == [
        TensorSpec("rounded", (2, 5), "int32"),
        TensorSpec("picture", (1, 3, 6, 8), "float32"),
    ]
    # What a caller cuts pictures by, and what a board's buffer takes.
    assert model.inputs["image"].size == (8, 6)
    assert model.outputs["picture"].size == (8, 6)
    assert model.inputs["image"].nbytes == 72
    assert model.inputs["count"].nbytes == 80
    assert model.outputs["picture"].nbytes == 576
    given = {"image": noise_bytes(0), "count": np.arange(10).reshape(2, 5)}
    outputs = model.infer(given)
    assert list(outputs) == ["rounded", "picture"]
    assert outputs["rounded"].dtype == np.int32
    assert np.array_equal(outputs["rounded"], given["count"])
    for name, output in outputs.items():
        assert output.shape == model.outputs[name].shape
        assert output.dtype == np.dtype(model.outputs[name].dtype)


def test_some_outputs_may_be_left_out(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["b"])]
    one: Shape = (1, 2)
    content = network(nodes, {"x": (FLOAT, one)}, {"a": (FLOAT, one), "b": (FLOAT, one)})
    build = SimulatorBuild("b", {"x": InputSpec((1, 2))}, ("b",), content)
    outputs = load_model(saved(tmp_path, build)).infer({"x": np.ones((1, 2), np.float32)})
    assert {name: value.tolist() for name, value in outputs.items()} == {"b": [[-1.0, -1.0]]}


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        Preprocess(),
        Preprocess(to="bgr", mean=(1.0, 2.0, 3.0)),
        Preprocess.from_dict({"matrix": "bt709", "range": "full", "scale": [0.1, 0.2, 0.3]}),
    ],
)
def test_the_network_is_given_exactly_the_declared_tensor(tmp_path: Path, spec: Preprocess) -> None:
    model = load_model(saved(tmp_path, picture_build(spec)))
    for seed in range(5):
        packed = noise_bytes(seed)
        packed.flags.writeable = False
        got = model.infer({"image": packed})["picture"]
        assert np.array_equal(got, to_tensor(spec, packed))


def test_a_gray_input(tmp_path: Path) -> None:
    spec = Preprocess(to="gray", mean=(16.0,), scale=(1 / 219,))
    build = SimulatorBuild(
        "gray", {"image": InputSpec((1, 1, 6, 8), spec)}, ("picture",), identity((1, 1, 6, 8))
    )
    model = load_model(saved(tmp_path, build))
    packed = noise_bytes(1)
    expected = (packed[:6].astype(np.float32) - np.float32(16)) * np.float32(1 / 219)
    assert np.array_equal(model.infer({"image": packed})["picture"][0, 0], expected)


def test_a_frame_goes_in_by_the_model_s_own_declaration(noise: Noise, picture: Model) -> None:
    spec = picture.inputs["image"]
    assert spec.preprocess is not None
    packed = fit(spec.preprocess, noise(0, 64, 48), spec.size).pack()
    assert packed.shape == spec.shape
    assert np.array_equal(picture.infer({"image": packed})["picture"], to_tensor(SPEC, packed))


def test_a_strided_input_is_read_right(tmp_path: Path) -> None:
    build = SimulatorBuild(
        "x", {"x": InputSpec((4, 6))}, ("y",), identity((4, 6), FLOAT, ("x", "y"))
    )
    model = load_model(saved(tmp_path, build))
    wide = np.random.default_rng(0).random((12, 8), np.float32)
    for view in (wide[::3, 1:7], wide[:6, :4].T, wide[3::-1, :6]):
        assert np.array_equal(model.infer({"x": view})["y"], view)


# --- refusals ---


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"input 'image' is missing"),
        ({"imgae": noise_bytes(0)}, r"no input 'imgae' \(did you mean 'image'\?"),
        ({"image": noise_bytes(0), "x": noise_bytes(0)}, r"no input 'x' \(known: image"),
        ({"image": noise_bytes(0)[:6]}, r"takes \(9, 8\) uint8 \(72 bytes\), got \(6, 8\)"),
        ({"image": noise_bytes(0).T}, r"takes \(9, 8\) uint8 .*got \(8, 9\)"),
        ({"image": noise_bytes(0).ravel()}, r"got \(72,\) uint8"),
        ({"image": noise_bytes(0).astype(np.int8)}, r"got \(9, 8\) int8"),
        ({"image": np.zeros((1, 3, 6, 8), np.float32)}, r"got \(1, 3, 6, 8\) float32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    picture: Model, given: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ModelError, match=r"net\.sim: .*" + message):
        picture.infer(given)


def test_a_number_of_another_byte_order_is_refused(tmp_path: Path) -> None:
    build = SimulatorBuild("x", {"x": InputSpec((2,))}, ("y",), identity((2,), FLOAT, ("x", "y")))
    model = load_model(saved(tmp_path, build))
    for dtype in (">f4", "float64", "float16", "int32"):
        with pytest.raises(ModelError, match=r"takes \(2,\) float32"):
            model.infer({"x": np.zeros(2, dtype)})


def build_of(onnx_bytes: bytes, **changes: Any) -> SimulatorBuild:
    given: dict[str, Any] = {
        "inputs": {"image": InputSpec((1, 3, 6, 8), SPEC)},
        "outputs": ("picture",),
        **changes,
    }
    return SimulatorBuild("net", onnx=onnx_bytes, **given)


DISAGREE = {
    "other input": (
        build_of(identity(), inputs={"imgae": InputSpec((1, 3, 6, 8), SPEC)}),
        r"network has inputs \['image'\].* declaration \['imgae'\]",
    ),
    "input too many": (
        build_of(identity(), inputs={"image": InputSpec((1, 3, 6, 8)), "x": InputSpec((1,))}),
        r"declaration \['image', 'x'\]",
    ),
    "no input": (build_of(identity(), inputs={}), r"declaration \[\]"),
    "other output": (build_of(identity(), outputs=("pic",)), r"outputs \['picture'\].*\['pic'\]"),
    "other shape": (
        build_of(identity(), inputs={"image": InputSpec((1, 3, 8, 6), SPEC)}),
        r"'image' of the network is \[1, 3, 6, 8\], declared \(1, 3, 8, 6\)",
    ),
    "other rank": (
        build_of(identity(), inputs={"image": InputSpec((3, 6, 8), SPEC)}),
        r"declared \(3, 6, 8\)",
    ),
    "gray for three channels": (
        build_of(
            identity(),
            inputs={"image": InputSpec((1, 3, 6, 8), Preprocess.from_dict({"to": "gray"}))},
        ),
        r"does not take gray pictures",
    ),
    "rgb for four channels": (
        build_of(identity((1, 4, 6, 8)), inputs={"image": InputSpec((1, 4, 6, 8), SPEC)}),
        r"does not take rgb pictures",
    ),
    "batch": (
        build_of(identity((2, 3, 6, 8)), inputs={"image": InputSpec((2, 3, 6, 8), SPEC)}),
        r"pictures of batch 1",
    ),
    "no picture": (
        build_of(identity((3, 6)), inputs={"image": InputSpec((3, 6), SPEC)}),
        r"does not take rgb pictures",
    ),
    "odd": (
        build_of(identity((1, 3, 5, 8)), inputs={"image": InputSpec((1, 3, 5, 8), SPEC)}),
        r"8x5: NV21 is even",
    ),
    "dynamic": (
        build_of(identity((1, 3, "height", 8))),
        r"network is \[1, 3, 'height', 8\], declared \(1, 3, 6, 8\)",
    ),
    "float64": (
        build_of(identity(kind=TensorProto.DOUBLE), inputs={"image": InputSpec((1, 3, 6, 8))}),
        r"tensor\(double\).*float32, int32 or int64 tensors are supported",
    ),
    "state without an input": (
        build_of(identity(), states={"before": "picture"}),
        r"state before: picture names no input and output.*inputs: image; outputs: picture",
    ),
    "state without an output": (
        build_of(identity(), states={"image": "after"}),
        r"state image: after names no",
    ),
    "state of another shape": (
        build_of(identity(), states={"image": "picture"}),
        r"output picture \(1, 3, 6, 8\) float32 cannot be fed back as input image \(9, 8\) uint8",
    ),
}


@pytest.mark.parametrize("name", DISAGREE)
def test_a_declaration_that_the_network_does_not_meet_is_refused(tmp_path: Path, name: str) -> None:
    build, message = DISAGREE[name]
    with pytest.raises(ModelError, match=r"net\.sim: .*" + message):
        load_model(saved(tmp_path, build))


def test_an_output_of_unknown_size_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["where"])]
    content = network(nodes, {"x": (FLOAT, (4,))}, {"where": (TensorProto.INT64, (1, None))})
    build = SimulatorBuild("x", {"x": InputSpec((4,))}, ("where",), content)
    with pytest.raises(ModelError, match=r"'where'.*static"):
        load_model(saved(tmp_path, build))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"not a network", identity()[:-20], identity()[: len(identity()) // 2]],
    ids=["empty", "zero", "text", "cut", "half"],
)
def test_a_broken_network_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"net\.sim: "):
        load_model(saved(tmp_path, build_of(content)))


def test_an_operator_that_nobody_knows_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["image"], ["picture"])
    content = network([node], {"image": (FLOAT, (1, 3, 6, 8))}, {"picture": (FLOAT, (1, 3, 6, 8))})
    changed = content.replace(b"Identity", b"Idemtity")
    assert changed != content
    with pytest.raises(ModelError, match=r"ONNX Runtime refuses the network.*Idemtity"):
        load_model(saved(tmp_path, build_of(changed)))


def test_a_network_that_fails_while_it_runs_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["table", "index"], ["row"])]
    content = network(
        nodes,
        {"index": (TensorProto.INT64, (1,))},
        {"row": (FLOAT, (1, 2))},
        {"table": np.ones((3, 2), np.float32)},
    )
    build = SimulatorBuild("x", {"index": InputSpec((1,))}, ("row",), content)
    model = load_model(saved(tmp_path, build))
    assert model.infer({"index": np.array([2])})["row"].tolist() == [[1.0, 1.0]]
    with pytest.raises(ModelError, match=r"net\.sim: ONNX Runtime failed"):
        model.infer({"index": np.array([3])})
    assert model.infer({"index": np.array([0])})["row"].tolist() == [[1.0, 1.0]]


# --- states ---

HEIGHT, WIDTH = 6, 8
KERNEL = (np.random.default_rng(4).random((1, 4, 3, 3)) - 0.5).astype(np.float32)
KERNEL[0, 3] *= 4  # the previous alpha counts
BIAS = np.array([0.1], np.float32)
STATEFUL = Preprocess(mean=(128.0,) * 3, scale=(1 / 255,) * 3)


def recurrent_build() -> SimulatorBuild:
    """Three channels of the image and the previous alpha, through one convolution."""
    nodes = [
        helper.make_node("Concat", ["image", "alpha_prev"], ["four"], axis=1),
        helper.make_node("Conv", ["four", "kernel", "bias"], ["logit"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["logit"], ["alpha"]),
    ]
    plane: Shape = (1, 1, HEIGHT, WIDTH)
    content = network(
        nodes,
        {"image": (FLOAT, (1, 3, HEIGHT, WIDTH)), "alpha_prev": (FLOAT, plane)},
        {"alpha": (FLOAT, plane)},
        {"kernel": KERNEL, "bias": BIAS},
    )
    return SimulatorBuild(
        "recurrent",
        {
            "image": InputSpec((1, 3, HEIGHT, WIDTH), STATEFUL),
            "alpha_prev": InputSpec((1, 1, HEIGHT, WIDTH)),
        },
        ("alpha",),
        content,
        {"alpha_prev": "alpha"},
    )


def by_hand(packed: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """One step of the same network in float64."""
    four = np.concatenate([to_tensor(STATEFUL, packed)[0], previous[0]]).astype(np.float64)
    padded = np.pad(four, ((0, 0), (1, 1), (1, 1)))
    logit = np.full((HEIGHT, WIDTH), float(BIAS[0]))
    for channel in range(4):
        for dy in range(3):
            for dx in range(3):
                window = padded[channel, dy : dy + HEIGHT, dx : dx + WIDTH]
                logit += KERNEL[0, channel, dy, dx] * window
    return (1 / (1 + np.exp(-logit)))[np.newaxis, np.newaxis]


@pytest.fixture
def recurrent(tmp_path: Path) -> Model:
    return load_model(saved(tmp_path, recurrent_build()))


ZEROS = np.zeros((1, 1, HEIGHT, WIDTH))


def check_sequence(model: Model, seeds: range, previous: np.ndarray) -> np.ndarray:
    for seed in seeds:
        packed = noise_bytes(seed)
        alpha = model.infer({"image": packed})["alpha"]
        expected = by_hand(packed, previous)
        assert np.abs(alpha - expected).max() < 1e-5
        previous = expected
    return previous


def test_an_output_is_the_next_frame_s_input(recurrent: Model) -> None:
    last = check_sequence(recurrent, range(6), ZEROS)
    # The state matters: without it the last frame would look otherwise.
    assert np.abs(last - by_hand(noise_bytes(5), ZEROS)).max() > 0.05


def test_a_reset_begins_with_zeros(recurrent: Model) -> None:
    for _ in range(3):
        recurrent.reset()
        check_sequence(recurrent, range(3), ZEROS)


def test_what_a_caller_does_with_an_output_does_not_change_the_state(recurrent: Model) -> None:
    previous = ZEROS
    for seed in range(4):
        packed = noise_bytes(seed)
        alpha = recurrent.infer({"image": packed})["alpha"]
        previous = by_hand(packed, previous)
        assert np.abs(alpha - previous).max() < 1e-5
        alpha[:] = 7.0


def test_a_refused_frame_leaves_the_state(recurrent: Model) -> None:
    previous = check_sequence(recurrent, range(2), ZEROS)
    for given in ({}, {"image": noise_bytes(0)[:6]}, {"imgae": noise_bytes(0)}):
        with pytest.raises(ModelError):
            recurrent.infer(given)
    check_sequence(recurrent, range(2, 4), previous)


def test_a_state_may_be_given(recurrent: Model) -> None:
    check_sequence(recurrent, range(2), ZEROS)
    given = np.random.default_rng(9).random(ZEROS.shape, np.float32)
    packed = noise_bytes(7)
    alpha = recurrent.infer({"image": packed, "alpha_prev": given})["alpha"]
    expected = by_hand(packed, given)
    assert np.abs(alpha - expected).max() < 1e-5
    check_sequence(recurrent, range(2), expected)


def test_several_inputs_give_what_each_gives_alone(picture: Model) -> None:
    items = [{"image": noise_bytes(seed)} for seed in range(3)]
    for item, found in zip(items, picture.infer_many(items), strict=True):
        assert np.array_equal(found["picture"], picture.infer(item)["picture"])
    assert picture.infer_many([]) == []
    with pytest.raises(ModelError, match="no input 'imag'"):
        picture.infer_many([items[0], {"imag": noise_bytes(0)}])


def test_frames_of_a_model_with_states_are_not_independent(recurrent: Model) -> None:
    with pytest.raises(ModelError, match="one frame after the other"):
        recurrent.infer_many([{"image": noise_bytes(0)}])
    assert np.abs(recurrent.infer({"image": noise_bytes(0)})["alpha"]).max() > 0


def test_models_do_not_share_their_states(tmp_path: Path) -> None:
    path = saved(tmp_path, recurrent_build())
    other = load_model(saved(tmp_path, picture_build(), "picture.sim"))
    models = [load_model(path) for _ in range(3)]
    states = [ZEROS] * 3
    for step in range(4):
        for number, model in enumerate(models):
            if number == 2 and step == 2:
                model.reset()
                states[2] = ZEROS
            packed = noise_bytes(10 * number + step)
            assert np.array_equal(
                other.infer({"image": packed})["picture"], to_tensor(SPEC, packed)
            )
            states[number] = by_hand(packed, states[number])
            alpha = model.infer({"image": packed})["alpha"]
            assert np.abs(alpha - states[number]).max() < 1e-5
    for model in (*models, other):
        model.close()


# --- threads ---


def deep_build() -> SimulatorBuild:
    random = np.random.default_rng(0)
    weights, nodes, name, channels = {}, [], "image", 3
    for layer, width in enumerate((24, 32, 32, 4)):
        weights[f"w{layer}"] = (random.standard_normal((width, channels, 3, 3)) / 8).astype(
            np.float32
        )
        nodes += [
            helper.make_node("Conv", [name, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]),
            helper.make_node("Tanh", [f"c{layer}"], [f"t{layer}"]),
        ]
        name, channels = f"t{layer}", width
    nodes.append(helper.make_node("ReduceMean", [name], ["mean"], axes=[2, 3]))
    content = network(
        nodes,
        {"image": (FLOAT, (1, 3, 96, 128))},
        {name: (FLOAT, (1, 4, 96, 128)), "mean": (FLOAT, (1, 4, 1, 1))},
        weights,
    )
    inputs = {"image": InputSpec((1, 3, 96, 128), STATEFUL)}
    return SimulatorBuild("deep", inputs, (name, "mean"), content)


def test_results_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    path = saved(tmp_path, deep_build())
    packed = noise_bytes(0, 96, 128)
    first = load_model(path, threads=1).infer({"image": packed})
    assert first["mean"].std() > 0
    for threads in (1, 2, 3, 4):
        model = load_model(path, threads=threads)
        for _ in range(2):
            again = model.infer({"image": packed})
            for name, value in first.items():
                assert np.array_equal(again[name], value), (threads, name)


def test_models_run_side_by_side(tmp_path: Path) -> None:
    path = saved(tmp_path, deep_build())
    packed = [noise_bytes(seed, 96, 128) for seed in range(3)]
    expected = [load_model(path).infer({"image": given})["mean"] for given in packed]
    found: dict[int, list[np.ndarray]] = {}

    def work(number: int) -> None:
        model = load_model(path)
        found[number] = [model.infer({"image": packed[number]})["mean"] for _ in range(5)]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number, means in found.items():
        assert len(means) == 5
        assert all(np.array_equal(mean, expected[number]) for mean in means)


# --- in the container of a board's offline model ---


def test_a_wrapped_build_runs_like_the_bare_one(tmp_path: Path) -> None:
    build = recurrent_build()
    (tmp_path / "net.om").write_bytes(wrap(build, om_graph(build.onnx)))
    bare, wrapped = load_model(saved(tmp_path, build)), load_model(str(tmp_path / "net.om"))
    assert wrapped.inputs == bare.inputs
    for seed in range(3):
        packed = noise_bytes(seed)
        alphas = [model.infer({"image": packed})["alpha"] for model in (bare, wrapped)]
        # Truncated colours and float16 (AIPP) against rounded ones and float32.
        np.testing.assert_allclose(*alphas, rtol=0, atol=0.02)
        assert not np.array_equal(*alphas)


def test_a_boards_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "board.om"
    path.write_bytes(tiny())
    with pytest.raises(ModelError, match=r"platform 1\.75.*npukit convert") as caught:
        load_model(str(path))
    assert str(path) in str(caught.value)


# --- the contract: whatever is registered ---


@pytest.fixture(params=RUNTIMES.names())
def runtime(request: pytest.FixtureRequest) -> Runtime:
    failures = RUNTIMES.failures()
    if request.param in failures:
        pytest.skip(failures[request.param])
    return RUNTIMES.get(request.param)()


def test_every_runtime_refuses_what_is_no_model_of_its_own(
    runtime: Runtime, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.om"
    garbage.write_bytes(bytes(range(256)) * 8)
    empty = tmp_path / "empty.om"
    empty.write_bytes(b"")
    for path in (garbage, empty, tmp_path / "absent.om", tmp_path):
        with pytest.raises(ModelError) as caught:
            runtime.load(str(path))
        assert str(path) in str(caught.value)


def test_every_runtime_takes_threads_by_name(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        runtime.load(str(tmp_path / "absent.om"), threads=2)


def test_the_simulator_is_the_default_and_others_are_found_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, picture_build())
    for model in (load_model(path), load_model(path, "simulator", 2)):
        assert list(model.inputs) == ["image"]
    with pytest.raises(PluginError, match=r"unknown runtime 'simulater' \(did you mean 'simul"):
        load_model(path, "simulater")
