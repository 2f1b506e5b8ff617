"""What an analysis and triggers show is saved and copied: pictures, and the numbers exactly as they were computed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PyQt5.QtCore import QObject
from PyQt5.QtGui import QGuiApplication, QImage
from PyQt5.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source
from blitz.ui import figure_actions
from blitz.ui.history import load_history
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.widgets.figure_menu import FigureMenu

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
COUNT = 2000
WAIT_MS = 20_000


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures") / "cache.db"
    channels = [{"name": "wave", "column": 0, "unit": "V"}, {"name": "place", "column": 1, "unit": "mm"}]
    definition = BoardDefinition.model_validate({"id": "p", "name": "P", "format": "columns", "channels": channels})
    source = Source(index=0, name="rig", link="", definition=definition)
    start_ns = round(START.timestamp()) * 10**9
    wave = np.sin(2 * np.pi * 5 * np.arange(COUNT) / 100)
    reads = [Read(start_ns + n * 10_000_000, 0, [b"%.6f,%d" % (wave[n], n % 400)]) for n in range(COUNT)]
    record = SessionRecord(id=1, name="rig, empty", started_at=START, message_count=COUNT, sources=(source,))
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        cache.store_block(1, MessageBlock.from_reads(1, 0, reads))
        cache.finish_download(record)
    return path


@pytest.fixture
def page(window: MainWindow, cached: Path, qtbot: QtBot) -> HistoryPage:
    history = load_history(cached, 1, lambda *_: None, lambda: False)
    with qtbot.waitSignal(window.histories.opened) as opened:
        window.histories.show(history)
    found: HistoryPage = opened.args[0]
    with qtbot.waitSignal(found.analysis.settled, timeout=WAIT_MS):
        found.set_analysis(True)
    return found


def choose(menu: FigureMenu, words: str) -> None:
    action = next(action for action in menu.menu().actions() if action.text().replace("&", "") == words)
    assert action.isEnabled()
    action.trigger()


def show(page: HistoryPage, tab: Any, qtbot: QtBot) -> None:
    with qtbot.waitSignal(page.analysis.settled, timeout=WAIT_MS):
        page.analysis.strip.setCurrentWidget(tab)


def saved(window: MainWindow, menu: FigureMenu, words: str, path: Path, qtbot: QtBot) -> Path:
    before = set(map(id, window.findChildren(QFileDialog)))
    choose(menu, words)
    (dialog,) = (each for each in window.findChildren(QFileDialog) if id(each) not in before)
    assert dialog.selectedFiles()[0].endswith(path.suffix)
    dialog.fileSelected.emit(str(path))
    dialog.reject()
    qtbot.waitUntil(lambda: any(f"Saved to {path}" in text for text in window.notices.texts), timeout=WAIT_MS)
    return path


def test_the_numbers_of_each_view_are_saved_exactly(
    window: MainWindow, page: HistoryPage, tmp_path: Path, qtbot: QtBot
) -> None:
    panel = page.analysis
    table = pd.read_csv(saved(window, panel.save, "Save the numbers as CSV…", tmp_path / "s.csv", qtbot))
    assert table["channel"].tolist() == ["wave", "place"]
    with DatabaseClient(path=page.history.place) as cache:
        wave, place = cache.series(1).values()
    assert table["mean"].tolist() == pytest.approx([wave.values.mean(), place.values.mean()], rel=1e-12)
    assert table["standard deviation"].tolist() == pytest.approx([wave.values.std(ddof=1), place.values.std(ddof=1)])
    show(page, panel.spectrum, qtbot)
    spectrum = pd.read_csv(saved(window, panel.save, "Save the numbers as CSV…", tmp_path / "f.csv", qtbot))
    amplitudes = np.abs(np.fft.rfft(wave.values - wave.values.mean())) / COUNT * 2
    assert list(spectrum.columns) == ["frequency [Hz]", "amplitude [V]"]
    peak = spectrum.loc[spectrum["amplitude [V]"].idxmax()]
    assert peak.tolist() == pytest.approx([5.0, amplitudes.max()], rel=1e-6)
    show(page, panel.histogram, qtbot)
    spread = pd.read_csv(saved(window, panel.save, "Save the numbers as CSV…", tmp_path / "h.csv", qtbot))
    edges = np.append(spread["from [V]"], spread["to [V]"].iloc[-1])
    assert spread["readings"].tolist() == np.histogram(wave.values, edges)[0].tolist()
    show(page, panel.pairs, qtbot)
    pairs = pd.read_csv(saved(window, panel.save, "Save the numbers as CSV…", tmp_path / "x.csv", qtbot))
    np.testing.assert_array_equal(pairs[["wave [V]", "place [mm]"]], np.array([wave.values, place.values]).T)
    assert (pd.to_datetime(pairs["time_utc"]).astype("int64").to_numpy() == wave.time_ns).all()
    show(page, panel.trigger, qtbot)
    sweeps = pd.read_csv(saved(window, panel.save, "Save the numbers as CSV…", tmp_path / "t.csv", qtbot))
    assert sweeps["trigger_utc"].nunique() == 20
    at_trigger = sweeps.loc[sweeps["after the trigger [s]"].abs() < 0.011, "value [V]"]
    assert at_trigger.abs().max() < 0.4


def test_pictures_and_numbers_go_to_files_and_to_the_clipboard(
    window: MainWindow, page: HistoryPage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = page.analysis
    assert not any(action.isEnabled() for action in panel.save.menu().actions()[:3])  # a table is no picture
    choose(panel.save, "Copy the numbers")
    assert QGuiApplication.clipboard().text().startswith("channel\tunit\tcount")
    show(page, panel.spectrum, qtbot)
    image = QImage(str(saved(window, panel.save, "Save as PNG…", tmp_path / "f.png", qtbot)))
    assert image.width() == 2 * panel.spectrum.figure.width()
    svg = saved(window, panel.save, "Save as SVG…", tmp_path / "f.svg", qtbot).read_text()
    assert "Spectrum: rig, empty" in svg
    assert "Frequency [Hz]" in svg
    choose(panel.save, "Copy the picture")
    assert QGuiApplication.clipboard().image().width() == 2 * panel.spectrum.figure.width()
    monkeypatch.setattr(figure_actions, "MOST_COPIED", 10)
    choose(panel.save, "Copy the numbers")
    assert any("too many for the clipboard" in text for text in window.notices.texts)
    (tmp_path / "folder.csv").mkdir()
    choose(panel.save, "Save the numbers as CSV…")
    dialog: QObject = window.findChildren(QFileDialog)[-1]
    assert isinstance(dialog, QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "folder.csv"))
    dialog.reject()
    qtbot.waitUntil(lambda: any("The numbers were not saved" in text for text in window.notices.texts))
    for channel, _ in page.channels.shown:
        page.channels.turn(channel.key)
    with qtbot.waitSignal(panel.settled, timeout=WAIT_MS):
        panel.ask()
    assert not panel.save.isEnabled()
