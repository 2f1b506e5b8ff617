"""The dialog of settings: what it shows, what it refuses, where it keeps, and what changes at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtWidgets import QDialogButtonBox, QFileDialog
from pytestqt.qtbot import QtBot

from blitz.config import ClientSettings
from blitz.data.export_rule import ExportRule
from blitz.data.kept_settings import KeptSettings
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.settings import SettingsDialog
from blitz.ui.export_at_stop import ExportAtStop
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences
from blitz.ui.sleep import SleepInhibitor
from blitz.ui.theme import DARK, ThemeChoice
from blitz.ui.windows import PlotWindow


@pytest.fixture
def kept(tmp_path: Path, window: MainWindow) -> KeptSettings:
    kept = KeptSettings(tmp_path / "client.settings")
    window.settings_actions.use(ClientSettings.model_validate({}), kept)
    return kept


def open_settings(window: MainWindow) -> SettingsDialog:
    window.menus["settings"].trigger()
    return next(dialog for dialog in window.findChildren(SettingsDialog) if dialog.isVisible())


def test_what_is_chosen_is_kept_and_in_force_at_once(
    window: MainWindow, kept: KeptSettings, preferences: Preferences, tmp_path: Path
) -> None:
    told: list[ClientSettings] = []
    window.settings_actions.client_changed.connect(told.append)
    dialog = open_settings(window)
    assert "client.settings" in dialog.note.text()
    dialog.theme.setCurrentText("Dark")
    dialog.window_.setCurrentText(PlotWindow.HOUR_1.label)
    dialog.time.setCurrentIndex(1)
    assert dialog.slow.isHidden()
    dialog.width_.setValue(2)
    assert not dialog.slow.isHidden()
    dialog.console.setValue(2000)
    dialog.awake.setChecked(False)
    dialog.server.setText("lab-pi")
    dialog.sync.setCurrentIndex(2)
    dialog.period.setValue(60)
    dialog.overview.setValue(100)
    dialog.folder.setText(str(tmp_path))
    dialog.format.setCurrentText("Excel")
    dialog.preset.setCurrentIndex(1)
    dialog.at_stop.setChecked(True)
    dialog.stop_folder.setText(str(tmp_path / "exports"))
    dialog.pattern.setText("{name}")
    dialog.markers.setPlainText("pump on\n\npump  off\npump on\n")
    dialog.save.click()
    assert not dialog.isVisible()

    assert preferences.theme is ThemeChoice.DARK
    assert window.appearance.theme.curve_width == 2
    assert window.appearance.theme.base == DARK.base
    assert preferences.plot_window is window.live_page.plot.view.window is PlotWindow.HOUR_1
    assert preferences.is_plot_relative
    assert preferences.export_folder == str(tmp_path)
    assert preferences.marker_texts == ("pump on", "pump off")
    assert window.session_actions.export_defaults == ("xlsx", "spreadsheet")
    (settings,) = told
    assert (settings.sync, settings.sync_period_s, settings.overview_mb) == ("all", 60, 100)
    assert (settings.export_dir, settings.export_pattern) == (tmp_path / "exports", "{name}")
    assert (settings.console_messages, settings.keep_awake, settings.server) == (2000, False, "lab-pi")
    assert kept.text("sync") == "all"
    assert window.console.ring._most == 2000

    again = open_settings(window)
    assert again.server.text() == "http://lab-pi:8999"
    assert again.markers.toPlainText() == "pump on\npump off"
    assert again.wish.looks.curve_width == 2


def test_what_is_told_elsewhere_is_greyed_and_says_where(window: MainWindow, tmp_path: Path) -> None:
    told = ClientSettings.model_validate({"sync": "all", "export_dir": tmp_path})
    told._origins = {"sync": "BLITZ_SYNC", "export_dir": "--export-dir"}
    kept = KeptSettings(tmp_path / "client.settings")
    window.settings_actions.use(told, kept)
    dialog = open_settings(window)
    assert not dialog.sync.isEnabled()
    assert dialog.sync.currentData() == "all"
    assert not dialog.stop_folder.isEnabled()
    words = [label.text() for label in dialog.findChildren(type(dialog.note))]
    assert "Set by BLITZ_SYNC: change it there." in words
    assert {"sync", "export_dir"}.isdisjoint(dialog.wish.chosen)
    dialog.restore.click()
    assert dialog.sync.currentData() == "all"
    dialog.save.click()
    assert kept.text("sync") == ""


def test_where_exports_at_stop_go_is_greyed_until_they_are_wanted(window: MainWindow) -> None:
    dialog = open_settings(window)
    fields = (dialog.stop_folder, dialog.pattern)
    assert [field.isEnabled() for field in fields] == [False, False]
    dialog.at_stop.setChecked(True)
    assert [field.isEnabled() for field in fields] == [True, True]


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("server", "ftp://lab", "ftp"),
        ("stop_folder", "", "Say in which folder"),
        ("stop_folder", "/no such folder/exports", "There is no folder /no such folder"),
        ("pattern", "{nobody", "export_pattern"),
        ("folder", "/no such folder/exports", "There is no folder"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_at_its_field(
    field: str, text: str, words: str, window: MainWindow, kept: KeptSettings, tmp_path: Path
) -> None:
    dialog = open_settings(window)
    if field == "stop_folder":
        dialog.at_stop.setChecked(True)
    getattr(dialog, field).setText(text)
    dialog.save.click()
    assert dialog.isVisible()
    assert words in dialog.wrong.text()
    assert getattr(dialog, field).isVisible()
    dialog.buttons.button(QDialogButtonBox.Cancel).click()
    assert kept.text(field) == ""


def test_defaults_come_back_and_are_not_kept(window: MainWindow, kept: KeptSettings) -> None:
    dialog = open_settings(window)
    dialog.sync.setCurrentIndex(0)
    dialog.overview.setValue(5)
    dialog.markers.setPlainText("pump on")
    dialog.save.click()
    dialog = open_settings(window)
    assert dialog.overview.value() == 5
    dialog.restore.click()
    assert dialog.markers.toPlainText() == "pump on"
    dialog.save.click()
    assert window.settings_actions.settings == ClientSettings.model_validate({})
    assert (kept.text("sync"), kept.text("overview_mb")) == ("", "")


def test_a_folder_is_chosen_by_browsing(window: MainWindow, kept: KeptSettings, tmp_path: Path) -> None:
    dialog = open_settings(window)
    dialog._browse(dialog.folder)
    browser = next(each for each in dialog.findChildren(QFileDialog) if each.isVisible())
    browser.fileSelected.emit(str(tmp_path))
    browser.close()
    assert dialog.folder.text() == str(tmp_path)


def test_settings_of_a_window_alone_last_until_it_closes(window: MainWindow) -> None:
    dialog = open_settings(window)
    dialog.console.setValue(1000)
    dialog.save.click()
    assert window.settings_actions.settings.console_messages == 1000


def test_exports_at_stop_follow_another_rule(window: MainWindow, feed: Any, tmp_path: Path) -> None:
    exports = ExportAtStop(feed, window.notices, None, window)
    assert not exports._thread
    exports.follow(ExportRule(tmp_path))
    first: Any = exports._thread
    assert first
    exports.follow(ExportRule(tmp_path / "other"))
    assert exports._thread is not first
    assert not first._thread.is_alive()
    exports.follow(None)
    assert not exports._thread
    exports.close()


def test_a_computer_that_may_sleep_is_not_kept_awake(feed: Any, make: Any, qtbot: QtBot) -> None:
    awake: list[bool] = []

    @contextmanager
    def stay_awake() -> Iterator[None]:
        awake.append(True)
        yield
        awake.append(False)

    inhibitor = SleepInhibitor(feed, stay_awake)
    inhibitor.allow(False)
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "http://127.0.0.1:8999"))
    feed.status_received.emit(make.status(make.session(running=True)))
    assert not inhibitor.is_wanted
    inhibitor.allow(True)
    qtbot.waitUntil(lambda: awake == [True], timeout=30_000)
    inhibitor.allow(False)
    qtbot.waitUntil(lambda: awake == [True, False], timeout=30_000)
    inhibitor.close()


def test_an_export_begins_with_the_format_and_preset_that_were_chosen(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = ExportDialog("pump", tmp_path, "pump", ["a", "b"])
    qtbot.addWidget(dialog)
    dialog.prefer("csv", "spreadsheet")
    assert (dialog.wish.format.value, dialog.wish.preset) == ("csv", "spreadsheet")
    dialog.prefer("parquet", "analysis")
    assert (dialog.wish.path.suffix, dialog.wish.preset) == (".parquet", "analysis")
