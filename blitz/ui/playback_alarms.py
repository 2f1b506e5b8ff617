"""Alarms of a playback: the server's rules over what is played, by the session's own clock. Silent, and told to nobody.

A job evaluates them over the whole session, by the code that the server evaluates with; what is shown is then looked up
by the place that is played, whatever the speed and wherever one seeks.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.records import SessionRecord
from blitz.ui.alarm_view import AlarmView
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_count
from blitz.ui.jobs import Job
from blitz.ui.playback import Player
from blitz.ui.played_alarms import PlayedAlarms, PlayedRules, find_alarms
from blitz.ui.plots.marker_marks import AlarmMark
from blitz.ui.widgets.alarm_strip import AlarmStrip
from blitz.ui.widgets.playback_alarm_bar import PlaybackAlarmBar

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

_NO_SERVER = "No alarms: the rules are the server's, and no server is connected."
_OLD = "No alarms: this server is older than they are, or was told to go without."
_NO_RULES = "No alarms: no rule of the server is about what this session has."
_FAILED = "No alarms: looking for them was given up."
_JUST_NOW_NS = 1_000_000_000
"""While it plays, going back leaves out an alarm that was reached just now."""


class PlaybackAlarms(QObject):
    """Belongs to what plays; shows the alarms of one session at a time."""

    marked = pyqtSignal()
    """The plot is to show other marks."""

    def __init__(self, window: "MainWindow", parent: QObject, strip: AlarmStrip) -> None:
        super().__init__(parent)
        self._window = window
        self._strip = strip
        self._player: Player | None = None
        self._record: SessionRecord | None = None
        self._version: int | None = None
        self._path: Path | None = None
        self._rules: PlayedRules | None = None
        self._job: Job | None = None
        self._is_online = False
        self._shown: tuple[int, int] | None = None
        self.played: PlayedAlarms | None = None
        """What would have been raised; None while that is not known."""
        self.marks: tuple[AlarmMark, ...] = ()
        """Of what was raised so far, for the plot."""
        self.bar = PlaybackAlarmBar()
        self.bar.previous_requested.connect(lambda: self.go(is_on=False))
        self.bar.next_requested.connect(lambda: self.go(is_on=True))
        self.bar.list_requested.connect(self._open_list)
        strip.chosen.connect(self._seek)
        window.alarms.page.played_requested.connect(self._seek)
        window.feed.alarms_told.connect(lambda _: self._take_rules())
        window.feed.connection_changed.connect(self._take_connection)

    def begin(self, player: Player, record: SessionRecord, version: int | None, path: Path) -> None:
        """Find the alarms of what is played from now on.

        :param record: with the sources that are played.
        :param path: of the cache.
        """
        self._player, self._record, self._version, self._path = player, record, version, path
        player.changed.connect(self._follow)
        self._take_rules()

    def leave(self) -> None:
        """Show no alarms any more, and look for none."""
        if self._job is not None:
            self._job.cancel()
        self._player = self._record = self._rules = self._job = self.played = None
        self.marks = ()
        self.bar.hide()
        self._strip.show_played(None)
        self._window.alarms.page.show_played(None)

    def go(self, *, is_on: bool) -> None:
        """Go to where the next alarm is raised, or the last one before this place."""
        if self.played is None or self._player is None:
            return
        course = self.played.course
        before_ns = self._player.at_ns - (_JUST_NOW_NS if self._player.is_playing else 0)
        wanted_ns = course.next_ns(self._at_ns) if is_on else course.previous_ns(before_ns)
        if wanted_ns is not None:
            self._seek(wanted_ns)

    @property
    def _at_ns(self) -> int:
        """Which time is shown: at the tape's end what came behind its last message, too."""
        player, played = self._player, self.played
        assert player is not None
        if played is not None and player.at_ns >= player.tape.last_ns:
            return played.end_ns
        return player.at_ns

    def _seek(self, time_ns: int) -> None:
        if self._player is not None:
            self._player.seek((time_ns - self._player.tape.first_ns) / 1e9)

    def _take_connection(self, state: ConnectionState) -> None:
        self._is_online = state.connection is Connection.ONLINE

    def _take_rules(self) -> None:
        """Look for alarms by the server's rules, if they are others than those that were looked for."""
        player, record = self._player, self._record
        if player is None or record is None:
            return
        view = self._window.alarms.view
        rules = PlayedRules.of((view or AlarmView()).rules, record.sources)
        if rules == self._rules:
            return
        if self._job is not None:
            self._job.cancel()
        self._rules, self._job = rules, None
        self._show_played(None)
        if rules.rules:
            self._look_for(record, rules)
        else:
            self._say_why(_OLD if view is None else _NO_RULES if self._is_online else _NO_SERVER)

    def _say_why(self, sentence: str) -> None:
        """Say why there are no alarms; where nothing can be done about it only in the list: a row is dear."""
        self._window.alarms.page.show_played((), sentence)
        if sentence == _NO_SERVER:
            self.bar.show_words(sentence)
        else:
            self.bar.hide()

    def _look_for(self, record: SessionRecord, rules: PlayedRules) -> None:
        path, version = self._path, self._version
        assert path is not None
        job = self._window.jobs.run(
            f"Looking for alarms in session {record.id}", partial(find_alarms, path, record, version, rules.rules)
        )
        self._job = job
        self.bar.show_words("Looking for alarms in the session…")
        job.progressed.connect(lambda done, total: self._show_progress(job, done, total))
        job.succeeded.connect(lambda played: self._take(job, played))
        job.failed.connect(lambda error: self._take_failure(job, error))

    def _show_progress(self, job: Job, done: int, total: int) -> None:
        if job is self._job:
            self.bar.show_words(f"Looking for alarms in the session… {100 * done // max(1, total)} %")

    def _take(self, job: Job, played: PlayedAlarms | None) -> None:
        if job is not self._job:
            return
        self._job = None
        if played is None:  # somebody has cancelled it in the line below the pages
            self.bar.show_words(_FAILED)
        else:
            self._show_played(played)
            self._follow()

    def _take_failure(self, job: Job, error: Exception) -> None:
        if job is self._job:
            self._job = None
            self.bar.show_words(_FAILED, str(error))

    def _show_played(self, played: PlayedAlarms | None) -> None:
        self.played, self._shown = played, None
        tape = None if self._player is None else self._player.tape
        if tape is not None:
            self._strip.show_played(played, tape.first_ns, tape.last_ns)
        self._window.alarms.page.show_played(None if played is None else ())
        self._mark(())

    def _follow(self) -> None:
        """Show what is an alarm where the playback is, if that is something else than before."""
        played, player = self.played, self._player
        if played is None or player is None:
            return
        at_ns, course = self._at_ns, played.course
        place = course.place(at_ns)
        if course.count:
            self.bar.show_ways(course.previous_ns(player.at_ns) is not None, course.next_ns(at_ns) is not None)
        if place == self._shown:
            return
        self._shown = place
        if course.count:
            self.bar.show_alarms(played.active(at_ns), course.count, self._lacking_words())
        else:
            rules = len(course.rules)
            of = "the server's rule" if rules == 1 else f"the server's {format_count(rules)} rules"
            self.bar.show_words(f"No alarm in the session by {of} about it", self._lacking_words())
        self._window.alarms.page.show_played(played.begun(at_ns))
        self._mark(played.marks(at_ns))

    def _mark(self, marks: tuple[AlarmMark, ...]) -> None:
        if marks != self.marks:
            self.marks = marks
            self.marked.emit()

    def _lacking_words(self) -> str:
        lacking = 0 if self._rules is None else self._rules.lacking
        if not lacking:
            return ""
        return f"{format_count(lacking)} more {'watches' if lacking == 1 else 'watch'} what this session does not have."

    def _open_list(self) -> None:
        page = self._window.alarms.page
        page.played.click()
        self._window.tabs.setCurrentWidget(page)
