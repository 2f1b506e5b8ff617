"""Computed channels in the window: made in their dialog, live and in sessions alike, kept over restarts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.computed import ComputedChannel, Step
from blitz.data.database_client import DatabaseClient
from blitz.data.kept_computed import kept_channels
from blitz.data.kept_settings import FILE_NAME, KeptSettings
from blitz.data.records import SessionRecord, Source
from blitz.data.session_computed import computed_series
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtTrigger
from blitz.data.transforms import LowPass, MovingAverage
from blitz.ui import history as history_module
from blitz.ui.comparison import align, load_comparison
from blitz.ui.comparison_differences import find_difference
from blitz.ui.dialogs.computed import ComputedDialog
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.feed import SessionList
from blitz.ui.history import History, load_history
from blitz.ui.main_window import MainWindow
from blitz.ui.models.variables import CHANNEL
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.preferences import Preferences

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
COUNT = 3000
WAIT_MS = 20_000
POWER = ComputedChannel("Power", "'Supply voltage' * current", "W", 0.5, (Step(MovingAverage(5)),), "p")


def _source(index: int, names: tuple[str, ...], board: str = "p") -> Source:
    channels = [{"name": name, "column": place, "unit": "V"} for place, name in enumerate(names)]
    definition = BoardDefinition.model_validate({"id": board, "name": "P", "format": "columns", "channels": channels})
    return Source(index=index, name=f"tty{index}", link="", board_id=None, definition=definition)


SOURCES = (_source(0, ("Supply voltage", "noise")), _source(1, ("current",), "q"))


@pytest.fixture(scope="module")
def block() -> MessageBlock:
    """Two devices: one each 10 ms, the other each 30 ms, away for three seconds."""
    rng = np.random.default_rng(1)
    start_ns = round(START.timestamp() * 1e9)
    reads = []
    for number in range(COUNT):
        at_ns = start_ns + number * 10_000_000
        reads.append(Read(at_ns, 0, [b"%.3f,%d" % (10 + np.sin(number / 50) + rng.normal() / 9, number % 7)]))
        if number % 3 == 1 and not 1200 < number < 1500:
            reads.append(Read(at_ns + 4_000_000, 1, [b"%.3f" % (2 + np.cos(number / 80))]))
    return MessageBlock.from_reads(1, 0, reads)


@pytest.fixture(scope="module")
def cached(block: MessageBlock, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("computed") / "cache.db"
    record = SessionRecord(id=1, started_at=START, message_count=block.next_seq, sources=SOURCES)
    cache = DatabaseClient(path=path)
    cache.begin_download(record)
    cache.store_block(1, block)
    cache.finish_download(record)
    cache.close()
    return path


@pytest.fixture(scope="module")
def two_sessions(block: MessageBlock, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same session, and once more a day later, 5 V above it."""
    path = tmp_path_factory.mktemp("two") / "cache.db"
    with DatabaseClient(path=path) as cache:
        for number in (1, 2):
            started = START + timedelta(days=number - 1)
            reads = []
            for place in range(300):
                text = b"%.3f,%d" % (10 + np.sin(place / 50) + 5 * (number - 1), place % 7)
                reads.append(Read(round(started.timestamp() * 1e9) + place * 10_000_000, 0, [text]))
            part = MessageBlock.from_reads(number, 0, reads)
            record = SessionRecord(
                id=number,
                started_at=started,
                stopped_at=started + timedelta(seconds=3),
                message_count=part.next_seq,
                sources=SOURCES,
            )
            cache.begin_download(record)
            cache.store_block(number, part)
            cache.finish_download(record)
    return path


