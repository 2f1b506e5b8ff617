import itertools

import numpy as np
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
