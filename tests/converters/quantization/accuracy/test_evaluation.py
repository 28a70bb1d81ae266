"""What a model is judged on: other frames than it was calibrated on, where there are any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.quantized import (
    PICTURE,
    SIZE,
    alpha_network,
    scenes,
    state_network,
    write_clip,
)

from npukit.errors import ConfigError
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation, evaluate, run
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet, read_calibration
from npukit_convert.quantization.settings import CalibrationConfig

INPUTS = {"image": PICTURE}
STATEFUL = {"image": PICTURE, "before": InputSpec((1, 1, SIZE, SIZE))}


def calibrated(path: Path | None, samples: int = 64) -> CalibrationSet:
    frames = None if path is None else path.name
    config = CalibrationConfig(frames=frames, samples=samples, random=path is None)
    folder = Path() if path is None else path.parent
    return read_calibration(config, folder, INPUTS, {}, alpha_network(), "convert.yaml")


def judged(calibration: CalibrationSet, other: Path | None = None, **keys: Any) -> Evaluation:
    return evaluate(Accuracy(**keys), calibration, INPUTS, {}, alpha_network(), other)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`a` and `b` of 12 scenes, and an alpha for `b`."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate("ab"):
        write_clip(folder / f"{name}.mp4", scenes(12, seed))
    grays = [np.full((32, 32, 3), 20 * place, np.uint8) for place in range(12)]
    write_clip(folder / "alpha.mp4", grays)
    write_clip(folder / "short.mp4", grays[:5])
    return lambda name: folder / f"{name}.mp4"


def test_the_file_of_the_accuracy_comes_first(clips: Callable[[str], Path]) -> None:
    found = judged(calibrated(clips("a")), clips("alpha"), frames=clips("b"), samples=4)
    assert found.path == clips("b")
    assert (len(found.cases), found.shared) == (4, 0)
    assert found.text == "4 of 12 frames of b.mp4"
    assert [case.name for case in found.cases] == ["frame 0", "frame 4", "frame 7", "frame 11"]
    assert set(found.sizes) == {(32, 32)}
    assert judged(calibrated(clips("a")), clips("b")).path == clips("b")


def test_else_other_frames_of_the_calibration_file(clips: Callable[[str], Path]) -> None:
    calibration = calibrated(clips("a"), samples=4)
    found = judged(calibration)
    assert found.path == clips("a")
    assert found.shared == 0
    assert not {case.name for case in found.cases} & {f"frame {at}" for at in calibration.indices}
    assert len(found.cases) == 8


def test_where_all_were_calibrated_on_they_are_counted(clips: Callable[[str], Path]) -> None:
    found = judged(calibrated(clips("a")), samples=6)
    assert (len(found.cases), found.shared) == (6, 6)


def test_noise_is_judged_on_noise() -> None:
    calibration = calibrated(None, samples=3)
    found = judged(calibration, samples=3)
    assert (found.path, found.text, len(found.cases)) == (None, "noise", 3)
    for case, feed in zip(found.cases, calibration.feeds, strict=True):
        assert not np.array_equal(case.feeds["image"], feed["image"])


def test_matting_is_judged_on_pairs_of_frames_with_their_alpha(
    clips: Callable[[str], Path],
) -> None:
    keys = {"task": "matting", "frames": clips("b"), "truth": clips("alpha"), "samples": 6}
    found = judged(calibrated(clips("a")), **keys)
    assert [case.follows for case in found.cases] == [False, True] * 3
    places = [int(case.name.split()[1]) for case in found.cases]
    assert places == [0, 1, 4, 5, 10, 11]
    for case, place in zip(found.cases, places, strict=True):
        assert case.truth is not None
        np.testing.assert_allclose(case.truth, 20 * place / 255, atol=0.01)
    with pytest.raises(CalibrationError, match="no exact result for frame 5: the file ends"):
        judged(calibrated(clips("a")), **{**keys, "truth": clips("short")})
    with pytest.raises(ConfigError, match="needs the exact result"):
        judged(calibrated(clips("a")), **{**keys, "truth": None})


def test_the_output_must_be_there(clips: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"no output 'alfa'.*did you mean 'alpha'"):
        judged(calibrated(clips("a")), output="alfa")


def test_a_candidate_hands_on_its_own_states(clips: Callable[[str], Path]) -> None:
    """Runs of eight frames: the first state is that of float32, the others its own."""
    network, states = state_network(), {"before": "sum"}
    config = CalibrationConfig(frames="a.mp4")
    calibration = read_calibration(config, clips("a").parent, STATEFUL, states, network, "it")
    accuracy = Accuracy(frames=clips("alpha"), samples=8)
    found = evaluate(accuracy, calibration, STATEFUL, states, network)
    assert [case.follows for case in found.cases] == [False] + [True] * 7
    own = [outputs["sum"] for _, outputs in run(network, found)]
    for case, before in zip(found.cases[1:5], own, strict=False):  # it settles over four frames
        np.testing.assert_allclose(case.feeds["before"], before, atol=1e-5)
    state = 0.0
    for place, value in enumerate(own):
        state = 0.5 * state + 20 * place / 255
        np.testing.assert_allclose(value, state, atol=0.02)
    silent = [case._replace(feeds={**case.feeds, "before": 0 * own[0]}) for case in found.cases]
    deaf = [
        outputs["sum"]
        for _, outputs in run(network, Evaluation(silent, STATEFUL, states, found.task, ""))
    ]
    for one, other in zip(own, deaf, strict=True):
        np.testing.assert_array_equal(one, other)  # what the cases hold for later frames is unused
