"""The start page, the bar of the connection, and who hears whom. The feed has no server."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QMessageBox

from blitz.errors import AuthenticationError, CertificateMismatch
from blitz.io.address import ServerAddress
from blitz.io.discovery import FoundServer
from blitz.ui.dialogs.connect import ConnectDialog
from blitz.ui.dialogs.known_server import KnownServerDialog
from blitz.ui.feed import Connection, ConnectionState, RequestFailure
from blitz.ui.local_servers import LocalKind
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.start_page import FoundRow

ADDRESS = "http://lab-pi:8999"
WAIT_MS = 30_000


def lose(feed: Any) -> None:
    """As a server that was heard and is not any more."""
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, ADDRESS, "The connection was lost."))


def give_up(feed: Any, error: Exception) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.OFFLINE, ADDRESS))
    feed.request_failed.emit(RequestFailure(f"Not connected to {ADDRESS}", error, address=ADDRESS))


def press(bar: Any, words: str) -> None:
    buttons = bar.buttons() if isinstance(bar, QMessageBox) else bar.buttons
    button = next(button for button in buttons if words in button.text().replace("&", ""))
    QTest.mouseClick(button, Qt.LeftButton)


def test_the_start_page_stands_where_the_tabs_were_and_goes_when_a_server_is_chosen(
    window: MainWindow, feed: Any
) -> None:
    window.menus["servers"].trigger()
    page = window.first.page
    assert page.isVisible()
    assert not window.tabs.isVisible()
    assert not window.header.isVisible()
    assert page.back.isHidden()
    page.entry.setText("lab-pi")
    page.go.click()
    assert feed.requests == [("connect", ADDRESS, "", "")]
    assert window.tabs.isVisible()
    assert window.header.isVisible()
    assert not page.isVisible()


def test_with_a_server_the_page_leads_back_to_it(window: MainWindow, feed: Any, make: Any) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status(make.session(running=True)))
    window.menus["servers"].trigger()
    page = window.first.page
    assert page.isVisible()
    assert window.header.isVisible()  # whether it records is seen all the time
    assert "Back to lab-pi" in page.back.text()
    page.computer.button.setFocus()
    QTest.keyClick(page.computer.button, Qt.Key_Escape)
    assert window.tabs.isVisible()
    assert feed.requests == [("connect", ADDRESS, "", "")]


def test_recent_servers_are_chosen_and_removed_after_a_question(window: MainWindow, feed: Any) -> None:
    for name in ("bench", "lab-pi"):
        window.preferences.remember_server(ServerAddress.parse(name))
    window.menus["servers"].trigger()
    page = window.first.page
    assert [button.text() for button in page.recent] == ["lab-pi", "bench"]
    assert page.recent[0].hasFocus()
    grid = page._recent_grid
    for words, left in (("Cancel", ["lab-pi", "bench"]), ("Remove", ["bench"])):
        QTest.mouseClick(grid.itemAtPosition(0, 4).widget(), Qt.LeftButton)
        box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
        assert "http://lab-pi:8999 is remembered no longer" in box.informativeText()
        assert box.focusWidget() is box.button(QMessageBox.Cancel)
        press(box, words)
        assert [button.text() for button in page.recent] == left
    page.recent[0].click()
    assert feed.requests == [("connect", "http://bench:8999", "", "")]


def test_a_recent_server_gets_another_name_address_and_token(window: MainWindow, feed: Any) -> None:
    fingerprint = "0f" * 32
    for name in ("bench", f"blitz://lab-pi:8999/#&{fingerprint}"):
        window.preferences.remember_server(ServerAddress.parse(name))
    window.menus["servers"].trigger()
    page = window.first.page
    QTest.mouseClick(page._recent_grid.itemAtPosition(0, 3).widget(), Qt.LeftButton)
    dialog = next(dialog for dialog in window.findChildren(KnownServerDialog) if dialog.isVisible())
    assert (dialog.name.text(), dialog._address.currentText()) == ("lab-pi", "https://lab-pi:8999")
    assert dialog.focusWidget() is dialog.name
    dialog.name.setText("Pump")
    for wrong, why in (("http://bench:8999", "for it"), ("bench:0", "no server's address")):
        dialog._address.setEditText(wrong)
        assert dialog._fingerprint.text() == fingerprint  # that of the certificate, wherever the server is
        dialog.accept()
        assert why in dialog.wrong.text()
    dialog._fingerprint.clear()
    dialog._address.setEditText("http://bench:8999")
    dialog.accept()
    assert "in the list already" in dialog.wrong.text()
    dialog._fingerprint.setText(fingerprint)
    dialog._address.setEditText("lab-pi:9000")
    dialog._token.setText("blz_new")
    dialog.accept()
    assert [button.text() for button in page.recent] == ["Pump", "bench"]
    assert feed.requests == []
    page.recent[0].click()
    assert feed.requests == [("connect", "https://lab-pi:9000", "blz_new", fingerprint)]
    assert "blz_new" not in "".join(map(str, window.preferences.known_servers))


def test_a_typed_name_is_reached_as_it_was_before(window: MainWindow, feed: Any) -> None:
    fingerprint = "0f" * 32
    window.preferences.remember_server(ServerAddress.parse(f"blitz://lab-pi:8999/#blz_x&{fingerprint}"))
    window.menus["servers"].trigger()
    page = window.first.page
    for typed, asked in (("lab-pi", "https://lab-pi:8999"), ("http://lab-pi:8999", ADDRESS)):
        page.entry.setText(typed)
        page.go.click()
        assert feed.requests[-1][1] == asked
    assert ("connect", "https://lab-pi:8999", "", fingerprint) in feed.requests


def test_a_refusal_opens_the_page_and_says_what_to_do(window: MainWindow, feed: Any) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    give_up(feed, AuthenticationError("It asks for a token. Paste the link."))
    page = window.first.page
    assert page.isVisible()
    assert page.message.text == "Not connected to lab-pi. It asks for a token. Paste the link."
    assert window.notices.texts == []
    press(page.message, "Enter a token")
    dialog = next(dialog for dialog in window.findChildren(ConnectDialog) if dialog.isVisible())
    dialog._token.setText("blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ")
    dialog.accept()
    assert feed.requests[-1] == ("connect", ADDRESS, "blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ", "")


def test_a_changed_certificate_is_refused_with_a_sentence_and_can_be_tried_again(window: MainWindow, feed: Any) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    give_up(feed, CertificateMismatch("It shows another certificate. Paste the new link."))
    message = window.first.page.message
    assert "another certificate" in message.text
    assert not [button for button in message.buttons if "token" in button.text()]
    press(message, "Try again")
    assert feed.requests[-1] == ("connect", ADDRESS, "", "")
    assert window.tabs.isVisible()


def test_found_servers_are_rows_to_choose_from(window: MainWindow) -> None:
    page = window.first.page
    window.menus["servers"].trigger()
    assert "Looking" in page.network.words.text()
    page.show_found((FoundRow("a", "lab-pi", "lab-pi:8999", is_locked=True), FoundRow("b", "bench", "10.0.0.7:8999")))
    chosen: list[str] = []
    page.found_chosen.connect(chosen.append)
    assert "needs a token" in page.found[0].accessibleName()
    assert "needs a token" not in page.found[1].accessibleName()
    page.found[1].setFocus()
    page.show_found((FoundRow("b", "bench", "10.0.0.7:8999"),))
    assert page.found[0].hasFocus()
    page.found[0].click()
    assert chosen == ["b"]
    page.show_found((), can_look=False)
    assert "cannot be searched" in page.network.words.text()


def test_a_lost_connection_is_said_in_a_bar_with_what_can_be_done(
    window: MainWindow, feed: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status(make.session(running=True)))
    bar = window.first.bar
    assert not bar.isVisible()
    monkeypatch.setattr(bar, "_next_try_s", lambda: time.monotonic() + 40.4)
    lose(feed)
    assert bar.isVisible()
    assert "No connection to lab-pi for" in bar.text
    assert "Trying again in 40 s; recording there goes on." in bar.text
    press(bar, "Retry now")
    assert feed.requests[-1] == ("retry",)
    monkeypatch.setattr(bar, "_next_try_s", lambda: None)
    bar.refresh()
    assert "Trying again now" in bar.text
    press(bar, "Servers")
    assert window.first.page.isVisible()
    assert bar.isVisible()
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    assert not bar.isVisible()
    feed.status_received.emit(make.status(make.session(running=True)))
    (told,) = window.notices.texts
    assert "The connection to lab-pi is back after" in told
    assert "Recording went on there" in told


def test_a_server_that_stops_its_session_before_it_ends_does_not_go_on_recording(
    window: MainWindow, feed: Any, make: Any
) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status(make.session(running=True)))
    feed.session_stopped.emit(make.session())
    lose(feed)
    assert window.first.bar.isVisible()
    assert "recording" not in window.first.bar.text


def test_a_session_that_ended_meanwhile_is_told(window: MainWindow, feed: Any, make: Any) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status(make.session(running=True)))
    lose(feed)
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status())
    assert "The session has ended meanwhile." in window.notices.texts[0]


def test_a_server_that_does_not_answer_at_first_is_tried_on_and_said(window: MainWindow, feed: Any) -> None:
    window.connect_to(ServerAddress.parse(ADDRESS))
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, ADDRESS))
    bar = window.first.bar
    assert not bar.isVisible()
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, ADDRESS, "Cannot reach a Blitz server."))
    assert bar.isVisible()
    assert "lab-pi does not answer." in bar.text
    assert "Cannot reach a Blitz server." in bar.text
    window.menus["servers"].trigger()
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, ADDRESS, "Cannot reach a Blitz server."))
    assert window.first.page.isVisible()  # who chooses another one is left alone
    feed.connection_changed.emit(ConnectionState(Connection.OFFLINE))
    assert not bar.isVisible()


def test_what_is_started_here_says_so_and_can_be_cancelled(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LocalKind] = []
    cancelled: list[bool] = []
    local = window.first.local
    monkeypatch.setattr(local, "bring_up", asked.append)
    monkeypatch.setattr(local, "cancel", lambda: cancelled.append(True))
    window.menus["servers"].trigger()
    page = window.first.page
    page.computer.button.click()
    assert asked == [LocalKind.COMPUTER]
    assert "Looking for the server" in page.message.text
    assert not page.demo.button.isEnabled()
    local.starting.emit(LocalKind.COMPUTER)
    assert "No server runs here yet: one is started" in page.message.text
    press(page.message, "Cancel")
    assert cancelled[-1]
    local.ended.emit()
    assert not page.message.isVisible()
    local.failed.emit(LocalKind.COMPUTER, "The server ended at once. It said: no room")
    assert "no room" in page.message.text
    press(page.message, "Try again")
    assert asked == [LocalKind.COMPUTER] * 2


def test_a_server_found_here_is_connected_to_only_while_nothing_else_was_chosen(window: MainWindow, feed: Any) -> None:
    own = ServerAddress.parse("http://127.0.0.1:8999")
    window.first.local.found.emit(LocalKind.COMPUTER, own)
    assert feed.requests == []
    window.menus["servers"].trigger()
    window.first.local.found.emit(LocalKind.COMPUTER, own)
    assert feed.requests == [("connect", str(own), "", "")]
    assert window.preferences.servers == ()
    assert window.preferences.last_place == "computer"
    assert window.first.servers.name(str(own)) == "This computer"
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, str(own)))
    assert window.windowTitle() == "This computer – Blitz"
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "http://bench:8999"))
    assert window.windowTitle() == "bench:8999 – Blitz"


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_operator_is_asked_whether_a_token_is_remembered(
    window: MainWindow, feed: Any, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[bool] = []
    servers = window.first.servers
    monkeypatch.setattr(servers, "keep_token", lambda address, is_wanted: chosen.append(is_wanted))
    servers._has_key_ring = True
    servers.keeping_offered.emit("https://lab-pi:9000")
    offer = window.first.offer
    assert "Remember the token of lab-pi:9000" in offer.text
    press(offer, "Remember" if is_kept else "Don't")
    assert chosen == [is_kept]
    assert not offer.isVisible()
    servers._has_key_ring = False
    servers.keeping_offered.emit("https://lab-pi:9000")
    assert "kept until this window closes" in window.notices.texts[0]


def test_the_last_server_is_connected_to_at_the_start(show_window: Callable[..., MainWindow], feed: Any) -> None:
    window = show_window(feed)
    window.connect_to(ServerAddress.parse(ADDRESS))
    window.first.begin(None)
    assert feed.requests == [("connect", ADDRESS, "", "")] * 2


def test_a_first_start_opens_the_page_and_connects_to_a_server_that_runs_here(
    window: MainWindow, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[LocalKind] = []
    monkeypatch.setattr(window.first.local, "look", looked.append)
    window.first.begin(None)
    assert window.first.page.isVisible()
    assert feed.requests == []
    assert looked == [LocalKind.COMPUTER]


def test_a_server_on_this_computer_that_was_named_is_looked_for_anew_at_the_next_start(
    window: MainWindow, feed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.first.local, "look", lambda kind: None)
    window.connect_to(ServerAddress.parse("http://127.0.0.1:41234"))
    window.first.begin(None)
    assert len(feed.requests) == 1
    assert window.first.page.isVisible()


def test_a_found_server_is_reached_under_the_address_of_its_link_where_there_was_one(
    window: MainWindow, feed: Any
) -> None:
    found = window.first.found
    found._add(FoundServer("lab-pi", ("10.0.0.5",), 9000))
    found._add(FoundServer("bench", ("10.0.0.6",), 8999, uses_tls=False))
    window.menus["servers"].trigger()
    page = window.first.page
    page.show_found((FoundRow("bench", "bench", "10.0.0.6:8999"), FoundRow("lab-pi", "lab-pi", "10.0.0.5:9000")))
    page.found[0].click()
    assert feed.requests[-1] == ("connect", "http://10.0.0.6:8999", "", "")
    assert window.preferences.known_servers[0].name == "bench"
    fingerprint = "0f" * 32
    window.preferences.remember_server(ServerAddress.parse(f"blitz://lab-pi.local:9000/#blz_x&{fingerprint}"))
    page.found[1].click()
    assert feed.requests[-1] == ("connect", "https://lab-pi.local:9000", "", fingerprint)
    found._remove("bench")
    page.found_chosen.emit("bench")  # gone meanwhile
    assert len(feed.requests) == 2


def test_a_key_ring_that_is_waited_for_is_said_on_the_page(window: MainWindow) -> None:
    servers = window.first.servers
    servers.key_awaited.emit("lab-pi")
    page = window.first.page
    assert page.isVisible()
    assert "Asking the key ring for the token of lab-pi" in page.message.text
    servers.key_settled.emit()
    assert not page.message.isVisible()


def test_who_goes_elsewhere_meanwhile_finds_the_page_ready_again(
    window: MainWindow, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.first.local, "bring_up", lambda kind: None)
    window.menus["servers"].trigger()
    page = window.first.page
    page.computer.button.click()
    assert not page.computer.button.isEnabled()
    page.entry.setText("bench")
    page.go.click()
    assert feed.requests == [("connect", "http://bench:8999", "", "")]
    window.menus["servers"].trigger()
    assert page.computer.button.isEnabled()
    assert not page.message.isVisible()
