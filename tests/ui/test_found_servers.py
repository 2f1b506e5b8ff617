"""Servers that tell of themselves, heard over the loopback interface alone."""

import threading
import uuid
from typing import Any

import pytest
from PyQt5.QtCore import QObject
from pytestqt.qtbot import QtBot

from blitz.config import DEFAULT_PORT
from blitz.errors import RemoteError
from blitz.io.discovery import Announcement, Announcer, ServerBrowser
from blitz.ui.found_servers import FoundServers
from blitz.ui.pages.start_page import FoundRow

LOOPBACK = ("127.0.0.1",)
WAIT_MS = 30_000


@pytest.fixture
def owner(qapp: Any) -> QObject:
    return QObject()


def test_a_server_that_announces_itself_appears_and_goes(owner: QObject, qtbot: QtBot) -> None:
    name = f"lab-{uuid.uuid4().hex[:12]}"  # one that no other test on this machine has
    said = Announcement(name, "127.0.0.1", DEFAULT_PORT, True, True, "0.3.0", "5d0e5a52")
    announcer = Announcer(said, LOOPBACK)
    found = FoundServers(owner, lambda add, remove: ServerBrowser(add, remove, LOOPBACK))
    rows: list[tuple[FoundRow, ...]] = []
    found.changed.connect(rows.append)
    found.start()
    found.start()  # a second time changes nothing
    announcer.start()
    try:
        row = FoundRow(name, name, f"127.0.0.1:{DEFAULT_PORT}", is_locked=True)
        qtbot.waitUntil(lambda: bool(rows) and row in rows[-1], timeout=WAIT_MS)
        assert str(found.address(name)) == f"https://127.0.0.1:{DEFAULT_PORT}"
    finally:
        announcer.stop(10)
    qtbot.waitUntil(lambda: row not in rows[-1], timeout=WAIT_MS)
    assert found.address(name) is None
    found.stop()


def test_a_network_that_cannot_be_looked_at_is_told(owner: QObject, qtbot: QtBot) -> None:
    class Refusing:
        def start(self) -> None:
            raise RemoteError("Cannot look at the network.")

        def close(self) -> None:
            pass

    found = FoundServers(owner, lambda add, remove: Refusing())
    with qtbot.waitSignal(found.failed, timeout=WAIT_MS):
        found.start()
    found.stop()


def test_looking_that_ends_at_once_holds_up_nobody(owner: QObject, qtbot: QtBot) -> None:
    ended = threading.Event()

    class Slow:
        def start(self) -> None:
            pass

        def close(self) -> None:
            ended.set()

    found = FoundServers(owner, lambda add, remove: Slow())
    found.start()
    found.stop()
    assert ended.wait(WAIT_MS / 1000)
