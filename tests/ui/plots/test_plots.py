"""What plots draw, and how their time axis is labelled."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz.data.records import Gap
from blitz.ui.history import RUN, History, _coarsen
from blitz.ui.lines import Series, with_breaks
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import Curve
from blitz.ui.plots.history_plot import HistoryPlot
from blitz.ui.plots.strokes import pen_of, thin
from blitz.ui.plots.time_axis import TimeAxis
from blitz.ui.theme import DARK, LIGHT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def labels(axis: TimeAxis, low: float, high: float) -> list[str]:
    spacing, values = next(level for level in axis.tickValues(low, high, 800) if len(level[1]))
    return list(axis.tickStrings(list(values), 1.0, spacing))


def curve(count: int = 100, colour: int = 0, key: str = "a") -> Curve:
    return Curve(key, key, colour, NOON + np.arange(count) / 10, np.sin(np.arange(count) / 9))


@pytest.mark.usefixtures("berlin")
@pytest.mark.usefixtures("qapp")
def test_the_axis_shows_local_time_with_hour_and_minute_when_zoomed_in() -> None:
    axis = TimeAxis()
    assert labels(axis, NOON, NOON + 4)[0].startswith("13:00:0")
    assert "." in labels(axis, NOON, NOON + 0.5)[0]
    assert labels(axis, NOON, NOON + 3600)[0].startswith("13:")
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    assert labels(axis, summer, summer + 3600)[0].startswith("14:")


@pytest.mark.usefixtures("qapp")
def test_the_axis_counts_from_the_start_on_request() -> None:
    axis = TimeAxis()
    axis.count_from(NOON)
    assert axis.is_relative
    assert labels(axis, NOON, NOON + 50)[0] == "0:00"
    assert labels(axis, NOON + 3600, NOON + 7300)[0].startswith("1:")
    assert labels(axis, NOON - 0.4, NOON + 0.4)[0].startswith("−0:00.")
    # Steps are round for people who count minutes, and no label is another time than its line.
    assert labels(axis, NOON, NOON + 720)[:3] == ["0:00", "2:00", "4:00"]
    assert labels(axis, NOON, NOON + 20)[:3] == ["0:00", "0:02", "0:04"]


def test_a_curve_is_thinned_to_the_screen_and_keeps_its_extremes() -> None:
    long = Curve("a", "a", 0, NOON + np.arange(100_000) / 10, np.random.default_rng(1).normal(size=100_000))
    stroke = thin(long, 600, 10_000, lambda curve: pen_of(curve, LIGHT))
    assert len(stroke.times) <= 1200
    assert (stroke.values.min(), stroke.values.max()) == (long.values.min(), long.values.max())
    assert not stroke.has_dots


def test_few_readings_are_dots() -> None:
    assert thin(curve(20), 600, 2, lambda curve: pen_of(curve, LIGHT)).has_dots
    assert not thin(curve(20), 600, 2000, lambda curve: pen_of(curve, LIGHT)).has_dots


def test_readings_that_stand_close_are_no_dots_beside_a_long_gap() -> None:
    times = NOON + np.concatenate([np.arange(40), 300 + np.arange(40)]) / 10
    gapped = Curve("a", "a", 0, times, np.sin(times))
    assert not thin(gapped, 800, 35, lambda curve: pen_of(curve, LIGHT)).has_dots
    assert thin(gapped, 800, 5, lambda curve: pen_of(curve, LIGHT)).has_dots


def test_colours_follow_the_theme_and_repeat_with_other_lines() -> None:
    for theme in (LIGHT, DARK):
        pens = [pen_of(curve(colour=place), theme) for place in range(32)]
        assert pens[0].color().name() == theme.channels[0] == pens[8].color().name()
        assert len({(pen.color().name(), pen.style()) for pen in pens}) == 32
    own = Curve("a", "a", 9, np.empty(0), np.empty(0), "#aa00bb")
    assert (pen_of(own, LIGHT).color().name(), pen_of(own, LIGHT).style()) == ("#aa00bb", Qt.SolidLine)


@pytest.fixture
def history(make: Any) -> History:
    source = make.source(0)
    readings = make.readings(source, 40_000, step_s=0.01)
    series = with_breaks(readings.time_ns / 1e9, readings.values)
    channels = tuple(LiveChannel(source, n, channel, channel.name) for n, channel in enumerate(readings.channels))
    return History(make.session(), channels, {0: series}, {0: _coarsen(series)})


def test_a_history_gives_what_a_view_needs(history: History) -> None:
    low, high = history.time_limits or (0.0, 0.0)
    assert high - low == pytest.approx(399.99)
    whole = history.between(0, low, high, 100)
    assert whole is not None
    assert len(whole.times) == 2 * (40_000 // RUN)
    assert (whole.values[0, 0], whole.values[-1, 0]) == (0.0, 399_990.0)
    part = history.between(0, low + 1.001, low + 1.049, 100)
    assert part is not None
    assert part.values[:, 0].tolist() == [1000.0, 1010.0, 1020.0, 1030.0, 1040.0, 1050.0]
    assert history.between(5, low, high, 100) is None


def test_a_coarse_view_keeps_breaks_and_extremes() -> None:
    values = np.arange(RUN * 3 + 5, dtype=np.float64).reshape(-1, 1)
    values[RUN + 3] = np.nan
    coarse = _coarsen(Series(NOON + np.arange(float(len(values))), values))
    assert np.isnan(coarse.values).sum() == 1
    assert np.nanmax(coarse.values) == len(values) - 1
    assert (np.diff(coarse.times) >= 0).all()
    assert len(_coarsen(Series(np.empty(0), np.empty((0, 2)))).times) == 0


def test_a_historic_session_is_moved_through_by_keys(history: History, qtbot: QtBot) -> None:
    plot = HistoryPlot(history)
    qtbot.addWidget(plot)
    plot.resize(800, 400)
    plot.set_theme(LIGHT)
    plot.show_channels(tuple((channel, n) for n, channel in enumerate(history.channels[:2])))
    plot.show()
    qtbot.waitUntil(lambda: len(plot.strokes) == 2, timeout=20_000)
    whole = plot.time_range
    with qtbot.waitSignal(plot.moved, timeout=20_000):
        QTest.keyClick(plot, Qt.Key_Plus)
    near = plot.time_range
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.05)
    QTest.keyClick(plot, Qt.Key_Right)
    assert plot.time_range[0] > near[0]
    QTest.keyClick(plot, Qt.Key_Left)
    assert plot.time_range[0] == pytest.approx(near[0])
    QTest.keyClick(plot, Qt.Key_Home)
    assert plot.time_range == pytest.approx(whole)
    plot.set_relative(True)
    assert plot.time_axis.is_relative


def test_a_history_marks_the_gaps_of_what_is_shown(history: History, qtbot: QtBot) -> None:
    gaps = tuple(Gap(source=source, seq=9, from_ns=1, to_ns=2, reason="unplugged") for source in (0, 1))
    record = history.record.model_copy(update={"gaps": gaps})
    plot = HistoryPlot(dataclasses.replace(history, record=record))
    qtbot.addWidget(plot)
    plot.show_channels(((history.channels[0], 0),))
    assert plot.gaps == (gaps[0],)
