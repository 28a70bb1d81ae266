"""`npukit run script.py`, as a user types it: scripts for the HiLens Kit, unmodified."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnxruntime
import pytest
from support.interpreters import REPOSITORY, clean_environment

from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec
from npukit_cli.main import invoke

YARDSTICK = REPOSITORY / "tests" / "skills" / "hilens_style_demo.py"
SKILL = REPOSITORY / "skills" / "portrait_matting"
CLIP, BACKGROUND = SKILL / "assets" / "demo.mp4", SKILL / "assets" / "launch_pad.jpg"
NPUKIT = str(Path(sys.executable).parent / "npukit")
VIEW, MODEL = 640, 384
SHORT = 20

Run = Callable[..., subprocess.CompletedProcess[str]]


# --- the skill of the yardstick ---


@pytest.fixture(scope="module")
def onnx() -> bytes:
    """The square network at 384x384, as the script's model."""
    pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")
    from npukit_convert.torch_to_onnx import export
    from npukit_convert.weights import load_weights

    spec = importlib.util.spec_from_file_location("selfie_net", SKILL / "model" / "net.py")
    assert spec is not None
    assert spec.loader is not None
    net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(net)
    network = net.SelfieSegmenter(MODEL, MODEL).eval()
    load_weights(network, SKILL / "model" / "selfie_square.safetensors")
    return export(network, {"image": (1, 3, MODEL, MODEL)}, ["alpha"])[0]


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first pictures of the bundled clip, not encoded anew."""
    path = tmp_path_factory.mktemp("clip") / "short.mp4"
    with av.open(str(CLIP)) as source, av.open(str(path), "w") as target:
        stream: Any = target.add_stream_from_template(source.streams.video[0])
        for count, packet in enumerate(source.demux(video=0)):
            if count < SHORT:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.fixture(scope="module")
def make_skill(onnx: bytes) -> Callable[[Path, Path], Path]:
    def make(folder: Path, clip: Path) -> Path:
        """The folder of the skill; its script."""
        for name in ("test", "data", "model"):
            (folder / name).mkdir(parents=True)
        shutil.copy(YARDSTICK, folder / "main.py")
        shutil.copy(clip, folder / "test" / "camera0.mp4")
        shutil.copy(BACKGROUND, folder / "data" / "background.jpg")
        pixels = Preprocess(source="rgb888", scale=(1 / 255,) * 3)
        build = SimulatorBuild(
            name="portrait_384",
            inputs={"image": InputSpec((1, 3, MODEL, MODEL), pixels)},
            outputs=("alpha",),
            onnx=onnx,
        )
        write_build(str(folder / "model" / "portrait_384.om"), build)
        return folder / "main.py"

    return make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Call `npukit run` from a folder of the user's own."""
    home = tmp_path / "user"
    home.mkdir()

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NPUKIT, "run", *map(str, arguments)],
            cwd=home,
            env=clean_environment(TMPDIR=str(tmp_path), **environment),
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=120,
        )

    return call


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "skill" / "main.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(text), "utf-8")
        return path

    return write


# --- the same arithmetic, without hilens and npukit ---


class Expected:
    """Camera frames, alpha and result of the yardstick, by its own arithmetic."""

    def __init__(self, onnx: bytes, clip: Path) -> None:
        with av.open(str(clip)) as container:
            self.i420 = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
        self._session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        side = cv2.imread(str(BACKGROUND))[:, :, ::-1]
        edge = min(side.shape[:2])
        top, left = ((length - edge) // 2 for length in side.shape[:2])
        self.background = cv2.resize(side[top : top + edge, left : left + edge], (VIEW, VIEW))

    def view(self, index: int) -> np.ndarray:
        rgb = cv2.cvtColor(self.i420[index], cv2.COLOR_YUV2RGB_I420)[:, ::-1]
        height, width = rgb.shape[:2]
        left = (width - height) // 2
        return cv2.resize(rgb[:, left : left + height], (VIEW, VIEW))

    def alpha(self, index: int) -> np.ndarray:
        image = cv2.resize(self.view(index), (MODEL, MODEL)).transpose(2, 0, 1)[None]
        feed = {"image": image.astype(np.float32) / np.float32(255)}
        return cv2.resize(self._session.run(None, feed)[0][0, 0], (VIEW, VIEW))[:, :, None]

    def both(self, index: int) -> np.ndarray:
        """(640, 1280, 3) RGB as it comes back from 4:2:0."""
        view, alpha = self.view(index), self.alpha(index)
        result = alpha * view + (1 - alpha) * self.background
        picture = np.concatenate((view, result), axis=1).astype(np.uint8)
        i420 = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        return cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420)


@pytest.fixture(scope="module")
def expected(onnx: bytes) -> Expected:
    return Expected(onnx, CLIP)


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.float32) - other)


