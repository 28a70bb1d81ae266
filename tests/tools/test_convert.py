"""`npukit convert`: what it makes, what it says, and that bad input loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from support.small_networks import SIDES, onnx_model, write_module, write_onnx

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from safetensors.torch import save_file  # noqa: E402 - after the skip

from npukit.runtime import load_model  # noqa: E402
from npukit_convert import chain, record, torch_module  # noqa: E402

Command = Callable[..., Any]
SHAPE = ("--inputs.image.shape", str([*SIDES]))


@pytest.fixture
def network(here: Path) -> Path:
    """A module, its weights, its config and an ONNX network, in the working folder."""
    write_module(here / "net.py")
    write_onnx(here / "small.onnx")
    save_file(
        torch_module.make_module(here / "net.py", "build").state_dict(), here / "w.safetensors"
    )
    (here / "convert.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "mine",
                "model": {"torch": "net:build", "weights": "w.safetensors"},
                "inputs": {"image": {"shape": [*SIDES]}},
                "outputs": ["alpha"],
                "target": "ascend310",
                "route": "caffe",
            }
        ),
        encoding="utf-8",
    )
    return here


def contents(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


# --- what it makes -------------------------------------------------------------------------------


def test_a_config_becomes_files_with_their_hashes(npukit: Command, network: Path) -> None:
    said = npukit("convert", "convert.yaml", "--out", "made")
    assert said.code == 0
    made = contents(network / "made")
    assert set(made) == {
        "mine.build.json", "mine.caffemodel", "mine.onnx", "mine.prototxt", "mine.report.html",
        "mine.om", "mine.sim",
    }  # fmt: skip
    written = json.loads(made.pop("mine.build.json"))
    for name in set(made) - {"mine.report.html"}:
        assert written["results"][name] == hashlib.sha256(made[name]).hexdigest(), name
    for name in ("net.py", "w.safetensors"):
        digest = hashlib.sha256((network / name).read_bytes()).hexdigest()
        assert written["sources"][name] == digest
    names = [step["name"] for step in written["steps"]]
    assert names == ["export", "simplify", "caffe", "build", "offline", "compile"]
    forms = [step["verified"] for step in written["steps"] if step["verified"]]
    assert [(one["against"], one["form"]) for one in forms] == [
        ("torch", "ONNX (exported)"),
        ("ONNX (exported)", "ONNX (simplified)"),
        ("ONNX (simplified)", "Caffe (caffe-omg)"),
        ("ONNX (simplified)", "simulator build"),
    ]
    assert all(one["outputs"]["alpha"]["max_abs"] < 1e-4 for one in forms)
    for form in ("ONNX (exported)", "Caffe (caffe-omg)"):
        assert form in said.out
        assert form in made["mine.report.html"].decode()
    for name in made:
        assert f"made/{name}" in said.out
    notes = said.err.splitlines()
    assert all(line.startswith("note: ") for line in notes), "no warning, no progress into a pipe"
    assert "omg" in notes[0], "where there is no compiler, that is said"


def test_the_simulator_build_computes_what_the_module_does(npukit: Command, network: Path) -> None:
    assert npukit("convert", "convert.yaml", "--out", "made").code == 0
    feed = np.random.default_rng(3).standard_normal(SIDES).astype(np.float32)
    module = torch_module.make_module(network / "net.py", "build").eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(feed)).numpy()
    found = load_model(str(network / "made" / "mine.sim")).infer({"image": feed})["alpha"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_onnx_file_needs_no_config(npukit: Command, network: Path) -> None:
    said = npukit("convert", "small.onnx", "--out", "made")
    assert said.code == 0
    assert set(contents(network / "made")) == {
        "small.build.json", "small.onnx", "small.report.html", "small.sim",
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".ckpt"])
def test_a_module_and_weights_need_no_config(npukit: Command, network: Path, suffix: str) -> None:
    state = torch_module.make_module(network / "net.py", "build").state_dict()
    state["head.bias"] += 1.0
    (network / "elsewhere").mkdir()
    weights = network / "elsewhere" / f"trained{suffix}"
    if suffix == ".safetensors":
        save_file(state, weights)
    else:
        wrapped = {f"module.{key}": value for key, value in state.items()}
        torch.save({"epoch": 3, "state_dict": wrapped} if suffix == ".ckpt" else wrapped, weights)
    said = npukit("convert", "net.py:build", "--weights", weights, *SHAPE, "--json")
    assert said.code == 0
    assert said.json["config"]["outputs"] == ["output"]
    assert f"elsewhere/trained{suffix}" in said.json["sources"]
    (bias,) = (
        numpy_helper.to_array(tensor)
        for tensor in onnx.load(network / "build/convert/net.onnx").graph.initializer
        if tensor.dims == [1]
    )
    assert bias == pytest.approx(state["head.bias"].item()), "the weights are those of the file"


def test_the_json_says_all(npukit: Command, network: Path) -> None:
    said = npukit("convert", "small.onnx", "--route", "caffe", "--json")
    assert said.code == 0
    assert {"config", "versions", "sources", "steps", "caffe", "files"} <= said.json.keys()
    for name, path in said.json["files"].items():
        assert Path(path).name == name
        assert Path(path).is_file()
    done = {one["name"]: one for one in said.json["steps"][1]["passes"]}
    assert done["onnxsim"]["kept"] is True
    assert said.json["steps"][2]["verified"]["noise"]["max_abs"] < 1e-4


def test_real_frames_are_verified_on(npukit: Command, network: Path) -> None:
    preprocess = ("--inputs.image.preprocess.scale", "[0.004, 0.004, 0.004]")
    frames = ("--verify.frames", "pattern:64x48,frames=5", "--verify.samples", "3")
    said = npukit("convert", "convert.yaml", *preprocess, *frames, "--json")
    assert said.code == 0, said.err
    for step in said.json["steps"][:3]:
        assert 0 <= step["verified"]["frames"]["max_abs"] < 1e-4


def test_names_that_caffe_refuses_are_changed_and_mapped(npukit: Command, here: Path) -> None:
    write_onnx(here / "odd.onnx", onnx_model(into="input.1", out="alpha:0"))
    said = npukit("convert", "odd.onnx", "--route", "caffe", "--target", "ascend310", "--json")
    assert said.code == 0
    names = said.json["caffe"]["names"]
    text = (here / "build/convert/odd.prototxt").read_text("utf-8")
    for name in ("input.1", "alpha:0"):
        assert f'"{names[name]}"' in text
    assert '"alpha:0"' not in text
    assert said.json["caffe"]["outputs"] == {"alpha:0": names["alpha:0"]}


def test_an_input_with_a_dot_in_its_name_can_be_set(npukit: Command, here: Path) -> None:
    write_onnx(here / "open.onnx", onnx_model(("N", 3, "H", 12), into="input.1"))
    refused = npukit("convert", "open.onnx", "--json")
    assert refused.code == 1
    assert refused.json["error"]["next"].endswith('--inputs.input.1.shape "[1, 3, 256, 12]"')
    said = npukit("convert", "open.onnx", "--inputs.input.1.shape", "[1, 3, 16, 12]", "--json")
    assert said.code == 0
    assert said.json["config"]["inputs"]["input.1"]["shape"] == [1, 3, 16, 12]


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["convert.yaml", "small.onnx"])
def test_a_dry_run_names_the_steps_and_writes_nothing(
    npukit: Command, network: Path, source: str
) -> None:
    before = contents(network)
    said = npukit("convert", source, "--dry-run", "--route", "caffe", "--json")
    assert said.code == 0
    first = "read" if source == "small.onnx" else "export"
    steps = {step["name"]: step for step in said.json["steps"]}
    last = [] if source == "small.onnx" else ["offline", "compile"]
    assert list(steps) == [first, "simplify", "caffe", "build", *last]
    read = ["small.onnx"] if source == "small.onnx" else ["net.py", "w.safetensors"]
    digests = {name: hashlib.sha256(before[name]).hexdigest() for name in read}
    assert steps[first]["inputs"] == digests
    assert "onnxsim" in steps["simplify"]["passes"]
    assert "lower_clip" in steps["caffe"]["passes"]
    assert "lower_clip" not in steps["simplify"]["passes"]
    for word in (*read, "lower_clip", str(list(SIDES))):
        assert word in npukit("convert", source, "--dry-run", "--route", "caffe").out
    assert contents(network) == before
    assert not (network / "build").exists()


def test_a_dry_run_finds_a_file_that_is_not_there(npukit: Command, network: Path) -> None:
    (network / "w.safetensors").unlink()
    said = npukit("convert", "convert.yaml", "--dry-run", "--json")
    assert said.code == 1
    assert said.json["error"]["where"] == "w.safetensors"


def test_a_saved_config_gives_the_same_conversion(npukit: Command, network: Path) -> None:
    options = ("--route", "caffe", "--verify.max_abs", "1e-5")
    assert npukit("convert", "small.onnx", *options, "--save-config", "kept.yaml").code == 0
    assert not (network / "build").exists()
    one = npukit("convert", "small.onnx", *options, "--out", "one", "--json").json
    other = npukit("convert", "kept.yaml", "--out", "other", "--json").json
    assert one["config"] == other["config"]
    one, other = (contents(network / name) for name in ("one", "other"))
    for name in ("small.onnx", "small.prototxt", "small.caffemodel"):
        assert one[name] == other[name]


def test_a_saved_config_elsewhere_finds_its_files(npukit: Command, network: Path) -> None:
    assert npukit("convert", "small.onnx", "--save-config", "sub/kept.yaml").code == 0
    assert npukit("convert", "sub/kept.yaml").code == 0
    again = npukit("convert", "small.onnx", "--save-config", "sub/kept.yaml", "--json")
    assert again.code == 1
    assert "there already" in again.json["error"]["message"]


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (("--rout", "caffe"), "unknown key 'rout'", "did you mean 'route'?"),
        (("--verify.max-abs=1",), "unknown key 'max-abs'", "did you mean 'max_abs'?"),
        (("--route", "cafe"), "should be 'onnx' or 'caffe'", ""),
        (("--name",), "--name has no value", ""),
        (("--dryrun",), "--dryrun has no value", ""),
        (("more.onnx",), "'more.onnx' is no option", ""),
        (("--outputs", "[a"), "not valid YAML", ""),
        (("--target", "ascend311"), "unknown target 'ascend311'", "did you mean 'ascend310'?"),
        (("--passes.off", "[lower_clipp]"), "unknown pass", "did you mean 'lower_clip'?"),
        (("--name.first", "x"), "no mapping", ""),
        (("--weights", "w.safetensors"), "an ONNX file has its weights inside", ""),
    ],
)
def test_a_wrong_option_is_named(
    npukit: Command, network: Path, options: tuple[str, ...], message: str, hint: str
) -> None:
    before = contents(network)
    said = npukit("convert", "small.onnx", *options, "--json")
    assert said.code == 1
    assert message in said.json["error"]["message"]
    assert said.json["error"].get("next", "").startswith(hint)
    assert contents(network) == before


# --- bad input -----------------------------------------------------------------------------------


def _cut(folder: Path) -> None:
    path = folder / "small.onnx"
    path.write_bytes(path.read_bytes()[:-40])


def _without_its_data(folder: Path) -> None:
    onnx.save_model(
        onnx_model(), folder / "small.onnx", save_as_external_data=True, location="gone.bin",
        size_threshold=0,
    )  # fmt: skip
    (folder / "gone.bin").unlink()


def _of(**options: Any) -> Callable[[Path], object]:
    return lambda folder: write_onnx(folder / "small.onnx", onnx_model(**options))


_TWICE = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])]
_CUSTOM = [helper.make_node("Swirl", ["x"], ["y"], "swirl", domain="acme")]
_UNKNOWN = [helper.make_node("Swirl", ["x"], ["y"], "swirl")]
_DOUBLE = [
    helper.make_node("Cast", ["x"], ["d"], "/head/Cast", to=TensorProto.DOUBLE),
    helper.make_node("Exp", ["d"], ["e"], "/head/Exp"),
    helper.make_node("Cast", ["e"], ["y"], to=TensorProto.FLOAT),
]
_NONZERO = [
    helper.make_node("NonZero", ["x"], ["n"], "/head/NonZero"),
    helper.make_node("Cast", ["n"], ["y"], to=TensorProto.FLOAT),
]
_FIVE = [
    helper.make_node("Reshape", ["x", "s"], ["r"], "/head/Reshape"),
    helper.make_node("Transpose", ["r"], ["t"], "/head/Transpose", perm=[0, 2, 1, 3, 4]),
    helper.make_node("Reshape", ["t", "b"], ["y"], "/head/Reshape_1"),
]
_FIVE_WEIGHTS = [
    numpy_helper.from_array(np.array(sides), name)
    for name, sides in (("s", [1, 2, 3, 8, 6]), ("b", [1, 3, 8, 12]))
]
_BAD = {
    "absent": (lambda folder: (folder / "small.onnx").unlink(), "cannot be read: No such file"),
    "empty": (lambda folder: (folder / "small.onnx").write_bytes(b""), "holds no graph"),
    "cut": (_cut, "not an ONNX network, or cut short"),
    "other": (lambda folder: (folder / "small.onnx").write_text("no"), "not an ONNX network"),
    "external": (_without_its_data, "external data cannot be read"),
    "custom": (
        _of(nodes=_CUSTOM, opsets=(("", 13), ("acme", 1))),
        "Swirl of domain 'acme' (node 'swirl')",
    ),
    "unknown": (_of(nodes=_UNKNOWN), "No Op registered for Swirl"),
    "batch": (_of(shape=("N", 3, 8, 12)), "a size is open"),
    "five": (_of(shape=(1, 3, 2, 8, 12), rank=5, nodes=_TWICE[:1]), "'x' has 5 dimensions"),
    "double": (_of(kind=TensorProto.DOUBLE, nodes=_TWICE[:1]), "input 'x' is DOUBLE, not FLOAT"),
    "inside": (_of(nodes=_DOUBLE), "Cast '/head/Cast' (module /head) computes in float64"),
    "graph": (_of(nodes=[]), "no operators"),
    "twice": (_of(nodes=_TWICE), "names given to two values: y"),
    "data": (
        _of(nodes=_NONZERO, rank=2),
        "the size of what NonZero '/head/NonZero' (module /head) gives depends on data",
    ),
    "route": (_of(nodes=_FIVE, weights=_FIVE_WEIGHTS), "has 5 dimensions [1, 2, 3, 8, 6]"),
}


@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_network_is_refused_and_loses_nothing(
    npukit: Command, network: Path, kind: str
) -> None:
    spoil, message = _BAD[kind]
    assert npukit("convert", "small.onnx", "--route", "caffe").code == 0
    spoil(network)
    before = contents(network)
    said = npukit("convert", "small.onnx", "--route", "caffe", "--json")
    assert said.code == 1, said.err
    error = said.json["error"]
    assert error["type"] in ("ConversionError", "ExecutionError")
    assert message in error["message"]
    assert error["where"], "it says where"
    assert contents(network) == before
    assert f"error: {error['message'].splitlines()[0]}" in said.err


@pytest.mark.parametrize("length", range(0, 400, 37))
def test_a_network_cut_anywhere_is_refused(npukit: Command, here: Path, length: int) -> None:
    path = write_onnx(here / "small.onnx")
    path.write_bytes(path.read_bytes()[:length])
    said = npukit("convert", "small.onnx", "--json")
    assert said.code == 1
    assert said.json["error"]["type"] == "ConversionError"
    assert [item.name for item in here.iterdir()] == ["small.onnx"]


def test_a_module_whose_size_depends_on_data_is_refused(npukit: Command, network: Path) -> None:
    before = contents(network)
    said = npukit("convert", "net.py:build_picky", *SHAPE, "--json")
    assert said.code == 1
    assert "depends on data" in said.json["error"]["message"]
    assert "NonZero" in said.json["error"]["message"]
    assert contents(network) == before


def test_weights_of_another_network_name_every_key(npukit: Command, network: Path) -> None:
    save_file({"other": torch.zeros(2)}, network / "w.safetensors")
    before = contents(network)
    said = npukit("convert", "convert.yaml", "--json")
    assert said.code == 1
    assert "missing keys: body.0.weight" in said.json["error"]["message"]
    assert "unexpected keys: other" in said.json["error"]["message"]
    assert said.json["error"]["where"] == "w.safetensors"
    assert contents(network) == before


def test_weights_that_hold_code_are_refused(npukit: Command, network: Path) -> None:
    module = torch_module.make_module(network / "net.py", "build")
    torch.save(module, network / "whole.pt")
    said = npukit("convert", "net.py:build", "--weights", "whole.pt", *SHAPE, "--json")
    assert said.code == 1
    assert "more than tensors" in said.json["error"]["message"]
    assert "state_dict()" in said.json["error"]["next"]


@pytest.mark.parametrize("missing", ["torch", "onnxsim"])
def test_a_missing_library_says_how_to_install_it(
    network: Path, plain: dict[str, str], missing: str
) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from npukit_cli.main import invoke; sys.exit(invoke(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "convert", "convert.yaml"],
        env=plain, cwd=network, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{missing} is not installed" in done.stderr
    assert "pip install 'npukit[" in done.stderr


# --- writing -------------------------------------------------------------------------------------


def test_a_full_disk_leaves_older_results_whole(network: Path, plain: dict[str, str]) -> None:
    """The limit is the kernel's own, on the size of a file: a write fails in its middle."""
    command = [sys.executable, "-m", "npukit_cli", "convert", "convert.yaml", "--out", "made"]
    run = {"env": plain, "cwd": network, "capture_output": True, "text": True, "timeout": 120}
    assert subprocess.run(command, check=False, **run).returncode == 0  # type: ignore[call-overload]
    before = contents(network)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    done = subprocess.run([*command, "--outputs", "[beta]"], check=False, preexec_fn=limit, **run)  # type: ignore[call-overload]
    assert done.returncode == 1, done.stderr
    assert "the results cannot be written: File too large" in done.stderr
    assert contents(network) == before
    assert not [item for item in (network / "made").iterdir() if item.is_dir()]


