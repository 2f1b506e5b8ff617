"""The device clock against simulated devices whose true times are known."""

import copy
import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data.device_clock import DeviceClock

MS = 1_000_000
S = 1_000_000_000
BEGIN_NS = 1_760_000_000 * S


class Run(NamedTuple):
    """Messages of a simulated device: when each was logged in truth, what the device's clock said, when it came."""

    logged_ns: NDArray[np.int64]
    ticks: NDArray[np.int64]
    arrived_ns: NDArray[np.int64]


def simulate(
    seed: int,
    count: int,
    period_ms: float,
    drift_ppm: float = 0,
    *,
    jitter_ms: float = 1,
    poll_ms: float = 0,
    stalls: int = 0,
    first_ticks: int = 0,
    wrap: int = 1 << 32,
    wander_ppm_min: float = 0,
    begin_ns: int = BEGIN_NS,
) -> Run:
    rng = np.random.default_rng(seed)
    since_ns = np.arange(count) * period_ms * MS
    wander = wander_ppm_min * 1e-6 / 60 / 2 * (since_ns / 1e9) ** 2 * 1e9
    ticks = (((since_ns * (1 + drift_ppm * 1e-6) + wander) // MS).astype(np.int64) + first_ticks) % wrap
    arrived_ns = (since_ns + rng.exponential(jitter_ms * MS, count)).astype(np.int64)
    if poll_ms:
        poll_ns = int(poll_ms * MS)
        polls = arrived_ns // poll_ns + 1
        arrived_ns = polls * poll_ns + rng.exponential(jitter_ms * MS, int(polls.max()) + 1).astype(np.int64)[polls]
    for begin in rng.uniform(0, since_ns[-1], stalls):
        end = begin + min(rng.exponential(10 * S), since_ns[-1] / 20)
        arrived_ns[(arrived_ns >= begin) & (arrived_ns < end)] = int(end)
    return Run(since_ns.astype(np.int64) + begin_ns, ticks, np.maximum.accumulate(arrived_ns) + begin_ns)


def join(*runs: Run) -> Run:
    return Run(*(np.concatenate(columns) for columns in zip(*runs, strict=True)))


def follow(run: Run, clock: DeviceClock | None = None) -> tuple[DeviceClock, NDArray[np.int64], NDArray[np.int64]]:
    """Return the clock, how late each time is, and the stated uncertainties; check what always holds."""
    clock = clock or DeviceClock()
    times_ns, uncertainty_ns = clock.follow(run.ticks, run.arrived_ns)
    assert (np.diff(times_ns) >= 0).all()
    assert (times_ns <= run.arrived_ns).all()
    assert (uncertainty_ns >= 0).all()
    return clock, times_ns - run.logged_ns, uncertainty_ns


def smallest_offset_errors(run: Run) -> NDArray[np.int64]:
    """How late the times are by the plain rule, device time plus the smallest offset so far."""
    device_ns = run.ticks * MS
    errors: NDArray[np.int64] = device_ns + np.minimum.accumulate(run.arrived_ns - device_ns) - run.logged_ns
    return errors


def share_covered(errors_ns: NDArray[np.int64], uncertainty_ns: NDArray[np.int64]) -> float:
    return float(np.mean(np.abs(errors_ns) <= uncertainty_ns))


@given(
    seed=st.integers(0, 1 << 32),
    period_ms=st.sampled_from([1.0, 3.3, 10.02, 100.0, 1000.0]),
    drift_ppm=st.floats(-5000, 5000),
    jitter_ms=st.floats(0.05, 10),
    stalls=st.integers(0, 5),
    first_ticks=st.integers(0, (1 << 32) - 1),
)
def test_nineteen_of_twenty_messages_lie_within_their_uncertainty(
    seed: int, period_ms: float, drift_ppm: float, jitter_ms: float, stalls: int, first_ticks: int
) -> None:
    run = simulate(seed, 20_000, period_ms, drift_ppm, jitter_ms=jitter_ms, stalls=stalls, first_ticks=first_ticks)
    clock, errors_ns, uncertainty_ns = follow(run)
    common_latency_ns = int((run.arrived_ns - run.logged_ns).min())
    assert share_covered(errors_ns - common_latency_ns, uncertainty_ns) >= (0.95 if jitter_ms < period_ms else 0.7)
    assert clock.restarts == 0
    assert clock.wraps == (int(run.ticks[0]) + 20_000 * period_ms * (1 + drift_ppm * 1e-6) >= (1 << 32) + period_ms)
    if clock.drift_ppm is not None:
        assert clock.drift_uncertainty_ppm is not None
        assert abs(clock.drift_ppm - drift_ppm) <= 4 * clock.drift_uncertainty_ppm + 1


def test_of_all_messages_of_many_devices_nineteen_of_twenty_lie_within_their_uncertainty() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for seed in range(60):
        period_ms, jitter_ms = float(rng.choice([1, 3.3, 10.02, 100, 1000])), rng.uniform(0.05, 10)
        run = simulate(seed, 10_000, period_ms, rng.uniform(-5000, 5000), jitter_ms=jitter_ms, stalls=seed % 4)
        _, errors_ns, uncertainty_ns = follow(run)
        common_latency_ns = int((run.arrived_ns - run.logged_ns).min())
        covered.append(share_covered(errors_ns - common_latency_ns, uncertainty_ns))
    assert np.mean(covered) >= 0.99


@pytest.mark.parametrize("drift_ppm", [50, -50, 5000, -5000])
def test_a_clock_that_is_fast_or_slow_is_followed_for_days(drift_ppm: int) -> None:
    run = simulate(1, 3 * 86_400, 1000, drift_ppm, jitter_ms=5)
    clock, errors_ns, _ = follow(run)
    settled = np.abs(errors_ns[3600:])
    assert settled.max() < 2.5 * MS
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=5)
    assert clock.jitter_ns == pytest.approx(4.2 * MS, rel=0.1)
    if drift_ppm < 0:
        # With a slow clock the plain rule gets ever earlier: after three days by three days times the drift.
        assert smallest_offset_errors(run)[-1] < 0.99 * 3 * 86_400 * S * drift_ppm * 1e-6


def test_drift_is_not_known_from_a_few_messages() -> None:
    clock, _, uncertainty_ns = follow(simulate(1, 10, 100, 50))
    assert clock.drift_ppm is None
    assert clock.drift_uncertainty_ppm is None
    assert uncertainty_ns[0] > 10 * MS
    assert DeviceClock().jitter_ns is None


def test_a_stalled_reader_does_not_bend_the_line() -> None:
    run = simulate(2, 60_000, 10, -300)
    is_away = (run.arrived_ns >= BEGIN_NS + 200 * S) & (run.arrived_ns < BEGIN_NS + 247 * S)
    run.arrived_ns[is_away] = BEGIN_NS + 247 * S
    clock, errors_ns, _ = follow(run)
    assert np.abs(errors_ns[3000:]).max() < 1.5 * MS
    assert clock.restarts == 0


@pytest.mark.parametrize(("period_ms", "poll_ms"), [(1, 100.07), (10.02, 497), (100.3, 1000.7)])
def test_a_polled_board_is_as_precise_as_one_that_prints(period_ms: float, poll_ms: float) -> None:
    run = simulate(3, 50_000, period_ms, -80, poll_ms=poll_ms)
    _, errors_ns, uncertainty_ns = follow(run)
    assert share_covered(errors_ns, uncertainty_ns) >= 0.95
    assert np.median(np.abs(errors_ns)) < 4 * MS


@pytest.mark.parametrize("wander_ppm_min", [1, -1, 20, -20])
def test_drift_that_changes_with_the_temperature_is_followed(wander_ppm_min: float) -> None:
    run = simulate(4, 36_000, 100, -200, wander_ppm_min=wander_ppm_min)
    _, errors_ns, uncertainty_ns = follow(run)
    assert share_covered(errors_ns, uncertainty_ns) >= 0.95
    assert np.abs(errors_ns[1000:]).max() < 20 * MS


def test_a_reset_board_keeps_the_drift_of_its_crystal() -> None:
    first = simulate(5, 30_000, 10, 2000, first_ticks=5000)
    second = simulate(6, 30_000, 10, 2000, first_ticks=20, begin_ns=BEGIN_NS + 302 * S)
    clock, errors_ns, uncertainty_ns = follow(join(first, second))
    assert (clock.restarts, clock.restarted_at) == (1, [30_000])
    assert np.abs(errors_ns[30_100:]).max() < 1.5 * MS
    assert share_covered(errors_ns, uncertainty_ns) >= 0.95


def test_a_reset_that_shows_no_step_back_is_found_by_the_lost_time() -> None:
    first = simulate(5, 500, 10)
    second = simulate(6, 30_000, 10, first_ticks=20_000, begin_ns=BEGIN_NS + 65 * S)
    clock, errors_ns, _ = follow(join(first, second))
    assert clock.restarts == 1
    assert np.abs(errors_ns[500 : 500 + 200]).min() > 40 * S
    assert np.abs(errors_ns[500 + 3_000 :]).max() < 2 * MS


def test_a_clock_that_is_set_forward_begins_a_new_line_at_once() -> None:
    first = simulate(5, 3000, 10)
    second = simulate(6, 3000, 10, first_ticks=1_500_000_000_000, wrap=1 << 60, begin_ns=BEGIN_NS + 30 * S)
    clock, errors_ns, _ = follow(join(first, second))
    assert clock.restarts == 0
    assert np.abs(errors_ns[3000:]).max() < 5 * MS


@pytest.mark.parametrize("wrong", [4_000_000_000, 3, 1 << 55, 1 << 62, -1])
def test_one_wrong_number_is_no_restart(wrong: int) -> None:
    run = simulate(7, 30_000, 10, -300, first_ticks=50_000)
    run.ticks[20_000] = wrong
    clock, errors_ns, _ = follow(run)
    right = np.delete(errors_ns, 20_000)
    assert np.abs(right[3000:]).max() < 2 * MS
    assert (clock.restarts, clock.restarted_at) == (0, [])


def test_a_wrap_and_a_restart_in_one_read_are_told_apart() -> None:
    ticks = np.array([(1 << 32) - 100, (1 << 32) - 50, 0, 50, 10, 60], np.int64)
    arrived_ns = np.repeat(np.array([BEGIN_NS, BEGIN_NS + 300 * MS]), [1, 5])
    clock = DeviceClock()
    times_ns = clock.times_ns(ticks, arrived_ns)
    assert (clock.wraps, clock.restarts, clock.restarted_at) == (1, 1, [4])
    assert (np.diff(times_ns) // MS).tolist() == [50, 50, 50, 100, 50]
    assert times_ns[-1] == arrived_ns[-1]


def test_restarts_are_told_by_place_whatever_cannot_be_read_between() -> None:
    ticks = np.array([-1, 5000, -1, 6000, -1, 10, 1010, -1, 20], np.int64)
    arrived_ns = BEGIN_NS + np.arange(9) * S
    clock = DeviceClock()
    clock.times_ns(ticks[:4], arrived_ns[:4])
    assert clock.restarted_at == []
    clock.times_ns(ticks[4:], arrived_ns[4:])
    assert (clock.restarts, clock.restarted_at) == (2, [1, 4])
    clock.times_ns(ticks[:0], arrived_ns[:0])
    assert clock.restarted_at == []


@pytest.mark.parametrize("away_s", [10, 60, 70, 200, 1000])
def test_a_short_counter_may_wrap_while_the_board_is_away(away_s: int) -> None:
    first = simulate(8, 20_000, 10, wrap=1 << 16)
    begin_ms = 200_000 + away_s * 1000
    second = simulate(9, 20_000, 10, first_ticks=begin_ms, wrap=1 << 16, begin_ns=BEGIN_NS + begin_ms * MS)
    clock, errors_ns, _ = follow(join(first, second), DeviceClock(MS, 1 << 16))
    assert np.abs(errors_ns[20_000 + 100 :]).max() < 2 * MS
    assert clock.wraps == (begin_ms + 200_000 - 10) >> 16
    assert clock.restarts == 0


def test_a_device_that_sends_unix_time_needs_no_setting() -> None:
    run = simulate(10, 20_000, 10)
    for tick_ns in (1, 1000, MS, S):
        ticks = (run.logged_ns + 37 * MS) // tick_ns
        clock, errors_ns, _ = follow(run._replace(ticks=ticks), DeviceClock(tick_ns, None))
        assert np.abs(errors_ns[1000:]).max() <= tick_ns + MS
        assert clock.restarts == 0


def test_lateness_that_lasts_is_taken_for_the_way() -> None:
    """What cannot be seen: half a second more on the way, for longer than two minutes, looks like a slower clock."""
    run = simulate(11, 60_000, 10)
    run.arrived_ns[30_000:] += 500 * MS
    _, errors_ns, _ = follow(run)
    assert np.abs(errors_ns[1000:40_000]).max() < 2 * MS
    assert np.abs(errors_ns[-1000:] - 500 * MS).max() < 20 * MS


@given(
    seed=st.integers(0, 1 << 32),
    poll_ms=st.sampled_from([0.0, 37.0, 500.0]),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    drift_ppm=st.floats(-5000, 5000),
)
def test_times_do_not_depend_on_how_the_run_is_cut(
    seed: int, poll_ms: float, cuts: list[int], drift_ppm: float
) -> None:
    run = simulate(seed, 3000, 20, drift_ppm, poll_ms=poll_ms, stalls=2, first_ticks=(1 << 32) - 20_000)
    run.ticks[2000:] -= run.ticks[2000]
    whole = DeviceClock()
    expected = whole.follow(run.ticks, run.arrived_ns)
    ends = np.append(np.flatnonzero(np.diff(run.arrived_ns)) + 1, 3000)
    bounds = [0, *sorted(int(ends[np.searchsorted(ends, cut)]) for cut in cuts), 3000]
    clock = DeviceClock()
    parts = []
    for start, stop in itertools.pairwise(bounds):
        clock = copy.deepcopy(clock)
        parts.append(clock.follow(run.ticks[start:stop], run.arrived_ns[start:stop]))
    for column, name in enumerate(("times", "uncertainty")):
        assert np.array_equal(np.concatenate([part[column] for part in parts]), expected[column]), name
    assert (clock.drift_ppm, clock.jitter_ns, clock.restarts) == (whole.drift_ppm, whole.jitter_ns, whole.restarts)


def test_a_cut_through_a_read_changes_nothing_behind_that_read() -> None:
    run = simulate(12, 5000, 10, 100, poll_ms=200)
    expected = DeviceClock().times_ns(run.ticks, run.arrived_ns)
    ends = np.append(np.flatnonzero(np.diff(run.arrived_ns)) + 1, 5000)
    for cut in (5, 1003, 4444):
        clock = DeviceClock()
        clock.times_ns(run.ticks[:cut], run.arrived_ns[:cut])
        behind = int(ends[np.searchsorted(ends, cut)])
        times_ns = clock.times_ns(run.ticks[cut:], run.arrived_ns[cut:])
        assert np.array_equal(times_ns[behind - cut :], expected[behind:])
