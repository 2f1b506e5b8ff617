"""The link to the page for a phone at a real server with TLS: a token made there lets in by the role chosen."""

import ssl
from collections.abc import Callable
from typing import Any

import httpx
import segno
from PyQt5.QtGui import QColor

from blitz import Client
from blitz.data.records import Role
from blitz.data.served_address import ServedAddress
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.phone_page import PhonePageDialog
from blitz.ui.widgets.qr_code import MODULE_PX, QUIET_MODULES, QrCode

SETTING = "one-of-16-letters-or-more"


def drawn(code: QrCode) -> list[list[bool]]:
    """Which modules of the picture are dark, by the middle of each."""
    image = code.grab().toImage()
    places = range(MODULE_PX // 2, image.width(), MODULE_PX)
    return [[image.pixelColor(x, y) == QColor("black") for x in places] for y in places]


def test_an_admin_makes_a_link_that_a_phone_may_look_by_and_whoever_has_it_gets_no_further(
    run_server: Callable[..., Any], open_desk: Callable[..., Any]
) -> None:
    server = run_server("--simulate", "1", "--host", "127.0.0.2", "--token", SETTING)
    served = ServedAddress.read(server.data_dir)
    assert served is not None
    admin = ServerAddress.parse(served.link(SETTING, ""))
    desk = open_desk(served.link(SETTING, ""))
    window = desk.window
    desk.wait(lambda: window.header.start.isEnabled())
    window.menus["phone_page"].trigger()
    dialog = window.phone_page.dialog
    assert isinstance(dialog, PhonePageDialog)
    assert dialog.link.text() == ""
    dialog.name.setText("Ann's phone")
    dialog.make.click()
    desk.wait(dialog.link.text)
    page, _, token = dialog.link.text().partition("/#")
    assert page == admin.http_url
    expected = segno.make(dialog.link.text(), error="l", micro=False).matrix_iter(border=QUIET_MODULES)
    assert drawn(dialog.code) == [[bool(module) for module in row] for row in expected]
    told = dialog.fingerprint.text().replace(" ", "").replace("\n", "").lower()
    with Client(f"blitz://{admin.host}:{admin.port}/#{token}&{told}") as phone:  # it compares the fingerprint
        who = phone.whoami()
    assert (who.name, who.role) == ("Ann's phone", Role.VIEWER)
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with httpx.Client(verify=anybody, trust_env=False, timeout=60) as browser:  # as who went on at the warning
        assert "<title>" in browser.get(dialog.link.text()).text
    window.connect_to(ServerAddress.parse(f"{page}/#{token}&{told}"))  # as a window of its own would
    assert window.phone_page.dialog is None
    desk.wait(lambda: "Ann's phone, viewer" in window.status_line.version.text())
    window.menus["phone_page"].trigger()
    dialog = window.phone_page.dialog
    assert dialog is not None
    assert not dialog.maker.isVisible()
    assert dialog.link.text() == f"{page}/#{token}"
    assert "own token “Ann's phone”" in dialog.allowed.text()
