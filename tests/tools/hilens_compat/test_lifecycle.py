"""init and terminate, and the names that the module offers."""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Settings = Callable[..., ModuleType]
Output = pytest.CaptureFixture[str]


# --- init ---


@pytest.mark.parametrize("value", ["hello", "A", "0", "aZ09", "a" * 128])
def test_letters_and_digits_are_0(hilens: ModuleType, value: str) -> None:
    code = hilens.init(value)
    assert type(code) is int
    assert code == 0


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "a-b", "hello\n", "\u4eba", "\u0661", "a_b", "a" * 129]
)
def test_anything_else_is_23(hilens: ModuleType, capsys: Output, value: str) -> None:
    assert hilens.init(value) == 23
    assert "[ERROR] init: the check value" in capsys.readouterr().out


def test_the_check_value_is_text(hilens: ModuleType) -> None:
    with pytest.raises(TypeError, match="str"):
        hilens.init(123)
    with pytest.raises(TypeError):
        hilens.init()


def test_the_consoles_check_value_is_accepted(hilens_with: Settings) -> None:
    assert hilens_with(check_value="hello").init("hello") == 0


def test_with_another_check_value_the_skill_is_stopped(
    hilens_with: Settings, capsys: Output
) -> None:
    hilens = hilens_with(check_value="hello")
    with pytest.raises(SystemExit) as caught:
        hilens.init("Hello")
    assert caught.value.code == 1
    assert "[FATAL] init: the check value" in capsys.readouterr().out


# --- terminate ---


def test_terminate_shuts_the_logger_down_and_nothing_else(
    hilens: ModuleType, capsys: Output
) -> None:
    assert hilens.init("hello") == 0
    code = hilens.terminate()
    assert type(code) is int
    assert code == 0
    hilens.fatal("lost")
    assert capsys.readouterr().out == ""
    assert hilens.terminate() == 0
    assert hilens.md5_of_file("missing") == ""
    assert hilens.init("hello") == 0
    hilens.info("seen")
    assert "seen" in capsys.readouterr().out


# --- errors ---


def test_create_error_has_the_vendors_value(hilens: ModuleType) -> None:
    error = hilens.CreateError("failed to create Model")
    assert isinstance(error, Exception)
    assert error.value == "failed to create Model"
    assert "failed to create Model" in str(error)


def test_create_error_keeps_its_cause(hilens: ModuleType) -> None:
    with pytest.raises(hilens.CreateError) as caught:
        hilens.Model("./missing.om")
    assert "missing.om" in str(caught.value.__cause__)


# --- names ---

SIMULATED = {
    *("BGR2YUV_NV12", "RGB2YUV_NV12", "BGR2YUV_NV21", "RGB2YUV_NV21", "cvt_color"),
    *("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL", "set_log_level"),
    *("trace", "debug", "info", "warning", "error", "fatal"),
    *("init", "terminate", "CreateError", "Preprocessor", "Model", "VideoCapture"),
    *("Display", "HDMI", "RTMP", "H264_FILE"),
    *("get_workspace_path", "get_model_dir", "get_skill_config", "md5_of_file", "send_msg"),
    *("upload_file_to_obs", "upload_buffer_to_obs", "upload_file", "upload_bufer"),
    "download_from_obs",
}
NOT_SIMULATED = {
    "AudioCapture": (),
    "HardSample": (0.1, 0.9, 0),
    "EIServices": (),
    "EIHeaders": (),
    "EIResponse": (),
    "play_aac_file": ("a.aac", 0),
    "upload_jpeg": ("key", 0, b""),
    "hard_sample_detection_filter": ([],),
    "hard_sample_classification_filter": ([], 1),
    "get_hard_sample_config": (),
    "set_hard_sample_config": ("{}",),
}


def test_it_offers_what_the_device_offers_and_no_more(hilens: ModuleType) -> None:
    public = {name for name in vars(hilens) if not name.startswith("_")}
    assert public == SIMULATED | {"AudioCapture", "HardSample", "EIServices"}


@pytest.mark.parametrize(("name", "arguments"), NOT_SIMULATED.items())
def test_what_is_not_simulated_says_so_when_it_is_called(
    hilens: ModuleType, name: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(Exception, match=rf"^hilens\.{name} is not simulated") as caught:
        getattr(hilens, name)(*arguments)
    assert type(caught.value).__name__ == "NotSimulatedError"


def test_services_and_constants_can_be_named(hilens: ModuleType) -> None:
    rate, verb = hilens.AUDIO_SAMPLE_RATE_44100, hilens.GET
    with pytest.raises(Exception, match=r"hilens\.AudioCapture is not simulated"):
        hilens.AudioCapture(sample_rate=rate, bit_width=hilens.AUDIO_BIT_WIDTH_16)
    with pytest.raises(Exception, match=r"hilens\.EIServices\.Request is not simulated"):
        hilens.EIServices.Request(verb, "uri", "host")
    assert not hasattr(hilens.EIServices, "__wrapped__")


@pytest.mark.parametrize(
    ("name", "near"),
    [("Info", "info"), ("warn", "warning"), ("send_message", "send_msg"), ("zzzzzzzz", "")],
)
def test_names_of_other_documents_do_not_exist(hilens: ModuleType, name: str, near: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(hilens, name)
    assert str(caught.value).startswith(f"module 'hilens' has no attribute '{name}'")
    found = re.findall("mean '(.*)'", str(caught.value))
    assert found == ([near] if near else [])
    assert not hasattr(hilens, name)
