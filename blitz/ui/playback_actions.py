"""Playing a session back through the pages that show live values: they show the tape instead, and say so.

The live store changes places with another one meanwhile, and so do the console's lines: what arrives goes on arriving
there, and is shown again when the playback is left.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QEvent, QObject
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.data.session_tape import SessionTape, Stretch
from blitz.errors import DownloadCancelled
from blitz.ui.feed import RequestFailure
from blitz.ui.history import MOST_IN_MEMORY
from blitz.ui.live_computed import LiveComputed
from blitz.ui.live_store import LiveStore
from blitz.ui.models.sessions import session_title
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.playback import Player
from blitz.ui.playback_alarms import PlaybackAlarms
from blitz.ui.widgets.playback_bar import PlaybackBar

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

HELD = "A session is played back: leave the playback first."
_MENUS = ("start", "start_notes", "stop", "marker")


class Tape:
    """A session that is open to be played, with the cache that it is read from."""

    def __init__(self, cache: DatabaseClient, path: Path, record: SessionRecord, tape: SessionTape) -> None:
        self.cache = cache
        self.path = path
        self.record = record
        self.tape = tape


class PlaybackActions(QObject):
    """Belongs to the window; plays one session at a time."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._tape: Tape | None = None
        self._aside = LiveStore()
        self._computed = LiveComputed()
        window.computed.changed.connect(self._follow)
        self.player: Player | None = None
        self.bar = PlaybackBar()
        self.bar.left.connect(self.leave)
        self.alarms = PlaybackAlarms(window, self, self.bar.strip)
        self.alarms.marked.connect(self._show_markers)
        self.bar.alarm_requested.connect(lambda is_on: self.alarms.go(is_on=is_on))
        window.appearance.changed.connect(self.bar.set_theme)
        self.bar.set_theme(window.appearance.theme)
        window.sessions_page.play_requested.connect(self.begin)
        window.histories.opened.connect(self._serve)
        window.feed.cache_opened.connect(self._see_cache)

    @property
    def is_on(self) -> bool:
        """Whether the pages show a playback."""
        return self.player is not None

    @property
    def title(self) -> str:
        """What is played; empty where nothing is."""
        return "" if self._tape is None else session_title(self._tape.record)

    def begin(self, session_id: int, version: int | None = None, at_s: float | None = None) -> None:
        """Play a session as soon as it is here.

        :param version: of the definitions; None for the newest.
        :param at_s: where to begin, in seconds since the Unix epoch; None: at the start.
        """
        self._window.session_actions.when_here(session_id, lambda number: self._open(number, version, at_s))

    def leave(self) -> None:
        """Show what arrives now again."""
        player, tape, window = self.player, self._tape, self._window
        if player is None or tape is None:
            return
        self.player, self._tape = None, None
        player.close()
        player.deleteLater()
        tape.cache.close()
        self.bar.forget()
        self.alarms.leave()
        window.store.exchange(self._aside)
        window.follower.write_into(window.store)
        self._aside.clear()
        window.console.end_playback()
        self._hold(None)

    def close(self) -> None:
        """End with the window."""
        self.leave()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the keys of a playback where a plot or the numbers have the focus."""
        if event.type() == QEvent.KeyPress and isinstance(event, QKeyEvent) and self.is_on:
            return self.bar.take_key(event)
        return super().eventFilter(watched, event)

    def _serve(self, page: HistoryPage) -> None:
        page.play.clicked.connect(lambda: self.begin(page.session_id, page.history.version, self._begin_of(page)))

    def _begin_of(self, page: HistoryPage) -> float | None:
        """Return where the plot begins, if it was zoomed: that is what somebody wants to see."""
        low, limits = page.shown_times[0], page.history.time_limits
        return None if limits is None or low <= limits[0] else low

    def _open(self, session_id: int, version: int | None, at_s: float | None) -> None:
        path = self._window.feed.cache_path
        assert path is not None

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> Tape:
            cache = DatabaseClient(path=str(path))
            try:
                tape = SessionTape(cache, session_id, version)
                if tape.message_count > MOST_IN_MEMORY:  # with it, any place is reached at once
                    cache.make_overview(session_id, version, progress, is_cancelled)
                record = cache.session_record(session_id).model_copy(update={"sources": tape.sources})
                return Tape(cache, Path(path), record, tape)
            except BaseException:
                cache.close()
                raise

        job = self._window.jobs.run(f"Opening session {session_id}", work)
        job.succeeded.connect(lambda tape: self._play(tape, at_s))
        job.failed.connect(lambda error: self._tell_failure(session_id, error))

    def _play(self, tape: Tape, at_s: float | None) -> None:
        self.leave()
        window = self._window
        window.follower.write_into(self._aside)
        window.store.exchange(self._aside)
        window.console.begin_playback()
        self._tape = tape
        self.player = player = Player(tape.tape, self)
        player.restarted.connect(self._begin_anew)
        player.played.connect(self._take)
        player.failed.connect(lambda sentence: window.notices.tell("error", f"The playback ended. {sentence}"))
        self._begin_anew()
        self._hold(HELD)
        self.bar.show_player(player, self.title)
        self.alarms.begin(player, tape.record, tape.tape.version, tape.path)
        window.tabs.setCurrentWidget(window.live_page)
        window.live_page.plot.follow()
        window.live_page.drawing.setFocus()
        if at_s is not None:
            player.seek(at_s - tape.tape.first_ns / 1e9)
        player.play()

    def _begin_anew(self) -> None:
        """Show nothing yet, with the session's sources, gaps and markers."""
        tape, store = self._tape, self._window.store
        if tape is None:
            return
        store.clear()
        self._computed = LiveComputed()
        self._follow()
        for gap in tape.record.gaps:
            store.mark_gap(gap)
        self._show_markers()
        self._window.console.begin_anew()

    def _show_markers(self) -> None:
        """Show the session's markers, and where alarms were raised so far."""
        if self._tape is not None:
            self._window.store.show_markers((*self._tape.record.markers, *self.alarms.marks))

    def _follow(self) -> None:
        """Show the session's sources, and what is computed of them."""
        tape = self._tape
        if tape is None:
            return
        computed = self._computed.follow(self._window.computed.channels, tape.tape.sources)
        self._window.store.follow(tape.record.id, (*tape.tape.sources, *computed))
        self._computed.fill(self._window.store)

    def _take(self, stretch: Stretch) -> None:
        if self._tape is None:
            return
        for readings in stretch.readings:
            self._window.store.add(readings)
            self._computed.take(readings, self._window.store)
        self._window.console.play(stretch.block, self._tape.tape.sources)

    def _hold(self, refusal: str | None) -> None:
        """Grey what records, and let the pages say what they show; None: as before."""
        window, player, tape = self._window, self.player, self._tape
        window.header.hold(refusal or "")
        window.channel_pages.actions.edits.hold(refusal or "")
        can_record = not (refusal or window.header.refusal)
        for name in _MENUS:
            window.menus[name].setEnabled(can_record)
        clock = None if player is None else lambda: player.at_s
        start_s = None if tape is None else tape.record.started_at.timestamp()
        window.live_page.show_playback(clock, start_s, refusal or "")
        window.channel_pages.numbers.show_playback(clock, start_s, self.title)
        watched: tuple[QWidget, ...] = (window.live_page.drawing, window.live_page, window.channel_pages.numbers)
        for widget in watched:
            widget.removeEventFilter(self)
            if player is not None:
                widget.installEventFilter(self)

    def _see_cache(self, place: object) -> None:
        """What is played is of a cache that is no longer in use."""
        self.leave()

    def _tell_failure(self, session_id: int, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._window.notices.tell("info", str(error))
        else:
            failure = RequestFailure(f"Session {session_id} is not played", error)
            self._window.notices.tell("error", failure.sentence)
