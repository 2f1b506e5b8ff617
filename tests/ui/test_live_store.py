"""The live store: windows, gaps, bounds."""

from typing import Any

import numpy as np
import pytest

from blitz.data.records import Gap
from blitz.ui.lines import with_breaks
from blitz.ui.live_store import LiveStore
from blitz.ui.windows import PlotWindow


@pytest.fixture
def store(make: Any) -> LiveStore:
    store = LiveStore(recent=1000, runs=64)
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


def test_a_gap_that_is_told_late_breaks_the_line_where_its_message_is(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 20, session_id=7))
    store.mark_gap(Gap(source=0, seq=12, from_ns=5, to_ns=6, reason="numbers are missing", lost=3, is_exact=True))
    shown = store.series(0, PlotWindow.ALL)
    assert np.flatnonzero(np.isnan(shown.values[:, 0])).tolist() == [12]
    assert store.last(0, 20).values[:, 0].tolist() == [10.0 * n for n in range(20)]


def test_a_gap_without_a_message_breaks_the_line_at_its_time(store: LiveStore, make: Any) -> None:
    readings = make.readings(make.source(0), 20, session_id=7)
    store.add(readings)
    store.mark_gap(Gap(source=0, seq=0, from_ns=int(readings.time_ns[6]) + 1, to_ns=0, reason="unplugged"))
    assert np.flatnonzero(np.isnan(store.series(0, PlotWindow.ALL).values[:, 0])).tolist() == [7]


def test_a_gap_of_which_everything_was_recovered_breaks_nothing(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 20, session_id=7))
    gap = Gap(source=0, seq=12, from_ns=5, to_ns=6, reason="unplugged", lost=4)
    store.mark_gap(gap)
    assert np.isnan(store.series(0, PlotWindow.ALL).values).any()
    store.mark_gap(gap.model_copy(update={"lost": 0, "recovered": 4}))
    assert not np.isnan(store.series(0, PlotWindow.ALL).values).any()
    assert len(store.gaps(0)) == 1


def test_a_gap_told_late_breaks_the_overview_between_its_runs(store: LiveStore, make: Any) -> None:
    for first in range(0, 20_000, 100):
        store.add(make.readings(make.source(0), 100, first=first, session_id=7))
    store.mark_gap(Gap(source=0, seq=9000, from_ns=5, to_ns=6, reason="numbers are missing"))
    shown = store.series(0, PlotWindow.ALL)
    places = np.flatnonzero(np.isnan(shown.values[:, 0]))
    assert len(places) == 1
    assert shown.values[places[0] - 2, 0] < 90_000 <= shown.values[places[0] + 2, 0]


def test_a_hole_breaks_the_overview_too(store: LiveStore, make: Any) -> None:
    for first in [*range(0, 8_000, 100), *range(14_000, 20_000, 100)]:
        store.add(make.readings(make.source(0), 100, first=first, session_id=7))
    places = np.flatnonzero(np.isnan(store.series(0, PlotWindow.ALL).values[:, 0]))
    assert len(places) == 1


def renamed(source: Any, index: int, **fields: Any) -> Any:
    channels = tuple(channel.model_copy(update=fields) for channel in source.definition.channels)
    channels = (channels[0].model_copy(update={"name": "pressure"}), *channels[1:])
    definition = source.definition.model_copy(update={"channels": channels})
    return source.model_copy(update={"index": index, "definition": definition})


def test_a_renamed_channel_goes_on_at_once_with_what_came_before(store: LiveStore, make: Any) -> None:
    old = make.source(0)
    new = renamed(old, 1)
    store.add(make.readings(old, 5, session_id=7))
    store.follow(7, [old, new])
    assert [source.index for source in store.sources] == [1]
    assert store.channels[0].label == "pressure"
    store.add(make.readings(old, 2, first=5, session_id=7))  # on its way when the definition changed
    store.add(make.readings(new, 5, first=7, session_id=7))
    shown = store.series(1, PlotWindow.ALL)
    assert shown.values[:, 0].tolist() == [10.0 * n for n in range(12)]
    assert store.count(0) == 0
    store.mark_gap(Gap(source=0, seq=3, from_ns=5, to_ns=6, reason="numbers are missing"))
    assert np.isnan(store.series(1, PlotWindow.ALL).values[3]).all()


def test_another_scale_converts_what_is_shown(store: LiveStore, make: Any) -> None:
    old = make.source(0)
    for first in range(0, 3000, 100):
        store.add(make.readings(old, 100, first=first, session_id=7))
    store.follow(7, [old, renamed(old, 1, zero=10.0, scale=-2.0)])
    recent, whole = store.series(1, PlotWindow.LAST_10), store.series(1, PlotWindow.ALL)
    assert recent.values[-1, 0] == (29_990 - 10) * -2
    assert (np.nanmax(whole.values[:, 0]), np.nanmin(whole.values[:, 0])) == (20, -59_960)


def test_the_same_row_with_another_definition_goes_on_or_begins_empty(store: LiveStore, make: Any) -> None:
    old = make.source(0)
    store.add(make.readings(old, 5, session_id=7))
    store.follow(7, [renamed(old, 0)])
    assert store.count(0) == 5
    store.follow(7, [make.source(0, "09")])
    assert store.count(0) == 0


def test_a_definition_of_other_channels_begins_empty(store: LiveStore, make: Any) -> None:
    old, new = make.source(0), make.source(0, "09").model_copy(update={"index": 1})
    store.add(make.readings(old, 5, session_id=7))
    store.follow(7, [old, new])
    store.add(make.readings(old, 5, first=5, session_id=7))
    assert store.newest_time() is None
    store.add(make.readings(new, 5, first=10, session_id=7))
    assert store.count(1) == 5
