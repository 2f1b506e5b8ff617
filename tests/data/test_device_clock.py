import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blitz.data.device_clock import DeviceClock

MS = 1_000_000
DAY_MS = 24 * 3600 * 1000


def times_ms(clock: DeviceClock, device_ms: list[int], arrived_ms: list[int]) -> list[int]:
    times = clock.times_ns(np.array(device_ms, np.int64), np.array(arrived_ms, np.int64) * MS)
    return (times // MS).tolist()  # type: ignore[no-any-return]


def test_the_offset_is_the_smallest_difference_so_far() -> None:
    clock = DeviceClock()
    assert times_ms(clock, [100, 200, 300], [1150, 1210, 1350]) == [1150, 1210, 1310]
    assert times_ms(clock, [400, 500], [1490, 1505]) == [1410, 1505]


def test_messages_of_one_read_keep_their_distances() -> None:
    assert times_ms(DeviceClock(), [100, 150, 200], [1000, 1000, 1000]) == [900, 950, 1000]


def test_times_never_fall_when_the_offset_gets_smaller() -> None:
    assert times_ms(DeviceClock(), [100, 110], [1100, 1050]) == [1100, 1100]


def test_a_clock_that_goes_back_begins_a_new_offset() -> None:
    clock = DeviceClock()
    assert times_ms(clock, [5000, 6000, 10], [11000, 12000, 12500]) == [11000, 12000, 12500]
    assert times_ms(clock, [110, 5], [12700, 20000]) == [12600, 20000]


def test_a_reset_after_weeks_is_not_taken_for_a_wrap() -> None:
    clock = DeviceClock()
    assert times_ms(clock, [40 * DAY_MS], [1000]) == [1000]
    assert times_ms(clock, [5, 1005], [2000, 3100]) == [2000, 3000]


def test_the_32_bit_wrap_is_not_going_back() -> None:
    clock = DeviceClock()
    assert times_ms(clock, [(1 << 32) - 50, 50], [1000, 1150]) == [1000, 1100]
    assert times_ms(clock, [150], [1300]) == [1200]


def test_a_message_without_a_clock_gets_the_time_of_the_one_before() -> None:
    clock = DeviceClock()
    assert times_ms(clock, [-1], [990]) == [990]
    assert times_ms(clock, [100, -1, 120], [1000, 1000, 1040]) == [1000, 1000, 1020]
    assert times_ms(clock, [-1], [2000]) == [1020]


def test_no_messages_have_no_times() -> None:
    assert times_ms(DeviceClock(), [], []) == []


@example([(-1, 1), (-1, 1)], [1])
@given(
    st.lists(st.tuples(st.integers(-1, 300) | st.integers(-1, (1 << 32) - 1), st.integers(1, 90)), max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_times_never_fall_nor_exceed_the_arrival_however_the_run_is_cut(
    messages: list[tuple[int, int]], cuts: list[int]
) -> None:
    device = np.array([stamp for stamp, _ in messages], np.int64)
    arrived = np.cumsum(np.array([pause for _, pause in messages], np.int64)) * MS
    whole = DeviceClock().times_ns(device, arrived)
    clock = DeviceClock()
    bounds = [0, *sorted(min(cut, len(device)) for cut in cuts), len(device)]
    parts = [clock.times_ns(device[a:b], arrived[a:b]) for a, b in itertools.pairwise(bounds)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert (np.diff(whole) >= 0).all()
    assert (whole <= arrived).all()


@pytest.mark.parametrize("block", [100, 9000])
@pytest.mark.parametrize("wrap_ticks", [1 << 32, 1 << 42])
def test_a_clock_that_wraps_again_and_again_is_followed_all_the_same(block: int, wrap_ticks: int) -> None:
    ticks = np.where(np.arange(9000) % 2, wrap_ticks - 5, 3)
    arrived = 10**18 + np.arange(9000) * 10 * MS
    clock = DeviceClock(wrap_ticks=wrap_ticks)
    parts = [clock.times_ns(ticks[a : a + block], arrived[a : a + block]) for a in range(0, 9000, block)]
    times = np.concatenate(parts)
    assert (np.diff(times) >= 0).all()
    assert (times <= arrived).all()


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40), st.sampled_from([1000, MS]))
def test_no_numbers_whatsoever_make_a_clock_raise(ticks: list[int], tick_ns: int) -> None:
    arrived = 10**18 + np.arange(len(ticks)) * MS
    for wrap_ticks in (None, 1 << 32, (1 << 61) // tick_ns):
        times = DeviceClock(tick_ns, wrap_ticks).times_ns(np.array(ticks, np.int64), arrived)
        assert (times <= arrived).all()


@given(st.integers(0, 2**32), st.integers(1, 399), st.sampled_from([1 << 32, 40_000, None]))
@example(7, 200, 1 << 32)
def test_a_clock_goes_on_from_its_state_as_if_it_had_never_stopped(seed: int, cut: int, wrap: int | None) -> None:
    rng = np.random.default_rng(seed)
    ticks = np.cumsum(rng.integers(1, 400, 400)) + (wrap or 0) - 30_000
    ticks[rng.integers(0, 400) :] -= rng.integers(0, 30_000)  # begins anew somewhere
    arrived = np.cumsum(rng.integers(0, 400, 400) * rng.integers(0, 2, 400)) * MS
    ticks = np.where(rng.random(400) < 0.02, -1, np.abs(ticks) % (wrap or (1 << 40)))
    whole, first, second = (DeviceClock(wrap_ticks=wrap) for _ in range(3))
    expected = whole.follow(ticks[:cut], arrived[:cut]), whole.follow(ticks[cut:], arrived[cut:])
    first.follow(ticks[:cut], arrived[:cut])
    second.restore(json.loads(json.dumps(first.state())))
    times, reach = second.follow(ticks[cut:], arrived[cut:])
    assert np.array_equal(times, expected[1][0])
    assert np.array_equal(reach, expected[1][1])
    assert second.state() == whole.state()
    assert (second.restarts, second.drift_ppm) == (whole.restarts, whole.drift_ppm)