@pytest.fixture(params=["short", "long"])
def history(cached: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    if request.param == "long":
        monkeypatch.setattr(history_module, "MOST_IN_MEMORY", 100)
    history = load_history(cached, 1, lambda *_: None, lambda: False)
    yield history
    history.close()


def shown_page(window: MainWindow, history: History, qtbot: QtBot) -> HistoryPage:
    with qtbot.waitSignal(window.histories.opened) as opened:
        window.histories.show(history)
    page: HistoryPage = opened.args[0]
    qtbot.waitUntil(lambda: bool(page.history.computed), timeout=WAIT_MS)
    return page


def receive(feed: Any, *blocks: MessageBlock) -> None:
    """Let the live view get the readings of blocks, as if the server had sent them."""
    decoder = SessionDecoder(SOURCES)
    for readings in [decoder.follow(each) for block in blocks for each in decoder.read(block)]:
        feed.readings_received.emit(
            type(readings)(0, readings.source, readings.seq, readings.time_ns, readings.values, readings.uncertainty_ns)
        )


def test_what_is_computed_live_is_what_the_session_has(
    window: MainWindow, feed: Any, history: History, block: MessageBlock, qtbot: QtBot
) -> None:
    window.computed.keep([POWER])
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    receive(feed, *(block.between(first, first + 61) for first in range(0, block.next_seq, 61)))
    channel = next(channel for channel in window.store.channels if channel.label == "ƒ Power")
    assert channel.channel.unit == "W"
    time_ns, values, _ = window.store.column(*channel.key)
    page = shown_page(window, history, qtbot)
    (whole,) = page.history.computed.values()
    assert len(whole) == COUNT
    assert COUNT - 60 < len(time_ns) < COUNT
    np.testing.assert_array_equal(time_ns, whole.time_ns[: len(time_ns)])
    np.testing.assert_allclose(values, whole.values[: len(values)], rtol=1e-9)
    assert 250 < np.isnan(values).sum() < 350
    assert window.store.message_count == block.next_seq  # what is computed is no message


def test_a_computed_channel_stands_among_the_others_of_a_session(
    window: MainWindow, feed: Any, history: History, qtbot: QtBot
) -> None:
    window.computed.keep([POWER])
    page = shown_page(window, history, qtbot)
    labels = [page.channels.data(page.channels.index(row)) for row in range(page.channels.rowCount())]
    assert labels == ["Supply voltage [V]", "noise [V]", "current [V]", "ƒ Power [W]"]
    key = next(channel.key for channel, _ in page.channels.shown if channel.label == "ƒ Power")
    qtbot.waitUntil(lambda: key in page.plot.strokes, timeout=WAIT_MS)
    with qtbot.waitSignal(page.analysis.settled, timeout=WAIT_MS):
        page.set_analysis(True)
    if len(page.analysis.statistics.rows.rows) < 4:
        qtbot.waitUntil(lambda: len(page.analysis.statistics.rows.rows) == 4, timeout=WAIT_MS)
    row = page.analysis.statistics.rows.rows[-1]
    assert (row[0], row[1]) == ("ƒ Power", "W")
    window.computed.keep([])
    qtbot.waitUntil(lambda: page.channels.rowCount() == 3, timeout=WAIT_MS)
    assert not page.history.computed


def test_a_channel_that_needs_the_whole_session_is_in_sessions_only(
    window: MainWindow, feed: Any, cached: Path, qtbot: QtBot
) -> None:
    window.computed.keep([ComputedChannel("Slow", "'Supply voltage'", "V", 1.0, (Step(LowPass(1.0)),))])
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    assert "ƒ Slow" not in {channel.label for channel in window.store.channels}
    page = shown_page(window, load_history(cached, 1, lambda *_: None, lambda: False), qtbot)
    (whole,) = page.history.computed.values()
    assert np.ptp(whole.values) < 2.1
    # For boards with another definition it is not computed at all.
    window.computed.keep([ComputedChannel("Slow", "'Supply voltage'", definition="other")])
    qtbot.waitUntil(lambda: not page.history.computed, timeout=WAIT_MS)


def test_a_computed_channel_is_made_in_its_dialog_and_kept(
    window: MainWindow, feed: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    window.menus["computed"].trigger()
    dialog = window.findChild(ComputedDialog)
    assert dialog is not None
    QTest.keyClicks(dialog.name, "Power")
    for label, text in (("Supply voltage", "'Supply voltage'"), ("current", "current")):
        dialog.formula.clear()
        place = dialog.insert.findText(label)
        dialog.insert.setCurrentIndex(place)
        dialog.insert.activated.emit(place)
        assert dialog.formula.text() == text
    QTest.keyClicks(dialog.formula, " * ")
    QTest.mouseClick(dialog.save, Qt.LeftButton)
    assert "The formula is wrong at character" in dialog.words.text()
    assert "^" not in dialog.words.text()  # the place is where the cursor is
    assert (dialog.formula.property("state"), dialog.name.property("state")) == ("bad", "")
    dialog.formula.setCursorPosition(len(dialog.formula.text()))
    QTest.keyClicks(dialog.formula, "'nothing'")
    QTest.mouseClick(dialog.save, Qt.LeftButton)
    assert dialog.words.text() == "There is no channel “nothing” here."
    dialog.formula.setText("'Supply voltage' * current")
    dialog.unit.setText("W")
    dialog.gap.setText("0,5")
    dialog.kind.setCurrentIndex(2)
    QTest.keyClicks(dialog.numbers, "4")
    QTest.mouseClick(dialog.add_step, Qt.LeftButton)
    assert "has no middle" in dialog.words.text()
    dialog.numbers.setText("5")
    QTest.mouseClick(dialog.add_step, Qt.LeftButton)
    QTest.mouseClick(dialog.save, Qt.LeftButton)
    assert window.computed.channels == (POWER,)
    assert "ƒ Power" in {channel.label for channel in window.store.channels}
    dialog.steps.item(0).setCheckState(Qt.Unchecked)
    QTest.mouseClick(dialog.save, Qt.LeftButton)
    assert not window.computed.channels[0].steps[0].is_on
    dialog.kind.setCurrentIndex(0)
    dialog.numbers.setText("2")
    QTest.mouseClick(dialog.add_step, Qt.LeftButton)
    assert (dialog.earlier.isEnabled(), dialog.later.isEnabled()) == (True, False)
    QTest.mouseClick(dialog.earlier, Qt.LeftButton)
    assert (dialog.steps.currentRow(), dialog.steps.item(0).text()) == (0, "Scale 2")
    assert (dialog.earlier.isEnabled(), dialog.later.isEnabled()) == (False, True)
    QTest.mouseClick(dialog.remove_step, Qt.LeftButton)
    again = Preferences(QSettings(str(tmp_path / "client.ini"), QSettings.IniFormat))
    window.preferences._settings.sync()
    assert again.computed_channels == window.computed.channels
    QTest.mouseClick(dialog.delete, Qt.LeftButton)
    assert window.computed.channels == ()
    assert "ƒ Power" not in {channel.label for channel in window.store.channels}
    dialog.reject()


def test_the_server_is_never_asked_to_change_a_computed_channel(window: MainWindow, feed: Any, qtbot: QtBot) -> None:
    window.computed.keep([POWER])
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    variables = window.live_page.variables
    window.live_page.refresh()
    row = next(row for row, channel in enumerate(variables.channels) if channel.label == "ƒ Power")
    before = len(feed.requests)
    variables.setData(variables.index(row, CHANNEL), "Another name")
    assert [request for request in feed.requests[before:] if request[0] == "define"] == []
    assert any("Computed channels… changes it" in text for text in window.notices.texts)


def test_what_was_there_before_is_computed_at_once(window: MainWindow, feed: Any, block: MessageBlock) -> None:
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    receive(feed, block)
    window.computed.keep([ComputedChannel("Twice", "noise * 2")])
    channel = next(channel for channel in window.store.channels if channel.label == "ƒ Twice")
    _, values, _ = window.store.column(*channel.key)
    assert values.tolist() == [number % 7 * 2 for number in range(COUNT)]


def test_exports_and_reports_have_what_the_window_computes(
    window: MainWindow, feed: Any, cached: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    feed.path = cached
    feed.go_online()
    with DatabaseClient(path=cached) as cache:
        feed.sessions_listed.emit(SessionList((cache.session_record(1),), frozenset({1})))
    window.computed.keep([POWER, ComputedChannel("Twice", "Power2 * 2"), ComputedChannel("Noise 2", "noise * 2")])
    window.session_actions.export(1)
    qtbot.waitUntil(lambda: window.findChild(ExportDialog) is not None, timeout=WAIT_MS)
    dialog = window.findChild(ExportDialog)
    names = [dialog.channels.item(row).text() for row in range(dialog.channels.count())]
    assert names == ["Supply voltage", "noise", "current", "Power", "Noise 2"]
    for row in (1, 2):
        dialog.channels.item(row).setCheckState(Qt.Unchecked)
    dialog.file.setText(str(tmp_path / "run.parquet"))
    dialog.accept()
    qtbot.waitUntil(lambda: any("Exported to" in text for text in window.notices.texts), timeout=WAIT_MS)
    table = pq.read_table(tmp_path / "run.parquet")
    assert table.column_names == ["time", "Supply voltage", "Power", "Noise 2"]
    with DatabaseClient(path=cached) as cache:
        given = cache.series(1)
    power = POWER({"Supply voltage": given["Supply voltage"], "current": given["current"]})
    exported = table.column("Power").to_pandas()[table.column("Supply voltage").to_pandas().notna()]
    np.testing.assert_allclose(exported, power.values, rtol=1e-9)
    window.session_actions.report(1)
    qtbot.waitUntil(lambda: window.findChild(ReportDialog) is not None, timeout=WAIT_MS)
    asked = window.findChild(ReportDialog)
    assert asked.channels.item(3).text() == "Power"
    asked.file.setText(str(tmp_path / "run.html"))
    asked.accept()
    qtbot.waitUntil(lambda: (tmp_path / "run.html").exists(), timeout=WAIT_MS)
    assert "<h3>Computed channels</h3>" in (tmp_path / "run.html").read_text()
    qtbot.waitUntil(lambda: not window.jobs.running, timeout=WAIT_MS)


def test_a_formula_of_another_computed_channel_is_computed_live_and_in_sessions(
    window: MainWindow, feed: Any, cached: Path, block: MessageBlock, qtbot: QtBot
) -> None:
    window.computed.keep([ComputedChannel("Loss", "Twice / 4", "W"), ComputedChannel("Twice", "noise * 2")])
    feed.go_online()
    feed.sources_received.emit(0, SOURCES)
    receive(feed, block)
    channel = next(channel for channel in window.store.channels if channel.label == "ƒ Loss")
    _, values, _ = window.store.column(*channel.key)
    page = shown_page(window, load_history(cached, 1, lambda *_: None, lambda: False), qtbot)
    whole = next(found for found in page.history.computed.values() if found.label == "Loss")
    np.testing.assert_array_equal(values, whole.values)
    assert values.tolist() == [number % 7 / 2 for number in range(COUNT)]
    window.menus["computed"].trigger()
    dialog = window.findChild(ComputedDialog)
    assert dialog is not None
    dialog.new.click()
    dialog.name.setText("Both")
    place = dialog.insert.findText("ƒ Loss")
    dialog.insert.setCurrentIndex(place)
    dialog.insert.activated.emit(place)
    assert dialog.formula.text() == "Loss"
    dialog.save.click()
    assert window.computed.channels[-1].definition == "p"  # that of the channels in the end
    dialog.names.setCurrentRow(1)
    dialog.formula.setText("Both + 1")
    dialog.save.click()
    assert "computed of each other" in dialog.words.text()
    assert window.computed.channels[1].formula == "noise * 2"
    dialog.reject()


def test_computed_channels_are_kept_beside_the_caches_for_other_programs(window: MainWindow, tmp_path: Path) -> None:
    window.computed.keep([POWER])  # by an earlier version: in the window's own settings
    kept = KeptSettings(tmp_path / FILE_NAME)
    window.computed.use(kept)
    assert kept_channels(tmp_path) == (POWER,)
    assert window.preferences.computed_channels == ()
    other = ComputedChannel("Other", "noise")
    window.computed.keep([POWER, other])
    assert kept_channels(tmp_path) == (POWER, other)
    window.computed.keep([])
    assert kept_channels(tmp_path) == ()
    kept.close()


def test_sessions_are_compared_by_a_computed_channel(window: MainWindow, feed: Any, two_sessions: Path) -> None:
    wanted = ComputedChannel("Noisy", "noise * 10 + 'Supply voltage'", "V", steps=(Step(MovingAverage(3)),))
    comparison = load_comparison(two_sessions, [1, 2], lambda *_: None, lambda: False, [wanted])
    assert comparison.remarks == ()
    assert comparison.unit("ƒ Noisy") == "V"
    with DatabaseClient(path=two_sessions) as cache:
        one, two = (computed_series(cache, number, [wanted])["Noisy"] for number in (1, 2))
        found = find_difference(cache, comparison.members[1], comparison.members[0], "ƒ Noisy", Tolerance())
    assert found.numbers.count == len(one)
    assert found.numbers.mean == pytest.approx(float((two.values - one.values).mean()), abs=1e-9)
    assert found.numbers.mean == pytest.approx(5.0, abs=1e-9)
    moved = align(comparison, AtTrigger("ƒ Noisy", float(np.median(one.values)), "rising"), lambda: False)
    assert all(member.zero_ns is not None for member in moved.members)
    feed.path = two_sessions
    window.comparisons.show(comparison)
    page = window.comparisons.pages[0]
    texts = [tick.text for tick in page.channels.ticks]
    assert "ƒ Noisy [V]" in texts
    window.tabs.close_page(page)
