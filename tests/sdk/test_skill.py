"""Skills from folders: their code, their models, and what is wrong with them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from npukit import skill as skill_module
from npukit.capture import open_source
from npukit.color import Color
from npukit.errors import ConfigError, FrameError, ModelError, SkillError
from npukit.frame import Nv21Frame
from npukit.pipeline import Pipeline
from npukit.runtime.base import Model, Runtime, TensorSpec
from npukit.skill import Skill, load_skill

SIMPLE = """
from npukit.skill import Skill

class Brighter(Skill):
    def process(self, frame):
        out = frame.flip()
        out.y[:] = self.settings["level"]
        return out
"""

FRAME = Nv21Frame.filled(8, 4, Color(), (1, 2, 3))


class FakeModel(Model):
    """Counts what is done to it."""

    def __init__(self, name: str) -> None:
        spec = TensorSpec("x", (1,), "float32")
        self.name = name
        self.resets = self.closes = 0
        super().__init__((spec,), (spec,))
        self.resets = 0

    def reset(self) -> None:
        super().reset()
        self.resets += 1

    def close(self) -> None:
        self.closes += 1

    def _execute(self, inputs: Mapping) -> dict:
        return dict(inputs)


@pytest.fixture
def fake_models(monkeypatch) -> list[FakeModel]:
    """Every model that is loaded, in order; a file named broken.sim cannot be."""
    loaded: list[FakeModel] = []

    class FakeRuntime(Runtime):
        def load(self, path: str, threads: int = 1, declared: object = None) -> FakeModel:
            if path.endswith("broken.sim"):
                raise ModelError("broken", where=path)
            loaded.append(FakeModel(path))
            return loaded[-1]

    monkeypatch.setattr(skill_module.RUNTIMES, "get", lambda _: FakeRuntime)
    return loaded


@pytest.fixture
def write_skill(tmp_path) -> Callable[..., str]:
    def write(
        folder: str = "one",
        files: Mapping[str, str] | None = None,
        entry: str = "skill.py:Brighter",
        **manifest: object,
    ) -> str:
        data = {
            "name": "brighter", "version": "1", "entry": entry, "models": {},
            "boards": ["simulator"],
            "capture": "pattern", "display": "null",
            "parameters": {"level": {"type": "int", "default": 200, "help": "of luma"}},
        } | manifest  # fmt: skip
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "skill.json").write_text(json.dumps(data))
        for name, text in ({"skill.py": SIMPLE} if files is None else files).items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        return str(place)

    return write


def line_of(path: str, words: str) -> int:
    lines = Path(path).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if words in line)


# --- code ------------------------------------------------------------------------------------


def test_a_simple_skill_is_one_stage(write_skill: Callable[..., str]) -> None:
    skill = load_skill(write_skill(), {"level": "77"})
    assert isinstance(skill, Skill)
    assert skill.settings == {"level": 77}
    assert [stage.name for stage in skill.stages()] == ["process"]
    assert (skill.process(FRAME).y == 77).all()
    levels = []
    report = Pipeline(
        open_source("pattern:64x32,frames=5"), skill.stages(), [],
        lambda packet: levels.append(set(packet.frame.y.ravel())),
    ).run()  # fmt: skip
    assert report.complete
    assert levels == [{77}] * 5
    skill.close()


def test_files_of_a_skill_import_each_other(write_skill: Callable[..., str]) -> None:
    files = {
        "skill.py": "from .steps import Brighter\n",
        "steps.py": "from .lib.level import LEVEL\n"
        + SIMPLE.replace('self.settings["level"]', "LEVEL"),
        "lib/level.py": "from ..numbers import NUMBER\nLEVEL = 2 * NUMBER\n",
        "numbers.py": "NUMBER = 21\n",
    }  # fmt: skip
    skill = load_skill(write_skill(files=files, entry="skill.py:Brighter"))
    assert (skill.process(FRAME).y == 42).all()


def test_skills_of_the_same_names_do_not_collide(write_skill: Callable[..., str]) -> None:
    skills = []
    for level in (10, 20, 30):
        files = {
            "skill.py": "from .numbers import LEVEL\n"
            + SIMPLE.replace('self.settings["level"]', "LEVEL"),
            "numbers.py": f"LEVEL = {level}\n",
        }
        skills.append(load_skill(write_skill(f"skill{level}", files)))
    assert [int(skill.process(FRAME).y[0, 0]) for skill in skills] == [10, 20, 30]
    assert len({type(skill) for skill in skills}) == 3


def test_a_module_of_the_skill_hides_no_other(write_skill: Callable[..., str]) -> None:
    files = {
        "skill.py": "import json\nfrom .json import NUMBER\n"
        "assert json.loads('1') == 1 and NUMBER == 5\n" + SIMPLE,
        "json.py": "NUMBER = 5\n",
    }
    load_skill(write_skill(files=files))
    assert json.loads("[1]") == [1]


def test_a_skill_can_be_loaded_again(write_skill: Callable[..., str]) -> None:
    folder = write_skill()
    first, second = load_skill(folder, {"level": 1}), load_skill(folder, {"level": 2})
    assert [int(skill.process(FRAME).y[0, 0]) for skill in (first, second)] == [1, 2]


@pytest.mark.parametrize("name", ["my.skill", "my-skill", "my skill", "мой", "1st"])
def test_any_name_will_do(write_skill: Callable[..., str], name: str) -> None:
    files = {"skill.py": "from .other import Brighter\n", "other.py": SIMPLE}
    skill = load_skill(write_skill(files=files, name=name))
    assert skill.manifest.name == name


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("class Brighter(:\n", "SyntaxError"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("from .missing import x\n", "ModuleNotFoundError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("raise ImportError('of its own')\n", "ImportError: of its own"),
    ],
)
def test_code_that_cannot_be_imported_is_a_skill_error(write_skill, code: str, words: str) -> None:
    folder = write_skill(files={"skill.py": code + SIMPLE})
    with pytest.raises(SkillError) as caught:
        load_skill(folder)
    assert words in caught.value.message
    assert folder in caught.value.where
    assert "skill.py:Brighter" in caught.value.where
    assert caught.value.__cause__ is not None


def test_a_missing_file_is_a_skill_error(write_skill: Callable[..., str]) -> None:
    folder = write_skill(files={})
    with pytest.raises(SkillError, match="cannot be imported: ModuleNotFoundError") as caught:
        load_skill(folder)
    assert folder in caught.value.where


@pytest.mark.parametrize(
    "entry",
    ["skill.py", "skill.py:", ":Brighter", "Brighter", "skill:Brighter", "skill.txt:Brighter",
     "my-skill.py:Brighter", "lib/skill.py:Brighter", "../skill.py:Brighter", "skill.pyc:Brighter"],
)  # fmt: skip
def test_an_entry_of_another_form_is_refused(write_skill, entry: str) -> None:
    with pytest.raises(ConfigError, match=r"an entry is FILE\.py:CLASS") as caught:
        load_skill(write_skill(entry=entry))
    assert f"entry {entry}" in caught.value.where


@pytest.mark.parametrize("name", ["Missing", "brighter", "LEVEL", "function", "Other"])
def test_an_entry_that_is_no_skill_is_refused(write_skill, name: str) -> None:
    code = SIMPLE + "\nLEVEL = 3\ndef function(): pass\nclass Other: pass\n"
    folder = write_skill(files={"skill.py": code}, entry=f"skill.py:{name}")
    with pytest.raises(SkillError, match=f"holds no class {name} below"):
        load_skill(folder)


def test_wrong_parameters_are_refused_before_the_code_is_imported(write_skill) -> None:
    folder = write_skill(files={"skill.py": "1 / 0\n"})
    with pytest.raises(ConfigError, match="unknown key 'levle'"):
        load_skill(folder, {"levle": 3})


def test_an_error_in_the_start_of_a_skill_names_its_line(write_skill) -> None:
    code = SIMPLE + "\n    def __init__(self, *given):\n        self.x = {}['missing']\n"
    folder = write_skill(files={"skill.py": code})
    with pytest.raises(SkillError, match="KeyError: 'missing'") as caught:
        load_skill(folder)
    line = line_of(folder + "/skill.py", "missing")
    assert caught.value.where == f"{folder}/skill.py:{line}, start of brighter"


def test_a_typed_error_in_the_start_of_a_skill_stays_itself(write_skill) -> None:
    code = (
        "from npukit.errors import ConfigError\n" + SIMPLE
        + "\n    def __init__(self, *given):\n        raise ConfigError('no', where='background')\n"
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"^background: no$"):
        load_skill(write_skill(files={"skill.py": code}))


def test_a_skill_without_process_says_so_at_its_first_frame(write_skill) -> None:
    code = "from npukit.skill import Skill\nclass Brighter(Skill):\n    pass\n"
    skill = load_skill(write_skill(files={"skill.py": code}))
    report = Pipeline(open_source("pattern:64x32,frames=5"), skill.stages(), []).run()
    assert isinstance(report.error, SkillError)
    assert "overrides process or stages" in report.error.message
    assert report.error.where.endswith("stage process, frame 0")


def test_a_skill_that_gives_no_frame_is_an_error_and_no_hang(write_skill) -> None:
    code = SIMPLE.replace("return out", "return None")
    skill = load_skill(write_skill(files={"skill.py": code}))
    report = Pipeline(open_source("pattern:64x32,frames=5"), skill.stages(), []).run()
    assert isinstance(report.error, SkillError)
    assert "stage process, frame 0" in report.error.where
    assert "not None" in report.error.message


# --- models ----------------------------------------------------------------------------------

MODELS = {
    "models": {
        "wide": {"simulator": "wide.sim", "ascend310": "wide.om"},
        "square": {"simulator": "square.sim"},
        "edges": {"simulator": "edges.sim"},
    },
    "parameters": {
        "level": {"type": "int", "default": 200, "help": "of luma"},
        "crop": {
            "type": "choice", "choices": ["full", "square"], "default": "full", "help": "view",
            "selects": {"full": "wide", "square": "square"},
        },
    },
}  # fmt: skip


def test_only_the_needed_models_are_loaded_once(write_skill, fake_models) -> None:
    folder = write_skill(**MODELS)
    skill = load_skill(folder, {"crop": "square"})
    assert [model.name for model in fake_models] == [f"{folder}/square.sim", f"{folder}/edges.sim"]
    assert list(skill.models) == ["square", "edges"]
    assert skill.selected("crop") is skill.models["square"]
    skill.reset()
    assert [model.resets for model in fake_models] == [1, 1]
    assert [model.closes for model in fake_models] == [0, 0]
    skill.close()
    assert [model.closes for model in fake_models] == [1, 1]


def test_a_target_without_a_file_is_refused_with_those_that_have_one(
    write_skill, fake_models
) -> None:
    with pytest.raises(ConfigError, match="model 'edges' has no file for target 'ascend310'"):
        load_skill(write_skill(**MODELS, boards=["simulator", "hilens_kit"]), board="hilens_kit")
    assert [model.closes for model in fake_models] == [1]  # the first had been loaded


@pytest.mark.parametrize("fault", ["model", "start", "typed start"])
def test_models_are_released_when_a_later_step_fails(write_skill, fake_models, fault: str) -> None:
    manifest = json.loads(json.dumps(MODELS))
    code, kind = SIMPLE, ModelError
    if fault == "model":
        manifest["models"]["edges"]["simulator"] = "broken.sim"
    elif fault == "start":
        code, kind = SIMPLE + "\n    def __init__(self, *given):\n        1 / 0\n", SkillError
    else:
        kind = FrameError
        code = SIMPLE + (
            "\n    def __init__(self, *given):\n"
            "        from npukit.errors import FrameError\n        raise FrameError('odd')\n"
        )
    with pytest.raises(kind):
        load_skill(write_skill(files={"skill.py": code}, **manifest))
    assert len(fake_models) == (1 if fault == "model" else 2)
    assert [model.closes for model in fake_models] == [1] * len(fake_models)


def test_a_model_file_that_is_missing_is_a_model_error(write_skill) -> None:
    folder = write_skill(**MODELS)
    with pytest.raises(ModelError) as caught:
        load_skill(folder)
    assert caught.value.where == f"{folder}/wide.sim"
