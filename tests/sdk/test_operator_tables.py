"""What compilers take: every table loads, and a wrong one is refused by name."""

import json
import shutil
from pathlib import Path

import pytest

from npukit import operator_tables as module
from npukit.errors import ConfigError
from npukit.operator_tables import load_operators, operator_tables
from npukit.profiles import load_target, targets

FILES = Path(module.__file__).parent / "operators"
NEWEST = "ascend310_onnx_cann5"


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Change one table in a copy of the data."""
    shutil.copytree(FILES, tmp_path / "operators")
    monkeypatch.setattr(module, "_HERE", str(tmp_path / "operators"))

    def apply(change, name=NEWEST):
        path = tmp_path / "operators" / f"{name}.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")

    return apply


@pytest.mark.parametrize("name", operator_tables())
def test_every_table_loads_with_sources(name):
    table = load_operators(name)
    assert table.name == name
    assert table.operators
    sources = [table.source, *(limit.source for limit in table.limits)]
    assert all("http" in source or "github.com/" in source for source in sources)
    assert (table.opset is None) == (table.route == "caffe")


def test_the_tables_are_those_of_the_targets():
    named = set()
    for target in map(load_target, targets()):
        for route, figure in target.operators.items():
            for name in figure.value or ():
                assert load_operators(name).route == route
                named.add(name)
            assert set(target.routes[route].value or ()) >= {
                load_operators(name).compiler for name in figure.value or ()
            }
    assert named == set(operator_tables())


def test_what_is_known_of_the_lists():
    old, new = load_operators("ascend310_onnx_cann20_1"), load_operators(NEWEST)
    assert (len(old.operators), old.opset) == (66, (11, 11))
    assert len(load_operators("ascend310_caffe_ddk").operators) == 42
    gone = {"ConvTranspose", "PRelu", "HardSigmoid", "InstanceNormalization", "Where", "TopK"}
    assert not gone & set(old.operators)
    assert gone <= set(new.operators)
    assert not {"Upsample", "GRU", "LayerNormalization"} & set(new.operators)
    assert {"GRU", "LayerNormalization"} <= set(load_operators("ascend310b_onnx_cann8").operators)
    assert set(old.operators) <= set(new.operators)


def test_the_ddk_list_is_that_of_the_converter():
    profile = pytest.importorskip("npukit_convert.onnx_to_caffe.profiles.caffe_omg")
    assert set(load_operators("ascend310_caffe_ddk").operators) == set(profile.RULES)


def test_an_unknown_table_lists_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'ascend310_onnx_cann5'"):
        load_operators("ascend310_onnx_cann6")
    with pytest.raises(ConfigError, match="unknown operator table"):
        load_operators("../targets/ascend310")


WRONG = [
    (lambda data: data.pop("source"), "key 'source' is missing"),
    (lambda data: data.update(sorce=1), "unknown key 'sorce'.*'source'"),
    (lambda data: data.update(name="other"), "unknown name 'other'"),
    (lambda data: data.update(route="tf"), "unknown route 'tf'"),
    (lambda data: data.update(compiler="atk"), "unknown compiler 'atk'.*'atc'"),
    (lambda data: data.update(opset=None), "'opset' is for the route onnx"),
    (lambda data: data.update(opset=[11]), "'opset' must be two whole numbers"),
    (lambda data: data["operators"].reverse(), "'operators' must be sorted"),
    (lambda data: data["operators"].append("Xor"), "'operators' must be sorted, each name once"),
    (lambda data: data["operators"].append(3), "'operators' must be a list of texts"),
    (lambda data: data.update(limits={}), "'limits' must be a list"),
    (lambda data: data["limits"][0].pop("source"), r"limits\[0\]: key 'source' is missing"),
    (lambda data: data["limits"][0].update(within=[1, 2]), "needs either 'within' or 'one_of'"),
    (lambda data: data["limits"][4].update(within=[2, 1]), "'within' must be two numbers"),
    (lambda data: data["limits"][0].update(of="atribute mode"), "unknown subject.*'attribute'"),
    (lambda data: data["limits"][0].update(operator="Resise"), "unknown operator.*'Resize'"),
    (lambda data: data["limits"][0].update(severity="bad"), "unknown severity 'bad'"),
    (lambda data: data["instead"].update(Conv="MatMul"), "instead: 'Conv' is in the table"),
    (lambda data: data.update(instead=[]), "'instead' must be an object"),
    (lambda data: data.update(notes="x"), "'notes' must be a list of texts"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_table_is_refused(edit, change, message):
    edit(change)
    with pytest.raises(ConfigError, match=rf"operators/{NEWEST}\.json.*{message}"):
        load_operators(NEWEST)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_file_that_is_no_table_is_refused(edit, text):
    edit(dict.clear)
    Path(module._HERE, f"{NEWEST}.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="operators/"):
        load_operators(NEWEST)
