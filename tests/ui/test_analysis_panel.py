"""What a stretch of a session comes to, beside its plot: against numpy and scipy, for short and for long sessions."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rough_session
from PyQt5.QtCore import QEvent, QPointF, Qt
from PyQt5.QtGui import QGuiApplication, QMouseEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scipy import stats

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source
from blitz.data.sync import download
from blitz.ui import history as history_module
from blitz.ui.analysis import NotWantedError, Stretch
from blitz.ui.history import History, load_history
from blitz.ui.long_history import LongHistory
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.theme import Appearance
from blitz.ui.widgets.analysis_tabs import AnalysisTab

COUNT, RATE_HZ, PAUSE_AT, PAUSE_S = 20_000, 200, 14_000, 30
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
START_S = START.timestamp()
WAIT_MS = 20_000


def made() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Times in seconds from the start, and two channels: 12.5 Hz on a drift, and a triangle."""
    number = np.arange(COUNT)
    time_s = number / RATE_HZ + np.where(number >= PAUSE_AT, PAUSE_S, 0)
    wave = 5 + 0.01 * time_s + 2 * np.sin(2 * np.pi * 12.5 * time_s) + 0.4 * np.sin(2 * np.pi * 40 * time_s)
    return time_s, np.round(wave, 4), np.abs(number % 400 - 200) / 10


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analysis") / "cache.db"
    channels = [{"name": "wave", "column": 0, "unit": "V"}, {"name": "triangle", "column": 1, "unit": "mm"}]
    definition = BoardDefinition.model_validate({"id": "p", "name": "P", "format": "columns", "channels": channels})
    source = Source(index=0, name="ttyUSB0", link="", board_id=None, definition=definition)
    record = SessionRecord(id=1, started_at=START, message_count=COUNT, sources=(source,))
    time_s, wave, triangle = made()
    start_ns = round(START_S * 1e9)
    reads = [
        Read(start_ns + round(at * 1e9), 0, [b"%.4f,%.1f" % (one, other)])
        for at, one, other in zip(time_s.tolist(), wave.tolist(), triangle.tolist(), strict=True)
    ]
    whole = MessageBlock.from_reads(1, 0, reads)

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [whole.between(first, first + count)]

    cache = DatabaseClient(path=path)
    asyncio.run(download(record, fetch, cache))
    cache.close()
    return path


