"""The report's dialog, and what comes of it."""

from pathlib import Path
from typing import Any

import pytest
import report_session
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from report_session import STARTED_S

from blitz.data.database_client import DatabaseClient
from blitz.data.report_choice import PlotsBy
from blitz.ui.dialogs.report import ReportDialog, ReportWish
from blitz.ui.main_window import MainWindow


@pytest.fixture
def filled(window: MainWindow, feed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """The window with a session 7 of its cache."""
    feed.path = tmp_path / "cache.db"
    with DatabaseClient(path=feed.path) as cache:
        report_session.fill(cache, 300, hostile=False)
    monkeypatch.setattr(window.sessions_page.sessions, "is_local", lambda session_id: True)
    window.preferences.export_folder = str(tmp_path)
    return window


def opened(window: MainWindow, qtbot: QtBot) -> ReportDialog:
    qtbot.waitUntil(lambda: bool(window.findChildren(ReportDialog)), timeout=20_000)
    return window.findChildren(ReportDialog)[0]


def test_everything_is_chosen_at_first_and_what_is_left_is_wished(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = ReportDialog("pump", tmp_path / "pump.html", ["flow", "level"], shown_s=(1.0, 2.0), version=3)
    qtbot.addWidget(dialog)
    assert dialog.wish == ReportWish(tmp_path / "pump.html", version=3)
    dialog.prefer("channel", "~/own.html", " Ann ")
    dialog.range.setCurrentIndex(1)
    dialog.channels.item(0).setCheckState(Qt.Unchecked)
    template = Path("~/own.html").expanduser()
    wanted = (tmp_path / "pump.html", PlotsBy.CHANNEL, ("level",), (1.0, 2.0), 3, template, "Ann")
    assert dialog.wish == ReportWish(*wanted)
    dialog.prefer("what was there before", "", "")
    assert dialog.wish.plots is PlotsBy.UNIT
    dialog.none.click()
    assert not dialog.accept_button.isEnabled()
    assert dialog.wrong.text() == "Choose a channel, or there is nothing to write."


def test_a_report_is_written_told_and_what_was_chosen_is_remembered(
    filled: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    filled.session_actions.report(7, (STARTED_S + 10.0, STARTED_S + 30.0))
    dialog = opened(filled, qtbot)
    path = tmp_path / "report of mine.html"
    dialog.file.setText(str(path))
    dialog.range.setCurrentIndex(1)
    dialog.plots.setCurrentIndex(1)
    dialog.author.setText("Ann")
    dialog.none.click()
    dialog.channels.item(1).setCheckState(Qt.Checked)
    QTest.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: filled.notices.texts == [f"Report written to {path}"], timeout=20_000)
    buttons = [each.text() for each in filled.notices.findChildren(QPushButton) if each.isVisibleTo(filled)]
    assert {"Open", "Open folder"} <= set(buttons)
    page = path.read_text("utf-8")
    assert "<td>outlet [°C]</td>" in page
    assert "<td>inlet [°C]</td>" not in page
    assert "Made by Ann on" in page
    assert page.count("<figure>") == 1
    qtbot.waitUntil(lambda: not filled.findChildren(ReportDialog), timeout=20_000)
    filled.session_actions.report(7)
    dialog = opened(filled, qtbot)
    assert (dialog.wish.plots, dialog.wish.author, dialog.wish.span_s) == (PlotsBy.CHANNEL, "Ann", None)
    assert dialog.wish.path.parent == tmp_path
    dialog.reject()


def test_a_wrong_template_is_told_in_a_sentence(filled: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "own.html").write_text("\n{{ titel }}")
    wish = ReportWish(tmp_path / "r.html", template=tmp_path / "own.html")
    filled.session_actions.reports.write(7, "Cooler", wish)
    expected = f"The report of session 7 was not written: {tmp_path / 'own.html'}, line 2: 'titel' is undefined."
    qtbot.waitUntil(lambda: bool(filled.notices.texts), timeout=20_000)
    assert [text.replace("  ", " ") for text in filled.notices.texts] == [expected]
    assert not (tmp_path / "r.html").exists()
