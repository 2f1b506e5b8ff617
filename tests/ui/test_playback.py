"""Playing a session of a real cache back, through the pages that show live values."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, SessionRecord, Source
from blitz.data.session_tape import SessionTape, Stretch
from blitz.data.sync import download
from blitz.ui import playback
from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.playback import AS_FAST_AS_CAN_BE, Player

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_NS = round(STARTED.timestamp() * 1e9)
COUNT = 40_000
STEP_NS = 10_000_000
DEFINITION = BoardDefinition.model_validate(
    {"id": "p", "name": "Pump", "format": "columns", "channels": [{"name": "pressure", "column": 0, "unit": "bar"}]}
)
SOURCE = Source(index=0, name="pump", link="/dev/ttyUSB0", definition=DEFINITION)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with session 7: message n says n, 10 ms after the one before; 400 s in all, in three blocks."""
    path = tmp_path_factory.mktemp("playback") / "cache.db"
    record = SessionRecord(
        id=7,
        name="warm-up",
        started_at=STARTED,
        stopped_at=STARTED + timedelta(seconds=400),
        message_count=COUNT,
        sources=(SOURCE,),
        markers=(Marker(id=1, text="valve open", from_ns=START_NS + 10**9, changed_at=STARTED),),
    )
    reads = [Read(START_NS + n * STEP_NS, 0, [b"%d" % n]) for n in range(COUNT)]
    whole = MessageBlock.from_reads(7, 0, reads)

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [whole.between(first, first + count)]

    with DatabaseClient(path=path) as cache:
        asyncio.run(download(record, fetch, cache))
    return path


class Deck:
    """A player by a clock that the test sets, and what it has handed on since it began anew."""

    def __init__(self, tape: SessionTape, qtbot: QtBot) -> None:
        self.now_s = 100.0
        self.seqs: list[int] = []
        self._qtbot = qtbot
        self.player = Player(tape, clock=lambda: self.now_s)
        self.player._timer.stop()
        self.player.played.connect(self._take)
        self.player.restarted.connect(self.seqs.clear)

    def pass_time(self, seconds: float, until: int) -> None:
        """Let the clock go on, and tick until all messages below a number have come."""
        self.now_s += seconds

        def has_come() -> bool:
            self.player.tick()
            return bool(self.seqs) and self.seqs[-1] + 1 >= until

        self._qtbot.waitUntil(has_come, timeout=20_000)

    def _take(self, stretch: Stretch) -> None:
        self.seqs += range(stretch.block.first_seq, stretch.block.next_seq)
        for readings in stretch.readings:
            assert readings.values[:, 0].tolist() == readings.seq.tolist()


@pytest.fixture
def deck(place: Path, qtbot: QtBot) -> Iterator[Deck]:
    with DatabaseClient(path=place) as cache:
        deck = Deck(SessionTape(cache, 7), qtbot)
        yield deck
        deck.player.close()


@pytest.mark.parametrize("speed", [0.1, 1.0, 1000.0])
def test_a_tape_runs_by_its_own_times_at_any_speed(deck: Deck, speed: float) -> None:
    deck.player.choose_speed(speed)
    deck.pass_time(5.0, 1)
    assert deck.seqs == [0]  # paused at the start, where one message is
    deck.player.play()
    deck.pass_time(0.35, min(int(35 * speed) + 1, COUNT))
    assert deck.seqs == list(range(min(int(35 * speed) + 1, COUNT)))
    assert deck.player.passed_s == pytest.approx(min(0.35 * speed, 399.99))
    deck.player.pause()
    deck.pass_time(50.0, 1)
    assert deck.player.passed_s == pytest.approx(min(0.35 * speed, 399.99))


def test_as_fast_as_can_be_leaves_nothing_out_and_ends_at_the_end(deck: Deck) -> None:
    deck.player.choose_speed(AS_FAST_AS_CAN_BE)
    deck.player.play()
    deck.pass_time(0.01, COUNT)
    deck.player.tick()
    assert deck.seqs == list(range(COUNT))
    assert (deck.player.is_at_end, deck.player.is_playing) == (True, False)
    deck.player.choose_speed(1.0)
    deck.player.play()  # from the start again
    deck.pass_time(0.0, 1)
    deck.pass_time(0.1, 11)
    assert deck.seqs == list(range(11))


def test_seeking_shows_what_was_before_the_place_and_goes_on_from_there(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "BACK_MESSAGES", 500)
    for at_s, first in ((300.0, 29_500), (1.0, 0), (1e9, 39_499)):
        deck.player.seek(at_s)
        last = min(round(at_s * 100), COUNT - 1)
        deck.pass_time(0.0, last + 1)
        assert deck.seqs == list(range(first, last + 1))
    deck.player.step(-100.0)
    deck.pass_time(0.0, 30_000)
    deck.player.play()
    deck.pass_time(1.0, 30_100)
    assert deck.seqs == list(range(29_499, 30_100))


def test_no_more_than_a_few_blocks_are_kept_ahead(deck: Deck, qtbot: QtBot) -> None:
    reader = deck.player._reader
    qtbot.waitUntil(lambda: not reader.is_alive() or reader._queue.full())
    assert reader._queue.maxsize == 4


