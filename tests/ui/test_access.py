"""The window and what it may: links, roles, what the server's state means, the trash. The feed has no server."""

from datetime import UTC, datetime
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.records import Notice, Role, RoomRecord, StoreRecord
from blitz.ui import trash_actions
from blitz.ui.feed import Connection, ConnectionState, SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.models import sessions

TOKEN = "blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ"
FINGERPRINT = "0f" * 32
LINK = f"blitz://lab-pi:9000/#{TOKEN}&{FINGERPRINT}"
AWAY_SINCE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def open_dialog(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def press(box: QMessageBox, words: str) -> None:
    QTest.mouseClick(next(button for button in box.buttons() if words in button.text()), Qt.LeftButton)


@pytest.mark.parametrize("how", ["on the page", "into the field"])
def test_a_pasted_link_is_followed_and_its_token_is_shown_and_kept_nowhere(
    window: MainWindow, feed: Any, how: str
) -> None:
    window.menus["servers"].trigger()
    page = window.first.page
    QApplication.clipboard().setText(f" {LINK}\n")
    field = page.computer.button if how == "on the page" else page.entry
    field.setFocus()
    QTest.keyClick(field, Qt.Key_V, Qt.ControlModifier)
    assert feed.requests[-1] == ("connect", "https://lab-pi:9000", TOKEN, FINGERPRINT)
    assert page.entry.text() == ""
    assert window.tabs.isVisible()
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "https://lab-pi:9000"))
    assert TOKEN not in window.windowTitle()
    settings = window.preferences._settings
    assert TOKEN not in "".join(str(settings.value(key)) for key in settings.allKeys())

    window.menus["servers"].trigger()
    assert page.recent[0].text() == "lab-pi"
    page.recent[0].click()
    assert feed.requests[-1] == ("connect", "https://lab-pi:9000", TOKEN, FINGERPRINT)


def test_a_link_typed_letter_by_letter_is_followed_when_it_is_whole(window: MainWindow, feed: Any) -> None:
    window.menus["servers"].trigger()
    QTest.keyClicks(window.first.page.entry, LINK)
    assert feed.requests == []
    QTest.keyClick(window.first.page.entry, Qt.Key_Return)
    assert feed.requests[-1] == ("connect", "https://lab-pi:9000", TOKEN, FINGERPRINT)


@pytest.mark.parametrize("wrong", ["http://:0", LINK[:-1], f"ftp://lab/#{TOKEN}"])
def test_a_wrong_address_is_said_on_the_page_without_its_token(window: MainWindow, feed: Any, wrong: str) -> None:
    window.menus["servers"].trigger()
    page = window.first.page
    page.entry.setText(wrong)
    page.go.click()
    assert page.isVisible()
    assert page.message.isVisible()
    assert TOKEN not in page.message.text
    assert feed.requests == []


def test_the_dialog_for_a_token_takes_links_apart_and_says_what_is_wrong(window: MainWindow, feed: Any) -> None:
    window.first.ask_for_token("http://lab-pi:9000")
    dialog = open_dialog(window, QDialog)
    dialog._address.lineEdit().selectAll()
    dialog._address.lineEdit().insert(LINK)
    assert dialog._address.currentText() == "https://lab-pi:9000"
    assert TOKEN not in dialog._token.displayText()
    assert dialog._fingerprint.text() == FINGERPRINT
    dialog._address.setEditText("http://:0")
    dialog.accept()
    assert dialog.isVisible()
    assert dialog.wrong.isVisible()
    dialog._address.setEditText("https://lab-pi:9000")
    dialog._fingerprint.setText(FINGERPRINT)
    dialog._token.setText(TOKEN)
    dialog.accept()
    assert feed.requests[-1] == ("connect", "https://lab-pi:9000", TOKEN, FINGERPRINT)


