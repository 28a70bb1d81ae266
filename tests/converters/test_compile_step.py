"""The conversion's last step: the compiler is called with what was made, or said to be missing.

The compilers are stand-ins (support.stand_in_compiler): what a real one makes is not shown here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from support.compilers import flags_of, install

from npukit import aipp
from npukit.errors import ConfigError
from npukit.om import is_om
from npukit_convert.chain import convert
from npukit_convert.compile_step import tell_compile
from npukit_convert.config import make_config, read_config, write_config
from npukit_convert.conversion import Conversion
from npukit_convert.errors import CompilerError, CompilerMissing
from npukit_convert.record import to_record, write_results

CONFIG: dict[str, Any] = {
    "name": "net",
    "model": {"onnx": "net.onnx"},
    "inputs": {"image:0": {"shape": [1, 3, 8, 12]}, "last": {"shape": [1, 2, 8, 12]}},
    "outputs": ["alpha"],
    "states": {"last": "alpha"},
    "target": "ascend310",
}
OWN_AIPP = "aipp_op { aipp_mode: static input_format: YUV420SP_U8 related_input_rank: 0 }\n"
Run = Callable[..., Conversion]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network, and no compiler on PATH."""
    kernel = np.random.default_rng(0).standard_normal((2, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image:0", "w"], ["c"], "/body/conv", pads=[1, 1, 1, 1]),
            helper.make_node("Add", ["c", "last"], ["s"], "/body/add"),
            helper.make_node("Relu", ["s"], ["alpha"], "/body/relu"),
        ],
        "net",
        [
            helper.make_tensor_value_info("image:0", TensorProto.FLOAT, [1, 3, 8, 12]),
            helper.make_tensor_value_info("last", TensorProto.FLOAT, [1, 2, 8, 12]),
        ],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 2, 8, 12])],
        [numpy_helper.from_array(kernel, "w")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(model, tmp_path / "net.onnx")
    (tmp_path / "own.cfg").write_text(OWN_AIPP, "utf-8")
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    for name in ("ASCEND_TOOLKIT_HOME", "DDK_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    def run(tell: Callable[[str], None] = lambda _: None, **changes: Any) -> Conversion:
        config = make_config({**CONFIG, **changes}, "convert.yaml")
        return convert(config, project, "convert.yaml", tell=tell)

    return run


@pytest.mark.parametrize(("route", "tool"), [("caffe", "omg"), ("onnx", "atc")])
def test_a_network_is_compiled_last(project: Path, run: Run, route: str, tool: str) -> None:
    install(project / "tools")
    lines: list[str] = []
    made = run(lines.append, route=route)
    assert made.steps[-1].name == "compile"
    assert made.compiled is not None
    flags = flags_of(made.compiled.files["net.om"])
    assert flags["framework"] == {"omg": "0", "atc": "5"}[tool]
    if route == "caffe":
        assert made.caffe is not None
        first = made.caffe.names["image:0"]
        assert flags["input_shape"] == f"{first}:1,3,8,12;last:1,2,8,12"
    else:
        assert flags["input_shape"] == "image:0:1,3,8,12;last:1,2,8,12"
    assert made.compiled.tool == str(project / "tools" / tool)
    assert lines == made.compiled.log.splitlines()
    files = write_results(made, project / "out")
    record = json.loads(files["net.build.json"].read_text("utf-8"))
    assert record["compile"]["command"] == made.compiled.command
    assert record["compile"]["command"].startswith(f"{tool} --framework=")
    assert record["compile"]["host"] == "this machine"
    assert set(record["results"]) >= {"net.om", "net.sim", "net.compile.log", "net.onnx"}
    assert files["net.om"].read_bytes() == made.compiled.files["net.om"]


def test_without_a_compiler_it_ends_in_the_simulator_build(project: Path, run: Run) -> None:
    made = run(route="caffe", **with_aipp(None))
    assert made.build is not None
    assert made.compiled is None
    missing, elsewhere = made.steps[-1].notes
    assert "omg is not installed on this machine" in missing
    assert "$DDK_HOME/uihost/bin/omg" in missing
    files = write_results(made, project / "out")
    record = json.loads(files["net.build.json"].read_text("utf-8"))
    assert record["compile"]["missing"]
    command = record["compile"]["command"]
    assert elsewhere.endswith(command)
    assert is_om(str(files["net.om"])), "the simulator's, in its place"
    # The command is exact: it runs in the folder of the results, where there is a compiler.
    install(project / "tools")
    subprocess.run(["sh", "-c", command], cwd=project / "out", check=True, stdout=subprocess.PIPE)
    assert flags_of((project / "out" / "net.om").read_bytes())["insert_op_conf"] == "net.aipp.cfg"


def with_aipp(own: str | None = "own.cfg", **compiler: Any) -> dict[str, Any]:
    """A picture input, with the AIPP file of one's own or that of the declaration."""
    inputs = {**CONFIG["inputs"], "image:0": {"shape": [1, 3, 8, 12], "preprocess": {}}}
    if own is not None:
        compiler["aipp"] = own
    return {"inputs": inputs, **({"compiler": compiler} if compiler else {})}


def test_the_declaration_becomes_the_aipp_file(project: Path, run: Run) -> None:
    install(project / "tools")
    made = run(**with_aipp(None))
    assert made.compiled is not None
    config = aipp.parse(made.compiled.files["net.aipp.cfg"].decode())
    (block,) = config.aipp_op
    assert block.related_input_rank == 0
    assert (block.src_image_size_w, block.src_image_size_h) == (12, 8)
    assert block.rbuv_swap_switch, "NV21 is YUV420SP with V first"


def test_an_aipp_file_of_ones_own(project: Path, run: Run) -> None:
    install(project / "tools")
    made = run(**with_aipp())
    assert made.compiled is not None
    assert made.compiled.files["net.aipp.cfg"].decode() == OWN_AIPP
    assert "own.cfg" in to_record(made)["sources"]
    assert flags_of(made.compiled.files["net.om"])["insert_op_conf"] == "net.aipp.cfg"
    with pytest.raises(ConfigError, match=r"absent\.cfg cannot be read"):
        run(**with_aipp("absent.cfg"))


def test_all_that_compiler_says_reaches_the_command(project: Path, run: Run) -> None:
    install(project / "tools")
    made = run(
        route="caffe",
        compiler={
            "tool": "atc", "input_fp16_nodes": ["image:0"], "output_type": "FP16",
            "high_precision": True, "precision_mode": "force_fp16", "dynamic_batch": [1, 4],
            "options": {"log": "error"},
        },
    )  # fmt: skip
    assert made.compiled is not None
    assert made.caffe is not None
    flags = flags_of(made.compiled.files["net.om"])
    assert flags["input_fp16_nodes"] == made.caffe.names["image:0"]
    assert flags["output_type"] == "FP16"
    assert flags["op_select_implmode"] == "high_precision"
    assert flags["precision_mode"] == "force_fp16"
    assert flags["dynamic_batch_size"] == "1,4"
    assert flags["log"] == "error"


def test_a_refusal_names_the_node_and_where_it_is_from(project: Path, run: Run) -> None:
    install(project / "tools")
    made = run(route="caffe")
    assert made.caffe is not None
    layer = next(layer for layer in made.caffe.layers if layer.type == "Convolution")
    install(
        project / "tools",
        fail=f"E11009: No Caffe parser is registered for Op [{layer.name}, optype [Convolution]].",
    )
    with pytest.raises(CompilerError, match="'c' is not known") as caught:
        run(route="caffe")
    assert caught.value.where == "omg on this machine, node c (from /body/conv)"
    assert "E11009" in caught.value.message
    assert "omg --framework=0" in caught.value.hint


def test_a_failure_without_a_known_code_shows_the_last_words(project: Path, run: Run) -> None:
    install(project / "tools", fail="Segmentation fault")
    with pytest.raises(CompilerError, match="failed with code 1") as caught:
        run()
    assert "Segmentation fault" in caught.value.hint


def test_a_time_out(project: Path, run: Run) -> None:
    install(project / "tools", sleep_s=821)
    with pytest.raises(CompilerError, match=r"not done after 0\.5 s") as caught:
        run(compiler={"timeout_s": 0.5})
    assert "timeout_s" in caught.value.hint


def test_a_compiler_that_was_to_be_there_is_an_error(project: Path, run: Run) -> None:
    with pytest.raises(CompilerMissing, match="atc is not installed") as caught:
        run(compiler=f"{project}/nowhere/atc")
    assert caught.value.looked == (f"{project}/nowhere/atc",)


def test_a_chip_in_several_versions(project: Path, run: Run) -> None:
    install(project / "tools")
    made = run(target="ascend310b")
    (note,) = made.steps[-1].notes
    assert "Ascend310B1, Ascend310B4" in note
    made = run(target="ascend310b", compiler={"soc_version": "Ascend310B4"})
    assert made.compiled is not None
    assert flags_of(made.compiled.files["net.om"])["soc_version"] == "Ascend310B4"


@pytest.mark.parametrize("changes", [{"target": None}, {"target": "simulator"}])
def test_nothing_is_compiled_without_a_chip(run: Run, changes: dict[str, Any]) -> None:
    assert [step.name for step in run(**changes).steps][-1] == "build"


def test_what_would_be_done_is_the_command(project: Path) -> None:
    config = make_config({**CONFIG, "compiler": "ssh://root@board"}, "convert.yaml")
    assert tell_compile(config) == (
        "on ssh://root@board: atc --framework=5 --model=net.onnx --output=net "
        "'--input_shape=image:0:1,3,8,12;last:1,2,8,12' --input_format=NCHW --output_type=FP32 "
        "--soc_version=Ascend310"
    )


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"compiler": {"tol": "atc"}}, "compiler", "unknown key 'tol'"),
        ({"compiler": {"tool": "gcc"}}, "compiler.tool", "omg"),
        ({"compiler": {"tool": "omg"}}, "compiler.tool", "omg does not compile onnx"),
        ({"compiler": {"at": "board"}}, "compiler.at", "match pattern"),
        ({"compiler": {"soc_version": "Ascend310P3"}}, "compiler.soc_version", "no version"),
        ({"compiler": {"timeout_s": 0}}, "compiler.timeout_s", "greater than 0"),
        ({"compiler": "atc", "target": None}, "compiler", "no target"),
        ({"compiler": "atc", "target": "simulator"}, "compiler", "nothing compiles"),
    ],
)
def test_a_wrong_compiler_key(changes: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        make_config({**CONFIG, **changes}, "convert.yaml")
    assert caught.value.where.startswith(f"convert.yaml, {key}")


def test_a_text_is_an_address_or_a_path(tmp_path: Path) -> None:
    for text, at, command in (
        ("ssh://u@board:2222", "ssh://u@board:2222", None),
        ("local", "local", None),
        ("/opt/ddk/omg", "local", "/opt/ddk/omg"),
    ):
        config = make_config({**CONFIG, "compiler": text}, "convert.yaml")
        assert config.compiler is not None
        assert (config.compiler.at, config.compiler.command) == (at, command)
        (tmp_path / "c.yaml").write_text(write_config(config), "utf-8")
        assert read_config(tmp_path / "c.yaml") == config
    data = {**CONFIG, "compiler": {"timeout_s": 5}}
    config = make_config(data, "x", {"compiler": "ssh://b", "compiler.soc_version": "Ascend310"})
    assert config.compiler is not None
    given = config.compiler.model_dump(exclude_defaults=True)
    assert given == {"at": "ssh://b", "timeout_s": 5.0, "soc_version": "Ascend310"}
    assert "compiler" not in yaml.safe_load(write_config(make_config(CONFIG, "x")))
