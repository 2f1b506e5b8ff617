"""An operator's day, by mouse and keyboard only: what is often done takes a click or two, and nobody reads a manual."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QMouseEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QComboBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.records import LinkState
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.new_device import NewDeviceDialog
from blitz.ui.main_window import MainWindow
from blitz.ui.models.sessions import NAME
from blitz.ui.pages.history_page import HistoryPage

WAIT_MS = 60_000
DAY_S = 86_400.0
CH340 = (0x1A86, 0x7523)


class Hand:
    """Clicks and types as people do, and counts."""

    def __init__(self, qtbot: QtBot) -> None:
        self._qtbot = qtbot
        self.clicks = self.keys = 0

    def wait(self, is_so: Callable[[], object]) -> None:
        self._qtbot.waitUntil(lambda: bool(is_so()), timeout=WAIT_MS)

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        assert widget.isVisible()
        assert widget.isEnabled()
        self.clicks += 1
        QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, place or widget.rect().center())

    def double_click(self, widget: QWidget, place: QPoint) -> None:
        self.clicks += 1
        QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, place)
        QTest.mouseDClick(widget, Qt.LeftButton, Qt.NoModifier, place)

    def choose(self, choice: QComboBox, text: str) -> None:
        """Click on an entry of a list that has been opened; it takes no click for a moment, as it opens."""
        self.clicks += 1
        view = choice.view()

        def is_chosen() -> bool:
            if view.isVisible():
                place = view.visualRect(view.model().index(choice.findText(text), 0)).center()
                QTest.mouseMove(view.viewport(), place)
                QTest.mouseClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, place)
            return choice.currentText() == text

        self.wait(is_chosen)

    def drag(self, widget: QWidget, begin: QPoint, end: QPoint, held: Any = Qt.NoModifier) -> None:
        self.clicks += 1
        for kind, place in (
            (QEvent.MouseButtonPress, begin),
            (QEvent.MouseMove, end),
            (QEvent.MouseButtonRelease, end),
        ):
            button = Qt.NoButton if kind == QEvent.MouseMove else Qt.LeftButton
            held_button = Qt.NoButton if kind == QEvent.MouseButtonRelease else Qt.LeftButton
            where = QPointF(place), QPointF(widget.mapToGlobal(place))
            QApplication.sendEvent(widget, QMouseEvent(kind, *where, button, held_button, held))

    def key(self, key: Qt.Key) -> None:
        """Wherever the keyboard's focus is."""
        self.keys += 1
        QTest.keyClick(QApplication.focusWidget(), key)

    def type(self, text: str) -> None:
        self.keys += len(text)
        QTest.keyClicks(QApplication.focusWidget(), text)

    def tab(self, window: MainWindow, page: QWidget) -> None:
        bar = window.tabs.tabBar()
        self.click(bar, bar.tabRect(window.tabs.indexOf(page)).center())


@pytest.fixture
def hand(qtbot: QtBot) -> Hand:
    return Hand(qtbot)


def button(window: QWidget, words: str) -> QPushButton:
    return next(each for each in window.findChildren(QPushButton) if each.isVisible() and each.text() == words)


