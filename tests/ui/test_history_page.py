"""What an operator does with the plot of a historic session: bar, keys, crosshair, markers, pictures."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QPointF, Qt
from PyQt5.QtGui import QMouseEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz.data.records import Marker
from blitz.ui.history import History, _coarsen
from blitz.ui.lines import with_breaks
from blitz.ui.live_store import list_channels
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.plots.pictures import PictureKind
from blitz.ui.preferences import Preferences
from blitz.ui.readings_at import extremes_before

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def page(window: MainWindow, feed: Any, make: Any, qtbot: QtBot) -> HistoryPage:
    """A page of session 7: reading n at START_S + n / 10, channel c of it 10 n + c; nothing between 30 s and 40 s."""
    source = make.source(0)
    readings = make.readings(source, 600)
    kept = (readings.seq < 300) | (readings.seq >= 400)
    series = with_breaks(readings.time_ns[kept] / 1e9, readings.values[kept])
    record = make.session(7).model_copy(update={"sources": (source,)})
    feed.go_online()
    window.histories.show(History(record, list_channels([source]), {0: series}, {0: _coarsen(series)}))
    page = window.tabs.currentWidget()
    assert isinstance(page, HistoryPage)
    qtbot.waitUntil(lambda: len(page.plot.strokes) == 5, timeout=20_000)
    return page


def point_at(page: HistoryPage, seconds: float) -> None:
    place = QPointF(page.plot.x_of(START_S + seconds), page.plot.panels[0].area.center().y())
    QApplication.sendEvent(page.plot, QMouseEvent(QEvent.MouseMove, place, Qt.NoButton, Qt.NoButton, Qt.NoModifier))


def values(page: HistoryPage) -> list[str]:
    return [text for _, text in sorted(page.plot._values.items(), key=lambda entry: str(entry[0]))]


@pytest.mark.parametrize("is_stacked", [False, True])
def test_a_crosshair_tells_the_values_of_a_history(page: HistoryPage, is_stacked: bool) -> None:
    page.set_stacked(is_stacked)
    point_at(page, 20.0)
    at_s = page.crosshair.at_s
    assert at_s is not None
    number = int((at_s - START_S) * 10 + 1e-6)
    assert values(page) == [f"{10 * number + channel} count" for channel in range(5)]
    QTest.keyClick(page.plot, Qt.Key_Right, Qt.ShiftModifier)
    assert values(page)[0] == f"{10 * (number + 1)} count"
    QTest.keyClick(page.plot, Qt.Key_Left, Qt.ShiftModifier)
    QTest.keyClick(page.plot, Qt.Key_Left, Qt.ShiftModifier)
    assert values(page)[0] == f"{10 * (number - 1)} count"
    point_at(page, 35.0)
    assert values(page) == ["–"] * 5
    QApplication.sendEvent(page.plot, QEvent(QEvent.Leave))
    assert values(page) == []


def test_what_is_drawn_of_a_long_session_tells_its_extremes() -> None:
    times = np.array([1.0, 1.01, 2.0])
    assert extremes_before(times, np.array([4.0, 9.0, 5.0]), 1.02, 0.05) == (4.0, 9.0)
    assert extremes_before(times, np.array([4.0, 9.0, 5.0]), 1.9, 0.05) == (9.0, 9.0)


def test_bar_and_menu_do_the_same_with_a_history(
    window: MainWindow, page: HistoryPage, preferences: Preferences
) -> None:
    low, high = page.shown_times
    QTest.mouseClick(page.bar.zoom_in, Qt.LeftButton)
    assert page.shown_times[1] - page.shown_times[0] == pytest.approx((high - low) / 2)
    QTest.mouseClick(page.bar.zoom_out, Qt.LeftButton)
    QTest.keyClick(window, Qt.Key_Minus, Qt.ControlModifier)
    QTest.keyClick(window, Qt.Key_Plus, Qt.ControlModifier)
    QTest.mouseClick(page.bar.zoom_in, Qt.LeftButton)
    QTest.mouseClick(page.bar.reset, Qt.LeftButton)
    assert page.shown_times == pytest.approx((low, high))
    QTest.mouseClick(page.bar.stacked, Qt.LeftButton)
    assert (page.plot.is_stacked, preferences.is_plot_stacked) == (True, True)
    window.menus["stacked"].trigger()
    assert (page.plot.is_stacked, page.bar.stacked.isChecked(), preferences.is_plot_stacked) == (False, False, False)
    QTest.mouseClick(page.bar.relative, Qt.LeftButton)
    assert page.plot.time_axis.is_relative
    assert not preferences.is_plot_relative
    window.menus["box"].trigger()
    assert page.plot.drags_box
    assert not window.menus["pause"].isEnabled()
    assert window.menus["mark"].isEnabled()


def test_the_legend_switches_channels_of_a_history(page: HistoryPage, qtbot: QtBot) -> None:
    channel = page.history.channels[0]
    page.plot.channel_switched.emit(channel.key)
    assert channel not in [shown for shown, _ in page.channels.shown]
    qtbot.waitUntil(lambda: channel.key not in page.plot.strokes, timeout=20_000)
    page.plot.channel_switched.emit(channel.key)
    qtbot.waitUntil(lambda: channel.key in page.plot.strokes, timeout=20_000)


def test_one_key_marks_a_history_at_the_crosshair(window: MainWindow, page: HistoryPage, feed: Any) -> None:
    point_at(page, 20.0)
    QTest.keyClick(window, Qt.Key_M)
    what, number, words = feed.requests[-1]
    assert (what, number, words.text) == ("add marker", 7, "Marker 1")
    assert words.from_ns / 1e9 == pytest.approx(page.crosshair.at_s, abs=1e-5)
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    marker = Marker(id=1, text=words.text, from_ns=words.from_ns, changed_at=changed_at, who="ada")
    feed.marker_received.emit(7, marker)
    assert page.strip.told.text().startswith("Marker 1 at ")
    assert page.markers.markers == (marker,)


def test_a_picture_of_a_history_has_its_session_s_name(window: MainWindow, page: HistoryPage, tmp_path: Path) -> None:
    window.plot_actions.pictures.write(page, tmp_path / "plot.svg", PictureKind.SVG)
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert "warm-up" in text
    assert "NOT RECORDED" not in text


def test_an_empty_plot_says_why(page: HistoryPage, qtbot: QtBot) -> None:
    page.plot.choose_times(START_S + 33, START_S + 37)
    qtbot.waitUntil(lambda: page.plot.sentence == "There is no value here.")
    page.reset_zoom()
    qtbot.waitUntil(lambda: not page.plot.sentence)
    for channel, _ in page.channels.shown:
        page.channels.turn(channel.key)
    qtbot.waitUntil(lambda: page.plot.sentence == "No channel is chosen: tick one on the right.")


def test_what_was_done_is_never_cut_for_what_is_shown(page: HistoryPage, qtbot: QtBot) -> None:
    strip = page.strip
    assert strip.words.isVisible()
    strip.tell("None of the sessions can be aligned there. " * 3)
    assert not strip.words.isVisible()
    strip.forget()
    assert strip.words.isVisible()
