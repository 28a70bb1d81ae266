"""The object store, as a folder: uploads and downloads."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from typing import Union
from urllib.parse import unquote, urlsplit

from npukit_cli.hilens_compat import log
from npukit_cli.hilens_compat.codes import HiLensEC
from npukit_cli.hilens_compat.settings import read_settings

_FILE_MODES = {"write": "wb", "append": "ab"}
_KEY_LONGEST = 1023
_BAD_KEY = re.compile(r'[\x00\\:*?"<>|]|//')

Data = Union[bytes, str]


def upload_file_to_obs(key: str, filepath: str, mode: str) -> int:
    """Copy a file to the folder that stands for the object store; 0, or an error code."""
    try:
        with open(filepath, "rb") as file:
            data = file.read()
    except OSError as error:
        log.explain("upload_file_to_obs: {}".format(error))
        return int(HiLensEC.OPENFILE_FAILED)
    return upload_buffer_to_obs(key, data, mode)


def upload_buffer_to_obs(key: str, buffer: Data, mode: str) -> int:
    """Write ("write") or append ("append") to `<out>/obs/<key>`; 0, or an error code."""
    if mode not in _FILE_MODES or not _is_key(key):
        log.explain("upload to obs: mode {!r}, key {!r}: refused".format(mode, key))
        return int(HiLensEC.UNKNOWN_ERROR)
    data = buffer.encode("utf-8") if isinstance(buffer, str) else memoryview(buffer)
    path = _path(key)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, _FILE_MODES[mode]) as file:
            file.write(data)
    except OSError as error:
        log.explain("upload to obs: {}".format(error))
        return int(HiLensEC.WRITE_ERROR)
    return int(HiLensEC.OK)


def upload_file(key: str, filepath: str, mode: str) -> int:
    """The old name of `upload_file_to_obs`."""
    warnings.warn("use upload_file_to_obs", DeprecationWarning, stacklevel=2)
    return upload_file_to_obs(key, filepath, mode)


def upload_bufer(key: str, buffer: Data, mode: str) -> int:
    """The old name (as the vendor spells it) of `upload_buffer_to_obs`."""
    warnings.warn("use upload_buffer_to_obs", DeprecationWarning, stacklevel=2)
    return upload_buffer_to_obs(key, buffer, mode)


def download_from_obs(url: str, dir: str) -> int:  # noqa: A002 - the vendor's name
    """Copy what was uploaded under the address's path into a folder; 0, or an error code."""
    key = unquote(urlsplit(url).path).lstrip("/")
    if not _is_key(key) or not os.path.isfile(_path(key)):
        log.explain("download_from_obs: {!r} is not in {}".format(key, _path("")))
        return int(HiLensEC.NOT_FOUND)
    if not os.path.isdir(dir):
        log.explain("download_from_obs: there is no folder {!r}".format(dir))
        return int(HiLensEC.WRITE_ERROR)
    try:
        shutil.copy(_path(key), dir)
    except OSError as error:
        log.explain("download_from_obs: {}".format(error))
        return int(HiLensEC.WRITE_ERROR)
    return int(HiLensEC.OK)


def _is_key(key: str) -> bool:
    return bool(
        key
        and len(key) <= _KEY_LONGEST
        and key[0] not in "./"
        and not _BAD_KEY.search(key)
        and ".." not in key.split("/")  # the folder is not left, whatever the store would do
    )


def _path(key: str) -> str:
    return os.path.join(read_settings().out, "obs", key)
