"""Paths, configuration and messages: what the device's platform does."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from npukit_cli.hilens_compat import log
from npukit_cli.hilens_compat.codes import HiLensEC
from npukit_cli.hilens_compat.settings import read_settings

_SUBJECT_LONGEST, _MESSAGE_LONGEST = 170, 85
_HASHED = 65536  # the device hashes no more of a file than this


def get_workspace_path() -> str:
    """Where a skill may write: SKILL_WORKSPACE, else the current folder; ends in a slash."""
    return _folder("SKILL_WORKSPACE")


def get_model_dir() -> str:
    """Where the skill's models lie: SKILL_MODEL_PATH, else the current folder; as above."""
    return _folder("SKILL_MODEL_PATH")


def get_skill_config() -> Any:
    """The content of `<workspace>skill_config.json`, read at each call.

    Raises:
        ValueError: the file is missing or no JSON.
    """
    path = get_workspace_path() + "skill_config.json"
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise ValueError("no skill configuration: {}".format(error)) from error


def send_msg(subject: str, message: str) -> int:
    """Append a message to `<out>/messages.jsonl`; 0, or an error code."""
    if not subject or not message:
        log.explain("send_msg: the subject or the message is empty")
        return int(HiLensEC.MSG_INVALID)
    if len(subject) > _SUBJECT_LONGEST or len(message) > _MESSAGE_LONGEST:
        log.explain(
            "send_msg: a subject has at most {} characters, a message {}".format(
                _SUBJECT_LONGEST, _MESSAGE_LONGEST
            )
        )
        return int(HiLensEC.MSG_TOO_LONG)
    out = read_settings().out
    try:
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, "messages.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps({"subject": subject, "message": message}) + "\n")
    except OSError as error:
        log.explain("send_msg: {}".format(error))
        return int(HiLensEC.SEND_FAIL)
    return int(HiLensEC.OK)


def md5_of_file(path: str) -> str:
    """MD5 of the first 65536 bytes, as on the device; "" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.md5(file.read(_HASHED)).hexdigest()  # noqa: S324 - the vendor's choice
    except OSError:
        return ""


def _folder(variable: str) -> str:
    folder = os.environ.get(variable)
    if not folder:
        log.error("{} is not set: the current folder is used".format(variable))
        folder = os.getcwd()
    return folder if folder.endswith("/") else folder + "/"