def test_a_viewer_sees_greyed_buttons_that_say_why(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.identity_received.emit(WhoRecord(name="wall screen", role=Role.VIEWER))
    feed.status_received.emit(make.status())
    feed.sessions_listed.emit(SessionList((make.session(9),)))
    feed.trash_listed.emit((make.session(4),))
    window.sessions_page.select(9)
    window.show_trash()
    page = window.trash_actions.page
    assert page is not None
    boards = window.boards_page
    actions = window.sessions_page.actions_by_name
    for greyed in (
        *(window.header.start, window.header.stop, window.header.name),
        *(boards.channels, boards.release, boards.retake, boards.line, boards.commands.send),
        *(actions["rename"], actions["star"], actions["delete"]),
        *(page.restore, page.delete),
    ):
        assert not greyed.isEnabled()
        assert "its role is viewer" in greyed.toolTip()
    assert not window.menus["start"].isEnabled()
    for allowed in ("view", "download", "export"):
        assert actions[allowed].isEnabled()
    assert "wall screen, viewer" in window.status_line.version.text()

    feed.identity_received.emit(WhoRecord(name="bench", role=Role.OPERATOR))
    assert window.header.start.isEnabled()
    assert "Begin a session" in window.header.start.toolTip()
    assert boards.release.isEnabled()
    assert "Lends the port" in boards.release.toolTip()
    assert actions["delete"].isEnabled()
    assert page.restore.isEnabled()
    assert not page.delete.isEnabled()
    assert "needs admin" in page.delete.toolTip()


def test_what_is_spooled_is_shown_until_it_is_over(window: MainWindow, feed: Any, make: Any) -> None:
    def show(**store: Any) -> str:
        status = make.status(make.session(running=True))
        feed.status_received.emit(status.model_copy(update={"store": StoreRecord(**store)}))
        return " ".join(condition.text for condition in window.conditions.conditions).replace("\u202f", " ")

    feed.go_online()
    assert show(is_up=True) == ""
    assert not window.conditions.isVisible()
    words = show(is_up=False, spooled_messages=12_340, spooling_since=AWAY_SINCE)
    assert "Redis is away" in words
    assert "12 340 messages are safe on disk and enter the session when it is back" in words
    assert window.conditions.isVisible()
    assert "safe on disk" in window.status_line.store.text()
    assert "12 341 messages" in show(is_up=False, spooled_messages=12_341, spooling_since=AWAY_SINCE)
    assert "Redis is back: 500 messages are on their way" in show(is_up=True, spooled_messages=500)
    assert show(is_up=True) == ""
    assert not window.conditions.isVisible()


def test_room_is_said_before_the_start_and_as_a_banner_when_it_is_short(
    window: MainWindow, feed: Any, make: Any
) -> None:
    def show(**room: Any) -> None:
        feed.status_received.emit(make.status().model_copy(update={"room": RoomRecord(**room)}))

    feed.go_online()
    show(full_in_s=3 * 86_400)
    assert "room for about 3 days" in window.header.detail.text()
    assert window.conditions.conditions == ()
    show(full_in_s=7200, level="warning", text="The disk will be full in about 2 hours.", limited_by="disk")
    assert [condition.severity for condition in window.conditions.conditions] == ["warning"]
    show(full_in_s=0, level="full", text="The disk is full: the session was stopped.", limited_by="disk")
    (condition,) = window.conditions.conditions
    assert (condition.severity, condition.head) == ("error", "Full")
    assert "the session was stopped" in condition.text
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://x:1"))
    assert window.conditions.conditions == ()


def test_what_the_banner_says_of_room_is_no_notice_as_well(window: MainWindow, feed: Any, make: Any) -> None:
    def notice(text: str) -> None:
        feed.notice_received.emit(Notice(severity="warning", text=text, time=datetime.now(UTC)))

    def show(text: str) -> None:
        room = RoomRecord(level="warning" if text else "ok", text=text)
        feed.status_received.emit(make.status().model_copy(update={"room": room}))

    feed.go_online()
    advice = "Delete sessions, or put archive_dir on a larger disk."
    notice(f"The disk of /srv/blitz.d has 1.4 GB left besides the reserve of 512 MB. {advice}")
    notice("sim1 is silent.")
    assert len(window.notices.texts) == 2
    show(f"The disk of /srv/blitz.d has 980 MB left, which lasts for 2 days at the present rate. {advice}")
    assert window.notices.texts == ["sim1 is silent."]
    notice(f"The disk of /srv/blitz.d has 230 MB left. {advice}")
    notice(f"The disk of /mnt/spool has 230 MB left. {advice}")
    notice(f"No room was left: The disk of /srv/blitz.d is full. {advice}")
    assert len(window.notices.texts) == 3
    show("")
    notice("There is room for messages again.")
    notice(f"The disk of /srv/blitz.d has 1.4 GB left. {advice}")
    assert len(window.notices.texts) == 5


def test_a_session_says_that_it_was_resumed_and_why_it_was_stopped(window: MainWindow, feed: Any, make: Any) -> None:
    stopped = make.session(9).model_copy(
        update={"stop_reason": "The disk was full.", "resumed": 2, "verdict": "1 gap, nothing lost"}
    )
    feed.sessions_listed.emit(SessionList((make.session(10, running=True).model_copy(update={"resumed": 1}), stopped)))
    model = window.sessions_page.sessions
    assert model.index(0, sessions.STATE).data() == "recording, resumed once"
    assert model.index(1, sessions.STATE).data() == "stopped by itself, resumed 2 times, 1 gap, nothing lost"
    assert model.index(1, sessions.STATE).data(Qt.ToolTipRole) == "The disk was full."
    window.sessions_page.select(9)
    assert "The disk was full." in window.sessions_page.about.text()


def test_a_click_on_its_star_keeps_a_session(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    window.menus["sessions"].trigger()
    feed.sessions_listed.emit(SessionList((make.session(9),)))
    page.select(9)

    def star() -> str:
        index = page.proxy.index(0, sessions.STAR)
        QTest.mouseClick(page.table.viewport(), Qt.LeftButton, pos=page.table.visualRect(index).center())
        return str(index.data())

    assert star() == "☆"
    assert feed.requests[-1] == ("star", 9, True)
    feed.sessions_listed.emit(SessionList((make.session(9).model_copy(update={"starred": True}),)))
    assert star() == "★"
    assert feed.requests[-1] == ("star", 9, False)


def test_delete_moves_to_the_trash_and_can_be_undone_for_a_while(
    window: MainWindow, feed: Any, make: Any, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    feed.go_online()
    feed.trash_listed.emit(())
    feed.sessions_listed.emit(SessionList((make.session(9),), frozenset({9})))
    window.sessions_page.select(9)
    window.sessions_page.actions_by_name["delete"].trigger()
    box = open_dialog(window, QMessageBox)
    assert "from which it can be restored" in box.informativeText()
    press(box, "Move to the trash")
    assert feed.requests[-1] == ("delete", 9)
    feed.session_trashed.emit(make.session(9))
    assert window.notices.texts == ["“warm-up” was moved to the trash."]
    undo = next(button for button in window.notices.findChildren(QPushButton) if button.text() == "Undo")
    QTest.mouseClick(undo, Qt.LeftButton)
    assert feed.requests[-1] == ("restore", 9)
    assert window.notices.texts == []
    monkeypatch.setattr(trash_actions, "UNDO_MS", 1)
    feed.session_trashed.emit(make.session(9))
    qtbot.waitUntil(lambda: window.notices.texts == [], timeout=20_000)


def test_a_copy_here_of_what_is_in_the_trash_is_said_to_be_one(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.sessions_listed.emit(SessionList((make.session(9),), frozenset({9}), frozenset({9})))
    model = window.sessions_page.sessions
    assert model.index(0, sessions.COPY).data() == "only here"
    feed.trash_listed.emit((make.session(9),))
    assert model.index(0, sessions.COPY).data() == "in the trash"
    assert model.index(0, sessions.NAME).data(Qt.FontRole) is None  # not the last one
    window.sessions_page.select(9)
    window.sessions_page.actions_by_name["delete"].trigger()
    box = open_dialog(window, QMessageBox)
    assert "The server has it in its trash" in box.informativeText()
    press(box, "only the copy here")
    assert feed.requests[-1] == ("delete here", 9)


def test_the_trash_is_a_page_that_restores_and_asks_before_it_deletes_for_good(
    window: MainWindow, feed: Any, make: Any
) -> None:
    feed.go_online()
    assert not window.sessions_page.trash.isVisible()
    deleted = [
        make.session(n, name=f"run {n}").model_copy(update={"trashed_at": AWAY_SINCE.replace(hour=n)}) for n in (3, 5)
    ]
    feed.trash_listed.emit(tuple(deleted))
    window.menus["sessions"].trigger()
    assert window.sessions_page.trash.text() == "Trash (2)…"
    window.sessions_page.trash.click()
    page = window.trash_actions.page
    assert page is not None
    assert window.tabs.currentWidget() is page
    assert feed.requests[-1] == ("trash",)
    assert [record.id for record in page.trash.records] == [5, 3]
    page.select(3)
    page.restore.click()
    assert feed.requests[-1] == ("restore", 3)
    page.delete.click()
    box = open_dialog(window, QMessageBox)
    assert "run 3" in box.text()
    assert box.focusWidget() is box.button(QMessageBox.Cancel)
    press(box, "Cancel")
    assert feed.requests[-1] == ("restore", 3)
    page.delete.click()
    press(open_dialog(window, QMessageBox), "for good")
    assert feed.requests[-1] == ("delete for good", 3)
    feed.trash_listed.emit((deleted[1],))
    assert [record.id for record in page.trash.records] == [5]
    window.show_trash()
    assert window.tabs.pages().count(page) == 1
    window.menus["close_tab"].trigger()
    assert page not in window.tabs.pages()
    feed.trash_listed.emit(())
    window.show_trash()
    assert window.tabs.pages().count(window.trash_actions.page) == 1
