"""Working memory that is handed out again and again."""

import numpy as np

from npukit.buffers import Scratch


def test_the_same_bytes_come_again() -> None:
    scratch = Scratch()
    first = scratch.take("a", (4, 6), np.float32)
    assert first.shape == (4, 6)
    assert first.dtype == np.float32
    assert first.flags.c_contiguous
    smaller = scratch.take("a", (2, 3, 2), np.float32)
    assert smaller.shape == (2, 3, 2)
    assert smaller.flags.c_contiguous
    assert np.shares_memory(first, smaller)


def test_other_names_types_and_larger_shapes_are_apart() -> None:
    scratch = Scratch()
    first = scratch.take("a", (4, 6), np.uint8)
    for other in (
        scratch.take("b", (4, 6), np.uint8),
        scratch.take("a", (4, 7), np.uint8),
        scratch.take("a", (4, 6), np.float32),
    ):
        assert not np.shares_memory(first, other)
