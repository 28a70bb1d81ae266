"""A plan is a file: what is written is read, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.errors import ConfigError
from npukit_convert.quantization.plans.plan import PrecisionPlan, read_plan, write_plan

PLAN = PrecisionPlan("int8_mixed", {"/a/Conv": "int8", "/b/Conv": "fp16"}, "symmetric", "entropy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


@settings(derandomize=True)
@given(
    st.builds(
        PrecisionPlan,
        st.sampled_from(["int8", "int8_mixed"]),
        st.dictionaries(
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
            st.sampled_from(["int8", "fp16"]),
            min_size=1,
        ),
        st.sampled_from(["asymmetric", "symmetric"]),
        st.sampled_from(["minmax", "entropy", "percentile"]),
        st.floats(50, 100, exclude_min=True),
    ),
    st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_what_is_written_is_read(folder: Path, plan: PrecisionPlan, kept: dict[str, str]) -> None:
    path = folder / "net.plan.yaml"
    path.write_text(write_plan(plan, kept), "utf-8")
    found = read_plan(path)
    assert found == plan
    assert list(found.layers) == list(plan.layers), "in the network's order"


def test_a_person_can_read_it() -> None:
    text = write_plan(PLAN, {"/c/PRelu": "PRelu has no integer kernel"})
    assert "/b/Conv: fp16" in text
    assert "#   /c/PRelu: PRelu has no integer kernel\n" in text
    assert "--quantization.plan" in text


@pytest.mark.parametrize(
    ("change", "said", "place", "hint"),
    [
        ({"layres": {}}, "unknown key 'layres'", "", "did you mean 'layers'?"),
        ({"method": None}, "unknown None", ", method", "minmax"),
        ({"activations": "asymetric"}, "unknown 'asymetric'", ", activations", "asymmetric"),
        ({"layers": {"/a/Conv": "int9"}}, "unknown 'int9'", ", layers./a/Conv", "'int8'"),
        ({"layers": []}, "`layers` maps names", "", ""),
        ({"format": 2}, "format 2", "", ""),
        ({"percentile": 30}, "above 50", ", percentile", ""),
        ({"percentile": "all"}, "above 50", ", percentile", ""),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, change: dict[str, Any], said: str, place: str, hint: str
) -> None:
    path = tmp_path / "net.plan.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(write_plan(PLAN)), **change}), "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_plan(path)
    assert said in caught.value.message
    assert caught.value.where == f"{path}{place}"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"layers: [", "not valid YAML"), (b"- a", "no mapping"), (b"\xff", "cannot be read"),
     (b"preset: int8", "key 'activations' is missing")],
)  # fmt: skip
def test_a_file_that_is_no_plan(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "net.plan.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        read_plan(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "absent.yaml")
