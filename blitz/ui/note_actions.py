"""What can be done about markers and the words of sessions: asks the operator, then the feed."""

from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from blitz.data.records import Marker, Role, SessionRecord
from blitz.ui.dialogs.marker import MarkerDialog, MarkerWords
from blitz.ui.dialogs.session_details import SessionDetailsDialog
from blitz.ui.feed import Feed
from blitz.ui.preferences import Preferences
from blitz.ui.rights import Rights

_GONE = "The server does not have this session, so nothing can be written of it there."


class NoteActions(QObject):
    """Owns the dialogs while they are open.

    :param is_gone: whether the server does not have a session that is here.
    :param preferences: where the texts of markers are remembered.
    """

    marked = pyqtSignal(int, object)
    """session id and Marker, one that was written at once and that the server has now"""

    def __init__(self, feed: Feed, is_gone: Callable[[int], bool], preferences: Preferences, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._is_gone = is_gone
        self._preferences = preferences
        self._window = window
        self._awaited: set[tuple[int, str, int]] = set()
        """Session, text and time of markers that were written at once, and are on their way."""
        self._numbers: dict[int, int] = {}
        self._rights = Rights()
        self._wanted: set[int] = set()
        self.required_fields: tuple[str, ...] = ()
        """What the server demands of every session."""
        feed.session_described.connect(self._show_details)
        feed.marker_received.connect(self._take_marker)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights

    def refusal(self, session_id: int) -> str:
        """Why nothing can be written of a session; empty where it can."""
        return self._rights.refusal(Role.OPERATOR) or (_GONE if self._is_gone(session_id) else "")

    def mark(self, session_id: int, at_s: float, known: tuple[Marker, ...]) -> None:
        """Write a marker at once; its text is its number, until somebody says more.

        :param at_s: seconds since the Unix epoch.
        :param known: the markers that the session has.
        """
        if self.refusal(session_id):
            return
        highest = max((marker.id for marker in known), default=0)
        number = max(highest, self._numbers.get(session_id, 0)) + 1
        self._numbers[session_id] = number
        words = MarkerWords(f"Marker {number}", _ns(at_s))
        self._awaited.add((session_id, words.text, words.from_ns))
        self._feed.add_marker(session_id, words)

    def add_marker(self, session_id: int, at_s: float, sources: tuple[str, ...] = ()) -> None:
        """Ask for the text of a new marker; its time is the one given, unless it is changed.

        :param at_s: seconds since the Unix epoch.
        :param sources: names of the session's sources.
        """
        if self.refusal(session_id):
            return
        dialog = MarkerDialog(
            "Add a marker",
            "&Add",
            at_ns=_ns(at_s),
            sources=sources,
            texts=self._preferences.marker_texts,
            parent=self._window,
        )

        def write() -> None:
            self._preferences.remember_marker_text(dialog.words.text)
            self._feed.add_marker(session_id, dialog.words)

        dialog.accepted.connect(write)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def edit_marker(self, session_id: int, marker: Marker, sources: tuple[str, ...] = ()) -> None:
        """Show a marker, to be changed or deleted."""
        if self.refusal(session_id):
            return
        dialog = MarkerDialog(
            f"Marker {marker.id}",
            "&Save",
            at_ns=marker.from_ns,
            marker=marker,
            sources=sources,
            texts=self._preferences.marker_texts,
            parent=self._window,
        )

        def write() -> None:
            if dialog.is_deleted:
                self._feed.delete_marker(session_id, marker)
            else:
                self._preferences.remember_marker_text(dialog.words.text)
                self._feed.edit_marker(session_id, marker, dialog.words)

        dialog.accepted.connect(write)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def show_details(self, session_id: int) -> None:
        """Ask for all that is known of a session, then show it."""
        self._wanted.add(session_id)
        self._feed.describe_session(session_id)

    def _take_marker(self, session_id: int, marker: Marker) -> None:
        about = (session_id, marker.text, marker.from_ns)
        if about in self._awaited:
            self._awaited.discard(about)
            self.marked.emit(session_id, marker)

    def _show_details(self, record: SessionRecord) -> None:
        if record.id not in self._wanted:
            return
        self._wanted.discard(record.id)
        refusal = self.refusal(record.id)
        dialog = SessionDetailsDialog(record, required=self.required_fields, refusal=refusal, parent=self._window)
        sources = tuple(dict.fromkeys(source.name for source in record.sources))

        def take(session_id: int, marker: Marker) -> None:
            if session_id == record.id:
                dialog.take_marker(marker)

        def write() -> None:
            words = dialog.words
            if words != type(words)():
                self._feed.change_session(record.id, words)

        def forget() -> None:
            self._feed.marker_received.disconnect(take)
            dialog.deleteLater()

        self._feed.marker_received.connect(take)
        dialog.marker_chosen.connect(lambda marker: self.edit_marker(record.id, marker, sources))
        dialog.accepted.connect(write)
        dialog.finished.connect(forget)
        dialog.open()


def _ns(at_s: float) -> int:
    """Return a time in nanoseconds, as exact as seconds since 1970 are as a float."""
    return round(at_s * 1e6) * 1000
