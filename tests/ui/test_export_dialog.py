"""The export dialog, and what comes of it."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.database_client import DatabaseClient
from blitz.data.export_formats import FileFormat
from blitz.data.records import SessionRecord, Source
from blitz.data.sidecar import verify_file
from blitz.ui.dialogs.export import FORMATS, ExportDialog, ExportWish
from blitz.ui.main_window import MainWindow

STARTED_S = 1_700_000_000


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> ExportDialog:
    dialog = ExportDialog("pump", tmp_path, "pump", ["flow", "level"], shown_s=(1.0, 2.0), version=3)
    qtbot.addWidget(dialog)
    return dialog


def test_everything_is_chosen_at_first(dialog: ExportDialog, tmp_path: Path) -> None:
    assert dialog.wish == ExportWish(tmp_path / "pump.csv", version=3)
    assert dialog.accept_button.isEnabled()


def test_the_ending_of_the_file_follows_the_format(dialog: ExportDialog, tmp_path: Path) -> None:
    for place, (chosen, _) in enumerate(FORMATS):
        dialog.format.setCurrentIndex(place)
        assert dialog.wish.format is chosen
        assert dialog.wish.path == tmp_path / f"pump{chosen.suffix}"
        assert dialog.wish.preset == ("spreadsheet" if chosen is FileFormat.XLSX else "analysis")
    dialog.file.setText("mine.txt")
    dialog.format.setCurrentIndex(0)
    assert dialog.wish.path == Path("mine.txt")


def test_channels_and_range_are_chosen_and_nothing_cannot_be(dialog: ExportDialog) -> None:
    dialog.range.setCurrentIndex(1)
    dialog.channels.item(0).setCheckState(Qt.Unchecked)
    assert (dialog.wish.channels, dialog.wish.span_s) == (("level",), (1.0, 2.0))
    dialog.channels.item(1).setCheckState(Qt.Unchecked)
    assert not dialog.accept_button.isEnabled()
    assert dialog.wrong.text() == "Choose a channel, or there is nothing to write."


def test_all_channels_are_chosen_or_none(dialog: ExportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.none.click()
    assert dialog.wish.channels == ()
    assert not dialog.accept_button.isEnabled()
    dialog.channels.item(1).setCheckState(Qt.Checked)
    assert dialog.wish.channels == ("level",)
    dialog.all.click()
    assert dialog.wish.channels is None
    assert dialog.accept_button.isEnabled()
    single = ExportDialog("pump", tmp_path, "pump", ["flow"])
    qtbot.addWidget(single)
    assert single.all.isHidden()


def test_a_file_that_is_there_is_replaced_only_when_asked_twice(dialog: ExportDialog, tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("older")
    dialog.accept()
    assert dialog.result() == 0
    assert dialog.wrong.text() == "“pump.csv” is there already. Press Export once more to replace it."
    dialog.file.setText(str(tmp_path / "other.csv"))
    assert not dialog.wrong.text()
    dialog.file.setText(str(tmp_path))
    dialog.accept()
    assert "is a folder" in dialog.wrong.text()
    dialog.file.setText(str(tmp_path / "nowhere" / "pump.csv"))
    dialog.accept()
    assert "There is no folder" in dialog.wrong.text()
    dialog.file.setText(str(tmp_path / "pump.csv"))
    dialog.accept()
    assert dialog.result() == 1


def test_without_a_plot_there_is_no_range_to_choose(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = ExportDialog("pump", tmp_path, "pump", [])
    qtbot.addWidget(dialog)
    assert not dialog.range.isEnabled()
    assert "view the session" in dialog.range.toolTip()
    assert dialog.wish.span_s is None


def fill(path: Path) -> None:
    """Put session 1, ten messages of two channels, one a second, into a cache."""
    channels = (Channel(name="flow", column=0, unit="l/min"), Channel(name="level", column=1))
    definition = BoardDefinition(id="tank", name="Tank", format=Format.COLUMNS, channels=channels)
    record = SessionRecord(
        id=1,
        name="pump",
        started_at=datetime.fromtimestamp(STARTED_S, UTC),
        message_count=10,
        sources=(Source(index=0, name="tank", link="", definition=definition),),
    )
    reads = [Read((STARTED_S + number) * 1_000_000_000, 0, [b"%d,5" % number]) for number in range(10)]
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        cache.store_block(1, MessageBlock.from_reads(1, 0, reads))
        cache.finish_download(record)


def test_what_is_chosen_is_written_and_told(
    window: MainWindow, feed: Any, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.path = tmp_path / "cache.db"
    fill(feed.path)
    monkeypatch.setattr(window.sessions_page.sessions, "is_local", lambda session_id: True)
    window.session_actions.export(1, (STARTED_S + 2.0, STARTED_S + 5.0))

    def opened() -> ExportDialog:
        return next(iter(window.findChildren(ExportDialog)))

    qtbot.waitUntil(lambda: bool(window.findChildren(ExportDialog)), timeout=20_000)
    dialog = opened()
    dialog.file.setText(str(tmp_path / "pump.csv"))
    dialog.range.setCurrentIndex(1)
    dialog.channels.item(1).setCheckState(Qt.Unchecked)
    dialog.accept()
    qtbot.waitUntil(lambda: window.notices.texts == [f"Exported to {tmp_path / 'pump.csv'}"], timeout=20_000)
    with (tmp_path / "pump.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[1:] for row in rows] == [["seconds", "flow [l/min]"], *([f"{n}.000000", str(n)] for n in (2, 3, 4))]
    assert verify_file(tmp_path / "pump.csv").rows == 3


def test_a_spreadsheet_takes_two_clicks_and_what_was_chosen_last_comes_first(
    window: MainWindow, feed: Any, preferences: Any, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.path = tmp_path / "cache.db"
    fill(feed.path)
    monkeypatch.setattr(window.sessions_page.sessions, "is_local", lambda session_id: True)
    preferences.export_folder = str(tmp_path)

    def opened() -> ExportDialog:
        window.session_actions.export(1)
        qtbot.waitUntil(lambda: bool(window.findChildren(ExportDialog)), timeout=20_000)
        return window.findChildren(ExportDialog)[0]

    def closed() -> bool:
        return not window.findChildren(ExportDialog)

    dialog = opened()
    assert (dialog.wish.format, dialog.wish.preset) == (FileFormat.XLSX, "spreadsheet")
    path = dialog.wish.path
    QTest.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: any(f"Exported to {path}" in text for text in window.notices.texts), timeout=20_000)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert sheet.max_row > 1
    qtbot.waitUntil(closed, timeout=20_000)

    dialog = opened()
    dialog.file.setText(str(tmp_path / "pump.parquet"))  # the format follows
    assert dialog.wish.format is FileFormat.PARQUET
    dialog.accept()
    qtbot.waitUntil(closed, timeout=20_000)
    dialog = opened()
    assert dialog.wish.format is FileFormat.PARQUET
    dialog.reject()
    qtbot.waitUntil(closed, timeout=20_000)
    window.session_actions.export_defaults = ("hdf5", "analysis")  # chosen in the settings since
    assert opened().wish.format is FileFormat.HDF5


def test_the_dialog_says_where_not_all_of_a_session_is_here(
    window: MainWindow, feed: Any, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.path = tmp_path / "cache.db"
    fill(feed.path)
    monkeypatch.setattr(window.sessions_page.sessions, "is_local", lambda session_id: True)

    def cautions() -> list[str]:
        window.session_actions.export(1)
        qtbot.waitUntil(lambda: bool(window.findChildren(ExportDialog)), timeout=20_000)
        dialog = window.findChildren(ExportDialog)[0]
        words = [label.text() for label in dialog.findChildren(QLabel) if label.property("state") == "preview"]
        dialog.reject()
        qtbot.waitUntil(lambda: not window.findChildren(ExportDialog), timeout=20_000)
        return words

    assert cautions() == []
    with DatabaseClient(path=feed.path) as cache:
        cache.update_session_records([cache.session_record(1).model_copy(update={"message_count": 100})])
    assert cautions() == ["Only 10 of this session's 100 messages are here, and only they are written."]


def test_an_export_that_fails_is_told_in_a_sentence(
    window: MainWindow, feed: Any, qtbot: QtBot, tmp_path: Path, make_wish: Callable[..., ExportWish]
) -> None:
    feed.path = tmp_path / "cache.db"
    fill(feed.path)
    window.session_actions.export_to(1, make_wish(tmp_path / "none" / "pump.csv"))
    qtbot.waitUntil(lambda: bool(window.notices.texts), timeout=20_000)
    assert window.notices.texts[0].startswith("Session 1 was not exported: Cannot write ")
    window.session_actions.export_to(1, make_wish(tmp_path / "pump.xlsx", FileFormat.XLSX, preset="spreadsheet"))
    qtbot.waitUntil(lambda: (tmp_path / "pump.xlsx.json").exists(), timeout=20_000)
    assert openpyxl.load_workbook(tmp_path / "pump.xlsx")["readings"].max_row == 11


@pytest.fixture
def make_wish() -> Callable[..., ExportWish]:
    return ExportWish