# --- the yardstick ---


def test_the_yardstick_runs_unmodified_to_hdmi_pictures(
    make_skill: Callable[..., Path], short_clip: Path, expected: Expected, run: Run, tmp_path: Path
) -> None:
    main = make_skill(tmp_path / "skill", short_clip)
    before = sorted(main.parent.rglob("*"))
    done = run(main)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[INFO] Failed to read frame" in done.stdout
    assert f"frames read: {SHORT}, inferences: {SHORT}, frames shown: {SHORT}" in done.stderr
    shown = tmp_path / "user" / "npukit-out" / "hdmi"
    pictures = sorted(path.name for path in shown.iterdir())
    assert pictures == [f"{index:06d}.png" for index in range(SHORT)]
    for index in (0, SHORT - 1):
        screen = cv2.imread(str(shown / pictures[index]))[:, :, ::-1]
        assert screen.shape == (1080, 1920, 3)
        inside = screen[220:860, 320:1600]
        # OpenCV and npukit round YUV to RGB each in their way: measured are 0.47 and 4.
        apart = difference(inside, expected.both(index))
        assert apart.mean() < 0.6
        assert apart.max() <= 4
        assert np.count_nonzero(screen) == np.count_nonzero(inside)
    assert main.read_bytes() == YARDSTICK.read_bytes()
    assert sorted(main.parent.rglob("*")) == before


