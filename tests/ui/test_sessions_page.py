"""The page of sessions: several at once, days, sizes, thousands; and what is said when a session has ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

from PyQt5.QtCore import QItemSelectionModel, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QAbstractButton, QApplication, QMessageBox, QPushButton

from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.models.found_sessions import Period
from blitz.ui.models.sessions import NUMBER, SIZE
from blitz.ui.pages.sessions_page import SessionsPage


def choose(page: SessionsPage, *session_ids: int) -> None:
    """Select exactly these rows, as with Ctrl and the mouse."""
    selection = page.table.selectionModel()
    selection.clearSelection()
    for session_id in session_ids:
        row = page.sessions.row_of(session_id)
        assert row is not None
        place = page.proxy.mapFromSource(page.sessions.index(row, 0))
        selection.select(place, QItemSelectionModel.Select | QItemSelectionModel.Rows)


def shown(page: SessionsPage) -> list[str]:
    return [page.proxy.index(row, NUMBER).data() for row in range(page.proxy.rowCount())]


def open_box(window: MainWindow) -> QMessageBox:
    return next(box for box in window.findChildren(QMessageBox) if box.isVisible())


def press(box: QMessageBox, words: str) -> None:
    button = next(button for button in box.findChildren(QAbstractButton) if words in button.text())
    button.click()


def test_a_session_is_selected_alone_whatever_key_is_held(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    feed.sessions_listed.emit(SessionList((make.session(9), make.session(8), make.session(7))))
    page.select(9)
    for key, held in ((Qt.Key_Control, Qt.ControlModifier), (Qt.Key_Shift, Qt.ShiftModifier)):
        QTest.keyPress(window, key, held)
        assert bool(QApplication.keyboardModifiers() & held)
        for session_id in (7, 8, 8):
            page.select(session_id)
            assert [record.id for record in page.selected_records] == [session_id]
        QTest.keyRelease(window, key)


def test_several_sessions_are_downloaded_at_once_but_not_what_is_here(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    records = (make.session(10, running=True), make.session(9), make.session(8), make.session(7))
    feed.sessions_listed.emit(SessionList(records, frozenset({8})))
    choose(page, 10, 9, 8, 7)
    assert not page.actions_by_name["view"].isEnabled()
    assert not page.actions_by_name["delete"].isEnabled()  # one of them is running
    page.actions_by_name["download"].trigger()
    assert sorted(feed.requests) == [("download", 7), ("download", 9)]
    assert "4 sessions selected" in page.about.text()


def test_deleting_several_sessions_names_them_and_asks_once(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    records = tuple(make.session(number, name=f"run {number}") for number in range(20, 14, -1))
    feed.sessions_listed.emit(SessionList(records, frozenset({20, 19})))
    choose(page, 20, 19, 18, 17)
    page.actions_by_name["delete"].trigger()
    box = open_box(window)
    assert "4 sessions, “run 20”, “run 19”, “run 18” and 1 more" in box.text()
    assert "gone for everyone" in box.informativeText()
    press(box, "Cancel")
    assert feed.requests == []
    page.actions_by_name["delete"].trigger()
    press(open_box(window), "2 copies here")
    assert sorted(feed.requests) == [("delete here", 19), ("delete here", 20)]
    feed.requests.clear()
    page.actions_by_name["delete"].trigger()
    press(open_box(window), "on server and here")
    assert sorted(feed.requests) == [("delete", number) for number in (17, 18, 19, 20)]


def test_stars_of_several_sessions_are_all_set_and_then_all_taken(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    starred = make.session(9).model_copy(update={"starred": True})
    feed.sessions_listed.emit(SessionList((starred, make.session(8))))
    choose(page, 9, 8)
    page.actions_by_name["star"].trigger()
    assert feed.requests == [("star", 8, True)]
    feed.sessions_listed.emit(SessionList(tuple(make.session(n).model_copy(update={"starred": True}) for n in (9, 8))))
    assert [record.id for record in page.selected_records] == [9, 8]
    page.actions_by_name["star"].trigger()
    assert sorted(feed.requests[1:]) == [("star", 8, False), ("star", 9, False)]


def test_yesterdays_sessions_are_shown_alone(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    noon = datetime.now().astimezone().replace(hour=12, minute=0)
    records = tuple(
        make.session(number).model_copy(update={"started_at": (noon - timedelta(days=days)).astimezone(UTC)})
        for number, days in ((9, 0), (8, 1), (7, 5), (6, 40))
    )
    feed.sessions_listed.emit(SessionList(records))
    for period, numbers in (
        (Period.YESTERDAY, ["8"]),
        (Period.WEEK, ["9", "8", "7"]),
        (Period.ANY, ["9", "8", "7", "6"]),
    ):
        page.period.setCurrentIndex(page.period.findData(period))
        assert shown(page) == numbers
        assert page.selected is not None


def test_the_size_of_a_copy_is_told_and_sorted_by(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    feed.sessions_listed.emit(SessionList(tuple(make.session(n) for n in (9, 8, 7)), frozenset({8, 7})))
    feed.sizes_measured.emit({8: 2_500_000, 7: 40_000_000})
    sizes = {page.proxy.index(row, NUMBER).data(): page.proxy.index(row, SIZE).data() for row in range(3)}
    assert sizes == {"9": "–", "8": "2.5 MB", "7": "40 MB"}
    page.table.sortByColumn(SIZE, 1)
    assert shown(page) == ["7", "8", "9"]


def test_of_thousands_of_sessions_only_what_changed_is_told(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    records = tuple(make.session(number) for number in range(3000, 0, -1))
    feed.sessions_listed.emit(SessionList(records))
    told: list[int] = []
    page.sessions.dataChanged.connect(lambda first, last: told.append(last.row() - first.row() + 1))
    feed.download_progressed.emit(77, 10, 100)
    page.sessions.update(records[5].model_copy(update={"message_count": 1}))
    assert told == [1, 1]
    feed.sessions_listed.emit(SessionList(records))
    assert told == [1, 1, 3000]
    assert page.sessions.find(77) == records[3000 - 77]


def test_the_end_of_a_session_offers_to_view_and_to_export_it(window: MainWindow, feed: Any, make: Any) -> None:
    ended = make.session(9, name="pump").model_copy(update={"verdict": "nothing lost"})
    feed.sessions_listed.emit(SessionList((ended,)))
    feed.session_stopped.emit(ended)
    assert "“pump” has ended: 1\u202f200 messages in 0:02:00, 10.0/s, nothing lost." in window.notices.texts
    feed.session_stopped.emit(make.session(10, name="leak"))
    assert len(window.notices.texts) == 1  # the newest is the one that is wanted
    feed.session_stopped.emit(ended)
    buttons = window.notices.findChildren(QPushButton)
    export = next(button for button in buttons if button.text() == "Export…" and button.isVisible())
    export.click()
    assert feed.requests == [("download", 9)]  # and then the dialog


def test_the_last_session_is_found_by_the_menu(window: MainWindow, feed: Any, make: Any) -> None:
    window.menus["export_last"].trigger()
    assert "There is no session that has ended yet." in window.notices.texts
    feed.sessions_listed.emit(SessionList((make.session(9, running=True), make.session(8), make.session(7))))
    window.menus["view_last"].trigger()
    assert feed.requests == [("download", 8)]
