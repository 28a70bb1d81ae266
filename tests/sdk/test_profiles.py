"""Board and target profiles: every file loads, and a wrong one is refused by name."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from npukit import profiles
from npukit.errors import ConfigError
from npukit.profiles import Figure, boards, load_board, load_target, targets

FILES = Path(profiles.__file__).parent
ALL = [("boards", name) for name in boards()] + [("targets", name) for name in targets()]
LOAD = {"boards": load_board, "targets": load_target}


def figures(profile, path=""):
    """All figures below a profile, with their paths."""
    if isinstance(profile, Figure):
        yield path, profile
    elif dataclasses.is_dataclass(profile):
        for field in dataclasses.fields(profile):
            yield from figures(getattr(profile, field.name), f"{path}.{field.name}")
    elif isinstance(profile, dict):
        for key, value in profile.items():
            yield from figures(value, f"{path}.{key}")


def numbers(figure):
    values = figure.value if isinstance(figure.value, tuple) else (figure.value,)
    return [value for value in values if isinstance(value, (int, float))]


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Change one profile in a copy of the data."""
    for kind in LOAD:
        shutil.copytree(FILES / kind, tmp_path / kind)
    monkeypatch.setattr(profiles, "_HERE", str(tmp_path))

    def apply(change, kind="boards", name="hilens_kit"):
        path = tmp_path / kind / f"{name}.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")

    return apply


def test_the_profiles_that_the_project_promises():
    assert boards() == ("atlas_200dk", "hilens_kit", "orangepi_aipro", "simulator")
    assert targets() == ("ascend310", "ascend310b", "simulator")


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_file_loads_with_sources_and_sane_numbers(kind, name):
    profile = LOAD[kind](name)
    assert profile.name == name
    found = dict(figures(profile))
    assert found
    for path, figure in found.items():
        assert figure.source.strip(), path
        assert figure.unit, path
        assert all(number > 0 for number in numbers(figure)), path
        if len(numbers(figure)) == 2:
            assert figure.value[0] < figure.value[1], path


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_reader_can_follow_the_sources(kind, name):
    text = (FILES / kind / f"{name}.json").read_text(encoding="utf-8")
    assert "../" not in text
    if name == "simulator":
        return
    for path, figure in figures(LOAD[kind](name)):
        if figure.value is not None:
            assert "http" in figure.source or "github.com/" in figure.source, path


@pytest.mark.parametrize("name", boards())
def test_a_board_fits_its_target(name):
    board = load_board(name)
    target = load_target(board.target)
    assert set(board.peak) <= set(target.peak)
    compilers = {item for route in target.routes.values() for item in route.value or ()}
    assert set(board.compilers.value or ()) <= compilers
    if board.soc_version.value is not None:
        assert board.soc_version.value in target.soc_versions.value
    for precision, peak in board.peak.items():
        highest = target.peak[precision].value
        if peak.value is not None and highest is not None:
            assert peak.value <= highest


def test_figures_that_other_code_relies_on():
    kit = load_board("hilens_kit")
    assert (kit.camera.width.value, kit.camera.height.value) == (1280, 720)
    assert kit.camera.format.value == "NV21"
    assert kit.python.value == "==3.7.0"
    chip = load_target("ascend310")
    assert chip.channel_block["fp16"].number() == 16
    assert chip.limits["aipp_width"].value == (2, 4096)
    assert chip.routes["onnx"].value == ("atc",)


def test_a_figure_nobody_publishes_says_so_when_used():
    with pytest.raises(ConfigError, match=r"GB/s.*not published"):
        load_board("orangepi_aipro").ddr_bandwidth.number()


@pytest.mark.parametrize("kind", LOAD)
def test_unknown_name_lists_the_known_ones(kind):
    with pytest.raises(ConfigError) as error:
        LOAD[kind]("simulater")
    assert "did you mean 'simulator'" in str(error.value)
    assert all(name in str(error.value) for name in (boards if kind == "boards" else targets)())


@pytest.mark.parametrize("name", ["", "../boards/simulator", "hilens_kit.json"])
def test_a_path_is_not_a_name(name):
    with pytest.raises(ConfigError, match="unknown board"):
        load_board(name)


def _misspell(data):
    data["memroy"] = data.pop("memory")


def _misspell_nested(data):
    data["camera"]["heigth"] = data["camera"].pop("height")


WRONG = [
    (_misspell, r"hilens_kit\.json: unknown key 'memroy'.*'memory'"),
    (_misspell_nested, r"hilens_kit\.json: camera: unknown key 'heigth'.*'height'"),
    (lambda data: data.pop("memory"), r"hilens_kit\.json: key 'memory' is missing"),
    (lambda data: data["camera"].pop("fps"), r"hilens_kit\.json: camera: key 'fps' is missing"),
    (lambda data: data["memory"].pop("source"), r"memory: key 'source' is missing"),
    (lambda data: data["memory"].update(source=""), r"memory: 'source' must be a text"),
    (lambda data: data["memory"].update(unit="MB"), r"memory: unit 'MB', must be 'GiB'"),
    (lambda data: data["memory"].update(value=None), r"memory: value null and a source"),
    (lambda data: data["memory"].update(value=True), r"memory: value must be a number"),
    (lambda data: data["memory"].update(value="8"), r"memory: value must be a number"),
    (lambda data: data["memory"].update(value=[]), r"memory: value must be a number"),
    (lambda data: data["cpu"].update(value=["A", ""]), r"cpu: value must be a text"),
    (lambda data: data["memory"].update(source="not published: x"), r"memory: value null and a"),
    (lambda data: data.update(memory=8), r"memory: must be an object"),
    (lambda data: data.update(peak=[]), r"peak: must be an object"),
    (lambda data: data["peak"].update(fp61={}), r"peak: unknown key 'fp61'.*'fp16'"),
    (lambda data: data.update(name="kit"), r"unknown name 'kit'.*hilens_kit"),
    (lambda data: data.update(target="ascend301"), r"unknown target.*'ascend310'"),
    (lambda data: data.update(runtime="acl"), r"unknown runtime 'acl'.*known: ascend"),
    (lambda data: data.update(title=3), r"'title' must be a text"),
    (lambda data: data.update(notes="x"), r"'notes' must be a list of texts"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_board_is_refused(edit, change, message):
    edit(change)
    with pytest.raises(ConfigError, match=message):
        load_board("hilens_kit")


def test_a_wrong_target_is_refused(edit):
    edit(lambda data: data["limits"].update(aip_width={}), "targets", "ascend310")
    with pytest.raises(ConfigError, match=r"ascend310\.json: limits: unknown key.*'aipp_width'"):
        load_target("ascend310")


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_file_that_is_no_profile_is_refused(edit, text):
    edit(dict.clear)
    Path(profiles._HERE, "boards", "hilens_kit.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"boards/hilens_kit\.json: "):
        load_board("hilens_kit")
