"""Typed errors: what happened, where, and what to do next.

Libraries raise these; only the command line turns them into words and exit codes.
"""

from __future__ import annotations

import difflib
import traceback
from typing import Iterable, Optional


class NpukitError(Exception):
    """A failure that the user can act on.

    Args:
        message: what happened and why, in one sentence.
        where: file, line, node or frame that it happened at.
        hint: what to do next.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        text = "{}: {}".format(self.where, self.message) if self.where else self.message
        return "{} ({})".format(text, self.hint) if self.hint else text


class ConfigError(NpukitError):
    """A manifest, profile, parameter or option is wrong."""


class AippError(ConfigError):
    """A configuration of Ascend's preprocessing unit is wrong, or cannot say what is meant."""


class FrameError(NpukitError):
    """An image or frame has the wrong shape, dtype or size."""


class CaptureError(NpukitError):
    """A source cannot be opened or read."""


class DisplayError(NpukitError):
    """A sink cannot be opened or written."""


class DisplayClosed(DisplayError):  # noqa: N818 - nothing went wrong
    """The user closed what a sink shows on: the wish to end the run, not a failure."""


class ModelError(NpukitError):
    """A model file cannot be loaded, or its inputs do not fit."""


class OfflineModelError(ModelError):
    """An offline model (.om) is damaged, or of a kind that npukit does not read."""


class PluginError(NpukitError):
    """A runtime, source or sink is unknown or failed to import."""


class SkillError(NpukitError):
    """The code of a skill failed on a frame, or cannot be loaded."""


def skill_failed(error: BaseException, place: str) -> NpukitError:
    """An error of a skill's code with the `place` in the run that it came from.

    A typed error stays itself; another one becomes a `SkillError` that names its line.
    """
    if isinstance(error, NpukitError):
        error.where = "{}, {}".format(error.where, place) if error.where else place
        return error
    at = traceback.extract_tb(error.__traceback__)[-1]
    failed = SkillError(
        "{}: {}".format(type(error).__name__, error),
        where="{}:{}, {}".format(at.filename, at.lineno, place),
    )
    failed.__cause__ = error
    return failed


def nearest(word: str, known: Iterable[str]) -> Optional[str]:
    """The known word that `word` most likely means, or None."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the nearest known one and the whole list."""
    words = sorted(set(known))
    near = nearest(word, words)
    listed = "known: {}".format(", ".join(words) or "none")
    return "did you mean {!r}? {}".format(near, listed) if near else listed


def check_keys(
    given: Iterable[str],
    known: Iterable[str],
    where: str,
    required: Iterable[str] = (),
) -> None:
    """Refuse unknown and missing keys of a mapping.

    Raises:
        ConfigError: names the first wrong key and the nearest known one.
    """
    present, allowed = {str(key) for key in given}, set(known)  # a key of YAML may be a number
    for key in sorted(present - allowed):
        raise ConfigError(
            "unknown key {!r}".format(key), where=where, hint=did_you_mean(key, allowed)
        )
    for key in sorted(set(required) - present):
        raise ConfigError("key {!r} is missing".format(key), where=where)