def test_a_run_is_started_marked_stopped_and_in_a_spreadsheet(
    run_bench: Callable[..., Any],
    connect: Callable[[str], MainWindow],
    hand: Hand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    window = connect(run_bench(0.0, 10.0).url)
    window.activateWindow()
    header, store = window.header, window.store
    hand.wait(lambda: header.ready.text().startswith("2 of 2"))

    hand.click(header.start)
    hand.wait(lambda: header.is_recording and store.session_id and store.newest_time() is not None)
    assert hand.clicks == 1

    hand.key(Qt.Key_M)
    hand.wait(lambda: len(store.markers) == 1)
    assert (hand.clicks, hand.keys) == (1, 1)

    hand.wait(lambda: store.message_count > 20)
    hand.click(header.stop)
    hand.wait(lambda: any("has ended" in text for text in window.notices.texts))

    before = hand.clicks
    hand.click(button(window.notices, "Export…"))
    hand.wait(lambda: window.findChildren(ExportDialog))
    dialog = window.findChildren(ExportDialog)[0]
    path = dialog.wish.path
    hand.click(dialog.accept_button)
    hand.wait(lambda: f"Exported to {path}" in window.notices.texts)
    assert hand.clicks - before == 2
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert sheet.max_row > 1


def test_an_unknown_printing_device_is_a_named_plot_within_a_minute(
    run_bench: Callable[..., Any], connect: Callable[[str], MainWindow], hand: Hand
) -> None:
    bench = run_bench(0.0, 10.0)
    window = connect(bench.url)
    window.activateWindow()
    hand.wait(lambda: len(window.boards_page.boards.boards) == 2)
    with SimulatedDevice("plain", rate_hz=20, silence_s=0.5) as device:
        bench.boards["new"] = device
        bench.plug("new", "ttyACM0", "1-4", kind=(0x1234, 0x7523))
        plugged_s = time.monotonic()
        offers = window.new_devices.offers
        hand.wait(offers.isVisible)
        hand.click(next(each for each in offers.buttons if each.text() == "&Listen"))
        hand.wait(lambda: [each for each in window.findChildren(NewDeviceDialog) if each.isVisible()])
        dialog = next(each for each in window.findChildren(NewDeviceDialog) if each.isVisible())
        hand.wait(dialog.accept_button.isEnabled)
        for name in ("pressure", "temperature", "flow"):
            hand.type(name)
            hand.key(Qt.Key_Tab)  # to the next name
        hand.click(dialog.accept_button)

        def labels() -> list[str]:
            return [channel.channel.name for channel in window.store.channels]

        hand.wait(lambda: {"pressure", "temperature", "flow"} <= set(labels()))
        shown = window.live_page.variables
        hand.wait(lambda: "flow" in {channel.channel.name for channel in shown.shown_channels})
        hand.wait(
            lambda: any(window.store.count(row.index) > 20 for row in window.store.sources if row.name == "ttyACM0")
        )
        took_s = time.monotonic() - plugged_s
    assert hand.clicks == 2
    assert took_s < 60


def test_the_session_of_yesterday_is_found_and_its_peak_looked_at(
    run_bench: Callable[..., Any], connect: Callable[[str], MainWindow], hand: Hand
) -> None:
    bench = run_bench(DAY_S, 10.0)
    with Client(bench.url) as client:
        bench.wait(lambda: [board.state for board in client.status().boards] == [LinkState.READY] * 2)
        for name in ("yesterday's run", "this morning's run"):
            session = client.start(name)
            bench.wait(lambda: client.session(session.id).message_count > 50)  # noqa: B023
            client.stop(session.id)
            if name.startswith("yesterday"):
                bench.clock.skip(DAY_S)
    window = connect(bench.url)
    sessions, page = window.sessions_page.sessions, window.sessions_page
    hand.wait(lambda: sessions.rowCount() == 2)

    hand.tab(window, page)
    hand.click(page.period)
    hand.choose(page.period, "Yesterday")
    hand.wait(lambda: page.proxy.rowCount() == 1)
    table = page.table
    hand.double_click(table.viewport(), table.visualRect(table.model().index(0, NAME)).center())
    hand.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    history: Any = window.tabs.currentWidget()
    assert history.history.record.name == "yesterday's run"
    drawing = history.plot
    hand.wait(lambda: drawing.strokes)
    whole_s = width_s(drawing)
    area = drawing.panels[0].area
    begin = QPoint(round(area.left() + area.width() * 0.4), round(area.top() + area.height() * 0.2))
    end = QPoint(round(area.left() + area.width() * 0.6), round(area.bottom() - 10))
    hand.drag(drawing, begin, end, Qt.ShiftModifier)
    hand.wait(lambda: width_s(drawing) < 0.3 * whole_s)
    assert hand.clicks == 5

    # Nobody need know Shift: there is a button for the box, and the list is short without a day, too.
    hand.key(Qt.Key_Home)
    hand.wait(lambda: width_s(drawing) > 0.9 * whole_s)
    hand.clicks = 0
    hand.click(history.bar.box)
    hand.drag(drawing, begin, end)
    hand.wait(lambda: width_s(drawing) < 0.3 * whole_s)
    assert hand.clicks == 2


def width_s(drawing: Any) -> float:
    low, high = drawing.time_range
    return float(high - low)
