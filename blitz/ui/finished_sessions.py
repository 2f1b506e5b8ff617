"""What is said when a session has ended: how it went, and what is often wanted next."""

from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import QObject

from blitz.data.records import SessionRecord
from blitz.ui.feed import Feed
from blitz.ui.formats import format_duration, format_rate, message_words
from blitz.ui.models.sessions import ALL_WELL, SessionsModel, session_length_s, session_title
from blitz.ui.session_actions import SessionActions
from blitz.ui.widgets.notices import NoticeAction, NoticesArea

_STANDS_MS = 60_000


class FinishedSessions(QObject):
    """Tells of the end of each session, and finds the last one for the menu."""

    def __init__(self, feed: Feed, sessions: SessionsModel, actions: SessionActions, notices: NoticesArea) -> None:
        super().__init__(actions)
        self._sessions = sessions
        self._actions = actions
        self._notices = notices
        self._told = ""
        feed.session_stopped.connect(self._tell)

    def view_last(self) -> None:
        """Plot the session that ended last."""
        self._with_last(self._actions.view)

    def export_last(self) -> None:
        """Ask where to, and write the session that ended last."""
        self._with_last(self._actions.export)

    def report_last(self) -> None:
        """Ask what the report of the session that ended last is to show, and write it."""
        self._with_last(self._actions.report)

    def _with_last(self, act: Callable[[int], None]) -> None:
        ended = [record for record in self._sessions.records if not record.is_running]
        if ended:
            act(max(ended, key=lambda record: (record.started_at, record.id)).id)
        else:
            self._notices.tell("info", "There is no session that has ended yet.", for_ms=_STANDS_MS)

    def _tell(self, record: SessionRecord) -> None:
        # A session that has ended without a message is told, too: somebody expected some.
        view = NoticeAction("View", partial(self._actions.view, record.id), is_final=True)
        export = NoticeAction("Export…", partial(self._actions.export, record.id), is_final=True)
        offers = (view, export) if record.message_count else ()
        words = finished_words(record)
        if self._told:
            self._notices.withdraw(self._told)  # one at a time: the newest is the one that is wanted
        self._told = words
        self._notices.tell("info", words, *offers, for_ms=_STANDS_MS)


def finished_words(record: SessionRecord) -> str:
    """Say how a session went, in a line.

    >>> from datetime import UTC, datetime, timedelta
    >>> began = datetime(2026, 3, 1, tzinfo=UTC)
    >>> finished_words(SessionRecord(id=3, started_at=began, stopped_at=began + timedelta(0, 60), message_count=600,
    ...     verdict="nothing lost"))
    '“Session 3” has ended: 600 messages in 0:01:00, 10.0/s, nothing lost.'
    """
    words = [message_words(record.message_count)]
    length_s = session_length_s(record)
    if length_s:
        words[0] += f" in {format_duration(length_s)}"
        words.append(format_rate(record.message_count / length_s))
    words += [record.verdict.replace(ALL_WELL, "nothing lost")] if record.verdict else []
    reason = f" {record.stop_reason}" if record.stop_reason else ""
    return f"“{session_title(record)}” has ended: {', '.join(words)}.{reason}"
