"""A recorded session under the live plot: the band, leaving it, and alarms made of it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import Readings
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, SessionRecord, Source
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtStart
from blitz.data.sync import download
from blitz.errors import SeriesError
from blitz.ui.dialogs.reference import ReferenceDialog
from blitz.ui.feed import SessionList
from blitz.ui.history import History, load_history
from blitz.ui.live_reference import ReferenceLine, make_reference
from blitz.ui.main_window import MainWindow
from blitz.ui.reference_actions import ABOVE, BELOW, alarm_condition

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DEFINITION = BoardDefinition.model_validate(
    {"id": "p", "name": "Pump", "format": "columns", "channels": [{"name": "pressure", "column": 0, "unit": "bar"}]}
)
SOURCE = Source(index=0, name="pump", link="/dev/ttyUSB0", definition=DEFINITION)
SECONDS = np.concatenate([np.arange(0, 20, 0.1), np.arange(25, 40, 0.1)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with session 7: the pressure rises by 1 a second from 0; nothing from 20 s to 25 s."""
    path = tmp_path_factory.mktemp("reference") / "cache.db"
    start_ns = round(STARTED.timestamp() * 1e9)
    record = SessionRecord(
        id=7,
        name="good run",
        started_at=STARTED,
        stopped_at=STARTED + timedelta(seconds=40),
        message_count=len(SECONDS),
        sources=(SOURCE,),
        markers=(Marker(id=1, text="valve open", from_ns=start_ns + 5 * 10**9, changed_at=STARTED),),
    )
    reads = [Read(start_ns + round(at * 1e9), 0, [b"%.3f" % at]) for at in SECONDS.tolist()]

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [MessageBlock.from_reads(7, 0, reads)]

    with DatabaseClient(path=path) as cache:
        asyncio.run(download(record, fetch, cache))
    return path


def history_of(place: Path) -> History:
    return load_history(place, 7, lambda *_: None, lambda: False)


def test_a_band_agrees_with_numpy_and_says_nothing_in_gaps(place: Path) -> None:
    reference = make_reference(history_of(place), AtStart(), Tolerance(0.5, 0.1))
    at = np.random.default_rng(1).uniform(-5, 45, 2000)
    low, high = reference.lines["pressure"].band(at, reference.tolerance)
    expected = np.interp(at, SECONDS, SECONDS, left=np.nan, right=np.nan)
    expected[(at > SECONDS[199]) & (at < SECONDS[200])] = np.nan
    reach = np.maximum(0.5, 0.1 * np.abs(expected))
    np.testing.assert_allclose(low, expected - reach, atol=1e-6)
    np.testing.assert_allclose(high, expected + reach, atol=1e-6)
    sides = reference.outside("pressure", np.array([3.0, 3.0, 3.0, 22.0]), np.array([3.4, 3.6, 2.4, 99.0]))
    assert sides.tolist() == [0, 1, -1, 0]
    assert not reference.outside("flow", at, at).any()
    empty = ReferenceLine(np.empty(0), np.empty(0), 1.0)
    assert np.isnan(empty.band(at, reference.tolerance)[0]).all()


def test_a_reference_is_aligned_at_a_marker_of_both(place: Path) -> None:
    reference = make_reference(history_of(place), AtMarker("valve open"), Tolerance(0.5))
    assert reference.lines["pressure"].times[0] == pytest.approx(-5)
    marker = Marker(id=4, text="Valve open", from_ns=17 * 10**9, changed_at=NOW)
    assert reference.zero_s(None, (marker,)) == 17.0
    assert reference.zero_s(3.0, ()) is None
    with pytest.raises(SeriesError, match="no marker"):
        make_reference(history_of(place), AtMarker("hot"), Tolerance())


def test_the_server_s_reference_is_the_same_course(place: Path) -> None:
    reference = make_reference(history_of(place), AtMarker("valve open"), Tolerance(0.0, 0.02))
    condition = alarm_condition(reference, reference.lines["pressure"])
    assert condition is not None
    assert (condition.absolute, condition.relative, condition.align, condition.marker) == (
        None,
        0.02,
        "marker",
        "valve open",
    )
    np.testing.assert_allclose(np.interp([-4, 0, 7.25], condition.times_s, condition.values), [1, 5, 12.25], atol=1e-3)
    long = ReferenceLine(np.arange(9000.0), np.arange(9000.0), 5.0)
    assert len(alarm_condition(reference, long).times_s) == 2000  # type: ignore[union-attr]
    assert alarm_condition(reference, ReferenceLine(np.zeros(1), np.ones(1), 0.0)) is None


