"""Typed errors: their words, and the hints for misspelt ones."""

import copy
import pickle

import pytest

from npukit import errors
from npukit.errors import ConfigError, NpukitError, check_keys, did_you_mean, nearest

KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, NpukitError)
    ),
    key=lambda kind: kind.__name__,
)


def test_every_kind_is_below_the_first() -> None:
    assert {kind.__name__ for kind in KINDS} >= {
        "NpukitError", "ConfigError", "FrameError", "CaptureError", "DisplayError",
        "ModelError", "PluginError", "SkillError",
    }  # fmt: skip
    for kind in KINDS:
        assert kind.__doc__


@pytest.mark.parametrize(
    ("where", "hint", "text"),
    [
        ("", "", "no"),
        ("a.yaml", "", "a.yaml: no"),
        ("", "say yes", "no (say yes)"),
        ("a.yaml", "say yes", "a.yaml: no (say yes)"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_where_what_and_what_next(
    kind: type[NpukitError], where: str, hint: str, text: str
) -> None:
    error = kind("no", where=where, hint=hint)
    sent = pickle.loads(pickle.dumps(error))  # noqa: S301 - what this test has dumped
    for one in (error, copy.copy(error), sent):
        assert type(one) is kind
        assert str(one) == text
        assert (one.message, one.where, one.hint) == ("no", where, hint)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("scael", "scale"),
        ("meen", "mean"),
        ("rang", "range"),
        ("Matrix", "matrix"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(word: str, expected: str | None) -> None:
    assert nearest(word, ["mean", "scale", "range", "matrix"]) == expected


def test_a_hint_names_the_nearest_and_all() -> None:
    assert did_you_mean("scael", ["scale", "mean"]) == "did you mean 'scale'? known: mean, scale"
    assert did_you_mean("zzz", ["scale", "mean"]) == "known: mean, scale"
    assert did_you_mean("scale", []) == "known: none"


def test_right_keys_pass() -> None:
    check_keys({"a": 1}, ("a", "b"), "x")
    check_keys([], (), "x")
    check_keys({"a": 1, "b": 2}, ("a", "b"), "x", required=("a", "b"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mena": 1, "scale": 2}, r"^f\.yaml: unknown key 'mena' \(did you mean 'mean'\?"),
        ({1: 2, "scale": 2}, r"unknown key '1' \(known: mean, scale\)"),
        ({True: 2, None: 1, "mean": 3}, r"unknown key 'None'"),
        ({"mean": 1}, r"^f\.yaml: key 'scale' is missing$"),
        ({}, r"key 'scale' is missing"),
    ],
)
def test_wrong_keys_are_named(given: dict[object, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_keys(given, ("mean", "scale"), "f.yaml", required=("scale",))
