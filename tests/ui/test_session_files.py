"""Sessions that go to another machine in a file: packed and opened from the window."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.data.session_file import pack_session, verify_session_file
from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow

HERE = "5d0e5a52-7d54-4c5a-9b0e-000000000001"
ELSEWHERE = "5d0e5a52-7d54-4c5a-9b0e-000000000002"
WAIT_MS = 20_000


def fill(path: Path, store_id: str, name: str) -> SessionRecord:
    """Put session 7, ten messages, into a cache."""
    record = SessionRecord(id=7, name=name, started_at=datetime(2026, 3, 1, tzinfo=UTC), message_count=10)
    reads = [Read(number, 0, [b"x"]) for number in range(10)]
    with DatabaseClient(path=path) as cache:
        cache.bind_store(store_id)
        cache.begin_download(record)
        cache.store_block(7, MessageBlock.from_reads(7, 0, reads))
        cache.finish_download(record)
    return record


@pytest.fixture
def desk(window: MainWindow, feed: Any, tmp_path: Path) -> Iterator[MainWindow]:
    """A window with session 7 in its cache."""
    feed.path = tmp_path / "cache.db"
    record = fill(feed.path, HERE, "pump")
    feed.go_online()
    feed.sessions_listed.emit(SessionList((record,), frozenset({7})))
    yield window
    window.jobs.close()


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file with another server's session 7."""
    fill(tmp_path / "elsewhere.db", ELSEWHERE, "blower")
    with DatabaseClient(path=tmp_path / "elsewhere.db") as cache:
        return pack_session(cache, 7, tmp_path / "blower.blitz")


def chosen(window: MainWindow, path: Path) -> None:
    """Choose a file in the dialog that is open."""
    dialog = next(dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible())
    dialog.close()
    dialog.fileSelected.emit(str(path))


def test_a_session_is_packed_by_its_menu(desk: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    desk.sessions_page.actions_by_name["pack"].trigger()
    chosen(desk, tmp_path / "pump.blitz")
    qtbot.waitUntil(lambda: desk.notices.texts == [f"Packed into {tmp_path / 'pump.blitz'}"], timeout=WAIT_MS)
    saved = verify_session_file(tmp_path / "pump.blitz")
    assert (saved.store_id, saved.record.name) == (HERE, "pump")


def test_a_session_is_downloaded_before_it_is_packed(desk: MainWindow, feed: Any) -> None:
    record = desk.sessions_page.sessions.record(0)
    feed.sessions_listed.emit(SessionList((record,)))
    desk.sessions_page.actions_by_name["pack"].trigger()
    assert feed.requests[-1] == ("download", 7)
    assert not desk.findChildren(QFileDialog)
    feed.sessions_listed.emit(SessionList((record,), frozenset({7})))
    feed.download_finished.emit(7)
    assert len(desk.findChildren(QFileDialog)) == 1


def test_packing_and_opening_are_cancelled(desk: MainWindow, qtbot: QtBot, tmp_path: Path, foreign: Path) -> None:
    files = desk.session_actions.files
    files.pack(7, "pump", tmp_path / "pump.blitz")
    desk.status_line.activity.cancelled.emit()
    qtbot.waitUntil(lambda: len(desk.notices.texts) == 1, timeout=WAIT_MS)
    assert "cancelled; no file was written" in desk.notices.texts[0]
    assert not (tmp_path / "pump.blitz").exists()
    files.bring_in(foreign)
    desk.status_line.activity.cancelled.emit()
    qtbot.waitUntil(lambda: len(desk.notices.texts) == 2, timeout=WAIT_MS)
    assert desk.notices.texts[0] == "blower.blitz was not opened: it was cancelled."


def test_a_file_from_another_server_is_opened_under_an_id_of_its_own(
    desk: MainWindow, feed: Any, qtbot: QtBot, foreign: Path
) -> None:
    desk.menus["open"].trigger()
    chosen(desk, foreign)
    qtbot.waitUntil(lambda: bool(desk.notices.texts), timeout=WAIT_MS)
    assert desk.notices.texts == ["blower.blitz is session -1, “blower”, of 10 messages."]
    assert feed.requests[-1] == ("refresh",)
    with DatabaseClient(path=feed.path) as cache:
        assert [cache.session_record(number).name for number in (7, -1)] == ["pump", "blower"]
    desk.import_actions.bring_in(foreign)  # chosen where measurements are imported
    qtbot.waitUntil(lambda: len(desk.notices.texts) == 2, timeout=WAIT_MS)
    assert desk.notices.texts[0] == "blower.blitz is session -1, “blower”, which is here already."


def test_a_file_that_is_damaged_is_told(desk: MainWindow, qtbot: QtBot, foreign: Path) -> None:
    foreign.write_bytes(foreign.read_bytes()[:3000])
    desk.session_actions.files.bring_in(foreign)
    qtbot.waitUntil(lambda: bool(desk.notices.texts), timeout=WAIT_MS)
    assert desk.notices.texts[0].startswith("blower.blitz was not opened: The session file ")


def test_without_a_server_there_is_no_cache_to_open_a_file_into(window: MainWindow) -> None:
    window.menus["open"].trigger()
    assert window.notices.texts == ["Connect to a server first: the session is kept beside its sessions."]