def test_a_folder_that_cannot_be_made_is_named(npukit: Command, network: Path) -> None:
    (network / "made").write_text("a file")
    said = npukit("convert", "small.onnx", "--out", "made/deep", "--json")
    assert said.code == 1
    assert "cannot be written" in said.json["error"]["message"]


@pytest.mark.parametrize("place", ["step", "write"])
def test_ctrl_c_leaves_nothing(
    npukit: Command, network: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    assert npukit("convert", "convert.yaml", "--out", "made").code == 0
    before = contents(network)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if place == "step":
        monkeypatch.setattr(chain.Steps, "caffe", interrupted)
    else:
        monkeypatch.setattr(record, "write_build", interrupted)
    said = npukit("convert", "convert.yaml", "--out", "made", "--name", "other")
    assert said.code == 130
    assert contents(network) == before
    assert not [item for item in (network / "made").iterdir() if item.is_dir()]


def test_what_a_killed_run_leaves_is_removed_by_the_next(
    npukit: Command, network: Path, plain: dict[str, str]
) -> None:
    assert npukit("convert", "small.onnx", "--out", "made").code == 0
    before = contents(network)
    program = (
        "import os, signal, npukit_convert.record as record\n"
        "record.write_build = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from npukit_cli.main import invoke; invoke(['convert', 'small.onnx', '--out', 'made'])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=plain, cwd=network, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (item for item in (network / "made").iterdir() if item.is_dir())
    now = contents(network)
    assert {name: now[name] for name in before} == before, "older results are whole"
    living = network / "made" / f".small.{os.getpid()}.abc"
    living.mkdir()
    assert npukit("convert", "small.onnx", "--out", "made").code == 0
    assert not left.exists()
    assert living.exists(), "that of a run that still writes"
    living.rmdir()
    assert set(contents(network)) == set(before)
