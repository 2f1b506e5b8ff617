"""Deleting sessions: asks the operator, naming what will be gone, then the feed."""

from collections.abc import Sequence

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.feed import Feed
from blitz.ui.formats import format_count, format_moment, message_words
from blitz.ui.models.sessions import SessionsModel, session_title

_NAMED = 3
"""So many of several sessions are named."""
_IN_TRASH = "The server has it in its trash, from which it can be restored. This deletes the copy on this computer."


class SessionDeletion(QObject):
    """Knows whether the server has a trash."""

    def __init__(self, feed: Feed, sessions: SessionsModel, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._sessions = sessions
        self._window = window
        self._has_trash = False
        feed.trash_listed.connect(self._take_trash)

    def ask(self, session_ids: Sequence[int]) -> None:
        """Ask, then delete; from the server, or only what is here."""
        records = [record for session_id in session_ids if (record := self._sessions.find(session_id)) is not None]
        if not records:
            return
        there = [record.id for record in records if not self._sessions.is_gone(record.id)]
        here = [record.id for record in records if self._sessions.is_local(record.id)]
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Warning)
        box.setWindowTitle("Delete a session" if len(records) == 1 else "Delete sessions")
        box.setText(f"Delete {_named(records)}?")
        box.setInformativeText(self._what_goes(records, there, here))
        everywhere = local = None
        if there:
            words = "Delete on server and here" if here else "Delete on the server"
            everywhere = box.addButton("Move to the trash" if self._has_trash else words, QMessageBox.DestructiveRole)
        if here:
            copies = "copy" if len(here) == 1 else f"{len(here)} copies"
            local = box.addButton(f"Delete only the {copies} here", QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            clicked = box.clickedButton()
            if clicked is not None and clicked is everywhere:
                for session_id in there:
                    self._feed.delete_session(session_id)
            elif clicked is not None and clicked is local:
                for session_id in here:
                    self._feed.delete_local_copy(session_id)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()

    def _take_trash(self, records: tuple[SessionRecord, ...] | None) -> None:
        self._has_trash = records is not None

    def _what_goes(self, records: Sequence[SessionRecord], there: list[int], here: list[int]) -> str:
        if len(records) == 1:
            record = records[0]
            if self._sessions.is_trashed(record.id):
                return _IN_TRASH
            return _what_goes(record, bool(here), not there, self._has_trash)
        return _what_goes_together(records, there, here, self._has_trash)


def _what_goes(record: SessionRecord, is_local: bool, is_gone: bool, has_trash: bool) -> str:
    what = f"Session {record.id} of {format_moment(record.started_at)} has {message_words(record.message_count)}."
    if is_gone:
        whose = "The server no longer has it" if record.id > 0 else "No server has it"  # such as an imported one
        return f"{what} {whose}: the copy on this computer is the last one."
    if has_trash:
        star = " It is starred." if record.starred else ""
        here = " The copy on this computer is deleted; it can be deleted alone, too." if is_local else ""
        return f"{what}{star} It goes to the server's trash, from which it can be restored.{here}"
    if is_local:
        return f"{what} Deleted on the server, it is gone for everyone; the copy here can be deleted alone."
    return f"{what} There is no copy on this computer: deleted on the server, it is gone for everyone."


def _named(records: Sequence[SessionRecord]) -> str:
    if len(records) == 1:
        return f"“{session_title(records[0])}”"
    titles = [f"“{session_title(record)}”" for record in records[:_NAMED]]
    left = [f"{len(records) - _NAMED} more"] if len(records) > _NAMED else []
    *first, last = titles + left
    return f"{len(records)} sessions, {', '.join(first)} and {last}"


def _what_goes_together(records: Sequence[SessionRecord], there: list[int], here: list[int], has_trash: bool) -> str:
    words = [f"Together they have {format_count(sum(record.message_count for record in records))} messages."]
    starred = sum(record.starred for record in records)
    if starred:
        words.append("One of them is starred." if starred == 1 else f"{starred} of them are starred.")
    if there and has_trash:
        words.append("They go to the server's trash, from which they can be restored.")
    elif there:
        words.append("Deleted on the server, they are gone for everyone.")
    if here:
        words.append(f"Of {len(here)} there is a copy on this computer.")
    last = len(records) - len(there)
    if last:
        words.append(f"Of {last} no server has more than what is here: those are only deleted with their copies.")
    return " ".join(words)
