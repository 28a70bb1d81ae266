"""`npukit run`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from npukit.capture.pattern import PatternSource

SKILL = "portrait_matting"
SMALL = "pattern:320x240,frames=3"
RUN = ("run", SKILL, "--camera", SMALL)
Command = Callable[..., Any]
Count = Callable[[Path], int]


@pytest.fixture
def pictures(here: Path) -> Path:
    folder = here / "pictures"
    folder.mkdir()
    for shade in (60, 200):
        assert cv2.imwrite(str(folder / f"{shade}.png"), np.full((48, 64, 3), shade, np.uint8))
    return folder


def test_without_options_it_runs_the_demo_here(
    npukit: Command, here: Path, frames_of: Count
) -> None:
    said = npukit("run", SKILL)
    assert said.code == 0
    assert frames_of(here / "portrait_matting.mp4") == 120
    assert [path.name for path in here.iterdir()] == ["portrait_matting.mp4"]
    assert "120 frames in portrait_matting.mp4" in said.out
    found = re.search(r"MAD (0\.\d+)", said.out)
    assert found
    assert float(found[1]) < 0.02
    assert said.err == ""


@pytest.mark.usefixtures("here")
def test_the_json_says_all(npukit: Command) -> None:
    said = npukit(*RUN, "-d", "null", "--set", "mirror=yes", "-s", "smooth=0.5", "--json")
    assert said.code == 0
    assert said.json.keys() == {"skill", "version", "board", "settings", "runs"}
    assert said.json["settings"] == {
        "crop": "full",
        "mirror": True,
        "background": "assets/background.jpg",
        "view": "result",
        "edge": "color",
        "smooth": 0.5,
    }
    (run,) = said.json["runs"]
    assert run["frames_in"] == 3
    assert run["frames_out"] == {"null": 3}
    assert run["error"] is None
    assert run["interrupted"] is False
    assert run["dropped"] == {}
    assert run["stages"].keys() == {"capture", "prepare", "infer", "composite", "display null"}
    for timing in (*run["stages"].values(), *run["latency"].values()):
        assert timing["count"] == 3
        assert 0 < timing["p50_ms"] <= timing["p95_ms"] <= timing["p99_ms"]
    assert run["fps"] == pytest.approx(3 / run["seconds"], rel=0.01)
    assert run["cpu_ms_per_frame"] > 0
    assert "quality" not in run, "there is no exact alpha for another source"


def test_several_sources_to_several_sinks(
    npukit: Command, here: Path, pictures: Path, frames_of: Count
) -> None:
    said = npukit(
        "run", SKILL, "-c", SMALL, "-c", pictures,
        "-d", "out/{name}.mp4", "-d", "shots/{name}/", "--json",
    )  # fmt: skip
    assert said.code == 0
    counts = {"pattern_320x240,frames=3": 3, "pictures": 2}
    for run, (name, count) in zip(said.json["runs"], counts.items(), strict=True):
        assert run["frames_out"] == {f"out/{name}.mp4": count, f"shots/{name}/": count}
        assert frames_of(here / "out" / f"{name}.mp4") == count
        shots = sorted(path.name for path in (here / "shots" / name).iterdir())
        assert shots == [f"{number:06d}.png" for number in range(count)]


def test_a_picture_comes_out_the_same_for_any_number_of_threads(
    npukit: Command, here: Path
) -> None:
    for threads in (1, 2):
        said = npukit(
            "run", SKILL, "-d", f"{threads}/", "--threads", threads, "-s", "view=alpha",
            "-c", Path(__file__).parents[2] / "skills" / SKILL / "assets" / "background.jpg",
        )  # fmt: skip
        assert said.code == 0
    assert (here / "1" / "000000.png").read_bytes() == (here / "2" / "000000.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("-c", "pictures", "-d", "out.mp4"), "would overwrite 'out.mp4', which is another result"),
        (("-d", "out.mp4", "-d", "./out.mp4"), "would overwrite './out.mp4', which is another"),
        (("-d", "out.mp4", "-d", "video:out.mp4"), "would overwrite 'video:out.mp4', which is"),
        (("-c", "{clip}", "-d", "{{name}}.mp4"), "would overwrite the source 'clip.mp4'"),
        (("-c", "pictures", "-d", "{{name}}/"), "would overwrite the source 'pictures/'"),
    ],
    ids=["two-sources", "two-spellings", "with-its-kind", "its-own-source", "its-own-folder"],
)
def test_nothing_is_written_twice_or_over_a_source(
    npukit: Command, here: Path, pictures: Path, options: tuple[str, ...], sentence: str
) -> None:
    clip = here / "clip.mp4"
    assert npukit(*RUN, "-d", clip).code == 0
    before = {path: path.read_bytes() for path in (clip, *pictures.iterdir())}
    said = npukit(*RUN, *(option.format(clip=clip) for option in options))
    assert said.code == 1
    assert sentence in said.err
    assert not (here / "out.mp4").exists()
    assert {path: path.read_bytes() for path in (clip, *pictures.iterdir())} == before


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ("run", "portrait_mating"),
            ("error: no skill 'portrait_mating'", "next: did you mean 'portrait_matting'?"),
        ),
        ((*RUN, "--displey", "x"), ("error: No such option: --displey", "next: see npukit run")),
        (("run",), ("error: Missing argument", "next: see npukit run --help")),
        ((*RUN, "--threads", "0"), ("error: Invalid value for '--threads'",)),
        (
            (*RUN, "--set", "viw=alpha"),
            ("unknown key 'viw'", "where: parameters of portrait_matting", "did you mean 'view'?"),
        ),
        (
            (*RUN, "--set", "view=side"),
            ("'side' is not a choice", "where: parameter view", "did you mean 'side_by_side'?"),
        ),
        ((*RUN, "--set", "smooth=2"), ("2 is not in [0, 0.95]", "where: parameter smooth")),
        ((*RUN, "--set", "mirror"), ("--set takes NAME=VALUE, not 'mirror'",)),
        ((*RUN, "-s", "view=alpha", "-s", "view=result"), ("parameter view is given twice",)),
        (
            (*RUN, "--set", "background=nowhere.jpg"),
            ("'nowhere.jpg' is neither a file nor a colour", "next: use a picture"),
        ),
        ((*RUN, "--display", "out.xyz"), ("no kind of sink accepts it", "where: out.xyz", "next:")),
        (
            ("run", SKILL, "--camera", "absent.mp4"),
            (
                "error: no such file or folder",
                "where: absent.mp4",
                "other kinds, as KIND:...: camera",
            ),
        ),
        (
            ("run", SKILL, "--camera", "pattern:7x7"),
            ("error: size 7x7: even, at least 64x32", "where: pattern:7x7"),
        ),
        ((*RUN, "--truth", "absent.mp4"), ("error: no such file or folder", "where: absent.mp4")),
        ((*RUN, "--report", "."), ("error: cannot write the report", "where: .")),
    ],
    ids=lambda value: " ".join(value[-2:]) if value[0].startswith("run") else "",
)
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_what_the_user_can_fix_is_said_with_the_next_step(
    npukit: Command, here: Path, arguments: tuple[str, ...], sentences: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    shown = () if "--display" in arguments else ("--display", "null")
    said = npukit(*arguments, *(shown if len(arguments) > 2 else ()), *["--json"] * as_json)
    assert said.code == 1
    assert list(here.iterdir()) == []
    if as_json:
        problem = said.json.get("error") or said.json["runs"][0]["error"]
        text = "".join(f"{key}: {part}\n" for key, part in problem.items())
        for sentence in sentences:
            assert sentence.removeprefix("error: ") in text
    else:
        assert said.err.startswith("error: ")
        for sentence in sentences:
            assert sentence in said.err


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_one_broken_source_does_not_stop_the_others(
    npukit: Command, here: Path, pictures: Path, frames_of: Count, as_json: bool
) -> None:
    (here / "broken.mp4").write_bytes(b"no video" * 100)
    said = npukit(
        "run", SKILL, "-c", SMALL, "-c", "broken.mp4", "-c", pictures,
        "-d", "out/{name}.mp4", *["--json"] * as_json,
    )  # fmt: skip
    assert said.code == 1
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "pattern_320x240,frames=3.mp4",
        "pictures.mp4",
    ]
    assert frames_of(here / "out" / "pictures.mp4") == 2
    if as_json:
        first, broken, last = said.json["runs"]
        assert first["error"] is last["error"] is None
        assert broken["source"] == "broken.mp4"
        assert broken["frames_in"] == 0
        assert broken["error"]["type"] == "CaptureError"
        assert broken["error"]["where"] == "broken.mp4"
        assert broken["error"]["message"].startswith("not a video that FFmpeg reads")
    else:
        assert "error: not a video that FFmpeg reads" in said.err
        assert "where: broken.mp4" in said.err


def test_a_failed_run_leaves_the_older_result(
    npukit: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert npukit(*RUN, "-d", "out.mp4").code == 0
    older = (here / "out.mp4").read_bytes()

    def break_off(source: PatternSource) -> Iterator[Any]:
        yield from list(whole(source))[:2]
        raise RuntimeError("a bug in the source")

    whole = PatternSource.frames
    monkeypatch.setattr(PatternSource, "frames", break_off)
    said = npukit(*RUN, "-d", "out.mp4", "--json")
    assert said.code == 2
    (run,) = said.json["runs"]
    assert run["error"] == {"type": "RuntimeError", "message": "a bug in the source"}
    assert run["frames_out"] == {"out.mp4": 2}
    assert (here / "out.mp4").read_bytes() == older
    (log,) = (here.parent / "tmp").glob("npukit-*.log")
    assert str(log) in said.err
    assert "break_off" in log.read_text("utf-8")


def test_ctrl_c_leaves_a_playable_part_and_the_older_result(
    here: Path, plain: dict[str, str], frames_of: Count
) -> None:
    (here / "out.mp4").write_bytes(b"older")
    part = here / "out.part.mp4"
    command = (sys.executable, "-m", "npukit_cli", "run", SKILL, "-d", "out.mp4", "--json")
    with subprocess.Popen(
        [*command, "-c", "pattern:320x240,frames=60000"],
        cwd=here, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 5000):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    (run,) = json.loads(out)["runs"]
    assert run["interrupted"] is True
    assert run["error"] is None
    assert 0 < run["frames_in"] < 60000
    assert run["frames_out"] == {"out.mp4": run["frames_in"]}
    assert frames_of(part) == run["frames_in"]
    assert (here / "out.mp4").read_bytes() == b"older"


class Page(html.parser.HTMLParser):
    """The pictures and words of a report."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.pictures: dict[str, Any] = {}
        self.words = ""
        self.feed(path.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            kind, _, data = (found["src"] or "").partition(";base64,")
            assert kind == "data:image/jpeg"
            coded = np.frombuffer(base64.b64decode(data), np.uint8)
            self.pictures[found["alt"] or ""] = cv2.imdecode(coded, cv2.IMREAD_COLOR)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_report_shows_pictures_and_figures(npukit: Command, here: Path) -> None:
    said = npukit("run", SKILL, "-d", "null", "--report", "page/report.html", "--json")
    assert said.code == 0
    assert said.json["report"] == "page/report.html"
    page = Page(here / "page" / "report.html")
    numbers = sorted({int(name.split()[-1]) for name in page.pictures})
    assert 3 <= len(numbers) <= 6
    assert numbers[0] == 0
    assert numbers[-1] >= 60, "pictures from the whole run"
    for number in numbers:
        camera, result, alpha = (
            page.pictures[f"{name} of frame {number}"] for name in ("camera", "result", "alpha")
        )
        assert camera.shape == result.shape == alpha.shape
        assert camera.shape[0] * 16 == camera.shape[1] * 9 >= 270 * 16
        opaque, clear = (alpha > 250).all(axis=2), (alpha < 5).all(axis=2)
        assert opaque.mean() > 0.1
        assert clear.mean() > 0.1
        difference = np.abs(camera.astype(int) - result).mean(axis=2)
        assert difference[opaque].mean() < 3, "the person stays"
        assert difference[clear].mean() > 20, "the scene does not"
    quality = said.json["runs"][0]["quality"]
    assert f"MAD {quality['mad']:.4f}" in page.words
    assert "view=result" in page.words


def test_the_report_names_what_failed(npukit: Command, here: Path) -> None:
    said = npukit(
        "run", SKILL, "-c", "a<b>.mp4", "-c", SMALL, "-d", "null", "--report", "report.html"
    )
    assert said.code == 1
    assert "report in report.html" in said.out
    page = Page(here / "report.html")
    assert "a<b>.mp4" in page.words
    assert "no such file or folder" in page.words
    assert len(page.pictures) == 9, "three frames of the other source"
