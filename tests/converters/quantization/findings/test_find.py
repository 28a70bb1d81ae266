"""What is wrong with calibration data is said, with numbers; good data are left in peace."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.graphs import graph, noise
from support.quantized import PICTURE, SIZE, alpha_network, int8, scenes, write_clip

from npukit.color import Color
from npukit.frame import Nv21Frame
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation, evaluate
from npukit_convert.quantization.accuracy.tasks import TASKS, Case
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet, read_calibration
from npukit_convert.quantization.findings.find import find
from npukit_convert.quantization.results import Finding
from npukit_convert.quantization.settings import CalibrationConfig

INPUTS = {"image": PICTURE}
NETWORK = alpha_network()


def calibrated(path: Path | None, inputs: Any = None) -> CalibrationSet:
    frames = None if path is None else path.name
    config = CalibrationConfig(frames=frames, random=path is None)
    folder = Path() if path is None else path.parent
    return read_calibration(config, folder, inputs or INPUTS, {}, NETWORK, "convert.yaml")


def judged(
    calibration: CalibrationSet, path: Path | None = None, network: bytes = NETWORK
) -> Evaluation:
    return evaluate(Accuracy(frames=path), calibration, INPUTS, {}, network)


def found(calibration: CalibrationSet, evaluation: Evaluation) -> dict[str, Finding]:
    findings = find(calibration, evaluation, NETWORK)
    assert len({one.code for one in findings}) == len(findings)
    assert all(one.text and one.remedy for one in findings)
    return {one.code: one for one in findings}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the model is judged on."""
    return write_clip(tmp_path_factory.mktemp("judged") / "judged.mp4", scenes(16, seed=9))


def write_folder(folder: Path, pictures: list[Any], bgr: bool = False) -> Path:
    folder.mkdir()
    for place, rgb in enumerate(pictures):
        cv2.imwrite(str(folder / f"{place:03}.png"), rgb if bgr else rgb[:, :, ::-1])
    return folder


def test_good_frames_are_left_in_peace(clip: Path, tmp_path: Path) -> None:
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    assert found(calibration, judged(calibration, clip)) == {}


def test_four_frames_are_too_few(clip: Path, tmp_path: Path) -> None:
    calibration = calibrated(write_folder(tmp_path / "few", scenes(4) * 3))
    (finding,) = found(calibration, judged(calibration, clip)).values()
    assert finding.code == "few-frames"
    assert finding.text.startswith("4 distinct frames, of 12 in few")


def test_bgr_frames_for_an_rgb_model(clip: Path, tmp_path: Path) -> None:
    """Written with RGB arrays given to `cv2.imwrite`, the way it usually happens."""
    calibration = calibrated(write_folder(tmp_path / "bgr", scenes(40), bgr=True))
    quantised: list[float] = []

    def quantise(data: CalibrationSet) -> bytes:
        quantised.append(float(np.mean([feed["image"][0, 0].mean() for feed in data.feeds])))
        return int8(NETWORK, data.feeds)

    (finding,) = find(calibration, judged(calibration, clip), NETWORK, quantise)
    assert finding.code == "color-order"
    assert "100% of 16 answer" in finding.text
    assert "dB as they are" in finding.text
    assert quantised[1] > quantised[0] + 0.1  # the second set has red where blue was
    (plain,) = found(calibration, judged(calibration, clip)).values()
    assert "dB" not in plain.text


def test_quantising_is_left_out_without_a_suspicion(clip: Path, tmp_path: Path) -> None:
    def refuse(_: CalibrationSet) -> bytes:
        raise AssertionError

    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    assert not find(calibration, judged(calibration, clip), NETWORK, refuse)


def test_frames_of_one_scene(clip: Path, tmp_path: Path) -> None:
    (scene,) = scenes(1, size=64)
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(60):  # a spot that wanders
        x, y = random.integers(0, 60, 2)
        rgb = scene.copy()
        rgb[y : y + 4, x : x + 4] = 255 - rgb[y : y + 4, x : x + 4]
        pictures.append(rgb)
    calibration = calibrated(write_folder(tmp_path / "alike", pictures))
    assert calibration.summary.kept > 20
    finding = found(calibration, judged(calibration, clip))["alike"]
    assert "show one scene" in finding.text


def test_frames_of_another_light(clip: Path, tmp_path: Path) -> None:
    dark = [(0.3 * rgb).astype(np.uint8) for rgb in scenes(40)]
    calibration = calibrated(write_folder(tmp_path / "dark", dark))
    finding = found(calibration, judged(calibration, clip))["levels"]
    assert "of 255" in finding.text


def test_ranges_that_do_not_reach(clip: Path, tmp_path: Path) -> None:
    tensors = [
        Feeder(INPUTS).frame(Nv21Frame.from_rgb(rgb, Color()))["image"] for rgb in scenes(40)
    ]
    np.save(tmp_path / "twice.npy", np.concatenate(tensors) / 255)  # divided once more
    calibration = calibrated(tmp_path / "twice.npy")
    findings = found(calibration, judged(calibration, clip))
    assert set(findings) >= {"levels", "ranges"}
    assert "in 3 of 3 layers" in findings["ranges"].text


