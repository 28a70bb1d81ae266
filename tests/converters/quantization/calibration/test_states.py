"""A state is what the network itself gave on the frames before."""

from __future__ import annotations

import numpy as np
import pytest
from support.quantized import PICTURE, SIZE, state_network, write_clip

from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.execute.base import Executor
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.quantization.calibration.samples import Samples
from npukit_convert.quantization.calibration.states import States, settled

INPUTS = {"image": PICTURE, "before": InputSpec((1, 1, SIZE, SIZE))}
STATES = {"before": "sum"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Frame `n` is gray of `20 n`."""
    clip = tmp_path_factory.mktemp("clip") / "a.mp4"
    write_clip(clip, [np.full((SIZE, SIZE, 3), 20 * place, np.uint8) for place in range(12)])
    return Samples(clip, INPUTS, STATES, "here")


def engine() -> Executor:
    return OnnxRuntime(state_network())


def run_all(count: int, first: int = 0) -> float:
    """The state before frame `count`, from zero at `first`: halved and added to, frame by frame."""
    state = 0.0
    for place in range(first, count):
        state = 0.5 * state + 20 * place / 255
    return state


def test_near_the_beginning_the_state_is_that_of_the_board(samples: Samples) -> None:
    pairs = list(settled(samples, {0, 1, 4}, States(INPUTS, STATES), engine))
    assert [sample.place for sample, _ in pairs] == [0, 1, 4]
    for sample, given in pairs:
        np.testing.assert_allclose(given["before"], run_all(sample.place), atol=0.02)
    assert not pairs[0][1]["before"].any()


def test_far_away_it_settles_over_four_frames(samples: Samples) -> None:
    ((_, given),) = settled(samples, {10}, States(INPUTS, STATES), engine)
    np.testing.assert_allclose(given["before"], run_all(10, first=6), atol=0.02)
    assert abs(run_all(10, first=6) - run_all(10)) < 0.1 * run_all(10)


def test_frames_close_together_share_what_was_run(samples: Samples) -> None:
    apart = {
        place: given["before"]
        for at in (6, 7, 8)
        for _, given in settled(samples, {at}, States(INPUTS, STATES), engine)
        for place in (at,)
    }
    for sample, given in settled(samples, {6, 7, 8}, States(INPUTS, STATES), engine):
        np.testing.assert_allclose(given["before"], apart[sample.place], atol=0.03)


def test_a_network_without_states_is_not_run(samples: Samples) -> None:
    def refuse() -> Executor:
        raise AssertionError

    plain = Samples(samples.path, {"image": PICTURE}, {}, "here")
    pairs = list(settled(plain, {3, 5}, States({"image": PICTURE}, {}), refuse))
    assert [(sample.place, given) for sample, given in pairs] == [(3, {}), (5, {})]


def test_an_output_of_another_size_is_no_state() -> None:
    states = States({"before": InputSpec((1, 1, 4, 4))}, STATES)
    with pytest.raises(CalibrationError, match=r"'sum' \[1, 1, 2, 2\] cannot be fed back"):
        states.take({"sum": np.zeros((1, 1, 2, 2), np.float32)})


def test_what_is_fed_back_is_not_changed_behind_the_back() -> None:
    """A case keeps the states that it was given when the next frame comes."""
    states = States({"before": InputSpec((1, 1))}, STATES)
    before = states.now
    given = dict(before)
    states.take({"sum": np.ones((1, 1), np.float32)})
    assert not given["before"].any()
    assert states.now["before"].all()
