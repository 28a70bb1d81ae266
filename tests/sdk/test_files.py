"""Files are written whole or not at all."""

from pathlib import Path

import pytest

from npukit.files import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str) -> str:
    with replacing(str(path)) as temporary:
        Path(temporary).write_text(text)
        return temporary


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        write(path, text)
        assert path.read_text() == text
        assert names(tmp_path) == ["a.txt"]


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(str(path)) as temporary:
        Path(temporary).write_text("half of")
        assert path.read_text() == "old"
    assert path.read_text() == "half of"


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError(), KeyboardInterrupt()])
@pytest.mark.parametrize("old", ["old", None])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, error: BaseException, old: str | None
) -> None:
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)

    def fail() -> None:
        with replacing(str(path)) as temporary:
            Path(temporary).write_text("half of")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert names(tmp_path) == ([] if old is None else ["a.txt"])
    if old is not None:
        assert path.read_text() == old


def test_a_failure_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    # The block ends well, but wrote nothing.
    with pytest.raises(FileNotFoundError), replacing(str(path)):
        pass
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_temporary_file_lies_beside_with_the_same_suffix(tmp_path: Path) -> None:
    temporary = Path(write(tmp_path / "clip.part.mp4", "x"))
    assert temporary.parent == tmp_path  # a rename does not cross a file system
    assert temporary.suffix == ".mp4"
    assert temporary.name != "clip.part.mp4"
    assert temporary.name.startswith(".")


def test_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "new" / "er" / "a.txt", "x")
    assert (tmp_path / "new" / "er" / "a.txt").read_text() == "x"


def test_a_bare_name_means_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.txt"), "x")
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_in_the_way_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a.txt"
    folder.mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        write(folder, "x")
    assert folder.is_dir()
    assert names(tmp_path) == ["a.txt"]
