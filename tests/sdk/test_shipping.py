"""What a skill asks of a board, and which of its files go there."""

from __future__ import annotations

import pytest

from npukit.errors import ConfigError
from npukit.shipping import Requirements, Shipped

BOARDS = ("hilens_kit", "simulator")


def test_nothing_said() -> None:
    assert Requirements.from_dict({}, BOARDS, "") == Requirements("3.7", {}, None)
    assert Shipped.from_dict({}, "") == Shipped((), ())


def test_everything_said() -> None:
    said = {"python": "3.9", "firmware": {"hilens_kit": "1.1.0"}, "memory": 12}
    found = Requirements.from_dict(said, BOARDS, "")
    assert found == Requirements("3.9", {"hilens_kit": "1.1.0"}, 12)
    rules = Shipped.from_dict({"include": ["a", "b/*"], "exclude": ["c"]}, "")
    assert rules == Shipped(("a", "b/*"), ("c",))


def test_one_firmware_for_all_boards() -> None:
    found = Requirements.from_dict({"firmware": "1.1"}, BOARDS, "")
    assert found.firmware == {"hilens_kit": "1.1", "simulator": "1.1"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"firmware": {"hilens_kid": "1"}}, "did you mean 'hilens_kit'?"),
        ({"firmware": 1.1}, "1.1 is no version"),
        ({"python": "3.x"}, "'3.x' is no version"),
        ({"python": 3.1}, "YAML reads a bare 3.10 as 3.1"),
        ({"memory": -1}, "a number of MiB above 0"),
        ({"memory": float("nan")}, "a number of MiB above 0"),
        ({"memory": float("inf")}, "a number of MiB above 0"),
        ({"pyton": "3.7"}, "did you mean 'python'?"),
        ("3.7", "must be a mapping"),
    ],
)
def test_wrong_requirements(data: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Requirements.from_dict(data, BOARDS, "skill.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("skill.yaml, requires")


@pytest.mark.parametrize(
    ("data", "message"),
    [({"exlude": []}, "did you mean 'exclude'?"), ({"include": "a"}, "a list of patterns")],
)
def test_wrong_rules(data: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Shipped.from_dict(data, "skill.yaml")
    assert message in str(caught.value)
