"""A paced model: its time, and what it leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest

from npukit.errors import ModelError
from npukit.pacing import PacedModel
from npukit.runtime.base import Model, TensorSpec


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Adds(Model):
    """y = x + state, and y is the next state; takes a given time."""

    def __init__(self, clock, seconds):
        tensor = TensorSpec("x", (2,), "float32")
        super().__init__((tensor, tensor._replace(name="s")), (tensor._replace(name="y"),),
                         {"s": "y"})  # fmt: skip
        self.clock, self.seconds, self.closed = clock, seconds, False

    def _execute(self, inputs):
        self.clock.now += self.seconds
        return {"y": inputs["x"] + inputs["s"]}

    def close(self):
        self.closed = True


X = {"x": np.ones(2, np.float32)}


@pytest.fixture
def clock():
    return Clock()


def paced(clock, own, wanted):
    inner = Adds(clock, own)
    return inner, PacedModel(inner, wanted, clock, clock.sleep)


def test_it_returns_when_the_time_has_passed_since_the_call(clock):
    _, model = paced(clock, 0.25, 1.0)
    model.infer(X)
    assert clock.now == 101.0
    assert clock.slept == [0.75]
    assert model.pace == (1.0, 1, 0, 0.25)


def test_it_never_shortens_and_counts_what_was_late(clock):
    inner, model = paced(clock, 3.0, 1.0)
    model.infer(X)
    assert clock.now == 103.0
    inner.seconds = 0.5
    model.infer(X)
    assert clock.slept == [0.5]
    assert model.pace == (1.0, 2, 1, 3.0)


def test_results_states_and_errors_are_those_of_the_model(clock):
    inner, model = paced(clock, 0.0, 1.0)
    assert (model.inputs, model.outputs, model.states) == (inner.inputs, inner.outputs, {"s": "y"})
    assert [float(model.infer(X)["y"][0]) for _ in range(3)] == [1.0, 2.0, 3.0]
    model.reset()
    assert float(model.infer(X)["y"][0]) == 1.0
    with pytest.raises(ModelError, match="no input 'z'"):
        model.infer({"z": X["x"]})
    assert model.pace.inferences == 4, "one that fails is none"
    model.close()
    assert inner.closed
