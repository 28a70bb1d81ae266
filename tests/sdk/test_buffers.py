"""The buffer pool: nothing that somebody still refers to is handed out again."""

import sys
import threading
import weakref
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from npukit.buffers import BufferPool
from npukit.color import DEFAULT_COLOR
from npukit.frame import Nv21Frame, Rect

# What may be left of an array in somebody's hands.
VIEWS: dict[str, Callable[[np.ndarray], object]] = {
    "itself": lambda array: array,
    "slice": lambda array: array[1:3, ::2],
    "one element": lambda array: array[:1, :1],
    "view of views": lambda array: array[1:].T[2:].reshape(-1, 3)[:, 1:],
    "other dtype": lambda array: array.view(np.int8),
    "memoryview": memoryview,
    "part of a memoryview": lambda array: memoryview(array)[1:],
    "frombuffer": lambda array: np.frombuffer(array, np.uint8),
    "frombuffer of a memoryview": lambda array: np.frombuffer(memoryview(array)[2:], np.uint8),
    "asarray of a memoryview": lambda array: np.asarray(memoryview(array)),
    "strided": lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (1, 1)),
    "broadcast": lambda array: np.broadcast_to(array, (3, *array.shape)),
    "iterator": iter,
    "closure": lambda array: lambda: array,
    "frame": lambda array: Nv21Frame(array, np.zeros((2, 3, 2), np.uint8), DEFAULT_COLOR),
    "crop of a frame": lambda array: Nv21Frame(
        array, np.zeros((2, 3, 2), np.uint8), DEFAULT_COLOR
    ).crop(Rect(0, 2, 2, 2)),
    "what OpenCV gave back": lambda array: cv2.flip(array, 1, dst=array),
}


@pytest.mark.parametrize("name", VIEWS)
def test_an_array_comes_back_only_when_its_last_view_is_gone(name: str) -> None:
    pool = BufferPool()
    first = weakref.ref(pool.take(4, 6))
    kept = first()
    assert kept is not None
    held = VIEWS[name](kept)
    del kept
    for _ in range(3):  # again: an interpreter may count otherwise once it has warmed up
        other = pool.take(4, 6)
        assert other is not first()
        del other
    del held
    assert {id(pool.take(4, 6)) for _ in range(3)} == {id(first())}


def test_any_number_of_calls_counts_alike() -> None:
    # An interpreter that specialises its code must not change the count of references.
    pool = BufferPool(limit=2)
    for _ in range(5000):
        one, two = pool.take(4, 6), pool.take(4, 6)
        assert one is not two


def test_shapes_do_not_mix() -> None:
    pool = BufferPool()
    for shape in ((4, 6), (6, 4), (24,), (2, 6, 2), (1, 1)):
        array = pool.take(*shape)
        assert array.shape == shape
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
        assert array.flags.writeable
        again = weakref.ref(array)
        del array
        assert pool.take(*shape) is again()


def test_beyond_the_limit_arrays_are_not_kept() -> None:
    pool = BufferPool(limit=2)
    held = [pool.take(4, 6) for _ in range(5)]
    assert len({id(array) for array in held}) == 5
    watched = [weakref.ref(array) for array in held]
    held.clear()
    assert [array() is not None for array in watched] == [True, True, False, False, False]
    kept = {id(array()) for array in watched[:2]}
    again = [pool.take(4, 6) for _ in range(2)]
    assert {id(array) for array in again} == kept


class Holders(RuleBasedStateMachine):
    """Arrays are taken, filled with a number of their own, and held by one of their views."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BufferPool(limit=3)
        self.held: list[tuple[int, np.ndarray]] = []
        self.count = 0

    @rule(name=st.sampled_from(["itself", "slice", "one element", "view of views", "memoryview"]))
    def take(self, name: str) -> None:
        array = self.pool.take(4, 6)
        self.count = (self.count + 1) % 256
        array[:] = self.count
        self.held.append((self.count, np.asarray(VIEWS[name](array))))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def drop(self, which: int) -> None:
        del self.held[which % len(self.held)]

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def narrow(self, which: int) -> None:
        which %= len(self.held)
        number, view = self.held[which]
        self.held[which] = (number, view[-1:])

    @invariant()
    def everybody_reads_what_they_wrote(self) -> None:
        for number, view in self.held:
            assert (view == number).all()


TestHolders = Holders.TestCase
TestHolders.settings = settings(max_examples=60, stateful_step_count=40)


def test_threads_do_not_share_an_array() -> None:
    pool = BufferPool(limit=8)
    clashes: list[int] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for turn in range(1500):
            value = (number * 64 + turn % 64) % 256
            array = pool.take(8, 8)
            array[:] = value
            view = array[1:, 1:]
            del array
            other = pool.take(8, 8)
            other[:] = 255 - value
            if not (view == value).all():
                clashes.append(turn)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not clashes


def test_an_array_may_be_dropped_by_another_thread() -> None:
    pool = BufferPool()
    array = pool.take(4, 6)
    watched = weakref.ref(array)
    box = [array]
    del array
    thread = threading.Thread(target=box.clear)
    assert pool.take(4, 6) is not watched()
    thread.start()
    thread.join()
    assert pool.take(4, 6) is watched()
