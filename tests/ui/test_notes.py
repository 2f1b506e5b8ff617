"""Markers on the plots, a session's words in their dialogs, searching, fields that a server demands."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QTableWidgetItem
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.access_records import WhoRecord
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, Role, SessionChange
from blitz.data.session_words import SessionWords
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.marker import MarkerDialog, MarkerWords
from blitz.ui.dialogs.session_details import SessionDetailsDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.feed import Connection, ConnectionState, SessionList
from blitz.ui.history import History
from blitz.ui.lines import Series
from blitz.ui.live_store import list_channels
from blitz.ui.main_window import MainWindow
from blitz.ui.models.sessions import TAGS
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.plots.marker_marks import label_words
from blitz.ui.server_link import ServerLink

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def make_marker(number: int = 1, text: str = "pump on", at_s: float = START_S + 5, **fields: Any) -> Marker:
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    return Marker(id=number, text=text, from_ns=round(at_s * 1e9), changed_at=changed_at, who="ada", **fields)


def dialog_of(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def texts(page: HistoryPage) -> list[str]:
    rows = page.markers.rows
    return [item.text() for row in range(rows.count()) if (item := rows.item(row)) is not None]


@pytest.fixture
def recording(window: MainWindow, feed: Any, make: Any) -> MainWindow:
    """A window that follows session 7."""
    session = make.session(7, running=True)
    feed.go_online()
    feed.status_received.emit(make.status(session))
    feed.sources_received.emit(7, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 100, session_id=7))
    return window


@pytest.fixture
def open_history(window: MainWindow, make: Any) -> Callable[..., HistoryPage]:
    """Open a page of session 7, of ten seconds."""

    def run(*markers: Marker) -> HistoryPage:
        source = make.source(0)
        channels = list_channels([source])
        times = START_S + np.arange(0, 10, 0.1)
        series = Series(times, np.tile(np.sin(times)[:, np.newaxis], (1, len(channels))))
        record = make.session(7).model_copy(update={"sources": (source,), "markers": markers})
        window.histories.show(History(record, channels, {0: series}, {0: series}))
        page = window.tabs.currentWidget()
        assert isinstance(page, HistoryPage)
        return page

    return run


def test_markers_appear_on_the_live_plot_as_they_are_told(recording: MainWindow, feed: Any) -> None:
    plot = recording.live_page.plot
    feed.markers_listed.emit(7, (make_marker(1),))
    feed.marker_received.emit(7, make_marker(2, "warm", to_ns=round((START_S + 8) * 1e9)))
    feed.marker_received.emit(8, make_marker(3, "of another session"))
    plot.draw()
    assert [marker.text for marker in plot.plot.markers] == ["pump on", "warm"]
    feed.marker_received.emit(7, make_marker(1, version=2, is_deleted=True))
    feed.marker_received.emit(7, make_marker(2, "hot", version=2))
    plot.draw()
    assert [marker.text for marker in plot.plot.markers] == ["hot"]
    feed.connection_changed.emit(ConnectionState(Connection.OFFLINE))
    plot.draw()
    assert plot.plot.markers == ()


def test_a_marker_s_label_is_its_text_and_lies_within_the_plot(open_history: Callable[..., HistoryPage]) -> None:
    first = make_marker(1, "valve {0} {value} at 5 %", START_S + 1)
    last = make_marker(2, "sample changed by hand", START_S + 9.95)
    page = open_history(first, last)

    area = page.plot.panels[0].area
    drawn = page.plot.marker_labels()
    assert {label_words(marker) for marker in drawn} == {first.text, last.text}
    assert all(area.contains(place) for place in drawn.values())


def test_one_key_writes_a_marker_at_this_moment(recording: MainWindow, feed: Any) -> None:
    before_s = recording.live_page.server_now_s
    recording.menus["marker"].trigger()
    dialog = dialog_of(recording, MarkerDialog)
    dialog.accept()
    assert dialog.wrong.isVisible()  # it needs a text
    QTest.keyClicks(dialog.text, "pump on")
    dialog.source.setCurrentText("sim1")
    dialog.accept()
    what, number, words = feed.requests[-1]
    assert (what, number, words.text, words.to_ns, words.source) == ("add marker", 7, "pump on", None, "sim1")
    assert before_s - 0.001 <= words.from_ns / 1e9 <= recording.live_page.server_now_s


@pytest.mark.parametrize("key", [Qt.Key_Return, Qt.Key_Enter])
def test_enter_saves_the_words_of_a_marker_and_shift_begins_a_new_line(
    recording: MainWindow, feed: Any, key: Qt.Key
) -> None:
    recording.ask_for_marker()
    dialog = dialog_of(recording, MarkerDialog)
    QTest.keyClicks(dialog.text, "pump on")
    QTest.keyClick(dialog.text, key, Qt.ShiftModifier)
    QTest.keyClicks(dialog.text, "2 bar")
    assert dialog.isVisible()
    QTest.keyClick(dialog.text, key)
    assert not dialog.isVisible()
    assert dialog.words.text == "pump on\n2 bar"


def test_without_a_session_there_is_nothing_to_mark(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    assert not window.live_page.marker.isEnabled()
    window.menus["marker"].trigger()
    assert not [dialog for dialog in window.findChildren(MarkerDialog) if dialog.isVisible()]


def test_a_click_on_the_history_offers_its_time_and_the_marker_that_is_there(
    window: MainWindow, feed: Any, open_history: Callable[..., HistoryPage]
) -> None:
    span = make_marker(2, "a & b", START_S + 2, to_ns=round((START_S + 4) * 1e9))
    page = open_history(make_marker(1, at_s=START_S + 8), span)

    def place(at_s: float) -> QPoint:
        return QPoint(round(page.plot.x_of(at_s)), round(page.plot.panels[0].area.center().y()))

    menu = page.markers.menu.make_menu(place(START_S + 3))
    assert [action.text() for action in menu.actions()] == ["&Add a marker here…", "", "Change “a && b”…"]
    menu.actions()[0].trigger()
    dialog = dialog_of(window, MarkerDialog)
    QTest.keyClicks(dialog.text, "seen later")
    dialog.accept()
    what, number, words = feed.requests[-1]
    assert (what, number, words.text) == ("add marker", 7, "seen later")
    assert abs(words.from_ns / 1e9 - START_S - 3) < 0.05
    assert [m.id for m in page.markers.menu.markers_at(place(START_S + 8))] == [1]
    assert page.markers.menu.markers_at(place(START_S + 6)) == []


def test_markers_of_a_history_are_listed_shown_changed_and_deleted(
    window: MainWindow, feed: Any, open_history: Callable[..., HistoryPage]
) -> None:
    first = make_marker(1, at_s=START_S + 8.000000123)
    page = open_history(first)
    assert page.plot.markers == (first,)
    (text,) = texts(page)
    assert text.endswith("pump on")
    page.plot.show_times(START_S, START_S + 1)
    page.markers.rows.itemClicked.emit(page.markers.rows.item(0))
    low, high = page.plot.time_range
    assert low < START_S + 8 < high

    page.markers.rows.itemActivated.emit(page.markers.rows.item(0))
    dialog = dialog_of(window, MarkerDialog)
    dialog.text.setPlainText("pump on, 2 bar")
    dialog.lasts.setChecked(True)
    dialog.end.setDateTime(dialog.begin.dateTime().addSecs(-1))
    dialog.accept()
    assert "before the beginning" in dialog.wrong.text()
    dialog.end.setDateTime(dialog.begin.dateTime().addSecs(1))
    dialog.accept()
    what, number, marker, words = feed.requests[-1]
    assert (what, number, marker) == ("edit marker", 7, first)
    assert words.from_ns == first.from_ns  # not touched: as exact as it was
    assert words.text == "pump on, 2 bar"

    second = make_marker(1, "pump on, 2 bar", version=2)
    feed.marker_received.emit(7, second)
    assert texts(page)[0].endswith("2 bar")
    page = open_history(first)  # read anew from a copy that does not know of it yet
    assert texts(page)[0].endswith("2 bar")
    page.markers.rows.itemActivated.emit(page.markers.rows.item(0))
    dialog_of(window, MarkerDialog)._delete()
    assert feed.requests[-1] == ("delete marker", 7, second)
    feed.marker_received.emit(7, make_marker(1, version=3, is_deleted=True))
    assert texts(page) == ["none yet"]


def test_a_viewer_sees_markers_and_cannot_write_any(
    recording: MainWindow, feed: Any, open_history: Callable[..., HistoryPage]
) -> None:
    page = open_history(make_marker())
    feed.identity_received.emit(WhoRecord(name="wall", role=Role.VIEWER))
    assert page.plot.markers
    menu = page.markers.menu.make_menu(QPoint(200, 200))
    assert not any(action.isEnabled() for action in menu.actions() if action.text())
    assert "viewer" in menu.actions()[0].toolTip()
    assert not page.markers.add.isEnabled()
    assert not recording.live_page.marker.isEnabled()
    assert not recording.menus["marker"].isEnabled()
    page.markers.rows.itemActivated.emit(page.markers.rows.item(0))
    assert not recording.findChildren(MarkerDialog)
    recording.note_actions.show_details(7)
    feed.session_described.emit(page.history.record)
    dialog = dialog_of(recording, SessionDetailsDialog)
    assert dialog.name.isReadOnly()
    assert not dialog.accept_button.isEnabled()


def test_nothing_is_written_of_a_session_that_the_server_does_not_have(
    window: MainWindow, feed: Any, make: Any, open_history: Callable[..., HistoryPage]
) -> None:
    feed.go_online()
    page = open_history(make_marker())
    actions = window.sessions_page.actions_by_name
    feed.sessions_listed.emit(SessionList((make.session(7),), frozenset({7}), frozenset({7})))
    assert not page.markers.add.isEnabled()
    assert "does not have this session" in page.markers.add.toolTip()
    assert not actions["rename"].isEnabled()
    window.note_actions.show_details(7)
    feed.session_described.emit(page.history.record)
    dialog = dialog_of(window, SessionDetailsDialog)
    assert not dialog.accept_button.isEnabled()
    dialog.reject()
    feed.sessions_listed.emit(SessionList((make.session(7),), frozenset({7})))
    assert page.markers.add.isEnabled()
    assert actions["rename"].isEnabled()


def test_the_details_of_a_session_are_shown_and_changed(window: MainWindow, feed: Any, make: Any) -> None:
    change = SessionChange(
        changed_at=datetime(2026, 3, 2, tzinfo=UTC), who="bob", name="name", before="", after="warm-up"
    )
    record = make.session(7).model_copy(
        update={"tags": ("a",), "fields": {"sample": "brass"}, "changes": (change,), "markers": (make_marker(),)}
    )
    feed.go_online()
    feed.sessions_listed.emit(SessionList((record.brief(),)))
    window.sessions_page.actions_by_name["details"].trigger()
    assert feed.requests[-1] == ("describe", 7)
    feed.session_described.emit(record)
    dialog = dialog_of(window, SessionDetailsDialog)
    assert dialog.pages.tabText(2) == "&History (1)"
    dialog.accept()
    assert feed.requests[-1] == ("describe", 7)  # nothing was changed

    window.note_actions.show_details(7)
    feed.session_described.emit(record)
    dialog = dialog_of(window, SessionDetailsDialog)
    feed.marker_received.emit(7, make_marker(2, "valve"))
    assert dialog.markers.count() == 2
    dialog.markers.itemActivated.emit(dialog.markers.item(0))
    dialog_of(window, MarkerDialog).reject()
    dialog.tags.setText("a, rig 2,")
    dialog.fields.item(0, 1).setText("")
    rows = dialog.fields.rowCount()
    dialog.fields.setItem(rows - 1, 1, QTableWidgetItem("4"))
    dialog.accept()
    assert "a field without a name" in dialog.wrong.text()
    dialog.fields.setItem(rows - 1, 0, QTableWidgetItem("rig"))
    assert dialog.fields.rowCount() > rows
    dialog.accept()
    assert feed.requests[-1] == (
        "change",
        7,
        SessionWords(tags=("a", "rig 2"), fields={"sample": "", "rig": "4"}),
    )


def test_what_the_server_demands_is_asked_for_and_proposed_again(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    demands = {"required_fields": ("sample",), "session_name": "{date}_{sample}_{rig}_{n}"}
    feed.status_received.emit(make.status().model_copy(update=demands))
    window.header.start.click()
    dialog = dialog_of(window, StartDialog)
    assert dialog.fields.typed == {}
    dialog.accept()
    assert "needs the field sample" in dialog.wrong.text()
    dialog.fields.set("sample", "brass 4")
    dialog.accept()
    assert feed.requests[-1] == ("start", "", "", SessionWords(fields={"sample": "brass 4"}))
    feed.status_received.emit(make.status().model_copy(update=demands))
    assert window.header.start.isEnabled()
    window.header.start.click()
    assert dialog_of(window, StartDialog).fields.typed == {"sample": "brass 4"}


def test_the_name_that_the_server_will_make_is_shown(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status().model_copy(update={"session_name": "run {n}"}))
    feed.sessions_listed.emit(SessionList((make.session(7, name="run 4"),)))
    window._tick()
    assert window.header.name.placeholderText() == "run 5"
    window.header.start.click()
    assert feed.requests[-1] == ("start", "", "")


def test_sessions_are_searched_by_what_is_written_of_them(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    tagged = make.session(7, name="Prüfung").model_copy(update={"tags": ("rig 2",), "fields": {"sample": "brass"}})
    feed.sessions_listed.emit(SessionList((make.session(8), tagged)))
    page = window.sessions_page

    def found(text: str) -> list[str]:
        page.search.setText(text)
        return [page.proxy.index(row, 1).data() for row in range(page.proxy.rowCount())]

    assert found("") == ["8", "7"]
    assert found("PRUFUNG brass") == ["7"]
    assert found('tag:"rig 2"') == ["7"]
    assert found("warm-up") == ["8"]
    assert found("nowhere") == []
    assert page.table._hint.startswith("No session has all of these words.")
    page.search.clear()
    page.select(7)
    assert "Tags: rig 2" in page.about.text()


def test_tags_have_a_column_where_there_are_any(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    page = window.sessions_page
    plain, tagged = make.session(8), make.session(7).model_copy(update={"tags": ("rig 2", "warm")})
    feed.sessions_listed.emit(SessionList((plain,)))
    assert page.table.isColumnHidden(TAGS)
    feed.sessions_listed.emit(SessionList((plain, tagged)))
    assert not page.table.isColumnHidden(TAGS)
    assert [page.sessions.index(row, TAGS).data() for row in range(2)] == ["", "rig 2, warm"]
    feed.sessions_listed.emit(SessionList((plain,)))
    assert page.table.isColumnHidden(TAGS)


def test_a_window_writes_markers_on_a_server_and_another_sees_them_at_once(
    qtbot: QtBot, server: Any, show_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    feed = ServerLink(tmp_path / "caches")
    window = show_window(feed)
    with Client(server.url, timeout=60) as client:
        number = client.start("shared", tags=["kept"]).id
        first = client.add_marker(number, "before the window")
        window.connect_to(ServerAddress.parse(server.url))

        def wait(is_so: Callable[[], object]) -> None:
            qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)

        wait(lambda: window.store.markers == (first,))
        feed.add_marker(number, MarkerWords("by the window", first.from_ns + 123, first.from_ns + 456, "sim1"))
        wait(lambda: len(window.store.markers) == 2)
        written = client.markers(number)[1]
        assert (written.from_ns, written.to_ns) == (first.from_ns + 123, first.from_ns + 456)
        client.edit_marker(number, written, text="by another")
        wait(lambda: [m.text for m in window.store.markers] == ["before the window", "by another"])
        with qtbot.waitSignal(feed.request_failed, timeout=20_000) as failed:
            feed.edit_marker(number, written, MarkerWords("too late", written.from_ns))
        assert "is at version 2" in failed.args[0].sentence
        client.stop()
        with qtbot.waitSignal(feed.session_described, timeout=20_000) as described:
            feed.describe_session(number)
        assert [m.text for m in described.args[0].markers] == ["before the window", "by another"]
        with DatabaseClient(path=str(feed.cache_path)) as cache:
            client.download(number, cache)
            feed.add_marker(number, MarkerWords("seen later", first.from_ns + 789))
            wait(lambda: "seen later" in [m.text for m in cache.session_record(number).markers])
        feed.change_session(number, SessionWords(fields={"sample": "brass"}))
        wait(lambda: (listed := window.sessions_page.sessions.find(number)) and listed.fields == {"sample": "brass"})
    feed.close()