def test_the_yardstick_cuts_the_person_out_on_the_whole_clip(
    make_skill: Callable[..., Path], expected: Expected, run: Run, tmp_path: Path
) -> None:
    main = make_skill(tmp_path / "skill", CLIP)
    done = run(main, "--display", "out.mp4", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "script": str(main),
        "exit_code": 0,
        "counts": {"frames read": 120, "inferences": 120, "frames shown": 120},
    }
    assert "[INFO] Failed to read frame" in done.stderr
    with av.open(str(tmp_path / "user" / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(VIEW, 2 * VIEW, 3)] * 120
    for index in (0, 60, 119):
        # Measured: 2.3 for what the encoder loses, 3.5 and 1.9 for each side of the cut, 63 and 69
        # for the wrong side.
        assert difference(frames[index], expected.both(index)).mean() < 3
        result, alpha = frames[index][:, VIEW:], expected.alpha(index)
        to_view = difference(result, expected.view(index)).mean(axis=2, keepdims=True)
        to_background = difference(result, expected.background).mean(axis=2, keepdims=True)
        assert 0.1 < alpha.mean() < 0.7
        assert np.average(to_view, weights=alpha) < 5
        assert np.average(to_background, weights=1 - alpha) < 5
        assert np.average(to_view, weights=1 - alpha) > 40
        assert np.average(to_background, weights=alpha) > 40


def test_camera_and_display_replace_the_scripts_own(
    make_skill: Callable[..., Path], short_clip: Path, run: Run, tmp_path: Path
) -> None:
    main = make_skill(tmp_path / "skill", short_clip)
    (main.parent / "test" / "camera0.mp4").unlink()
    done = run(main, "-c", "pattern:640x360,frames=7", "-d", "null", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["counts"].values()) == {7}
    shutil.copy(short_clip, tmp_path / "user" / "mine.mp4")
    done = run(main, "-c", "mine.mp4", "-d", "frames/", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["counts"].values()) == {SHORT}
    assert len(list((tmp_path / "user" / "frames").glob("*.png"))) == SHORT
    assert not (tmp_path / "user" / "npukit-out").exists()


def test_ctrl_c_is_130_and_leaves_a_playable_part(
    make_skill: Callable[..., Path], short_clip: Path, tmp_path: Path
) -> None:
    main = make_skill(tmp_path / "skill", short_clip)
    part = tmp_path / "out.part.mp4"
    source = "pattern:1280x720,frames=100000"
    process = subprocess.Popen(
        [NPUKIT, "run", str(main), "-c", source, "-d", "out.mp4", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    with process:
        deadline = time.monotonic() + 60
        while not part.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to both processes
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = json.loads(out)
    assert told["exit_code"] == 130
    assert "Traceback" not in err
    with av.open(str(part)) as container:
        count = sum(1 for _ in container.decode(video=0))
    # The interrupt may fall between a frame and its being counted.
    assert count - told["counts"]["frames shown"] in (0, 1)
    assert count > 0
    assert not (tmp_path / "out.mp4").exists()


# --- how a script ends ---


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("raise ValueError('broken')", 1, "ValueError: broken"),
        ("import sys; sys.exit(3)", 3, ""),
        ("while True print(1)", 1, "SyntaxError"),
        ("import os; os.kill(os.getpid(), 9)", 137, ""),
    ],
)
def test_the_exit_code_is_the_scripts(
    script: Callable[[str], Path], run: Run, text: str, code: int, said: str
) -> None:
    done = run(script(text), "--json")
    assert done.returncode == code
    assert json.loads(done.stdout)["exit_code"] == code
    assert said in done.stderr
    assert "npukit_cli" not in done.stderr


CHECKED = "import hilens\nprint('init gives', hilens.init('hello'))\n"


def test_the_check_value_is_the_consoles(script: Callable[[str], Path], run: Run) -> None:
    main = script(CHECKED)
    assert "init gives 0" in run(main).stdout
    assert "init gives 0" in run(main, "--check-value", "hello").stdout
    done = run(main, "--check-value", "other")
    assert done.returncode == 1
    assert "[FATAL] init: the check value is not the console's" in done.stdout
    assert "init gives" not in done.stdout


def test_paths_are_the_skills_and_results_are_the_users(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    main = script(
        """
        import hilens
        print(hilens.get_model_dir(), hilens.get_workspace_path())
        print(hilens.get_skill_config())
        hilens.upload_buffer_to_obs("a/b", b"x", "write")
        hilens.send_msg("door", "open")
        """
    )
    for name in ("model", "workspace"):
        (main.parent / name).mkdir()
    (tmp_path / "user" / "json.py").write_text("raise SystemExit('a module of the user')")
    (main.parent / "workspace" / "skill_config.json").write_text('{"limit": 2}')
    done = run(main)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{main.parent}/model/ {main.parent}/workspace/",
        "{'limit': 2}",
    ]
    out = tmp_path / "user" / "npukit-out"
    assert (out / "obs" / "a" / "b").read_bytes() == b"x"
    assert json.loads((out / "messages.jsonl").read_text()) == {
        "subject": "door",
        "message": "open",
    }
    done = run(main, SKILL_MODEL_PATH="/models")
    assert done.stdout.startswith("/models/ ")


# --- the module's place ---


def test_a_real_hilens_module_is_not_shadowed(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    package = tmp_path / "site" / "hilens"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def init(verify):\n    return 'the real one'\n")
    done = run(script(CHECKED), PYTHONPATH=str(package.parent))
    assert done.returncode == 0, done.stderr
    assert "init gives the real one" in done.stdout
    assert str(package) in done.stdout


def test_without_npukit_run_there_is_no_hilens(script: Callable[[str], Path]) -> None:
    done = subprocess.run(
        [sys.executable, str(script(CHECKED))],
        env=clean_environment(),
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'hilens'" in done.stderr


# --- options ---


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--set", "a=1"), "--set is for skills"),
        (("--truth", "a.mp4"), "--truth is for skills"),
        (("--report", "a.html"), "--report is for skills"),
        (("-c", "a.mp4", "-c", "b.mp4"), "a script takes one --camera"),
        (("-d", "a.mp4", "-d", "null"), "a script takes one --display"),
    ],
)
def test_options_of_skills_are_refused(
    script: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    options: Sequence[str],
    named: str,
) -> None:
    assert invoke(["run", str(script("raise SystemExit(5)")), *options]) == 1
    assert named in capsys.readouterr().err


def test_the_check_value_is_no_option_of_a_skill(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", "portrait_matting", "--check-value", "hello", "-d", "null"]) == 1
    assert "--check-value is for scripts" in capsys.readouterr().err


def test_a_script_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", str(tmp_path / "missing.py"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "no such script"


def test_paths_are_the_users_and_other_texts_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from npukit_cli.scripting import script_options

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b.mp4").touch()

    def settings(camera: str, display: str) -> tuple[str | None, str | None]:
        found = script_options([camera], [display], None, 1, {})
        return found.camera, found.display

    here = str(tmp_path)
    for camera, absolute in {
        "me.mp4": f"{here}/me.mp4",
        "video:me.mp4": f"video:{here}/me.mp4",
        "a:b.mp4": f"{here}/a:b.mp4",
        "photos/": f"{here}/photos/",
        "/data/me.mp4": "/data/me.mp4",
        "pattern:640x360": "pattern:640x360",
        "camera:0": "camera:0",
        "rtsp://user:word@host/x": "rtsp://user:word@host/x",
    }.items():
        assert settings(camera, "null")[0] == absolute
    for display, absolute in {
        "out.mp4": f"{here}/out.mp4",
        "out/": f"{here}/out/",
        "images:out": f"images:{here}/out",
        "h264:out.h264": f"h264:{here}/out.h264",
        "hdmi:out/": f"hdmi:{here}/out/",
        "hdmi:images:out": f"hdmi:images:{here}/out",
        "hdmi": "hdmi",
        "hdmi:null": "hdmi:null",
        "null": "null",
        "window": "window",
        "rtmp://host/live/key": "rtmp://host/live/key",
    }.items():
        assert settings("pattern:", display)[1] == absolute
