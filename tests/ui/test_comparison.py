"""Sessions laid upon each other in the window, out of a real cache: overlay, alignment, differences, the way there."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, SessionRecord, Source
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtTrigger
from blitz.data.sync import download
from blitz.ui import comparison_differences
from blitz.ui.comparison import Comparison, align, load_comparison
from blitz.ui.comparison_differences import difference_between, find_difference
from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.models.differences import cell_words
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage

DEFINITION = BoardDefinition.model_validate(
    {
        "id": "p",
        "name": "Pump",
        "format": "columns",
        "channels": [{"name": "pressure", "column": 0, "unit": "bar"}, {"name": "flow", "column": 1, "unit": "l/s"}],
    }
)
SOURCE = Source(index=0, name="pump", link="/dev/ttyUSB0", definition=DEFINITION)
TODAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
COUNT = 600


def pressure(session_id: int, seconds: np.ndarray) -> np.ndarray:
    """What session 7, and a day later session 8 half a second late, measure."""
    return np.round(3 + np.sin(seconds - (0.5 if session_id == 8 else 0)) + (0.1 if session_id == 8 else 0), 6)


def seconds_of(session_id: int) -> np.ndarray:
    """Uneven steps of about 50 ms; session 8 has nothing from its 10th to its 13th second."""
    steps = np.random.default_rng(session_id).integers(30, 71, COUNT) / 1000
    seconds = np.cumsum(steps)
    return seconds[(seconds < 10) | (seconds >= 13)] if session_id == 8 else seconds


def fill(cache: DatabaseClient, session_id: int) -> SessionRecord:
    seconds = seconds_of(session_id)
    started = TODAY - timedelta(days=8 - session_id)
    start_ns = round(started.timestamp() * 1e9)
    marker = Marker(id=1, text="valve open", from_ns=start_ns + (2 * session_id) * 10**9, changed_at=started)
    record = SessionRecord(
        id=session_id,
        name=f"run {session_id}",
        owner="ada",
        started_at=started,
        stopped_at=started + timedelta(seconds=40),
        message_count=len(seconds),
        sources=(SOURCE,),
        markers=(marker,),
    )
    values = pressure(session_id, seconds)
    reads = [
        Read(start_ns + round(at * 1e9), 0, [f"{value:.6f},{number}".encode()])
        for number, (at, value) in enumerate(zip(seconds, values, strict=True))
    ]

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [MessageBlock.from_reads(session_id, 0, reads)]

    asyncio.run(download(record, fetch, cache))
    return record


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "cache.db"
    with DatabaseClient(path=path) as cache:
        for session_id in (6, 7, 8):
            fill(cache, session_id)
    return path


def load(place: Path) -> Comparison:
    return load_comparison(place, [8, 7], lambda *_: None, lambda: False)


def expected_difference() -> pd.Series:
    """Independently: session 8 on the line between its values at session 7's times; nothing in the gap or outside."""
    other, reference = seconds_of(8), seconds_of(7)
    line = np.interp(reference, other, pressure(8, other), left=np.nan, right=np.nan)
    line[(reference > other[other < 10][-1]) & (reference < other[other >= 13][0])] = np.nan
    return pd.Series(line - pressure(7, reference), index=reference).dropna()


def test_numbers_of_a_comparison_agree_with_numpy(place: Path) -> None:
    comparison = load(place)
    assert comparison.session_ids == (7, 8)
    with DatabaseClient(path=place) as cache:
        found = find_difference(cache, *reversed(comparison.members), "pressure", Tolerance(0.3))
    expected, numbers = expected_difference(), found.numbers
    assert (numbers.count, numbers.missing) == (len(expected), COUNT - len(expected))
    assert numbers.missing > 30
    assert numbers.mean == pytest.approx(expected.mean(), abs=1e-6)
    assert numbers.rms == pytest.approx(np.sqrt((expected**2).mean()), abs=1e-6)
    assert abs(numbers.largest) == pytest.approx(expected.abs().max(), abs=1e-6)
    assert numbers.largest_ns is not None
    at_s = (numbers.largest_ns - comparison.members[0].zero_ns) / 1e9  # type: ignore[operator]
    assert at_s == pytest.approx(expected.abs().idxmax(), abs=1e-6)
    assert numbers.outside_share == pytest.approx((expected.abs() > 0.3).mean())
    drawn = ~np.isnan(found.values)
    np.testing.assert_allclose(found.times[drawn], expected.index, atol=1e-6)
    np.testing.assert_allclose(found.values[drawn], expected, atol=1e-6)
    gap = (found.times > 10) & (found.times < 13)
    assert np.isnan(found.values[gap]).all()


