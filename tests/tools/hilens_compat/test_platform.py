"""Paths, configuration, uploads, messages and checksums."""

import json
from pathlib import Path
from types import ModuleType

import pytest

Output = pytest.CaptureFixture[str]

FOLDERS = {"get_workspace_path": "SKILL_WORKSPACE", "get_model_dir": "SKILL_MODEL_PATH"}


@pytest.fixture
def obs(hilens: ModuleType, tmp_path: Path) -> Path:
    return tmp_path / "out" / "obs"


# --- paths and configuration ---


@pytest.mark.parametrize(("name", "variable"), FOLDERS.items())
@pytest.mark.parametrize("value", ["/data/skill", "/data/skill/"])
def test_folders_end_in_a_slash(
    hilens: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(hilens, name)() == "/data/skill/"


@pytest.mark.parametrize(("name", "variable"), FOLDERS.items())
def test_without_the_variable_it_is_the_working_folder_and_an_error(
    hilens: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: Output,
    name: str,
    variable: str,
) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert getattr(hilens, name)() == f"{tmp_path}/"
    assert f"[ERROR] {variable}" in capsys.readouterr().out


def test_the_configuration_is_read_at_each_call(
    hilens: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKILL_WORKSPACE", str(tmp_path))
    file = tmp_path / "skill_config.json"
    for content in ({"multi_camera": [{"camera_names": ["\u95e8"]}]}, {"threshold": 0.5}, []):
        file.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        assert hilens.get_skill_config() == content


@pytest.mark.parametrize("content", [None, "", "{'a': 1}"])
def test_a_configuration_that_cannot_be_read(
    hilens: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    monkeypatch.setenv("SKILL_WORKSPACE", str(tmp_path))
    if content is not None:
        (tmp_path / "skill_config.json").write_text(content)
    with pytest.raises(ValueError, match=r"configuration|Expecting"):
        hilens.get_skill_config()


# --- uploads ---


@pytest.mark.parametrize(
    ("data", "stored"),
    [(b"\0\xff", b"\0\xff"), ("\u4eba", b"\xe4\xba\xba"), (bytearray(b"ab"), b"ab"), (b"", b"")],
)
def test_a_buffer_is_written(
    hilens: ModuleType, obs: Path, data: bytes | str, stored: bytes
) -> None:
    assert hilens.upload_buffer_to_obs("faces/one.bin", data, "write") == 0
    assert (obs / "faces" / "one.bin").read_bytes() == stored


def test_write_replaces_and_append_adds(hilens: ModuleType, obs: Path) -> None:
    for data, mode, stored in (
        (b"one", "append", b"one"),
        (b"two", "append", b"onetwo"),
        (b"3", "write", b"3"),
    ):
        assert hilens.upload_buffer_to_obs("log.txt", data, mode) == 0
        assert (obs / "log.txt").read_bytes() == stored


def test_a_file_is_copied(hilens: ModuleType, obs: Path, tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8")
    assert hilens.upload_file_to_obs("a/b.jpg", "picture.jpg", "write") == 0
    assert hilens.upload_file_to_obs("a/b.jpg", "picture.jpg", "append") == 0
    assert (obs / "a" / "b.jpg").read_bytes() == b"\xff\xd8\xff\xd8"


def test_a_file_that_is_missing(hilens: ModuleType, obs: Path, capsys: Output) -> None:
    assert hilens.upload_file_to_obs("a", "missing.jpg", "write") == 4
    assert "missing.jpg" in capsys.readouterr().out
    assert not obs.exists()


GOOD_KEYS = ["a", "a/b/c.txt", "a.b", "\u4eba/1", "a b", "k" * 200, "/".join(["k" * 99] * 10)]
BAD_KEYS = [
    "", "/a", ".a", "./a", "../a", "a//b", "a/../../b", "k" * 1024, "a\0b",
    *("a" + character for character in '\\:*?"<>|'),
]  # fmt: skip


@pytest.mark.parametrize("key", GOOD_KEYS)
def test_allowed_keys(hilens: ModuleType, obs: Path, key: str) -> None:
    assert hilens.upload_buffer_to_obs(key, b"x", "write") == 0
    assert (obs / key).read_bytes() == b"x"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_other_keys_are_1_and_write_nothing(
    hilens: ModuleType, tmp_path: Path, obs: Path, key: str
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    assert hilens.upload_buffer_to_obs(key, b"x", "write") == 1
    assert hilens.upload_file_to_obs(key, "file", "write") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_the_longest_key_is_allowed_where_the_disk_takes_it(hilens: ModuleType, obs: Path) -> None:
    key = "/".join(["k" * 127] * 8)
    assert len(key) == 1023
    assert hilens.upload_buffer_to_obs(key, b"x", "write") == 0
    assert hilens.upload_buffer_to_obs(key + "k", b"x", "write") == 1


@pytest.mark.parametrize("mode", ["w", "a", "", "WRITE", None])
def test_other_modes_are_1(hilens: ModuleType, obs: Path, mode: str | None) -> None:
    assert hilens.upload_buffer_to_obs("a", b"x", mode) == 1
    assert not obs.exists()


def test_what_the_disk_refuses_is_a_code(hilens: ModuleType, obs: Path, capsys: Output) -> None:
    assert hilens.upload_buffer_to_obs("a", b"x", "write") == 0
    assert hilens.upload_buffer_to_obs("a/b", b"x", "write") == 9
    assert hilens.upload_buffer_to_obs("k" * 1000, b"x", "write") == 9
    assert "upload to obs" in capsys.readouterr().out


def test_a_number_is_no_buffer(hilens: ModuleType) -> None:
    with pytest.raises(TypeError):
        hilens.upload_buffer_to_obs("a", 5, "write")


def test_old_names_work_and_warn(hilens: ModuleType, obs: Path) -> None:
    Path("file").write_bytes(b"x")
    with pytest.warns(DeprecationWarning, match="upload_file_to_obs") as caught:
        assert hilens.upload_file("a", "file", "write") == 0
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="upload_buffer_to_obs"):
        assert hilens.upload_bufer("b", b"y", "write") == 0
    assert [(obs / name).read_bytes() for name in "ab"] == [b"x", b"y"]


def test_download_is_what_was_uploaded(hilens: ModuleType, tmp_path: Path) -> None:
    hilens.upload_buffer_to_obs("models/\u4eba 1.bin", b"x", "write")
    (tmp_path / "to").mkdir()
    address = "https://bucket.obs.example.com/models/%E4%BA%BA%201.bin?Expires=1&Signature=a/b"
    assert hilens.download_from_obs(address, "to") == 0
    assert (tmp_path / "to" / "\u4eba 1.bin").read_bytes() == b"x"


def test_download_fails_with_a_code(hilens: ModuleType, tmp_path: Path, capsys: Output) -> None:
    hilens.upload_buffer_to_obs("a", b"x", "write")
    (tmp_path / "secret").touch()
    for key in ("b", "", "%2e%2e/%2e%2e/secret"):
        assert hilens.download_from_obs("https://host/" + key, str(tmp_path)) == 12
    assert hilens.download_from_obs("https://host/a", "nowhere") == 9
    assert not (tmp_path / "nowhere").exists()
    assert capsys.readouterr().out.count("download_from_obs") == 4


# --- messages ---


def test_messages_are_kept_in_order(hilens: ModuleType, tmp_path: Path) -> None:
    sent = [("door", "a person"), ("s" * 170, "m" * 85), ("\u4eba" * 170, "\u4eba" * 85)]
    for subject, message in sent:
        assert hilens.send_msg(subject, message) == 0
    lines = (tmp_path / "out" / "messages.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"subject": subject, "message": message} for subject, message in sent
    ]


@pytest.mark.parametrize(
    ("subject", "message", "code"),
    [("s" * 171, "m", 38), ("s", "m" * 86, 38), ("", "m", 39), ("s", "", 39)],
)
def test_messages_beyond_the_limits_are_not_sent(
    hilens: ModuleType, tmp_path: Path, capsys: Output, subject: str, message: str, code: int
) -> None:
    assert hilens.send_msg(subject, message) == code
    assert "send_msg" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_message_that_cannot_be_kept(hilens: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert hilens.send_msg("s", "m") == 36


# --- md5 ---

# RFC 1321, appendix A.5.
RFC = {"": "d41d8cd98f00b204e9800998ecf8427e", "abc": "900150983cd24fb0d6963f7d28e17f72"}
ZEROS_65536 = "fcd6bcb56c1689fcef28b57c22475bad"  # `head -c 65536 /dev/zero | md5sum`


@pytest.mark.parametrize("text", RFC)
def test_md5_of_small_files(hilens: ModuleType, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    assert hilens.md5_of_file("file") == RFC[text]


def test_md5_is_of_the_first_65536_bytes(hilens: ModuleType, tmp_path: Path) -> None:
    for name, content in (
        ("exact", bytes(65536)),
        ("longer", bytes(65536) + b"more"),
        ("other", bytes(65535) + b"\1" + b"more"),
    ):
        (tmp_path / name).write_bytes(content)
    assert hilens.md5_of_file("exact") == ZEROS_65536
    assert hilens.md5_of_file("longer") == ZEROS_65536
    assert hilens.md5_of_file("other") != ZEROS_65536


def test_md5_of_what_cannot_be_read(hilens: ModuleType, tmp_path: Path) -> None:
    assert hilens.md5_of_file("missing") == ""
    assert hilens.md5_of_file(str(tmp_path)) == ""
