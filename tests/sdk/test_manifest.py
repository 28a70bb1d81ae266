"""The manifest of a skill: everything wrong in it is refused by name."""

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from npukit.errors import ConfigError
from npukit.manifest import Manifest, Parameter, read_manifest

SKILLS = Path(__file__).resolve().parents[2] / "skills"

GOOD = {
    "name": "cut_out",
    "title": "Cuts something out",
    "version": "1.2.0",
    "entry": "skill.py:CutOut",
    "models": {
        "wide": {"simulator": "model/wide.sim", "ascend310": "model/wide.om"},
        "square": {"simulator": "model/square.sim"},
        "edges": {"simulator": "model/edges.sim"},
    },
    "boards": ["simulator", "hilens_kit"],
    "capture": "assets/demo.mp4",
    "display": {"simulator": "out.mp4", "hilens_kit": "hilens"},
    "check_value": "cutout",
    "truth": "assets/alpha.mp4",
    "parameters": {
        "crop": {
            "type": "choice", "choices": ["full", "square"], "default": "full", "help": "view",
            "selects": {"full": "wide", "square": "square"},
        },
        "mirror": {"type": "bool", "default": False, "help": "flip"},
        "count": {"type": "int", "default": 3, "help": "how many", "minimum": 1, "maximum": 9},
        "smooth": {"type": "float", "default": 0, "help": "flicker", "minimum": 0, "maximum": 0.5},
        "background": {"type": "str", "default": "green", "help": "behind"},
    },
}  # fmt: skip


@pytest.fixture
def read(tmp_path) -> Callable[..., Manifest]:
    """Read GOOD after a change."""

    def apply(change: Callable[[dict], object] = lambda _: None, kind: str = "yaml") -> Manifest:
        data = copy.deepcopy(GOOD)
        change(data)
        text = yaml.safe_dump(data, sort_keys=False) if kind == "yaml" else json.dumps(data)
        (tmp_path / f"skill.{kind}").write_text(text, encoding="utf-8")
        return read_manifest(str(tmp_path))

    return apply


# --- what is right ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_everything_is_read(tmp_path, read: Callable[..., Manifest], kind: str) -> None:
    manifest = read(kind=kind)
    assert manifest.folder == str(tmp_path)
    for key in ("name", "title", "version", "entry", "models", "truth", "check_value"):
        assert getattr(manifest, key) == GOOD[key]
    assert manifest.boards == ("simulator", "hilens_kit")
    assert manifest.capture == dict.fromkeys(manifest.boards, "assets/demo.mp4")
    assert manifest.display == GOOD["display"]
    assert manifest.tensors == {}
    assert list(manifest.parameters) == list(GOOD["parameters"])
    crop = manifest.parameters["crop"]
    assert (crop.choices, crop.default) == (("full", "square"), "full")
    assert crop.selects == {"full": "wide", "square": "square"}
    count = manifest.parameters["count"]
    assert (count.type, count.default, count.minimum, count.maximum) == ("int", 3, 1, 9)


def test_what_may_be_left_out(read: Callable[..., Manifest]) -> None:
    def strip(data: dict) -> None:
        for key in ("title", "truth", "parameters"):
            del data[key]
        data["models"] = {}
        data["version"] = 0.5

    manifest = read(strip)
    assert manifest.title == manifest.name == "cut_out"
    assert manifest.truth is None
    assert manifest.parameters == {}
    assert manifest.settings({}) == {}
    assert manifest.needed_models({}) == ()
    assert manifest.version == "0.5"


def test_yaml_is_read_before_json(tmp_path, read: Callable[..., Manifest]) -> None:
    read(lambda data: data.update(name="from_json"), kind="json")
    assert read_manifest(str(tmp_path)).name == "from_json"
    read(lambda data: data.update(name="from_yaml"), kind="yaml")
    assert read_manifest(str(tmp_path)).name == "from_yaml"


@pytest.mark.parametrize("path", sorted(SKILLS.glob("*/skill.yaml")), ids=lambda p: p.parent.name)
def test_the_skills_of_the_repository_are_right(path: Path) -> None:
    manifest = read_manifest(str(path.parent))
    assert manifest.name == path.parent.name
    assert (path.parent / manifest.entry.partition(":")[0]).is_file()
    for files in manifest.models.values():
        assert (path.parent / files["simulator"]).is_file()
    for text in (manifest.capture["simulator"], manifest.truth):
        assert text is None or (path.parent / text).is_file() or ":" in text
    settings = manifest.settings({})
    assert set(settings) == set(manifest.parameters)
    assert manifest.needed_models(settings)


def test_files_of_the_skill_are_found_and_other_texts_left(
    tmp_path, read: Callable[..., Manifest]
) -> None:
    manifest = read()
    (tmp_path / "picture.jpg").touch()
    assert manifest.asset("picture.jpg") == str(tmp_path / "picture.jpg")
    assert manifest.asset("green") == "green"
    assert manifest.path("model/a.om") == str(tmp_path / "model" / "a.om")


