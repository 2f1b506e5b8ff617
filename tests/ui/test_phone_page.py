"""The link to the page for a phone, by a window whose feed has no server, and the picture of it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import segno
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QDesktopServices, QImage
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from blitz.data.access_records import IssuedToken, TokenRecord, WhoRecord
from blitz.data.records import Role
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.phone_page import PhonePageDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.phone_words import reach_words
from blitz.ui.theme import ThemeChoice
from blitz.ui.widgets.qr_code import MODULE_PX, QUIET_MODULES, QrCode

TOKEN = "blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ"
FINGERPRINT = "0f" * 32
LINK = f"blitz://192.168.0.20:9000/#{TOKEN}&{FINGERPRINT}"
PAGE = "https://192.168.0.20:9000"


def open_page(window: MainWindow, feed: Any, link: str = LINK, role: Role = Role.ADMIN) -> PhonePageDialog:
    """The dialog of a window that is connected by a link."""
    window.connect_to(ServerAddress.parse(link))
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, str(ServerAddress.parse(link))))
    feed.identity_received.emit(WhoRecord(name="bench", role=role))
    window.menus["phone_page"].trigger()
    dialog = window.phone_page.dialog
    assert dialog is not None
    return dialog


def issued(role: Role, token: str = f"{TOKEN}2") -> IssuedToken:
    record = TokenRecord(id=5, name="Ann's phone", role=role, created_at=datetime.now(UTC))
    return IssuedToken(record=record, token=token, link=f"blitz://x:1/#{token}")


def modules(image: QImage, module_px: int = MODULE_PX) -> list[list[bool]]:
    """Which modules are dark: each pixel of one must be as the others, or it is no whole number of pixels wide."""
    grey = image.convertToFormat(QImage.Format_Grayscale8)
    bits = grey.constBits()
    assert bits is not None
    bits.setsize(grey.sizeInBytes())
    values = np.frombuffer(bits, np.uint8).reshape(grey.height(), grey.bytesPerLine())[:, : grey.width()]
    assert set(np.unique(values)) == {0, 255}
    coarse = values[::module_px, ::module_px]
    assert np.array_equal(np.kron(coarse, np.ones((module_px, module_px), np.uint8)), values)
    return [[bool(value == 0) for value in row] for row in coarse]


def expected(text: str) -> list[list[bool]]:
    rows = segno.make(text, error="l", micro=False).matrix_iter(border=QUIET_MODULES)
    return [[bool(module) for module in row] for row in rows]


TEXTS = ("http://127.0.0.1:8999/", f"{PAGE}/#{TOKEN}", f"{PAGE}/{'long/' * 40}#{TOKEN}")


@pytest.mark.parametrize("choice", [ThemeChoice.LIGHT, ThemeChoice.DARK])
def test_a_text_is_drawn_as_its_matrix_black_on_white_with_a_quiet_zone(
    window: MainWindow, choice: ThemeChoice
) -> None:
    window.choose_theme(choice)
    code = QrCode(window)
    for text in TEXTS:
        code.show_text(text, "QR code of the page")
        assert modules(code.grab().toImage()) == expected(text)
        assert code.accessibleName() == "QR code of the page"
    code.show_hint("Later.")
    assert code.accessibleName() == "No QR code. Later."


@pytest.mark.parametrize(("ratio", "module_px"), [(1.5, 9), (2, 12)])
def test_a_module_is_so_many_whole_pixels_of_the_screen_where_those_are_others_than_the_windows(
    qapp: QApplication, ratio: float, module_px: int
) -> None:
    code = QrCode()
    code.show_text(PAGE, "QR code of the page")
    image = QImage(code.size() * ratio, QImage.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    code.render(image)
    assert modules(image, module_px) == expected(PAGE)


def test_an_admin_has_a_token_made_and_its_link_copied_and_opened(
    window: MainWindow, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = open_page(window, feed)
    assert dialog.link.text() == dialog.code.text == ""  # an admin's token is nothing for a screen
    assert not dialog.copy.isEnabled()
    assert not dialog.browse.isEnabled()
    assert dialog.role.currentData() is Role.VIEWER
    dialog.name.setText(" Ann's phone ")
    dialog.make.click()
    QTest.keyClick(dialog.name, Qt.Key_Return)  # once is enough
    assert [request for request in feed.requests if request[0] == "make token"] == [
        ("make token", Role.VIEWER, "Ann's phone")
    ]
    feed.token_answered.emit(issued(Role.VIEWER), "")
    assert dialog.link.text() == dialog.code.text == f"{PAGE}/#{TOKEN}2"
    assert "can look, and change nothing" in dialog.allowed.text()
    assert "blitz token revoke 5" in dialog.told.text()
    assert not dialog.reach.isVisible()
    assert dialog.fingerprint.text().replace(" ", "").replace("\n", "").lower() == FINGERPRINT
    assert "The browser warns" in dialog.certificate.text()
    dialog.copy.click()
    assert QApplication.clipboard().text() == f"{PAGE}/#{TOKEN}2"
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(opened.append(url.toString())))
    dialog.browse.click()
    assert opened == [f"{PAGE}/#{TOKEN}2"]
    assert "No browser could be opened" in dialog.told.text()
    dialog.role.setCurrentIndex(dialog.role.findData(Role.OPERATOR))
    dialog.make.click()
    feed.token_answered.emit(issued(Role.OPERATOR, TOKEN), "")
    assert dialog.link.text() == f"{PAGE}/#{TOKEN}"
    assert "start and stop sessions" in dialog.allowed.text()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_is_no_admin_gets_the_link_with_the_token_of_the_window_and_is_told_so(
    window: MainWindow, feed: Any, role: Role
) -> None:
    dialog = open_page(window, feed, role=role)
    assert not dialog.maker.isVisible()
    assert dialog.link.text() == dialog.code.text == f"{PAGE}/#{TOKEN}"
    assert "this window's own token “bench”" in dialog.allowed.text()
    assert f"its role is {role.value}" in dialog.allowed.text()
    assert TOKEN not in dialog.code.accessibleName()


def test_a_server_of_this_computer_alone_is_said_to_be_out_of_reach(window: MainWindow, feed: Any) -> None:
    dialog = open_page(window, feed, "http://127.0.0.1:8999")
    assert dialog.link.text() == dialog.code.text == "http://127.0.0.1:8999/"
    assert "A phone cannot reach 127.0.0.1" in dialog.reach.text()
    assert "blitz serve --host 0.0.0.0" in dialog.reach.text()
    assert "asks for none here" in dialog.allowed.text()
    assert not dialog.certificate.isVisible()


def test_a_name_that_phones_may_not_know_and_a_server_without_tls_are_told() -> None:
    words = reach_words(ServerAddress.parse("http://lab-pi:9000"), has_token=True)
    assert "If the phone does not find lab-pi" in words
    assert "can read all messages and the token" in words
    assert reach_words(ServerAddress.parse("https://10.0.0.2"), has_token=True) == ""


def test_why_no_token_was_made_is_told_and_it_can_be_tried_again(window: MainWindow, feed: Any) -> None:
    dialog = open_page(window, feed)
    dialog.make.click()
    feed.token_answered.emit(None, "the server is away.")
    assert dialog.told.text() == "No token was made: the server is away."
    assert dialog.make.isEnabled()
    assert dialog.link.text() == ""


def test_a_token_that_comes_when_its_dialog_is_closed_is_told_to_be_there(window: MainWindow, feed: Any) -> None:
    dialog = open_page(window, feed)
    dialog.make.click()
    dialog.reject()
    assert window.phone_page.dialog is None
    feed.token_answered.emit(issued(Role.VIEWER), "")
    (text,) = window.notices.texts
    assert "blitz token revoke 5" in text
    assert TOKEN not in text


def test_the_dialog_goes_with_its_server_and_there_is_none_without(window: MainWindow, feed: Any) -> None:
    window.menus["phone_page"].trigger()
    assert window.notices.texts == ["Connect to a server first: it has the page for a phone."]
    dialog = open_page(window, feed)
    window.menus["phone_page"].trigger()
    assert window.phone_page.dialog is dialog
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, PAGE))
    assert window.phone_page.dialog is dialog
    window.connect_to(ServerAddress.parse(LINK))  # perhaps with another token
    assert window.phone_page.dialog is None
    window.menus["phone_page"].trigger()
    assert window.phone_page.dialog is not None
    feed.connection_changed.emit(ConnectionState(Connection.OFFLINE))
    assert window.phone_page.dialog is None
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, PAGE))
    window.menus["phone_page"].trigger()  # it has not said yet what this window may
    assert window.phone_page.dialog is None
