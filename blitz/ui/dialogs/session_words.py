"""Asks for the name and the notes of a session that there is."""

from PyQt5.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from blitz.data.session_words import NAME_LENGTH
from blitz.ui.dialogs.form import Form


class SessionWordsDialog(Form):
    """A name and notes."""

    def __init__(
        self, title: str, accept: str, *, name: str = "", notes: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(title, accept, parent=parent)
        self._name = QLineEdit(name)
        self._name.setMaxLength(NAME_LENGTH)
        self._name.selectAll()
        self._notes = QPlainTextEdit(notes)
        self._notes.setTabChangesFocus(True)
        self._notes.setPlaceholderText("What is measured, with which set-up")
        self._notes.setMinimumHeight(110)
        self.add("&Name", self._name)
        self.add("N&otes", self._notes)

    @property
    def name(self) -> str:
        """The name; empty if none was typed."""
        return self._name.text().strip()

    @property
    def notes(self) -> str:
        """The notes."""
        return self._notes.toPlainText().strip()
