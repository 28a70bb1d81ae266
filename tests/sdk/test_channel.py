"""The bounded queue: order, bounds, dropping, and both ways to end it."""

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.channel import Channel

LIMIT_S = 20.0  # far above what anything here takes; reached only by a hang


@pytest.fixture
def start():
    """Run a function in a thread; its result is waited for with a limit."""
    with ThreadPoolExecutor(4) as pool:
        yield lambda job, *arguments: pool.submit(job, *arguments)


def blocked(future: Future) -> bool:
    time.sleep(0.05)
    return not future.done()


def fill(channel: Channel, items) -> list[bool]:
    return [channel.put(item) for item in items]


def test_items_come_out_in_order_behind_a_close() -> None:
    channel: Channel[int] = Channel(5)
    assert fill(channel, range(5)) == [True] * 5
    channel.close()
    assert list(channel) == [0, 1, 2, 3, 4]
    assert list(channel) == []
    assert channel.dropped == 0


def test_a_full_channel_blocks_until_an_item_is_taken(start: Callable[..., Future]) -> None:
    channel: Channel[int] = Channel(2)
    putting = start(fill, channel, range(4))
    items = iter(channel)
    assert blocked(putting)
    assert next(items) == 0
    assert blocked(putting)
    assert next(items) == 1
    assert putting.result(LIMIT_S) == [True] * 4
    channel.close()
    assert list(items) == [2, 3]
    assert channel.dropped == 0


def test_an_empty_channel_blocks_until_an_item_comes(start: Callable[..., Future]) -> None:
    channel: Channel[int] = Channel(2)
    taking = start(list, channel)
    assert blocked(taking)
    channel.put(7)
    assert blocked(taking)
    channel.close()
    assert taking.result(LIMIT_S) == [7]


@given(st.integers(1, 5), st.integers(0, 20))
def test_drop_oldest_keeps_the_newest_and_counts_the_others(capacity: int, count: int) -> None:
    channel: Channel[int] = Channel(capacity, drop_oldest=True)
    assert fill(channel, range(count)) == [True] * count
    channel.close()
    assert list(channel) == list(range(count))[-capacity:]
    assert channel.dropped == max(0, count - capacity)


def test_cancel_forgets_what_is_there_and_refuses_the_rest() -> None:
    for drop in (False, True):
        channel: Channel[int] = Channel(3, drop_oldest=drop)
        fill(channel, range(2))
        channel.cancel()
        assert list(channel) == []
        # More than it holds: none of them may block.
        assert fill(channel, range(10)) == [False] * 10
        assert list(channel) == []
        assert channel.dropped == 0


def test_cancel_frees_a_waiting_producer(start: Callable[..., Future]) -> None:
    channel: Channel[int] = Channel(1)
    putting = start(fill, channel, range(3))
    assert blocked(putting)
    channel.cancel()
    assert putting.result(LIMIT_S) == [True, False, False]


def test_either_end_frees_a_waiting_consumer(start: Callable[..., Future]) -> None:
    for end in (Channel.close, Channel.cancel):
        channel: Channel[int] = Channel(1)
        taking = start(list, channel)
        assert blocked(taking)
        end(channel)
        assert taking.result(LIMIT_S) == []


@pytest.mark.parametrize("capacity", [1, 3])
def test_nothing_is_lost_or_doubled_between_two_fast_threads(
    start: Callable[..., Future], capacity: int
) -> None:
    channel: Channel[int] = Channel(capacity)
    taking = start(list, channel)
    assert all(fill(channel, range(20000)))
    channel.close()
    assert taking.result(LIMIT_S) == list(range(20000))


def test_a_slow_consumer_of_a_dropping_channel_sees_rising_items(
    start: Callable[..., Future],
) -> None:
    channel: Channel[int] = Channel(3, drop_oldest=True)

    def take() -> list[int]:
        seen = []
        for item in channel:
            seen.append(item)
            time.sleep(0.002)
        return seen

    taking = start(take)
    began = time.perf_counter()
    fill(channel, range(50000))
    assert time.perf_counter() - began < LIMIT_S
    channel.close()
    seen = taking.result(LIMIT_S)
    assert seen == sorted(set(seen))
    assert seen[-1] == 49999
    assert len(seen) + channel.dropped == 50000
    assert channel.dropped > 0


def test_a_taken_item_is_not_kept_alive_by_the_channel() -> None:
    class Item:
        pass

    gone = threading.Event()
    channel: Channel[Item] = Channel(2)
    channel.put(Item())
    channel.close()
    for item in channel:
        weakref.finalize(item, gone.set)
    del item
    assert gone.is_set()
