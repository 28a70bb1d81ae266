"""The process of a script: its folder, its arguments, its end."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
from support.interpreters import clean_environment


class Done(NamedTuple):
    """How a script ended."""

    code: int
    out: str
    err: str
    counts: dict[str, int]


Launch = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "skill"
    path.mkdir()
    return path


@pytest.fixture
def launch(tmp_path: Path, folder: Path) -> Launch:
    def start(text: str, *arguments: str, path: tuple[Path, ...] = (), **settings: Any) -> Done:
        """Run a script that lies in `skill/`, from another folder."""
        (folder / "main.py").write_text(textwrap.dedent(text), "utf-8")
        summary = tmp_path / "summary.json"
        given = {"out": str(tmp_path / "out"), "summary": str(summary), **settings}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "npukit_cli.hilens_compat.launch", "skill/main.py",
             *arguments],
            cwd=tmp_path,
            env=clean_environment(
                NPUKIT_HILENS=json.dumps(given),
                PYTHONPATH=":".join(map(str, path)),
                TMPDIR=str(tmp_path),
            ),
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )  # fmt: skip
        counts = json.loads(summary.read_text("utf-8"))["counts"]
        return Done(done.returncode, done.stdout, done.stderr, counts)

    return start


def test_a_script_runs_in_its_folder_with_its_arguments(launch: Launch, folder: Path) -> None:
    (folder / "utils.py").write_text("NAME = 'the neighbour'\n")
    done = launch(
        """
        import os, sys
        import hilens
        import utils
        assert __name__ == "__main__"
        print(os.getcwd())
        print(os.path.abspath(__file__))
        print(sys.argv[1:])
        print(utils.NAME)
        print(hilens.HDMI, hilens.__file__)
        """,
        "--size",
        "2",
    )
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[:4] == [
        str(folder), str(folder / "main.py"), "['--size', '2']", "the neighbour",
    ]  # fmt: skip
    assert lines[4].startswith("0 ")
    assert lines[4].endswith("npukit_cli/hilens_compat/inject/hilens.py")
    assert done.err == ""
    assert done.counts == {}


@pytest.mark.parametrize("beside_the_script", [True, False])
def test_another_hilens_module_is_not_shadowed(
    launch: Launch, folder: Path, tmp_path: Path, beside_the_script: bool
) -> None:
    place = folder if beside_the_script else tmp_path / "site"
    package = place / "hilens"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def init(verify):\n    return 'the real one'\n")
    path = () if beside_the_script else (place,)
    done = launch("import hilens\nprint(hilens.init('hello'))\n", path=path)
    assert done.code == 0, done.err
    remark, answer = done.out.splitlines()
    assert answer == "the real one"
    assert remark == f"npukit: not simulated: there is a hilens module here, {package}/__init__.py"


def test_an_exception_is_told_as_python_tells_it(launch: Launch, folder: Path) -> None:
    done = launch(
        """
        def deeper():
            return 1 / 0

        deeper()
        """
    )
    assert done.code == 1
    main = folder / "main.py"
    lines = done.err.splitlines()
    assert lines[:3] == [
        "Traceback (most recent call last):",
        f'  File "{main}", line 5, in <module>',
        "    deeper()",
    ]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "runpy" not in done.err
    assert "launch.py" not in done.err


def test_a_syntax_error_names_the_line(launch: Launch, folder: Path) -> None:
    done = launch("import hilens\nwhile True print(1)\n")
    assert done.code == 1
    assert f'File "{folder}/main.py", line 2' in done.err
    assert "SyntaxError" in done.err
    assert "launch.py" not in done.err


@pytest.mark.parametrize(
    ("end", "code", "err"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no camera')", 1, "no camera\n"),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_exit_codes(launch: Launch, end: str, code: int, err: str) -> None:
    done = launch(f"import sys\n{end}\n")
    assert (done.code, done.err) == (code, err)


def test_what_is_not_simulated_says_what_to_do(launch: Launch) -> None:
    done = launch("import hilens\nhilens.AudioCapture()\n")
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert "NotSimulatedError: hilens.AudioCapture is not simulated (run this part" in last


SHOW = """
    import sys
    import hilens
    camera = hilens.VideoCapture()
    display = hilens.Display(hilens.HDMI)
    for _ in range(3):
        display.show(camera.read())
    {end}
"""


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("pass", "out.mp4"),
        ("sys.exit(0)", "out.mp4"),
        ("raise ValueError", "out.part.mp4"),
        ("sys.exit(2)", "out.part.mp4"),
        ("del display; raise ValueError", "out.mp4"),
    ],
)
def test_what_was_shown_is_whole_or_a_part(
    launch: Launch, tmp_path: Path, end: str, name: str
) -> None:
    done = launch(
        SHOW.format(end=end),
        camera="pattern:640x360,frames=9",
        display=str(tmp_path / "out.mp4"),
    )
    assert done.counts == {"frames read": 3, "frames shown": 3}
    assert [path.name for path in tmp_path.glob("*.mp4")] == [name]
    with av.open(str(tmp_path / name)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
    assert name in done.out


def test_objects_of_a_function_that_raises_are_a_part_too(launch: Launch, tmp_path: Path) -> None:
    body = textwrap.indent(textwrap.dedent(SHOW.format(end="raise ValueError")), "    ")
    done = launch(
        f"def main():\n{body}\nmain()\n",
        camera="pattern:640x360,frames=9",
        display=str(tmp_path / "out.mp4"),
    )
    assert done.code == 1
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["out.part.mp4"]


def test_threads_of_the_script_are_waited_for(launch: Launch, tmp_path: Path) -> None:
    done = launch(
        """
        import threading
        import time
        import hilens
        camera = hilens.VideoCapture()
        display = hilens.Display(hilens.HDMI)

        def work():
            time.sleep(0.5)
            for _ in range(4):
                assert display.show(camera.read()) == 0

        threading.Thread(target=work).start()
        """,
        camera="pattern:640x360,frames=9",
        display=str(tmp_path / "out.mp4"),
    )
    assert done.code == 0, done.err
    assert done.counts == {"frames read": 4, "frames shown": 4}
    assert "4 frames in" in done.out
    assert (tmp_path / "out.mp4").is_file()


def test_a_display_that_cannot_be_finished_fails_the_run(launch: Launch, tmp_path: Path) -> None:
    done = launch(
        SHOW.format(end=f"import os; os.remove({str(tmp_path / 'out.part.mp4')!r})"),
        camera="pattern:640x360,frames=9",
        display=str(tmp_path / "out.mp4"),
    )
    assert done.code == 1
    assert "npukit: closing:" in done.out