@pytest.fixture(params=["short", "long"])
def history(cached: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    if request.param == "long":
        monkeypatch.setattr(history_module, "MOST_IN_MEMORY", 1000)
    history = load_history(cached, 1, lambda *_: None, lambda: False)
    assert isinstance(history, LongHistory) == (request.param == "long")
    yield history
    history.close()


@pytest.fixture
def page(cached: Path, appearance: Appearance, qtbot: QtBot) -> HistoryPage:
    page = HistoryPage(load_history(cached, 1, lambda *_: None, lambda: False), appearance)
    qtbot.addWidget(page)
    page.resize(1200, 800)
    page.show()
    return page


def settle(page: HistoryPage, qtbot: QtBot, act: Any) -> None:
    with qtbot.waitSignal(page.analysis.settled, timeout=WAIT_MS):
        act()


def choose(page: HistoryPage, qtbot: QtBot, tab: AnalysisTab) -> None:
    settle(page, qtbot, lambda: page.analysis.strip.setCurrentWidget(tab))


def drag(page: HistoryPage, from_s: float, to_s: float, modifiers: Any = Qt.ShiftModifier) -> None:
    plot = page.plot
    y = plot.panels[0].area.center().y()
    begin, end = (QPointF(plot.x_of(START_S + at_s), y) for at_s in (from_s, to_s))
    for kind, place, button in (
        (QEvent.MouseButtonPress, begin, Qt.LeftButton),
        (QEvent.MouseMove, end, Qt.NoButton),
        (QEvent.MouseButtonRelease, end, Qt.LeftButton),
    ):
        QApplication.sendEvent(plot, QMouseEvent(kind, place, button, Qt.LeftButton, modifiers))


@pytest.mark.parametrize("span", [(0.0, 200.0), (10.0, 95.0), (33.333, 33.4)])
def test_statistics_of_a_stretch_are_those_of_numpy_and_scipy(history: History, span: tuple[float, float]) -> None:
    time_s, wave, _ = made()
    inside = (time_s >= span[0]) & (time_s <= span[1])
    stretch = Stretch(history, START_S + span[0], START_S + span[1])
    found = {one.label: one for one in stretch.statistics([c for c in history.channels if c.label == "wave"])}["wave"]
    assert (found.count, found.nan_count) == (inside.sum(), 0)
    assert found.mean == pytest.approx(wave[inside].mean())
    assert found.standard_deviation == pytest.approx(wave[inside].std(ddof=1))
    assert found.slope == pytest.approx(stats.linregress(time_s[inside], wave[inside]).slope, rel=1e-6)
    whole = np.trapezoid(wave[inside], time_s[inside])
    steps = np.diff(time_s[inside])
    over = ((wave[inside][1:] + wave[inside][:-1]) / 2 * steps)[steps > 1].sum()
    assert found.integral == pytest.approx(whole - over)


def test_the_first_and_the_last_reading_belong_to_all_there_is(history: History, cached: Path) -> None:
    with DatabaseClient(path=cached) as cache:
        times_ns = cache.series(1, "wave")["wave"].time_ns
    limits = history.time_limits
    assert limits is not None
    for low, high in (limits, (np.nextafter(limits[0], np.inf), np.nextafter(limits[1], 0))):  # an edge's rounding
        (found, _) = Stretch(history, low, high).statistics(list(history.channels))
        assert (found.first_ns, found.last_ns, found.count) == (times_ns[0], times_ns[-1], COUNT)


def test_what_is_not_wanted_any_more_is_given_up(history: History) -> None:
    with pytest.raises(NotWantedError):
        Stretch(history, START_S, START_S + 200, lambda: True).statistics(list(history.channels))


def test_two_clicks_name_the_frequency_of_a_peak_and_a_third_that_of_another_channel(
    page: HistoryPage, qtbot: QtBot
) -> None:
    settle(page, qtbot, lambda: QTest.mouseClick(page.bar.analysis, Qt.LeftButton))
    panel = page.analysis
    bar = panel.strip.tabBar()
    place = bar.tabRect(panel.strip.indexOf(panel.spectrum)).center()
    settle(page, qtbot, lambda: QTest.mouseClick(bar, Qt.LeftButton, pos=place))
    assert [note.text for note in panel.spectrum.figure.notes] == ["12.5 Hz", "40 Hz"]
    assert panel.spectrum.peaks.rows[0] == ("12.5 Hz", "2 V")
    assert "longest part" in panel.spectrum.remarks.text()  # the session has a pause
    others = panel.spectrum.channel
    place = others.visualItemRect(others.item(1)).center()
    settle(page, qtbot, lambda: QTest.mouseClick(others.viewport(), Qt.LeftButton, pos=place))  # the third
    assert panel.spectrum.figure.curves[0].label == "triangle"
    settle(page, qtbot, lambda: QTest.keyClick(others, Qt.Key_Up))
    assert panel.spectrum.peaks.rows[0] == ("12.5 Hz", "2 V")
    panel.spectrum.kind.setCurrentIndex(1)
    settle(page, qtbot, lambda: panel.spectrum.kind.activated.emit(1))
    assert panel.spectrum.peaks.rows[0][0].startswith("12.")
    assert panel.spectrum.peaks.rows[0][1].endswith("(V)²/Hz")


def test_dragging_with_shift_marks_a_stretch_that_stays_while_one_zooms(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    rows = page.analysis.statistics.rows
    assert [row[:3] for row in rows.rows] == [("wave", "V", "20\u202f000"), ("triangle", "mm", "20\u202f000")]
    settle(page, qtbot, lambda: drag(page, 10, 20))
    low, high = page.plot.region.span or (0.0, 0.0)
    assert (low - START_S, high - START_S) == pytest.approx((10, 20), abs=0.3)
    marked = rows.rows
    assert 1900 < int(marked[0][2].replace("\u202f", "")) < 2100
    assert page.analysis.words.text().startswith("Marked: ")
    page.plot.zoom(0.5)
    assert page.plot.region.span == (low, high)
    settle(page, qtbot, page.analysis.ask)
    assert rows.rows == marked
    QTest.mouseClick(page.analysis.statistics.copy, Qt.LeftButton)
    copied = QGuiApplication.clipboard().text().splitlines()
    assert copied[0].startswith("Channel\tUnit\tCount")
    assert len(copied) == 3
    settle(page, qtbot, lambda: QTest.mouseClick(page.analysis.forget, Qt.LeftButton))
    assert page.plot.region.span is None
    settle(page, qtbot, lambda: QTest.mouseClick(page.analysis.keep, Qt.LeftButton))
    assert page.plot.region.span is not None


def test_without_the_analysis_shift_draws_a_box_as_ever(page: HistoryPage) -> None:
    before = page.shown_times
    drag(page, 10, 40)
    assert page.plot.region.span is None
    assert page.shown_times[1] - page.shown_times[0] < (before[1] - before[0]) / 2


def test_the_mark_button_lets_a_plain_drag_mark(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    QTest.mouseClick(page.analysis.mark, Qt.LeftButton)
    settle(page, qtbot, lambda: drag(page, 30, 50, Qt.NoModifier))
    assert page.plot.region.span is not None
    assert not page.analysis.mark.isChecked()


def test_histogram_pairs_and_triggers_are_drawn(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    panel = page.analysis
    choose(page, qtbot, panel.histogram)
    (bars,) = panel.histogram.figure.curves
    assert bars.y.sum() == COUNT
    choose(page, qtbot, panel.pairs)
    (points,) = panel.pairs.figure.curves
    _, wave, triangle = made()
    np.testing.assert_allclose((points.x, points.y), (wave, triangle))
    panel.trigger.controls.channel.setCurrentIndex(1)
    choose(page, qtbot, panel.trigger)
    level, *sweeps = panel.trigger.figure.curves
    assert level.y[0] == 10
    assert panel.trigger.remarks.text() == "50 triggers, the last 20 are shown."
    assert len(sweeps) == 20
    for sweep in sweeps[:-1]:
        assert np.interp(0, sweep.x, sweep.y) == pytest.approx(10)
    assert [sweep.opacity for sweep in sweeps] == sorted(sweep.opacity for sweep in sweeps)
    settle(page, qtbot, lambda: panel.trigger.controls.set_level("25"))
    assert "does not pass 25" in panel.trigger.figure.hint


def test_without_a_channel_the_analysis_says_what_to_do(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    choose(page, qtbot, page.analysis.spectrum)
    for channel, _ in page.channels.shown:
        page.channels.turn(channel.key)
    settle(page, qtbot, page.analysis.ask)
    assert "No channel is chosen" in page.analysis.spectrum.figure.hint


def test_the_right_button_in_a_figure_opens_what_can_be_saved(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    choose(page, qtbot, page.analysis.spectrum)
    figure, menu = page.analysis.spectrum.figure, page.analysis.save.menu()
    assert menu is not None
    figure.customContextMenuRequested.emit(figure.rect().center())
    assert menu.isVisible()
    menu.close()
    for channel, _ in page.channels.shown:
        page.channels.turn(channel.key)
    settle(page, qtbot, page.analysis.ask)
    figure.customContextMenuRequested.emit(figure.rect().center())
    assert not menu.isVisible()


def test_a_figure_tells_points_and_zooms_by_keys(page: HistoryPage, qtbot: QtBot) -> None:
    settle(page, qtbot, lambda: page.set_analysis(True))
    choose(page, qtbot, page.analysis.spectrum)
    figure = page.analysis.spectrum.figure
    assert figure.shown_range == pytest.approx((0, 100), abs=0.1)
    QTest.keyClick(figure, Qt.Key_Plus)
    QTest.keyClick(figure, Qt.Key_Left)
    assert figure.shown_range[1] - figure.shown_range[0] == pytest.approx(50, abs=0.1)
    page.analysis.spectrum.log.setChecked(True)
    place = QPointF(figure.spans[0].pixel(40.0), figure.area.center().y())
    QApplication.sendEvent(figure, QMouseEvent(QEvent.MouseMove, place, Qt.NoButton, Qt.NoButton, Qt.NoModifier))
    figure.grab()  # paints with the logarithmic axis and the point that is told
    QTest.keyClick(figure, Qt.Key_Home)
    assert figure.shown_range == pytest.approx((0, 100), abs=0.1)


def test_a_channel_whose_definition_was_changed_is_analysed_as_a_whole(
    tmp_path: Path, appearance: Appearance, qtbot: QtBot
) -> None:
    session = rough_session.rough_session(1)
    with DatabaseClient(path=tmp_path / "rough.db") as cache:
        rough_session.fill(cache, session)
    page = HistoryPage(load_history(tmp_path / "rough.db", 1, lambda *_: None, lambda: False), appearance)
    qtbot.addWidget(page)
    page.resize(1200, 800)
    page.show()
    settle(page, qtbot, lambda: page.set_analysis(True))
    labels = [shown.channel.label for shown in page.analysis.histogram.channels]
    assert len(labels) == len(set(labels))
    choose(page, qtbot, page.analysis.histogram)
    (bars,) = page.analysis.histogram.figure.curves
    assert bars.y.sum() == np.isfinite(session.rig.values[bars.label]).sum()
