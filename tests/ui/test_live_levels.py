"""The live view's levels: what is kept, and that what is shown of it is exact."""

import os
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from blitz.data.pyramid_runs import Runs
from blitz.ui.live_levels import FACTOR, LiveLevels

ROUNDS = 400 if os.environ.get("BLITZ_SOAK") else 15


def made(
    rng: np.random.Generator, count: int, channels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Uneven times, some of them equal, and values of which one in a hundred is missing."""
    time_ns = np.cumsum(rng.integers(0, 5, count)) * 1000 + 10**18
    values = rng.normal(size=(count, channels))
    values[rng.random(count) < 0.01] = np.nan
    return time_ns, np.arange(count), values


def added(levels: LiveLevels, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Add readings in pieces of very different sizes."""
    time_ns, seq, values = made(rng, count, levels.channels)
    place = 0
    while place < count:
        part = slice(place, place + int(rng.integers(1, 3000 if rng.random() < 0.1 else 50)))
        levels.add(time_ns[part], seq[part], values[part])
        place = part.stop
    return time_ns, values


def assert_exact(runs: Runs, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    """Every run has the extremes, the times and the holes of its readings; no reading between two runs is left out."""
    for number, (first, stop) in enumerate(zip(runs.first_place, runs.first_place[1:], strict=False)):
        part = values[first:stop]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing but NaN
            np.testing.assert_array_equal(runs.low[:, number], np.nanmin(part, axis=0))
            np.testing.assert_array_equal(runs.high[:, number], np.nanmax(part, axis=0))
        np.testing.assert_array_equal(runs.has_nan[:, number], np.isnan(part).any(axis=0))
        assert (runs.first_ns[number], runs.last_ns[number]) == (time_ns[first], time_ns[stop - 1])
        assert runs.first_seq[number] == first
        steps = np.diff(time_ns[max(first - 1, 0) : stop])
        assert runs.longest_s[number] == pytest.approx(steps.max(initial=0) / 1e9)


def test_any_range_at_any_width_is_shown_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        recent = int(rng.integers(64, 400))
        levels = LiveLevels(int(rng.integers(1, 4)), recent, runs=int(rng.integers(32, 100)))
        time_ns, values = added(levels, rng, int(rng.integers(1, 12_000)))
        assert levels.count <= recent
        for _ in range(10):
            low, high = np.sort(rng.integers(time_ns[0] - 1000, time_ns[-1] + 1000, 2))
            parts = levels.between(int(low), int(high), int(rng.integers(2, 30)))
            assert len(parts) > 0
            runs = Runs.joined(parts)
            assert_exact(runs, time_ns, values)
            inside = np.flatnonzero((time_ns >= low) & (time_ns <= high))
            if len(inside):
                assert runs.last_ns[-1] >= time_ns[inside[-1]]
                assert runs.first_ns[0] <= time_ns[inside[0]]


def test_what_is_touched_for_a_view_stays_small_however_much_there_is() -> None:
    levels = LiveLevels(2, 1 << 14)
    time_ns, seq, values = made(np.random.default_rng(1), 400_000, 2)
    for start in range(0, len(seq), 5000):
        part = slice(start, start + 5000)
        levels.add(time_ns[part], seq[part], values[part])
    for share in (0.001, 0.01, 0.1, 1.0):
        low_ns = int(time_ns[-1] - share * (time_ns[-1] - time_ns[0]))
        runs = sum(len(part) for part in levels.between(low_ns, int(time_ns[-1]), 1000))
        assert min(2000, share * 400_000) <= runs <= 2 * FACTOR * 1000 + 100


def test_an_empty_source_shows_nothing_and_a_single_reading_shows_itself() -> None:
    levels = LiveLevels(3, 100)
    assert levels.between(0, 10, 100) == []
    levels.add(np.array([5]), np.array([0]), np.array([[1.0, np.nan, 3.0]]))
    (runs,) = levels.between(0, 10, 100)
    assert runs.low[:, 0].tolist()[::2] == [1.0, 3.0]
    assert runs.has_nan[:, 0].tolist() == [False, True, False]


def test_another_scale_turns_lowest_and_highest_round() -> None:
    levels = LiveLevels(1, 64, runs=32)
    rng = np.random.default_rng(3)
    time_ns, values = added(levels, rng, 3000)
    levels.convert(np.array([-2.0]), np.array([1.0]))
    runs = Runs.joined(levels.between(int(time_ns[0]), int(time_ns[-1]), 16))
    assert_exact(runs, time_ns, values * -2.0 + 1.0)
