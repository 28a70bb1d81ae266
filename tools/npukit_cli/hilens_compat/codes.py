"""The vendor's return codes and exceptions (HiLens framework 1.1.0, errors.h and hilens.py)."""

from __future__ import annotations

from enum import IntEnum

from npukit.errors import NpukitError


class HiLensEC(IntEnum):
    """Return codes, in the vendor's order."""

    OK = 0
    UNKNOWN_ERROR = 1
    INIT_CURL_ERROR = 2
    CREATE_DIR_FAILED = 3
    OPENFILE_FAILED = 4
    RENAME_FAILED = 5
    ACCESS_FILE_FAILED = 6
    INVALID_BUF = 7
    COULDNT_RESOLVE_HOST = 8
    WRITE_ERROR = 9
    TIMEOUT = 10
    AUTH_FAILED = 11
    NOT_FOUND = 12
    SERVER_ERROR = 13
    OBJECT_CONFLICT = 14
    APPEND_FAILED = 15
    HIAI_SEND_DATA_FAILED = 16
    HIAI_INFER_ERROR = 17
    INVALID_SRC_SIZE = 18
    INVALID_DST_SIZE = 19
    MPP_PROCESS_FAILED = 20
    WEBSOCKET_ERROR = 21
    CONFIG_FILE_ERROR = 22
    INVALID_PARAM = 23
    INTERNAL_ERROR = 24
    INIT_LOG_ERROR = 25
    INIT_MIC_ERROR = 26
    INIT_AENC_ERROR = 27
    INIT_ADEC_ERROR = 28
    INIT_AO_ERROR = 29
    AUDIO_CHECK_ERROR = 30
    AUDIO_SYSTEM_INIT_FAILED = 31
    ADDRESS_INVALID = 32
    CONNECT_FAIL = 33
    SKILL_ID_INVALID = 34
    NO_CONNECT = 35
    SEND_FAIL = 36
    CONNECT_TIMEOUT = 37
    MSG_TOO_LONG = 38
    MSG_INVALID = 39
    MSG_QUEUE_FULL = 40


class CreateError(Exception):
    """A constructor failed; `value` is the vendor's message."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(value)

    def __str__(self) -> str:
        return repr(self.value)


class NotSimulatedError(NpukitError):
    """The call exists on the device, but not in this simulation."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "hilens.{} is not simulated".format(name),
            hint="run this part on the board, or guard it in the script",
        )