# --- what is wrong ---------------------------------------------------------------------------


def put(*path: str) -> Callable[[object], Callable[[dict], object]]:
    """A change that sets what lies at `path`."""

    def value(new: object) -> Callable[[dict], object]:
        def change(data: dict) -> None:
            for key in path[:-1]:
                data = data[key]
            data[path[-1]] = new

        return change

    return value


crop, count, smooth, mirror, background = (
    (lambda key, name=name: put("parameters", name, key))
    for name in ("crop", "count", "smooth", "mirror", "background")
)

WRONG = {
    "unknown key": (put("capure")("x"), "unknown key 'capure' (did you mean 'capture'?"),
    "number as a key": (put(5)("x"), "unknown key '5'"),
    "models as a list": (put("models")(["a"]), "models must be a mapping, not ['a']"),
    "model as text": (put("models", "wide")("a.sim"), "wide must be a mapping, not 'a.sim'"),
    "model file missing": (
        put("models", "wide", "simulator")(None), "the file of model wide must be text, not None",
    ),
    "boards as text": (put("boards")("simulator"), "boards must be a list of names"),
    "board as a list": (put("boards")([["a"]]), "a board must be text, not ['a']"),
    "name missing": (put("name")(None), "name must be text, not None"),
    "entry as a list": (put("entry")(["skill.py"]), "entry must be text, not ['skill.py']"),
    "display as a switch": (put("display")(False), "display must be text, not False"),
    "parameters as a list": (put("parameters")(["a"]), "parameters must be a mapping, not ['a']"),
    "parameter as text": (put("parameters", "crop")("x"), "crop must be a mapping, not 'x'"),
    "parameter's unknown key": (
        crop("defualt")("x"), "parameter crop: unknown key 'defualt' (did you mean 'default'?",
    ),
    "unknown type": (
        count("type")("integer"), "parameter count: unknown type 'integer' (did you mean 'int'?",
    ),
    "choices as text": (crop("choices")("full"), "parameter crop: choices must be a list"),
    "a choice as a switch": (
        crop("choices")([True, "full"]), "parameter crop: a choice must be text, not True",
    ),
    "no choices": (
        crop("choices")([]), "parameter crop: choices belong to type choice, and it needs some",
    ),
    "choices of a number": (
        count("choices")(["3"]), "parameter count: choices belong to type choice",
    ),
    "default is no choice": (
        crop("default")("ful"), "parameter crop: 'ful' is not a choice (did you mean 'full'?",
    ),
    "selects as a list": (crop("selects")(["wide"]), "parameter crop: selects must be a mapping"),
    "selects too little": (
        crop("selects")({"full": "wide"}), "parameter crop: selects must name every choice once",
    ),
    "selects too much": (
        crop("selects")({"full": "wide", "square": "square", "half": "wide"}),
        "parameter crop: selects must name every choice once",
    ),
    "selects an unknown model": (
        crop("selects")({"full": "wdie", "square": "square"}),
        "parameter crop: selects the unknown model 'wdie' (did you mean 'wide'?",
    ),
    "selects without choices": (
        count("selects")({"3": "wide"}), "parameter count: selects must name every choice once",
    ),
    "default below": (count("default")(0), "parameter count: 0 is not in [1, 9]"),
    "default above": (smooth("default")(0.6), "parameter smooth: 0.6 is not in [0, 0.5]"),
    "default is no number": (count("default")("three"), "parameter count: 'three' is no int"),
    "default has a fraction": (count("default")(2.5), "parameter count: 2.5 is no int"),
    "default is a switch": (count("default")(True), "parameter count: True is no int"),
    "default is nothing": (count("default")(None), "parameter count: None is no int"),
    "default is infinite": (count("default")(float("inf")), "parameter count: inf is no int"),
    "default is not a number": (smooth("default")(float("nan")), "smooth: nan is no float"),
    "switch is a word": (mirror("default")("maybe"), "'maybe' is neither true nor false"),
    "text is nothing": (background("default")(None), "parameter background: the value must be"),
    "text is a switch": (background("default")(False), "parameter background: the value must be"),
    "bound as text": (count("minimum")("1"), "parameter count: minimum and maximum must be rising"),
    "bounds crossed": (count("minimum")(10), "parameter count: minimum and maximum must be rising"),
    "bounds of text": (
        background("minimum")(1), "parameter background: minimum and maximum belong to type int",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_the_file(tmp_path, read, name: str) -> None:
    change, message = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        read(change)
    assert str(caught.value).startswith(str(tmp_path / "skill.yaml"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "key", ["name", "version", "entry", "models", "boards", "capture", "display"]
)
def test_a_missing_key_is_named(read: Callable[..., Manifest], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"skill\.yaml: key '{key}' is missing"):
        read(lambda data: data.pop(key))


@pytest.mark.parametrize("key", ["type", "default", "help"])
def test_a_missing_key_of_a_parameter_is_named(read: Callable[..., Manifest], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"parameter mirror: key '{key}' is missing"):
        read(lambda data: data["parameters"]["mirror"].pop(key))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("skill.yaml", b"name: [", "cannot be read"),
        ("skill.yaml", b"name: \xff\xfe", "cannot be read"),
        ("skill.yaml", b"\x00", "cannot be read"),
        ("skill.yaml", b"", "a manifest is a mapping"),
        ("skill.yaml", b"- a\n- b\n", "a manifest is a mapping"),
        ("skill.yaml", b"!!python/object/apply:os.getcwd []", "cannot be read"),
        ("skill.json", b"{", "cannot be read"),
        ("skill.json", b"\xff", "cannot be read"),
        ("skill.json", b"[]", "a manifest is a mapping"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_manifest(str(tmp_path))
    assert caught.value.where == str(tmp_path / name)
    assert message in caught.value.message


def test_a_folder_without_a_manifest_is_refused(tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match=r"no skill\.yaml") as caught:
            read_manifest(str(folder))
        assert caught.value.where == str(folder)


# --- settings --------------------------------------------------------------------------------


def test_settings_are_given_ones_checked_and_defaults(read: Callable[..., Manifest]) -> None:
    manifest = read()
    assert manifest.settings({}) == {
        "crop": "full", "mirror": False, "count": 3, "smooth": 0.0, "background": "green",
    }  # fmt: skip
    given_texts = {"crop": "square", "mirror": "YES", "count": "9", "smooth": "5e-1"}
    settings = manifest.settings(given_texts)
    assert settings == {
        "crop": "square", "mirror": True, "count": 9, "smooth": 0.5, "background": "green",
    }  # fmt: skip
    assert type(settings["count"]) is int
    assert type(settings["smooth"]) is float


@pytest.mark.parametrize("text", ["true", "yes", "on", "1", "True", "ON"])
@pytest.mark.parametrize(("negative", "value"), [(False, True), (True, False)])
def test_words_for_true_and_false(read, text: str, negative: bool, value: bool) -> None:
    opposite = {"true": "false", "yes": "no", "on": "off", "1": "0", "True": "False", "ON": "OFF"}
    word = opposite[text] if negative else text
    assert read().settings({"mirror": word})["mirror"] is value


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"miror": "1"}, "parameters of cut_out: unknown key 'miror' (did you mean 'mirror'?"),
        ({"crop": "half"}, "parameter crop: 'half' is not a choice (known: full, square)"),
        ({"mirror": "2"}, "parameter mirror: '2' is neither true nor false"),
        ({"count": "10"}, "parameter count: 10 is not in [1, 9]"),
        ({"count": "2.5"}, "parameter count: '2.5' is no int"),
        ({"count": ""}, "parameter count: '' is no int"),
        ({"smooth": "-0.1"}, "parameter smooth: -0.1 is not in [0, 0.5]"),
        ({"smooth": "nan"}, "parameter smooth: nan is not in [0, 0.5]"),
        ({"background": None}, "parameter background: the value must be text, not None"),
    ],
)
def test_wrong_settings_are_named(read, given_values: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read().settings(given_values)
    assert message in str(caught.value)


@given(st.integers(), st.integers(-50, 50), st.integers(0, 50))
def test_an_int_is_taken_if_and_only_if_it_is_within_its_bounds(value: int, low: int, span: int):
    parameter = Parameter("n", "int", low, "help", minimum=low, maximum=low + span)
    if low <= value <= low + span:
        assert parameter.parse(str(value)) == parameter.parse(value) == value
    else:
        with pytest.raises(ConfigError, match="is not in"):
            parameter.parse(str(value))


@given(st.text(max_size=8))
def test_any_text_is_a_value_or_a_config_error(text: str) -> None:
    for kind in ("bool", "int", "float", "str", "choice"):
        with contextlib.suppress(ConfigError):
            Parameter("p", kind, None, "help", choices=("a", "b")).parse(text)


# --- models ----------------------------------------------------------------------------------


def test_only_the_selected_models_are_needed(read: Callable[..., Manifest]) -> None:
    manifest = read()
    assert manifest.needed_models(manifest.settings({"crop": "full"})) == ("wide", "edges")
    assert manifest.needed_models(manifest.settings({"crop": "square"})) == ("square", "edges")


def test_a_model_that_two_parameters_select_is_needed_if_one_does(read) -> None:
    def add(data: dict) -> None:
        data["parameters"]["edge"] = {
            "type": "choice", "choices": ["plain", "fine"], "default": "plain", "help": "edge",
            "selects": {"plain": "wide", "fine": "edges"},
        }  # fmt: skip

    manifest = read(add)
    for crop_value, edge, needed in (
        ("full", "plain", ("wide",)),
        ("square", "plain", ("wide", "square")),
        ("square", "fine", ("square", "edges")),
    ):
        settings = manifest.settings({"crop": crop_value, "edge": edge})
        assert manifest.needed_models(settings) == needed