def test_ranges_that_are_too_wide(tmp_path: Path) -> None:
    calibration = calibrated(write_folder(tmp_path / "wide", scenes(40)))
    pale = [(110 + 0.1 * rgb.astype(np.float32)).astype(np.uint8) for rgb in scenes(8, seed=5)]
    clip = write_clip(tmp_path / "pale.mp4", pale)
    network = graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) { alpha = Conv(image, w) }""",
        w=noise(1, 3, 1, 1),
    )
    (finding,) = find(calibration, judged(calibration, clip, network), network)
    assert finding.code == "wide-ranges"
    assert "in 1 of 1 layers" in finding.text


def test_noise_is_named(clip: Path) -> None:
    calibration = calibrated(None)
    assert "random-data" in found(calibration, judged(calibration, clip))
    alone = found(calibration, judged(calibration))
    assert set(alone) >= {"random-data", "judged-on-noise"}


def test_judged_on_what_it_was_calibrated_on(tmp_path: Path) -> None:
    calibration = calibrated(write_clip(tmp_path / "a.mp4", scenes(40)))
    finding = found(calibration, judged(calibration))["same-file"]
    assert "16 of 16 are the very same" in finding.text


@pytest.mark.parametrize(("size", "code"), [((8, 8), "small-frames"), ((64, 32), "aspect")])
def test_frames_of_another_shape(
    size: tuple[int, int], code: str, clip: Path, tmp_path: Path
) -> None:
    pictures = [cv2.resize(rgb, size) for rgb in scenes(40)]
    calibration = calibrated(write_folder(tmp_path / "shape", pictures))
    finding = found(calibration, judged(calibration, clip))[code]
    assert f"{size[0]}x{size[1]}" in finding.text


def test_an_output_that_is_constant(clip: Path, tmp_path: Path) -> None:
    network = graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) { alpha = Conv(image, w, b) }""",
        w=np.zeros((1, 3, 1, 1)),
        b=np.array([0.25]),
    )
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    findings = find(calibration, judged(calibration, clip, network), network)
    (finding,) = (one for one in findings if one.code == "constant-output")
    assert "0.25 everywhere" in finding.text
    once = find(calibration, judged(calibration, clip, network), network, constants={"alpha": 0.25})
    assert [one for one in once if one.code == "constant-output"] == [finding], "said once"


def test_an_output_that_calibration_does_not_change(clip: Path, tmp_path: Path) -> None:
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    network = NETWORK
    findings = find(calibration, judged(calibration, clip), network, constants={"alpha": 0.0})
    (finding,) = (one for one in findings if one.code == "constant-output")
    assert "in every calibration frame" in finding.text


@pytest.mark.parametrize("wrong", [False, True])
def test_a_declaration_of_the_wrong_order(wrong: bool, clip: Path, tmp_path: Path) -> None:
    """The network's alpha is what is red; fed with blue for red float32 is far from the truth."""
    network = graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) { alpha = Conv(image, w) }""",
        w=np.array([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1),
    )
    cases = []
    for place, rgb in enumerate(scenes(8)):
        feed = Feeder(INPUTS).frame(Nv21Frame.from_rgb(rgb, Color()))
        truth = feed["image"][0, 2 if wrong else 0] + np.float32(0.01)
        cases.append(Case(f"frame {place}", feed, truth))
    task = TASKS.get("matting")("alpha", INPUTS, {"alpha": (1, 1, SIZE, SIZE)}, "here")
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    codes = [
        one.code for one in find(calibration, Evaluation(cases, INPUTS, {}, task, ""), network)
    ]
    assert ("declared-order" in codes) == wrong


def test_a_network_without_convolutions_is_looked_at_too(clip: Path, tmp_path: Path) -> None:
    network = graph("(float[1,3,16,16] image) => (float[1,3,16,16] y) { y = Relu(image) }")
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    assert find(calibration, judged(calibration, clip, network), network) == ()


def test_all_layers_of_a_deep_network_are_in_the_count(clip: Path, tmp_path: Path) -> None:
    """One layer of twelve that is past its range is no finding."""
    calibration = calibrated(write_folder(tmp_path / "good", scenes(40)))
    names = ["image", *(f"t{place}" for place in range(11)), "y"]
    body = "\n".join(
        f"{out} = Conv({into}, w{place})" for place, (into, out) in enumerate(pairwise(names))
    )
    weights = {f"w{place}": noise(3, 3, 1, 1, seed=place) for place in range(12)}
    text = f"(float[1,3,16,16] image) => (float[1,3,16,16] y) {{ {body} }}"
    network = graph(text, **weights)
    assert find(calibration, judged(calibration, clip, network), network) == ()
