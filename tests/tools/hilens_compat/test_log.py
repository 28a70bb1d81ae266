"""Logging: a line on standard output, at most 255 characters."""

import os
import re
from types import ModuleType

import pytest

LEVELS = ("trace", "debug", "info", "warning", "error", "fatal")
TOO_LONG = "LOG_FUNCTION ERROR! LOG LENGTH NO MORE THAN 255!\n"


def test_levels_are_0_to_5(hilens: ModuleType) -> None:
    assert [getattr(hilens, name.upper()) for name in LEVELS] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("level", LEVELS)
def test_a_line_has_date_time_process_level_and_message(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    hilens.set_log_level(hilens.TRACE)
    getattr(hilens, level)("the camera is open")
    line = (
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {os.getpid()} \[{level.upper()}\] the camera is open\n"
    )
    assert re.fullmatch(line, capsys.readouterr().out)


def shown(hilens: ModuleType, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    for level in LEVELS:
        getattr(hilens, level)(level)
    return [line.split()[-1] for line in capsys.readouterr().out.splitlines()]


def test_info_and_above_are_shown_until_the_level_is_set(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(hilens, capsys) == ["info", "warning", "error", "fatal"]
    for place, level in enumerate(LEVELS):
        hilens.set_log_level(getattr(hilens, level.upper()))
        assert shown(hilens, capsys) == list(LEVELS[place:])


@pytest.mark.parametrize(("message", "is_shown"), [("a" * 255, True), ("a" * 256, False)])
def test_a_message_of_more_than_255_characters_is_dropped(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str], message: str, is_shown: bool
) -> None:
    hilens.info(message)
    out = capsys.readouterr().out
    assert (message in out) is is_shown
    assert (out == TOO_LONG) is not is_shown


def test_characters_are_counted_as_bytes(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    hilens.info("\u6444" * 85)  # three bytes each
    assert "\u6444" * 85 in capsys.readouterr().out
    hilens.info("\u6444" * 86)
    assert capsys.readouterr().out == TOO_LONG


def test_a_long_message_is_told_below_the_level_too(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    hilens.debug("a" * 256)
    assert capsys.readouterr().out == TOO_LONG


def test_a_percent_sign_is_remarked_once_and_the_message_written_as_it_is(
    hilens: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    hilens.info("70% done, %s")
    hilens.info("80% done")
    out = capsys.readouterr().out
    assert "[INFO] 70% done, %s\n" in out
    assert "[INFO] 80% done\n" in out
    assert out.count("printf") == 1


def test_what_is_no_text_is_refused(hilens: ModuleType) -> None:
    with pytest.raises(TypeError, match="str"):
        hilens.info(b"bytes")
    with pytest.raises(TypeError):
        hilens.info()
