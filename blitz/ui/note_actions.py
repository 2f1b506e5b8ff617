"""What can be done about markers and the words of sessions: asks the operator, then the feed."""

from collections.abc import Callable

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.records import Marker, Role, SessionRecord
from blitz.ui.dialogs.marker import MarkerDialog
from blitz.ui.dialogs.session_details import SessionDetailsDialog
from blitz.ui.feed import Feed
from blitz.ui.rights import Rights

_GONE = "The server does not have this session, so nothing can be written of it there."


class NoteActions(QObject):
    """Owns the dialogs while they are open.

    :param is_gone: whether the server does not have a session that is here.
    """

    def __init__(self, feed: Feed, is_gone: Callable[[int], bool], window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._is_gone = is_gone
        self._window = window
        self._rights = Rights()
        self._wanted: set[int] = set()
        self.required_fields: tuple[str, ...] = ()
        """What the server demands of every session."""
        feed.session_described.connect(self._show_details)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights

    def refusal(self, session_id: int) -> str:
        """Why nothing can be written of a session; empty where it can."""
        return self._rights.refusal(Role.OPERATOR) or (_GONE if self._is_gone(session_id) else "")

    def add_marker(self, session_id: int, at_s: float, sources: tuple[str, ...] = ()) -> None:
        """Ask for the text of a new marker; its time is the one given, unless it is changed.

        :param at_s: seconds since the Unix epoch.
        :param sources: names of the session's sources.
        """
        if self.refusal(session_id):
            return
        at_ns = round(at_s * 1e6) * 1000
        dialog = MarkerDialog("Add a marker", "&Add", at_ns=at_ns, sources=sources, parent=self._window)
        dialog.accepted.connect(lambda: self._feed.add_marker(session_id, dialog.words))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def edit_marker(self, session_id: int, marker: Marker, sources: tuple[str, ...] = ()) -> None:
        """Show a marker, to be changed or deleted."""
        if self.refusal(session_id):
            return
        dialog = MarkerDialog(
            f"Marker {marker.id}", "&Save", at_ns=marker.from_ns, marker=marker, sources=sources, parent=self._window
        )

        def write() -> None:
            if dialog.is_deleted:
                self._feed.delete_marker(session_id, marker)
            else:
                self._feed.edit_marker(session_id, marker, dialog.words)

        dialog.accepted.connect(write)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def show_details(self, session_id: int) -> None:
        """Ask for all that is known of a session, then show it."""
        self._wanted.add(session_id)
        self._feed.describe_session(session_id)

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