def test_a_long_comparison_is_computed_in_parts_and_read_anew_where_it_is_looked_at(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = load(place)
    other, reference = comparison.members[1], comparison.members[0]
    with DatabaseClient(path=place) as cache:
        whole = find_difference(cache, other, reference, "pressure", Tolerance(0.3))
        monkeypatch.setattr("blitz.ui.comparison.PART_MESSAGES", 100)
        monkeypatch.setattr(comparison_differences, "MOST_POINTS", 128)
        steps: list[tuple[int, int]] = []
        parts = find_difference(cache, other, reference, "pressure", Tolerance(0.3), lambda *step: steps.append(step))
        stretch = difference_between(cache, other, reference, parts, 15.0, 20.0)
    assert steps[-1] == (5, 6)
    assert (parts.numbers.count, parts.numbers.outside) == (whole.numbers.count, whole.numbers.outside)
    assert parts.numbers.mean == pytest.approx(whole.numbers.mean)
    assert (whole.is_thinned, parts.is_thinned) == (False, True)
    assert np.nanmax(parts.values) == np.nanmax(whole.values)
    inside = (whole.times >= 15) & (whole.times < 20)
    np.testing.assert_allclose(stretch[1], whole.values[inside], atol=1e-9)


def test_sessions_are_aligned_at_markers_and_triggers(place: Path) -> None:
    comparison = load(place)
    started = [member.zero_ns for member in comparison.members]
    at_marker = align(comparison, AtMarker("Valve open"), lambda: False)
    assert [member.zero_ns - start for member, start in zip(at_marker.members, started, strict=True)] == [
        14 * 10**9,
        16 * 10**9,
    ]
    at_level = align(comparison, AtTrigger("pressure", 3.5, "falling"), lambda: False)
    for member, start in zip(at_level.members, started, strict=True):
        seconds = seconds_of(member.session_id)
        values = pressure(member.session_id, seconds)
        place_ = int(np.flatnonzero((values[:-1] > 3.5) & (values[1:] <= 3.5))[0])
        share = (values[place_] - 3.5) / (values[place_] - values[place_ + 1])
        expected = seconds[place_] + share * (seconds[place_ + 1] - seconds[place_])
        assert (member.zero_ns - start) / 1e9 == pytest.approx(expected, abs=1e-6)
    with DatabaseClient(path=place) as cache:
        late = find_difference(cache, *reversed(at_level.members), "pressure", Tolerance())
    assert abs(late.numbers.mean) < 0.11  # but for 0.1 they are the same then
    partly = align(comparison, AtTrigger("pressure", 4.05, "rising"), lambda: False)
    assert [member.zero_ns is None for member in partly.members] == [True, False]
    assert partly.members[0].problem == "pressure never rises to 4.05."


class Comparer:
    """A window that knows three sessions in a cache, and comparing them in it."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window = window
        self._qtbot = qtbot

    def wait(self, is_so: Callable[[], object]) -> None:
        self._qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)

    def page(self) -> ComparisonPage:
        self.wait(lambda: isinstance(self.window.tabs.currentWidget(), ComparisonPage))
        page = self.window.tabs.currentWidget()
        assert isinstance(page, ComparisonPage)
        self.wait(lambda: not page.missing and page.plot.strokes)
        return page


@pytest.fixture
def comparer(window: MainWindow, feed: Any, place: Path, qtbot: QtBot) -> Comparer:
    feed.path = place
    feed.go_online()
    with DatabaseClient(path=place) as cache:
        records = tuple(cache.session_record(session_id) for session_id in (8, 7, 6))
    feed.sessions_listed.emit(SessionList(records, frozenset({6, 7, 8})))
    window.resize(1280, 1000)  # all panels have room
    return Comparer(window, qtbot)


def rows(page: ComparisonPage) -> list[list[str]]:
    return [[cell_words(row, column) for column in range(9)] for row in page.differences.rows]


def test_two_sessions_are_compared_with_three_clicks(comparer: Comparer) -> None:
    window = comparer.window
    window.tabs.setCurrentWidget(window.sessions_page)
    table = window.sessions_page.table

    def click(row: int, modifiers: Any = Qt.NoModifier) -> None:
        place = table.visualRect(table.model().index(row, 2)).center()
        QTest.mouseClick(table.viewport(), Qt.LeftButton, modifiers, place)

    click(0)
    click(1, Qt.ControlModifier)
    button = next(b for b in window.sessions_page.findChildren(type(window.header.start)) if b.text() == "Co&mpare")
    QTest.mouseClick(button, Qt.LeftButton)
    page = comparer.page()
    assert page.view.comparison.session_ids == (7, 8)
    assert window.tabs.tabText(window.tabs.currentIndex()) == "run 7 · run 8"
    assert [row[:2] for row in rows(page)] == [["run 8", "pressure"], ["run 8", "flow"]]
    wanted = {(7, "pressure"), (8, "pressure"), (7, "flow"), ("difference", 8, 7, "pressure")}
    comparer.wait(lambda: wanted <= set(page.plot.strokes))
    pens = {key: stroke.pen for key, stroke in page.plot.strokes.items()}
    assert pens[7, "pressure"].color() == pens[7, "flow"].color() != pens[8, "pressure"].color()
    assert pens[7, "pressure"].style() != pens[7, "flow"].style()


def test_an_open_session_is_compared_with_the_one_before_in_two_clicks(comparer: Comparer) -> None:
    window = comparer.window
    window.session_actions.view(8)
    comparer.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    history = window.tabs.currentWidget()
    assert isinstance(history, HistoryPage)
    menu = history.compare.menu()
    menu.aboutToShow.emit()
    labels = [action.text() for action in menu.actions() if action.text()]
    assert labels[0].startswith("&Previous session: run 7, ")
    assert labels[1].startswith("&Yesterday's: run 7, ")
    assert labels[2].startswith("run 6, ")
    menu.actions()[0].trigger()
    assert comparer.page().view.comparison.session_ids == (7, 8)


def test_the_page_aligns_compares_and_tolerates_anew(comparer: Comparer) -> None:
    comparer.window.comparisons.compare([7, 8])
    page = comparer.page()
    page.channels.turn("flow")
    mean = page.differences.rows[0].numbers.mean  # type: ignore[union-attr]
    assert page.table.isColumnHidden(8)
    page.alignment.absolute.setText("0,3")
    page.alignment.absolute.editingFinished.emit()
    comparer.wait(lambda: not page.missing)
    assert rows(page)[0][8].endswith("%")
    assert not page.table.isColumnHidden(8)
    page.alignment.reference.setCurrentIndex(1)
    page.alignment.reference_chosen.emit(8)
    comparer.wait(lambda: not page.missing)
    assert page.differences.rows[0].session == "run 7"
    assert page.differences.rows[0].numbers.mean == pytest.approx(-mean, abs=0.02)  # type: ignore[union-attr]
    where = page.alignment.where
    where.setCurrentIndex(next(n for n in range(where.count()) if where.itemText(n) == "marker “valve open”"))
    where.activated.emit(where.currentIndex())
    comparer.wait(lambda: page.view.comparison.moment == AtMarker("valve open"))
    comparer.wait(lambda: not page.missing)
    where.setCurrentIndex(where.count() - 1)
    where.activated.emit(where.currentIndex())
    page.alignment.level.setText("99")
    page.alignment.level.editingFinished.emit()
    comparer.wait(lambda: "None of the sessions" in page.strip.told.text())
    assert where.currentText() == "marker “valve open”"
    page.alignment.where.setCurrentIndex(where.count() - 1)
    page.alignment.where.activated.emit(where.count() - 1)
    page.alignment.level.setText("4.05")
    page.alignment.level.editingFinished.emit()
    comparer.wait(lambda: page.view.comparison.members[0].problem)
    assert rows(page)[-1][:3] == ["run 7", "", "pressure never rises to 4.05."]


def test_sessions_and_channels_are_hidden_stacked_and_copied(comparer: Comparer) -> None:
    comparer.window.comparisons.compare([7, 8])
    page = comparer.page()
    comparer.window.menus["stacked"].trigger()
    comparer.wait(lambda: len(page.plot.panels) == 4)
    assert [panel.curves[0].panel for panel in page.plot.panels] == [
        "pressure",
        "difference pressure",
        "flow",
        "difference flow",
    ]
    page.copy_table()
    assert len(QApplication.clipboard().text().split("\n")) == 2
    page.plot.channel_switched.emit((8, "pressure"))
    comparer.wait(lambda: set(page.plot.strokes) == {(7, "pressure"), (7, "flow")})
    assert rows(page) == []
    page.curves.click()
    page.sessions.turn(8)
    comparer.wait(lambda: (8, "flow") in page.plot.strokes)
    assert not any(key[0] == "difference" for key in page.plot.strokes)
    assert not comparer.window.menus["mark"].isEnabled()
    caption = comparer.window.plot_actions.pictures.caption(page)
    assert caption.title == "run 7 · run 8"


def test_a_single_session_without_one_before_says_so(comparer: Comparer) -> None:
    comparer.window.comparisons.compare([6])
    assert "no session before" in comparer.window.notices.texts[-1]