@pytest.fixture
def ready(window: MainWindow, feed: Any, make: Any, place: Path) -> MainWindow:
    """A window at a server that previews one board, and has session 7."""
    feed.path = place
    feed.go_online()
    feed.status_received.emit(make.status(boards=1))
    feed.sources_received.emit(0, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 20))
    with DatabaseClient(path=place) as cache:
        feed.sessions_listed.emit(SessionList((cache.session_record(7),), frozenset({7})))
    return window


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], object]], None]:
    return lambda is_so: qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)


def test_all_live_pages_show_the_tape_and_say_so(ready: MainWindow, feed: Any, make: Any, wait: Any) -> None:
    window, live = ready, ready.live_page
    before = window.store.last(0, 100)
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    player.choose_speed(100.0)
    wait(lambda: window.store.count(0) > 200)
    wait(lambda: [channel.label for channel in live.variables.channels] == ["pressure"])
    wait(lambda: live.plot.strip.badge_text == "PLAYBACK – NOT LIVE")
    assert [marker.text for marker in window.store.markers] == ["valve open"]
    live.refresh()
    assert live.side.variables.latest[0].age_s < 1
    window.tabs.setCurrentWidget(window.channel_pages.numbers)
    window.channel_pages.numbers.refresh()
    assert window.channel_pages.numbers.state.text() == "PLAYBACK – NOT LIVE"
    assert window.channel_pages.numbers.session.text() == "warm-up"
    assert len(window.console.ring) > 200
    # What arrives meanwhile is not shown, and not lost.
    feed.readings_received.emit(make.readings(make.source(0), 5, first=20))
    assert not window.header.start.isEnabled()
    assert "playback" in window.header.start.toolTip()
    assert not live.marker.isEnabled()
    assert not window.menus["start"].isEnabled()
    assert window.plot_actions.pictures.caption(live).title == "warm-up"
    window.playback.bar.leave.click()
    assert window.store.session_id == 0
    assert len(window.store.last(0, 100).times) == len(before.times) + 5
    assert (window.header.start.isEnabled(), window.menus["start"].isEnabled()) == (True, True)
    assert len(window.console.ring) == 0
    wait(lambda: live.plot.strip.badge_text == "PREVIEW – NOT RECORDED")
    assert window.playback.bar.isHidden()


def test_space_pauses_and_arrows_seek_where_the_plot_has_the_focus(ready: MainWindow, wait: Any) -> None:
    window = ready
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    plot = window.live_page.drawing
    QTest.keyClick(plot, Qt.Key_Space)
    assert not player.is_playing
    place_s = player.passed_s
    QTest.keyClick(plot, Qt.Key_Right, Qt.ShiftModifier)
    assert player.passed_s == pytest.approx(place_s + 60)
    QTest.keyClick(plot, Qt.Key_Left)
    assert player.passed_s == pytest.approx(place_s + 55)
    wait(lambda: window.store.count(0) > 5000)
    newest = window.store.newest_time()
    assert newest == pytest.approx(STARTED.timestamp() + place_s + 55, abs=0.011)
    assert window.playback.bar.place.text().startswith("0:00:5")
    slider = window.playback.bar.slider
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key_Home)
    assert player.passed_s == 0
    QTest.keyClick(window.channel_pages.numbers, Qt.Key_Space)
    assert player.is_playing


def test_a_history_is_played_from_what_its_plot_shows(ready: MainWindow, wait: Any) -> None:
    window = ready
    window.session_actions.view(7)
    wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    page = window.tabs.currentWidget()
    assert isinstance(page, HistoryPage)
    page.plot.show_times(STARTED.timestamp() + 200, STARTED.timestamp() + 210)
    page.play.click()
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    assert 200 <= player.passed_s < 202
    assert window.tabs.currentWidget() is window.live_page
    # Another cache is opened: what is played is no longer to be had.
    window.feed.cache_opened.emit(Path("elsewhere"))
    assert not window.playback.is_on


def test_a_session_is_played_whole_into_the_live_store(ready: MainWindow, wait: Any) -> None:
    window = ready
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    player.choose_speed(AS_FAST_AS_CAN_BE)
    wait(lambda: player.is_at_end)
    assert window.store.message_count == COUNT
    assert window.store.last(0, 1).values[0, 0] == COUNT - 1
    assert np.array_equal(window.store.last(0, COUNT).values[:, 0], np.arange(COUNT))


def test_computed_channels_are_computed_of_the_tape(ready: MainWindow, wait: Any) -> None:
    window = ready
    window.computed.keep([ComputedChannel("double", "pressure * 2", "bar")])
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    for at_s in (100.0, 50.0):
        player.pause()
        player.seek(at_s)
        wait(lambda at_s=at_s: (window.store.newest_time() or 0) >= STARTED.timestamp() + at_s)
        computed = next(channel for channel in window.store.channels if "double" in channel.label)
        last = window.store.last(computed.source.index, 1)
        assert last.values[0, 0] == 2 * round(at_s * 100)
