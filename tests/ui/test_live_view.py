"""What the live plot shows: following, looking back, paused; and what a crosshair tells. Without a window."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from blitz.data.records import Gap
from blitz.ui.lines import with_breaks
from blitz.ui.live_store import LiveStore
from blitz.ui.live_view import LiveView
from blitz.ui.readings_at import next_time, previous_time, reading_at
from blitz.ui.windows import PlotWindow

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def store(make: Any) -> LiveStore:
    """Holds 1000 readings in full, a tenth of a second apart."""
    store = LiveStore(recent=1000, runs=64)
    store.follow(7, [make.source(0)])
    return store


@pytest.fixture
def feed_store(store: LiveStore, make: Any) -> Any:
    """Adds readings; reading n has the time START_S + n / 10 and the value 10 n."""

    def add(count: int, first: int = 0) -> None:
        store.add(make.readings(make.source(0), count, first=first, session_id=7))

    return add


def numbers(view: LiveView) -> list[int]:
    """Which readings are shown."""
    values = view.series(0).values[:, 0]
    return [round(value / 10) for value in values[~np.isnan(values)]]


def test_following_moves_along_with_the_newest_readings(store: LiveStore, feed_store: Any) -> None:
    view = LiveView(store, PlotWindow.SECONDS_10)
    assert view.time_range([]) is None
    feed_store(200)
    assert view.time_range([view.series(0)]) == pytest.approx((START_S + 9.9, START_S + 19.9))
    assert numbers(view) == list(range(99, 200))
    feed_store(10, first=200)
    assert view.time_range([view.series(0)]) == pytest.approx((START_S + 10.9, START_S + 20.9))
    assert view.is_following
    assert view.words(0) == "Following, the last 10 s"


def test_a_window_by_count_reaches_from_its_first_reading_to_the_newest(store: LiveStore, feed_store: Any) -> None:
    view = LiveView(store, PlotWindow.LAST_10)
    feed_store(50)
    assert numbers(view) == list(range(40, 50))
    assert view.time_range([view.series(0)]) == pytest.approx((START_S + 4.0, START_S + 4.9))


def test_a_range_chosen_by_hand_stays_while_everything_goes_on_arriving(store: LiveStore, feed_store: Any) -> None:
    view = LiveView(store, PlotWindow.SECONDS_10)
    feed_store(100)
    view.look_at(START_S + 2.0, START_S + 3.0)
    assert (view.is_following, view.is_paused) == (False, False)
    feed_store(300, first=100)
    assert view.time_range([]) == pytest.approx((START_S + 2.0, START_S + 3.0))
    assert numbers(view) == list(range(19, 32))  # and one beyond each edge
    assert view.words(0).startswith("Looking at ")
    view.follow()
    assert view.is_following
    assert numbers(view)[-1] == 399


def test_a_pause_keeps_the_picture_and_says_how_much_came_since(store: LiveStore, feed_store: Any) -> None:
    view = LiveView(store, PlotWindow.SECONDS_10)
    feed_store(200)
    view.pause_at(1000.0)
    before, span = numbers(view), view.time_range([])
    feed_store(240, first=200)
    assert (numbers(view), view.time_range([])) == (before, span)
    assert view.words(1012.3) == "Paused 12 s ago, 240 messages since"
    view.resume()
    assert numbers(view)[-1] == 439
    assert view.is_following


@pytest.mark.parametrize(("window", "shown"), [(PlotWindow.LAST_10, range(190, 200)), (PlotWindow.ALL, range(200))])
def test_another_window_during_a_pause_ends_where_the_pause_began(
    store: LiveStore, feed_store: Any, window: PlotWindow, shown: range
) -> None:
    view = LiveView(store)
    feed_store(200)
    view.pause_at(0.0)
    feed_store(100, first=200)
    view.choose_window(window)
    assert view.is_paused
    assert numbers(view) == list(shown)


def test_after_a_pause_the_plot_goes_on_as_before_whatever_was_looked_at(store: LiveStore, feed_store: Any) -> None:
    view = LiveView(store)
    feed_store(100)
    view.pause_at(0.0)
    view.look_at(START_S, START_S + 30)
    feed_store(100, first=100)
    assert numbers(view)[-1] == 99
    view.resume()
    assert view.is_following
    view.look_at(START_S, START_S + 1)
    view.pause_at(0.0)
    view.look_at(START_S + 4, START_S + 5)
    view.resume()
    assert view.held == pytest.approx((START_S, START_S + 1))


def test_there_is_no_pause_before_the_first_reading(store: LiveStore) -> None:
    view = LiveView(store)
    view.pause_at(0.0)
    assert not view.is_paused


def test_another_session_is_followed_from_its_beginning(store: LiveStore, feed_store: Any, make: Any) -> None:
    view = LiveView(store)
    feed_store(100)
    view.pause_at(0.0)
    assert not view.see_session()
    store.follow(8, [make.source(0)])
    assert view.see_session()
    assert view.is_following


def test_looking_back_beyond_what_is_kept_in_full_shows_minima_and_maxima(store: LiveStore, feed_store: Any) -> None:
    for first in range(0, 20_000, 100):
        feed_store(100, first=first)
    view = LiveView(store)
    view.look_at(START_S + 100, START_S + 400)
    series = view.series(0)
    assert series.is_coarse
    assert len(series.times) < 64
    # A run beyond each edge, which may reach as far as a run is long.
    assert series.values[0, 0] <= 10_000
    assert 30_000 <= series.values[-1, 0] <= 52_000
    assert series.times[0] <= START_S + 100
    assert series.times[-1] >= START_S + 400
    view.look_at(START_S + 1950, START_S + 1951)
    assert not view.series(0).is_coarse
    assert numbers(view) == list(range(19_499, 19_512))


def test_a_crosshair_tells_the_reading_at_or_before(store: LiveStore, feed_store: Any) -> None:
    feed_store(100)

    def at(seconds: float) -> list[float] | None:
        found = reading_at(store.around(0, START_S + seconds), START_S + seconds)
        return None if found is None else [float(found[0][0]), float(found[1][3])]

    assert at(5.04) == [500.0, 503.0]
    assert at(9.9 + 0.01) == [990.0, 993.0]
    assert at(-0.1) is None
    assert at(20.0) is None  # long after the newest one
    assert reading_at(store.around(5, START_S), START_S) is None


def test_a_crosshair_tells_nothing_in_a_gap(store: LiveStore, feed_store: Any) -> None:
    feed_store(50)
    feed_store(50, first=80)
    assert reading_at(store.around(0, START_S + 6.0), START_S + 6.0) is None
    last = reading_at(store.around(0, store.between(0, START_S, START_S + 4.95).times[49]), START_S + 4.9)
    assert last is not None
    assert last[0][0] == 490.0
    store.mark_gap(Gap(source=0, seq=20, from_ns=5, to_ns=6, reason="numbers are missing", lost=4))
    assert reading_at(store.around(0, START_S + 1.95), START_S + 1.95) is None


def test_a_crosshair_tells_extremes_where_single_readings_are_not_kept(store: LiveStore, feed_store: Any) -> None:
    for first in range(0, 20_000, 100):
        feed_store(100, first=first)
    found = reading_at(store.around(0, START_S + 300), START_S + 300)
    assert found is not None
    low, high = found[0][0], found[1][0]
    assert low <= 30_000 <= high
    assert high > low


def test_readings_are_stepped_through_in_either_direction() -> None:
    one, other = (with_breaks(np.array(times), np.zeros((len(times), 1))) for times in ([1.0, 2.0, 3.0], [2.5]))
    assert [next_time((one, other), at) for at in (0.0, 1.0, 2.0, 2.6, 3.0)] == [1.0, 2.0, 2.5, 3.0, None]
    assert [previous_time((one, other), at) for at in (1.0, 2.2, 3.0)] == [None, 2.0, 2.5]
    assert next_time((), 1.0) is None
