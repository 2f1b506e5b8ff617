"""What plots draw, and how their time axis is labelled."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PyQt5.QtCore import QEvent, Qt
from PyQt5.QtGui import QHelpEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from blitz.data.records import Gap
from blitz.ui.history import RUN, History, _coarsen
from blitz.ui.live_rings import Series, with_breaks
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import MOST_SMOOTH_POINTS, Curve, TimePlot
from blitz.ui.plots.history_plot import HistoryPlot
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


def shown_plot(qtbot: QtBot) -> TimePlot:
    """A plot that was laid out and painted once."""
    plot = TimePlot()
    qtbot.addWidget(plot)
    plot.resize(1200, 300)
    plot.show()
    plot.grab()
    return plot


def curve(count: int = 100, colour: int = 0, key: str = "a") -> Curve:
    return Curve(key, key, colour, NOON + np.arange(count) / 10, np.sin(np.arange(count) / 9))


@pytest.mark.usefixtures("berlin")
def test_the_axis_shows_local_time_with_hour_and_minute_when_zoomed_in(qtbot: QtBot) -> None:
    axis = shown_plot(qtbot).time_axis
    assert labels(axis, NOON, NOON + 4)[0].startswith("13:00:0")
    assert "." in labels(axis, NOON, NOON + 0.5)[0]
    assert labels(axis, NOON, NOON + 3600)[0].startswith("13:")
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    assert labels(axis, summer, summer + 3600)[0].startswith("14:")


def test_the_axis_counts_from_the_start_on_request(qtbot: QtBot) -> None:
    axis = TimeAxis()
    axis.count_from(NOON)
    assert axis.is_relative
    assert labels(axis, NOON, NOON + 50)[0] == "0:00"
    assert labels(axis, NOON + 3600, NOON + 7300)[0].startswith("1:")
    assert labels(axis, NOON - 0.4, NOON + 0.4)[0].startswith("−0:00.")


def test_a_curve_is_thinned_to_the_screen_and_keeps_its_extremes(qtbot: QtBot) -> None:
    plot = TimePlot()
    qtbot.addWidget(plot)
    plot.resize(600, 300)
    long = Curve("a", "a", 0, NOON + np.arange(100_000) / 10, np.random.default_rng(1).normal(size=100_000))
    assert plot.draw([long], 10_000) == (long.values.min(), long.values.max())
    drawn, _ = plot._drawn["a"]
    assert len(drawn.getData()[0]) <= 2 * plot.columns
    assert plot.draw([], 1) is None
    assert plot._drawn == {}


def test_few_readings_are_dots_and_many_points_are_not_smoothed(qtbot: QtBot) -> None:
    plot = shown_plot(qtbot)
    plot.draw([curve(20)], 2)
    drawn, _ = plot._drawn["a"]
    assert drawn.opts["symbol"] == "o"
    assert drawn.opts["antialias"]
    many = [curve(2000, key=str(n)) for n in range(MOST_SMOOTH_POINTS // 1500)]
    plot.draw(many, 200)
    drawn, _ = plot._drawn["0"]
    assert drawn.opts["symbol"] is None
    assert not drawn.opts["antialias"]


def test_colours_follow_the_theme_and_repeat_dashed(qtbot: QtBot) -> None:
    plot = TimePlot()
    qtbot.addWidget(plot)
    for theme in (LIGHT, DARK):
        plot.set_theme(theme)
        plot.draw([curve(), curve(colour=8, key="b")], 10)
        (first, _), (ninth, _) = plot._drawn["a"], plot._drawn["b"]
        assert first.opts["pen"].color().name() == theme.channels[0] == ninth.opts["pen"].color().name()
        assert (first.opts["pen"].style(), ninth.opts["pen"].style()) == (Qt.SolidLine, Qt.DashLine)


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
    coarse = _coarsen(Series(NOON + np.arange(len(values)), values))
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
    qtbot.waitUntil(lambda: len(plot._drawn) == 2, timeout=20_000)
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


def test_a_gap_says_in_a_tooltip_what_is_known_of_it(qtbot: QtBot) -> None:
    plot = shown_plot(qtbot)
    plot.set_theme(LIGHT)
    plot.setXRange(NOON, NOON + 100, padding=0)
    noon_ns = round(NOON * 1e9)
    gap = Gap(source=0, seq=5, from_ns=noon_ns + 40 * 10**9, to_ns=noon_ns + 60 * 10**9, reason="unplugged", lost=200)
    plot.show_gaps((gap,), {0: "pump"})
    plot.grab()
    box = plot.getViewBox()
    place = plot.mapFromScene(box.mapViewToScene(pg.Point(NOON + 50, box.viewRange()[1][0] + 0.1)))
    QApplication.sendEvent(plot.viewport(), QHelpEvent(QEvent.ToolTip, place, plot.viewport().mapToGlobal(place)))
    assert QToolTip.text().startswith("Gap of pump at ")
    assert QToolTip.text().endswith("20 s, unplugged, about 200 messages missing")
    QToolTip.hideText()
    plot.set_theme(DARK)
    assert len(plot._gaps._marks) == 1
    plot.show_gaps(())
    assert plot._gaps._marks == {}


def test_limits_are_drawn_and_an_own_colour_is_kept(qtbot: QtBot) -> None:
    plot = shown_plot(qtbot)
    plot.set_theme(LIGHT)
    times = NOON + np.arange(50.0)
    plot.draw([Curve("a", "a", 9, times, times - NOON, "#aa00bb", (3.0, 7.0)), Curve("b", "b", 1, times, times)], 50)
    drawn, _ = plot._drawn["a"]
    assert drawn.opts["pen"].color().name() == "#aa00bb"
    assert drawn.opts["pen"].style() == Qt.SolidLine
    assert len(plot._limits._drawn) == 3
    plot.draw([Curve("b", "b", 1, times, times, "", (None, 5.0))], 50)
    assert len(plot._limits._drawn) == 1
    plot.draw([], 50)
    assert plot._limits._drawn == []


def test_a_history_marks_the_gaps_of_what_is_shown(history: History, qtbot: QtBot) -> None:
    gaps = tuple(Gap(source=source, seq=9, from_ns=1, to_ns=2, reason="unplugged") for source in (0, 1))
    record = history.record.model_copy(update={"gaps": gaps})
    plot = HistoryPlot(dataclasses.replace(history, record=record))
    qtbot.addWidget(plot)
    plot.show_channels(((history.channels[0], 0),))
    assert list(plot._gaps._marks) == [gaps[0]]
