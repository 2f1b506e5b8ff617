"""The live store: windows, gaps, bounds."""

from typing import Any

import numpy as np
import pytest

from blitz.data.records import Gap
from blitz.ui.live_rings import with_breaks
from blitz.ui.live_store import LiveStore
from blitz.ui.windows import PlotWindow


@pytest.fixture
def store(make: Any) -> LiveStore:
    store = LiveStore(recent=1000, overview=64)
    store.follow(7, [make.source(0)])
    return store


def test_a_window_by_count_holds_the_newest_readings(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 60, session_id=7))
    shown = store.series(0, PlotWindow.LAST_10)
    assert shown.values[:, 0].tolist() == [10.0 * n for n in range(50, 60)]
    assert len(store.series(0, PlotWindow.LAST_50).times) == 50


def test_a_window_by_time_ends_at_the_newest_reading_of_any_source(store: LiveStore, make: Any) -> None:
    store.follow(7, [make.source(0), make.source(1)])
    store.add(make.readings(make.source(0), 500, session_id=7))
    store.add(make.readings(make.source(1), 100, session_id=7))
    assert len(store.series(0, PlotWindow.SECONDS_30).times) == 301
    assert len(store.series(1, PlotWindow.SECONDS_10).times) == 0


def test_readings_of_another_session_are_dropped(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 5, session_id=6))
    assert store.newest_time() is None


def test_following_another_session_begins_empty_and_the_same_one_goes_on(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 5, session_id=7))
    store.follow(7, [make.source(0), make.source(1)])
    assert store.count(0) == 5
    store.follow(8, [make.source(0)])
    assert store.count(0) == 0


def test_channels_that_share_a_name_are_labelled_with_their_source(store: LiveStore, make: Any) -> None:
    store.follow(7, [make.source(0), make.source(1)])
    assert store.channels[0].label == "sim1 adc_channel_one"


def test_a_line_breaks_where_more_than_three_periods_are_missing(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 20, session_id=7))
    store.add(make.readings(make.source(0), 20, first=24, session_id=7))
    shown = store.series(0, PlotWindow.ALL)
    assert np.flatnonzero(np.isnan(shown.values[:, 0])).tolist() == [20]
    assert len(with_breaks(np.array([0.0, 1.0, 4.0]), np.zeros((3, 1))).times) == 3


def test_a_gap_breaks_the_line_and_is_no_reading(store: LiveStore, make: Any) -> None:
    readings = make.readings(make.source(0), 5, session_id=7)
    store.add(readings)
    store.mark_gap(Gap(source=0, seq=5, from_ns=int(readings.time_ns[-1]) + 1, to_ns=0, reason="unplugged"))
    store.add(make.readings(make.source(0), 5, first=5, session_id=7))
    assert np.isnan(store.series(0, PlotWindow.ALL).values[5]).all()
    assert store.last(0, 10).values[:, 0].tolist() == [10.0 * n for n in range(10)]


def test_a_long_session_stays_bounded_and_keeps_its_extremes(store: LiveStore, make: Any) -> None:
    source = make.source(0)
    for first in range(0, 40_000, 100):
        store.add(make.readings(source, 100, first=first, session_id=7))
    shown = store.series(0, PlotWindow.ALL)
    assert store.count(0) == 1000
    assert len(shown.times) < 2500
    assert shown.values[0, 0] == 0.0
    assert np.nanmax(shown.values[:, 0]) == 399_990.0
    assert (np.diff(shown.times) >= 0).all()
    assert len(store.series(0, PlotWindow.SECONDS_30).times) == 301


def test_a_gap_long_ago_still_breaks_the_overview(store: LiveStore, make: Any) -> None:
    source = make.source(0)
    store.add(make.readings(source, 500, session_id=7))
    store.mark_gap(Gap(source=0, seq=500, from_ns=0, to_ns=0, reason="unplugged"))
    for first in range(600, 20_000, 100):
        store.add(make.readings(source, 100, first=first, session_id=7))
    is_broken = np.isnan(store.series(0, PlotWindow.ALL).values[:, 0])
    assert np.count_nonzero(np.diff(is_broken.astype(int)) == 1) == 1


def test_one_large_block_fills_the_ring_and_the_overview(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 5000, session_id=7))
    assert store.count(0) == 1000
    shown = store.series(0, PlotWindow.ALL)
    assert shown.values[0, 0] == 0.0
    assert shown.values[-1, 0] == 49_990.0