@pytest.fixture
def ready(window: MainWindow, feed: Any, make: Any, place: Path) -> MainWindow:
    """A window that shows a running session of the same pump."""
    feed.path = place
    session = make.session(9, running=True).model_copy(update={"started_at": NOW})
    feed.go_online()
    feed.status_received.emit(make.status(session, boards=1))
    feed.sources_received.emit(9, (SOURCE,))
    with DatabaseClient(path=place) as cache:
        feed.sessions_listed.emit(SessionList((cache.session_record(7),), frozenset({7})))
    window.tabs.setCurrentWidget(window.sessions_page)
    return window


def send(feed: Any, seconds: list[float], values: list[float], first: int) -> None:
    time_ns = np.array([round((NOW.timestamp() + at) * 1e9) for at in seconds])
    seq = np.arange(first, first + len(seconds))
    feed.readings_received.emit(
        Readings(9, SOURCE, seq, time_ns, np.array(values)[:, np.newaxis], np.zeros(len(seq), np.int64))
    )


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], object]], None]:
    return lambda is_so: qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)


def lay_under(window: MainWindow, wait: Any, absolute: str = "0.5") -> None:
    window.sessions_page.actions_by_name["reference"].trigger()
    dialog = next(each for each in window.findChildren(ReferenceDialog) if each.isVisible())
    assert [dialog.align.itemText(place) for place in range(2)] == ["their start", "marker “valve open”"]
    dialog.absolute.setText("-1")
    dialog.accept_button.click()
    assert "not below zero" in dialog.wrong.text()
    dialog.absolute.setText(absolute)
    dialog.accept_button.click()
    wait(lambda: window.reference.reference is not None)


def test_leaving_the_reference_is_seen_in_the_legend(ready: MainWindow, feed: Any, wait: Any) -> None:
    window, live = ready, ready.live_page
    lay_under(window, wait)
    assert window.tabs.currentWidget() is live
    assert live.reference.words.text() == "Reference: good run, from the start, ±0.5"
    send(feed, [1.0, 1.1, 1.2], [1.0, 1.2, 1.4], 0)
    wait(lambda: ("reference", "pressure") in live.drawing.strokes)
    band = live.drawing.strokes["reference", "pressure"]
    assert band.curve.tolerance == (0.5, 0.0)
    drawn_s = band.curve.times - NOW.timestamp()
    np.testing.assert_allclose(band.curve.values, drawn_s, atol=1e-3)
    (channel,) = window.store.channels
    window.reference.watch()
    assert window.reference.remark(channel) == ""
    send(feed, [1.3, 1.4], [1.3, 2.4], 3)
    window.reference.watch()
    assert window.reference.remark(channel) == ABOVE
    wait(lambda: ABOVE in live.drawing._values.get(channel.key, ""))
    send(feed, [1.5], [0.2], 5)
    window.reference.watch()
    assert window.reference.remark(channel) == BELOW
    send(feed, [3.5], [3.5], 6)
    window.reference.watch()
    assert window.reference.remark(channel) == "was outside 2.0 s ago"
    assert live.reference.state.text() == ""
    live.variables.show_only(set())
    window.reference.watch()
    assert live.reference.state.text() == "It has none of the channels that are shown."
    live.variables.show_only({"pressure"})
    send(feed, [600.0], [3.5], 7)
    window.reference.watch()
    assert live.reference.state.text() == "It is over."
    live.reference.remove.click()
    wait(lambda: ("reference", "pressure") not in live.drawing.strokes)
    assert live.reference.isHidden()
    assert window.reference.remark(channel) == ""


def test_an_alarm_is_made_of_the_reference(ready: MainWindow, feed: Any, wait: Any) -> None:
    window = ready
    lay_under(window, wait)
    wait(lambda: window.live_page.variables.shown_channels)
    QTest.mouseClick(window.live_page.reference.alarm, Qt.LeftButton)
    box = next(each for each in window.findChildren(QMessageBox) if each.isVisible())
    assert "pump pressure leaves its reference by more than 0.5" in box.text()
    box.buttons()[0].click()
    what, wish = feed.requests[-1]
    assert what == "alarm"
    assert (wish.rule.name, wish.rule.source, wish.rule.channel) == ("pressure leaves good run", "pump", "pressure")


def test_without_a_tolerance_there_is_no_alarm(ready: MainWindow, wait: Any) -> None:
    lay_under(ready, wait, "")
    assert not ready.live_page.reference.alarm.isEnabled()
    assert "tolerance" in ready.live_page.reference.alarm.toolTip()
    assert ready.reference.rules() == []
    assert ready.live_page.reference.words.text().endswith("no tolerance")
