"""The declaration: read strictly, written whole."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import Color, Matrix, Range
from npukit.errors import ConfigError
from npukit.frame import INTERPOLATIONS
from npukit.preprocess import Preprocess
from npukit.preprocess.spec import GEOMETRIES, ORDERS, SOURCES

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    to = draw(st.sampled_from(sorted(ORDERS)))
    count = ORDERS[to]
    channels = st.lists(numbers | st.integers(-1000, 1000), min_size=count, max_size=count)
    return {
        "source": "nv21" if to == "gray" else draw(st.sampled_from(sorted(SOURCES))),
        "matrix": draw(st.sampled_from([member.value for member in Matrix])),
        "range": draw(st.sampled_from([member.value for member in Range])),
        "geometry": draw(st.sampled_from(GEOMETRIES)),
        "resize": draw(st.sampled_from(sorted(INTERPOLATIONS))),
        "to": to,
        "mean": draw(channels),
        "scale": draw(channels),
    }


@given(declarations())
def test_a_declaration_comes_back_whole(data: dict[str, Any]) -> None:
    spec = Preprocess.from_dict(data)
    assert spec.to_dict() == data
    assert Preprocess.from_dict(spec.to_dict()) == spec
    assert Preprocess.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert hash(Preprocess.from_dict(data)) == hash(spec)
    assert spec.channels == len(data["mean"]) == ORDERS[data["to"]]
    assert all(isinstance(number, float) for number in (*spec.mean, *spec.scale))


@given(declarations(), st.data())
def test_every_key_may_be_left_out(data: dict[str, Any], draw: st.DataObject) -> None:
    left = draw.draw(st.sets(st.sampled_from(sorted(set(data) - {"to"}))))
    kept = {key: value for key, value in data.items() if key not in left}
    defaults = Preprocess.from_dict({"to": data["to"]}).to_dict()
    assert Preprocess.from_dict(kept).to_dict() == {**defaults, **kept}


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert Preprocess.from_dict({}) == Preprocess()
    assert Preprocess().to_dict() == {
        "source": "nv21",
        "matrix": "bt601",
        "range": "limited",
        "geometry": "full",
        "resize": "linear",
        "to": "rgb",
        "mean": [0.0, 0.0, 0.0],
        "scale": [1.0, 1.0, 1.0],
    }
    gray = Preprocess.from_dict({"to": "gray"})
    assert (gray.channels, gray.mean, gray.scale) == (1, (0.0,), (1.0,))
    assert Preprocess.from_dict({"matrix": "bt709", "range": "full"}).color == Color(
        Matrix.BT709, Range.FULL
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"rang": "full"}, r"unknown key 'rang' \(did you mean 'range'\?"),
        ({"scael": [1, 1, 1]}, r"unknown key 'scael' \(did you mean 'scale'\?"),
        ({"means": [1, 1, 1]}, r"unknown key 'means' \(did you mean 'mean'\?"),
        ({"color": "bt601"}, r"unknown key 'color'"),
        ({1: 2}, r"unknown key '1'"),
        ({True: 2, "to": "rgb"}, r"unknown key 'True'"),
        ({"source": "nv12"}, r"unknown source 'nv12' \(did you mean 'nv21'\?"),
        ({"matrix": "bt610"}, r"unknown matrix 'bt610' \(did you mean 'bt601'\?"),
        ({"matrix": 601}, r"unknown matrix 601"),
        ({"range": "ful"}, r"unknown range 'ful' \(did you mean 'full'\?"),
        ({"range": None}, r"unknown range None"),
        ({"geometry": "centre"}, r"unknown geometry 'centre' \(did you mean 'center'\?"),
        ({"resize": "lineer"}, r"unknown resize 'lineer' \(did you mean 'linear'\?"),
        ({"resize": {"linear": 1}}, r"unknown resize"),
        ({"to": "grey"}, r"unknown to 'grey' \(did you mean 'gray'\?"),
        ({"to": "RGB"}, r"unknown to 'RGB' \(did you mean 'rgb'\?|known: bgr"),
        ({"to": ["rgb"]}, r"unknown to \['rgb'\]"),
        ({"to": None}, r"unknown to None"),
    ],
)
def test_a_wrong_word_names_the_nearest(data: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preprocess.from_dict(data)


@pytest.mark.parametrize("key", ["mean", "scale"])
@pytest.mark.parametrize(
    "value",
    [
        1.0,
        "123",
        None,
        [],
        [1, 2],
        [1, 2, 3, 4],
        [1, 2, "3"],
        [1, 2, None],
        [1, 2, True],
        {"r": 1, "g": 2, "b": 3},
        [[1, 2, 3]],
        [0, 0, math.nan],
        [0, 0, math.inf],
        [0, 0, 3.41e38],
        [0, 0, 10**400],
    ],
    ids=repr,
)
def test_what_is_no_number_a_channel_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{key} must be a list of 3 finite numbers"):
        Preprocess.from_dict({key: value})


def test_the_count_of_numbers_is_that_of_the_channels() -> None:
    with pytest.raises(ConfigError, match="mean must be a list of 1 finite"):
        Preprocess.from_dict({"to": "gray", "mean": [0, 0, 0]})
    # Written by hand in code, it would make a build that cannot be read again.
    with pytest.raises(ConfigError, match="gray takes 1 of mean and scale, not 3 and 3"):
        Preprocess(to="gray")
    with pytest.raises(ConfigError, match="rgb takes 3 of mean and scale, not 3 and 1"):
        Preprocess(scale=(1.0,))


@pytest.mark.parametrize("data", [None, "nv21", 5, ["nv21"], [("to", "rgb")]], ids=repr)
def test_what_is_no_mapping_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError, match=r"^input image: must be a mapping"):
        Preprocess.from_dict(data, "input image")


def test_the_place_is_named() -> None:
    for data in ({"x": 1}, {"to": "x"}, {"mean": 1}):
        with pytest.raises(ConfigError, match=r"^convert\.yaml, input image: "):
            Preprocess.from_dict(data, "convert.yaml, input image")
