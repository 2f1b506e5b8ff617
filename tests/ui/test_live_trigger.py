"""Triggers in the live view: the last ones over each other, however the readings come."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz.data.boards import Readings
from blitz.data.records import SessionRecord, Source
from blitz.data.triggers import Edge
from blitz.ui.history import History
from blitz.ui.kept_triggers import MOST, KeptTriggers
from blitz.ui.live_store import LiveStore, list_channels
from blitz.ui.live_trigger import LiveTrigger, Mode
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.triggered import MOST_SWEEPS, TriggerWish
from blitz.ui.widgets.channel_choice import ShownChannel

BEGIN_NS = 1_790_000_000_000_000_000
RATE_HZ = 1000
WISH = TriggerWish(level=0.5, hysteresis=0, before_s=0.01, after_s=0.04)


def pulses(count: int, first: int = 0, every: int = 100) -> np.ndarray[Any, Any]:
    """A triangle of a height that rises with each pulse: 1, 2, 3, …"""
    number = np.arange(first, first + count)
    return np.maximum(0, 1 - np.abs(number % every - 50) / 10) * (number // every + 1)


def readings(source: Source, values: np.ndarray[Any, Any], first: int = 0, session_id: int = 0) -> Readings:
    assert source.definition is not None
    seq = np.arange(first, first + len(values))
    columns = np.zeros((len(values), len(source.definition.channels)))
    columns[:, 1] = values
    time_ns = BEGIN_NS + seq * (1_000_000_000 // RATE_HZ)
    return Readings(session_id, source, seq, time_ns, columns, np.zeros(len(values), np.int64))


@pytest.fixture
def source(make: Any) -> Source:
    found: Source = make.source(0)
    return found


@pytest.fixture
def store(source: Source) -> LiveStore:
    store = LiveStore()
    store.follow(0, [source])
    return store


def followed(store: LiveStore, wish: TriggerWish = WISH, mode: Mode = Mode.NORMAL) -> LiveTrigger:
    trigger = LiveTrigger(store)
    trigger.choose(store.channels[1], wish, mode)
    return trigger


@pytest.mark.parametrize("piece", [1, 7, 97, 5000])
def test_each_trigger_is_shown_once_and_whole_whatever_pieces_come(
    store: LiveStore, source: Source, piece: int
) -> None:
    trigger, values = followed(store), pulses(5000)
    for first in range(0, 5000, piece):
        store.add(readings(source, values[first : first + piece], first))
        trigger.update()
    assert trigger.count == 50
    assert len(trigger.sweeps) == MOST_SWEEPS
    assert [sweep.values.max() for sweep in trigger.sweeps] == list(range(31, 51))
    for sweep in trigger.sweeps:
        assert np.interp(0, sweep.offsets_s, sweep.values) == pytest.approx(0.5, abs=1e-3)
        assert (sweep.offsets_s[0], sweep.offsets_s[-1]) == pytest.approx((-0.01, 0.04), abs=1e-3)
    assert not trigger.update()


def test_a_single_trigger_stands_still_until_it_is_armed_again(store: LiveStore, source: Source) -> None:
    trigger = followed(store, mode=Mode.SINGLE)
    store.add(readings(source, pulses(250)))
    assert trigger.update()
    store.add(readings(source, pulses(250, 250), 250))
    assert not trigger.update()
    assert (len(trigger.sweeps), trigger.is_held, trigger.sweeps[0].values.max()) == (1, True, 1)
    trigger.arm()
    assert not trigger.sweeps
    store.add(readings(source, pulses(250, 500), 500))
    assert trigger.update()
    assert trigger.sweeps[0].values.max() == 6


def test_auto_shows_what_there_is_where_no_trigger_comes_and_normal_does_not(store: LiveStore, source: Source) -> None:
    flat, waiting = followed(store, mode=Mode.AUTO), followed(store)
    for first in range(0, 2000, 100):
        store.add(readings(source, np.full(100, 0.2), first))
        flat.update()
        waiting.update()
    assert (flat.is_free, len(flat.sweeps), flat.count) == (True, 1, 0)
    assert (waiting.is_free, len(waiting.sweeps)) == (False, 0)
    store.add(readings(source, pulses(100, 2000), 2000))
    assert flat.update()
    assert (flat.is_free, len(flat.sweeps), flat.count) == (False, 1, 1)


def test_without_a_level_it_is_the_middle_and_follows_what_comes(store: LiveStore, source: Source) -> None:
    store.add(readings(source, pulses(1000)))
    trigger = followed(store, TriggerWish(edge=Edge.FALLING, before_s=0.01, after_s=0.04), Mode.AUTO)
    store.add(readings(source, pulses(200, 1000), 1000))
    trigger.update()
    assert trigger.level == 6
    store.add(readings(source, np.full(2000, 100.0), 1200))
    trigger.update()
    assert trigger.level == 50


def test_another_session_begins_anew(store: LiveStore, source: Source) -> None:
    trigger = followed(store)
    store.add(readings(source, pulses(500)))
    trigger.update()
    assert trigger.sweeps
    store.follow(3, [source])
    trigger.update()
    assert (len(trigger.sweeps), trigger.count) == (0, 0)
    store.add(readings(source, pulses(120), 0, 3))
    trigger.update()
    assert trigger.count == 1


def test_the_live_page_shows_triggers_beside_its_plot(window: MainWindow, feed: Any, source: Source) -> None:
    page = window.live_page
    feed.go_online()
    feed.sources_received.emit(0, (source,))
    feed.readings_received.emit(readings(source, pulses(100)))
    page.refresh()
    window.menus["triggers"].trigger()
    panel = page.triggers
    assert panel.isVisible()
    assert page.bar.analysis.isChecked()
    panel.controls.channel.setCurrentIndex(1)
    panel.mode.setCurrentIndex(1)
    panel.controls.fields[2].setText("0.01")
    panel.controls.fields[3].setText("0.04")
    panel.controls.set_level("0.5")
    assert panel.figure.hint == "Waiting for a trigger…"
    feed.readings_received.emit(readings(source, pulses(300, 100), 100))
    panel.refresh(1e9)
    level, *sweeps = panel.figure.curves
    assert level.y.tolist() == [0.5, 0.5]
    assert [sweep.y.max() for sweep in sweeps] == [2, 3, 4]
    assert sweeps[-1].opacity == 255
    assert panel.words.text() == "3 triggers at 0.5 count, the last 3 are shown."
    panel.controls.fields[1].setText("a lot")
    QTest.keyClick(panel.controls.fields[1], Qt.Key_Return)
    assert panel.controls.fields[1].property("state") == "bad"
    assert panel.controls.problem.text() == "“a lot” is no number from 0 on: what was there before counts."
    assert panel.trigger.wish.hysteresis is None
    QTest.mouseClick(panel.again, Qt.LeftButton)
    assert not panel.figure.curves
    QTest.mouseClick(page.bar.analysis, Qt.LeftButton)
    assert not panel.isVisible()


def test_nothing_triggers_across_a_gap_where_nobody_knows_when_it_was(store: LiveStore, source: Source) -> None:
    trigger = followed(store)
    store.add(readings(source, np.zeros(100)))
    trigger.update()
    store.add(readings(source, np.ones(100), 5000))
    assert not trigger.update()
    assert trigger.count == 0
    store.add(readings(source, pulses(200), 5100))
    assert trigger.update()
    assert trigger.count == 2


def test_what_a_trigger_was_set_to_is_kept_by_board_and_channel(
    window: MainWindow, feed: Any, source: Source, show_window: Callable[[Any], MainWindow], qtbot: QtBot
) -> None:
    feed.go_online()
    feed.sources_received.emit(0, (source,))
    feed.readings_received.emit(readings(source, pulses(100)))
    window.live_page.refresh()
    window.menus["triggers"].trigger()
    panel = window.live_page.triggers
    controls = panel.controls
    first, second = controls.channel.itemText(0), controls.channel.itemText(1)

    def choose(label: str) -> None:
        controls.channel.setCurrentText(label)
        controls.channel.activated.emit(controls.channel.currentIndex())

    controls.edge.setCurrentIndex(1)
    controls.edge.activated.emit(1)
    controls.fields[2].setText("0.01")
    controls.set_level("0.5")
    panel.mode.setCurrentText("Single")
    panel.mode.activated.emit(panel.mode.currentIndex())
    choose(second)
    assert controls.wish == TriggerWish(before_s=0.2, after_s=0.8)
    assert panel.trigger.mode is Mode.AUTO
    controls.set_level("7")
    choose(first)
    assert controls.wish == TriggerWish(0.5, Edge.FALLING, before_s=0.01, after_s=0.8)
    assert panel.trigger.mode is Mode.SINGLE
    controls.fields[4].setText("nothing")
    controls.set_level("0.9")  # a field is wrong: all stays as it was
    assert KeptTriggers(window.preferences).of(window.store.channels[0])["level"] == "0.5"
    # After a restart, and in a session: another window with the same settings.
    again = show_window(type(feed)())
    opened = again.live_page.triggers.controls
    opened.show_channels(tuple(ShownChannel(channel, 0) for channel in window.store.channels[:2]))
    assert (opened.wish.level, opened.wish.edge) == (0.5, Edge.FALLING)
    page = HistoryPage(
        History(SessionRecord(id=1, started_at=datetime(2026, 5, 4, tzinfo=UTC)), window.store.channels[:2], {}, {}),
        again.appearance,
    )
    qtbot.addWidget(page)
    again.tabs.open(page, "A session")
    page.analysis.trigger.controls.channel.setCurrentText(second)
    page.analysis.trigger.controls.channel.activated.emit(1)
    assert page.analysis.trigger.controls.wish.level == 7
    again.tabs.close_page(page)


def test_settings_of_many_triggers_are_bounded(window: MainWindow, source: Source) -> None:
    kept = KeptTriggers(window.preferences)
    for number in range(MOST + 5):
        (channel, *_) = list_channels([source.model_copy(update={"name": f"tty{number}"})])
        kept.keep(channel, {"level": str(number)})
    assert len(window.preferences.triggers) == MOST
    assert KeptTriggers(window.preferences).of(channel) == {"level": str(MOST + 4)}
