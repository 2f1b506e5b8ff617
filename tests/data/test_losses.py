"""Lost messages of simulated devices, of which it is known what was lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data.device_clock import DeviceClock
from blitz.data.losses import Hole, LossFinder

MS = 1_000_000
S = 1_000_000_000
BEGIN_NS = 1_760_000_000 * S

Numbers = NDArray[np.int64]
BLOCKS = [10, 500, 1 << 30]


def regular(count: int, period_ms: float) -> Numbers:
    """Times of a device that sends every ``period_ms``."""
    return (np.arange(count) * period_ms * MS).astype(np.int64) + 5 * S


def arrivals(since_ns: Numbers, poll_ms: float = 0, seed: int = 1) -> Numbers:
    rng = np.random.default_rng(seed)
    arrived_ns = since_ns + rng.exponential(MS, len(since_ns)).astype(np.int64)
    if poll_ms:
        polls = arrived_ns // int(poll_ms * MS) + 1
        arrived_ns = polls * int(poll_ms * MS) + rng.exponential(MS, int(polls.max()) + 1).astype(np.int64)[polls]
    return np.maximum.accumulate(arrived_ns)


def without(count: int, *lost: range) -> NDArray[np.bool_]:
    is_there = np.ones(count, np.bool_)
    for part in lost:
        is_there[part] = False
    return is_there


def examine(
    since_ns: Numbers,
    arrived_ns: Numbers,
    *,
    numbers: Numbers | None = None,
    modulo: int | None = None,
    is_restart: NDArray[np.bool_] | None = None,
    block: int = 500,
    with_device_ns: bool = True,
    tick_ns: int = MS,
) -> tuple[LossFinder, list[Hole]]:
    ticks = since_ns // tick_ns
    time_ns = DeviceClock(tick_ns, None).times_ns(ticks, arrived_ns + BEGIN_NS)
    finder, found = LossFinder(tick_ns), []
    for start in range(0, len(ticks), block):
        run = slice(start, start + block)
        found += finder.examine(
            np.arange(len(ticks))[run],
            time_ns[run],
            arrived_ns[run] + BEGIN_NS,
            None if numbers is None else numbers[run],
            modulo,
            None if is_restart is None else is_restart[run],
            ticks[run] * tick_ns if with_device_ns else None,
        )
    assert sum(hole.lost for hole in found) == finder.lost
    assert all(hole.lost > 0 and hole.from_ns <= hole.to_ns for hole in found)
    assert [hole.seq for hole in found] == sorted(hole.seq for hole in found)
    return finder, found


@given(
    seed=st.integers(0, 1 << 32),
    loss=st.floats(0, 0.3),
    modulo=st.sampled_from([256, 65_536, 1 << 32, None]),
    first=st.integers(0, 255),
    block=st.sampled_from(BLOCKS),
)
def test_by_numbers_every_lost_message_is_counted_once(
    seed: int, loss: float, modulo: int | None, first: int, block: int
) -> None:
    is_there = np.random.default_rng(seed).random(3000) >= loss
    is_there[0] = True
    is_there[np.flatnonzero(is_there)[-1] + 1 :] = True
    since_ns = regular(3000, 10.02)
    numbers = np.arange(3000) + first
    numbers = numbers % modulo if modulo else numbers
    is_there[:20] = True
    finder, found = examine(
        since_ns[is_there], arrivals(since_ns)[is_there], numbers=numbers[is_there], modulo=modulo, block=block
    )
    assert finder.lost == np.count_nonzero(~is_there)
    assert {hole.by for hole in found} <= {"numbers"}
    assert finder.duplicates == finder.restarts == 0


@pytest.mark.parametrize("block", BLOCKS)
def test_a_short_counter_that_went_round_in_a_long_hole_is_counted_in_full(block: int) -> None:
    is_there = without(5000, range(3000, 3700))
    since_ns = regular(5000, 10)
    numbers = np.arange(5000) % 256
    _, found = examine(
        since_ns[is_there], arrivals(since_ns)[is_there], numbers=numbers[is_there], modulo=256, block=block
    )
    assert [(hole.seq, hole.lost) for hole in found] == [(3000, 700)]
    assert found[0].to_ns - found[0].from_ns == pytest.approx(7.01 * S, abs=2 * MS)


@pytest.mark.parametrize("modulo", [256, 65_536, None])
@pytest.mark.parametrize("last", [150, 5000, 65_500])
def test_a_restart_is_no_loss(modulo: int | None, last: int) -> None:
    numbers = np.concatenate((np.arange(last - 100, last), np.arange(500)))
    numbers = numbers % modulo if modulo else numbers
    is_restart = np.arange(600) == 100
    since_ns = regular(600, 10)
    for marks in (is_restart, None):
        if marks is None and (modulo == 256 or (modulo and last + 64 > modulo)):
            continue  # So few may as well be lost: only the clock can tell.
        finder, found = examine(since_ns, arrivals(since_ns), numbers=numbers, modulo=modulo, is_restart=marks)
        assert (found, finder.restarts, finder.duplicates) == ([], 1, 0)


@pytest.mark.parametrize("modulo", [1024, 65_536, None])
@pytest.mark.parametrize("block", BLOCKS)
def test_messages_that_come_twice_are_counted_apart(modulo: int | None, block: int) -> None:
    places = np.concatenate((np.arange(5000), np.arange(4900, 6000), np.arange(6010, 8000)))
    since_ns = np.maximum.accumulate(regular(8000, 10)[places])
    numbers = places % modulo if modulo else places
    finder, found = examine(since_ns, arrivals(since_ns), numbers=numbers, modulo=modulo, block=block)
    assert (finder.duplicates, finder.lost, finder.restarts) == (100, 10, 0)
    assert [hole.seq for hole in found] == [6100]


def test_a_number_that_cannot_be_read_belongs_to_a_message_that_is_there() -> None:
    numbers = np.arange(1000) % 256
    numbers[[0, 300, 301, 499, 500, 999]] = -1
    since_ns = regular(1000, 10)
    for block in BLOCKS:
        finder, found = examine(since_ns, arrivals(since_ns), numbers=numbers, modulo=256, block=block)
        assert (found, finder.duplicates, finder.restarts) == ([], 0, 0)


def test_what_does_not_count_up_is_no_message_number() -> None:
    numbers = np.random.default_rng(1).integers(0, 4096, 3000)
    since_ns = regular(3000, 10)
    for counted in (numbers, np.zeros(3000, np.int64), np.arange(3000) * 10 % 65_536):
        finder, found = examine(since_ns, arrivals(since_ns), numbers=counted, modulo=65_536)
        assert (found, finder.restarts, finder.duplicates) == ([], 0, 0)


@pytest.mark.parametrize("with_device_ns", [True, False])
@pytest.mark.parametrize("block", BLOCKS)
def test_by_clock_the_holes_of_a_regular_device_are_found(block: int, with_device_ns: bool) -> None:
    lost = (range(5000, 5010), range(9000, 9001), range(12_345, 12_400))
    is_there = without(20_000, *lost)
    since_ns = regular(20_000, 10.02)
    finder, found = examine(
        since_ns[is_there], arrivals(since_ns)[is_there], block=block, with_device_ns=with_device_ns
    )
    assert [(hole.seq, hole.lost, hole.by) for hole in found] == [
        (5000, 10, "clock"),
        (8990, 1, "clock"),
        (12_334, 55, "clock"),
    ]
    assert finder.period_ns == pytest.approx(10.02 * MS, rel=0.001)


def test_a_message_whose_clock_cannot_be_read_leaves_no_hole() -> None:
    since_ns = regular(2000, 10)
    arrived_ns = arrivals(since_ns) + BEGIN_NS
    device_ns = since_ns.copy()
    device_ns[[0, 700, 1200, 1201]] = -1
    for block in BLOCKS:
        finder = LossFinder()
        for start in range(0, 2000, block):
            run = slice(start, start + block)
            time_ns = since_ns[run] + BEGIN_NS
            assert finder.examine(np.arange(2000)[run], time_ns, arrived_ns[run], device_ns=device_ns[run]) == []


def jittery(count: int, period_ms: float, deviation_ms: float) -> Numbers:
    noise = np.random.default_rng(1).normal(0, deviation_ms * MS, count).astype(np.int64)
    return np.sort(regular(count, period_ms) + noise)


def bursts(count: int, size: int, period_ms: float) -> Numbers:
    return (np.arange(count)[:, np.newaxis] * S + np.arange(size) * int(period_ms * MS)).ravel() + 5 * S


WITHOUT_LOSS = {
    "1 kHz in milliseconds": regular(20_000, 1),
    "1 kHz with jitter": jittery(20_000, 1, 0.2),
    "10 kHz in milliseconds": regular(20_000, 0.1),
    "303 Hz": regular(20_000, 3.3),
    "one a minute": regular(2000, 60_000),
    "100 Hz with jitter": jittery(20_000, 10, 1),
    "a rate that changes": np.cumsum(np.repeat([10, 25, 5, 7], 3000) * MS) + 5 * S,
    "events": np.random.default_rng(1).exponential(20 * MS, 20_000).astype(np.int64).cumsum() + 5 * S,
    "bursts of 20": bursts(500, 20, 10),
    "bursts of 100": bursts(300, 100, 3),
    "a pause every hundredth": np.cumsum(np.where(np.arange(20_000) % 100 == 99, 17, 10) * MS) + 5 * S,
}


@pytest.mark.parametrize("name", WITHOUT_LOSS)
@pytest.mark.parametrize("with_device_ns", [True, False])
def test_a_device_that_lost_nothing_raises_no_alarm(name: str, with_device_ns: bool) -> None:
    since_ns = WITHOUT_LOSS[name]
    for poll_ms in (0, 103.7):
        for block in (50, 1 << 30):
            arrived_ns = arrivals(since_ns, poll_ms)
            _, found = examine(since_ns, arrived_ns, block=block, with_device_ns=with_device_ns)
            assert found == [], (poll_ms, block)


@given(
    seed=st.integers(0, 1 << 32),
    period_ms=st.floats(0.2, 500),
    tick_ns=st.sampled_from([1000, MS]),
    poll_ms=st.sampled_from([0.0, 37.0, 503.0]),
    drift=st.floats(-0.005, 0.005),
    restart=st.integers(1000, 2000),
)
def test_neither_drift_nor_jitter_nor_polls_nor_a_restart_are_holes(
    seed: int, period_ms: float, tick_ns: int, poll_ms: float, drift: float, restart: int
) -> None:
    since_ns = regular(4000, period_ms)
    arrived_ns = arrivals(since_ns, poll_ms, seed)
    device_ns = (since_ns * (1 + drift)).astype(np.int64)
    device_ns[restart:] -= device_ns[restart]
    ticks = device_ns // tick_ns
    clock = DeviceClock(tick_ns)
    time_ns = clock.times_ns(ticks, arrived_ns + BEGIN_NS)
    is_restart = np.zeros(4000, np.bool_)
    is_restart[clock.restarted_at] = True
    finder = LossFinder(tick_ns)
    arrived_ns += BEGIN_NS
    assert finder.examine(np.arange(4000), time_ns, arrived_ns, None, None, is_restart, ticks * tick_ns) == []


@pytest.mark.parametrize("block", BLOCKS)
def test_a_ring_that_runs_over_at_every_poll_is_seen(block: int) -> None:
    since_ns = regular(20_000, 10.02)
    polls = since_ns // int(500.7 * MS)
    is_there = np.zeros(20_000, np.bool_)
    for poll in np.unique(polls):
        is_there[np.flatnonzero(polls == poll)[-20:]] = True
    arrived_ns = (polls + 1) * int(500.7 * MS)
    finder, found = examine(since_ns[is_there], arrived_ns[is_there], block=block)
    assert finder.lost >= 0.9 * np.count_nonzero(~is_there)
    assert finder.lost <= np.count_nonzero(~is_there)
    assert {hole.lost for hole in found} <= {29, 30, 31}


def test_what_is_missing_in_a_known_gap_is_estimated_from_the_usual_rate() -> None:
    finder = LossFinder()
    assert finder.estimate(0, S) is None
    since_ns = regular(1000, 10)
    for times_ns in (since_ns, arrivals(since_ns), arrivals(since_ns, 100)):
        finder = LossFinder()
        finder.examine(np.arange(1000), times_ns, arrivals(since_ns, 100))
        assert finder.estimate(0, 2 * S) == pytest.approx(199, abs=3)
        assert finder.estimate(0, 10 * MS) == 0


def test_nothing_is_found_where_there_is_nothing() -> None:
    nothing = np.empty(0, np.int64)
    assert LossFinder().examine(nothing, nothing, nothing) == []


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("pause_ms", [10, 100, 1000, 100_000])
def test_a_device_that_sends_in_pairs_loses_nothing(pause_ms: int, block: int) -> None:
    since_ns = (np.arange(400) // 2 * pause_ms + np.arange(400) % 2) * MS + 5 * S
    assert examine(since_ns, arrivals(since_ns), block=block)[1] == []


@given(st.lists(st.integers(0, 1 << 62), min_size=1, max_size=40), st.sampled_from([1000, MS]))
def test_no_clock_whatsoever_makes_the_search_raise(device_ns: list[int], resolution_ns: int) -> None:
    finder = LossFinder(resolution_ns)
    seq = np.arange(len(device_ns))
    arrived_ns = BEGIN_NS + seq * MS
    finder.examine(seq, arrived_ns, arrived_ns, device_ns=np.array(device_ns, np.int64))


def test_a_source_that_loses_more_than_it_delivers_is_still_counted() -> None:
    chance = np.random.default_rng(7)
    numbers = np.cumsum(chance.integers(1, 6, 2000)) % 65536
    found = LossFinder()
    times = np.arange(2000, dtype=np.int64) * 10_000_000
    for start in range(0, 2000, 100):
        part = slice(start, start + 100)
        found.examine(np.arange(2000)[part], times[part], times[part], numbers[part].astype(np.int64), 65536)
    steps = np.diff(numbers) % 65536
    assert found.are_counting
    assert found.lost == int((steps - 1).sum())


def test_values_that_go_up_and_down_are_no_message_numbers() -> None:
    numbers = np.random.default_rng(7).integers(0, 4096, 2000).astype(np.int64)
    found = LossFinder()
    times = np.arange(2000, dtype=np.int64) * 10_000_000
    found.examine(np.arange(2000), times, times, numbers, 4096)
    assert not found.are_counting
    assert found.lost == 0
