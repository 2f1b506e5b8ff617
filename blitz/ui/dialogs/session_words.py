"""Asks for the name and the notes of a session: a new one, or one there is; of a new one also what else is wanted."""

from collections.abc import Mapping

from PyQt5.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from blitz.data.session_words import FIELD_LENGTH, check_required
from blitz.errors import FieldsMissing
from blitz.ui.dialogs.form import Form


class SessionWordsDialog(Form):
    """A name and notes.

    :param placeholder: the name that an empty field stands for.
    :param fields: own fields to be asked for, and what stands in them.
    :param required: which of them must not be left empty.
    """

    def __init__(
        self,
        title: str,
        accept: str,
        *,
        name: str = "",
        notes: str = "",
        placeholder: str = "",
        fields: Mapping[str, str] | None = None,
        required: tuple[str, ...] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, accept, parent=parent)
        self._name = QLineEdit(name)
        self._name.setMaxLength(200)
        self._name.setPlaceholderText(placeholder)
        self._name.selectAll()
        self._notes = QPlainTextEdit(notes)
        self._notes.setTabChangesFocus(True)
        self._notes.setPlaceholderText("What is measured, with which set-up")
        self._notes.setMinimumHeight(110)
        self._required = required
        self.add("&Name", self._name)
        self._own: dict[str, QLineEdit] = {}
        for own, text in (fields or {}).items():
            line = self._own[own] = QLineEdit(text)
            line.setMaxLength(FIELD_LENGTH)
            line.setPlaceholderText("needed" if own in required else "")
            self.add(own.replace("&", "&&"), line)
        self.add("N&otes", self._notes)
        for line in self._own.values():
            if not line.text():
                line.setFocus()
                break

    @property
    def name(self) -> str:
        """The name; empty if none was typed."""
        return self._name.text().strip()

    @property
    def fields(self) -> dict[str, str]:
        """The own fields that something was typed into."""
        return {name: text for name, line in self._own.items() if (text := line.text().strip())}

    def accept(self) -> None:
        """Close, unless a field that is needed is empty."""
        try:
            check_required(self._required, self.fields)
        except FieldsMissing as error:
            self.say_wrong(str(error))
        else:
            super().accept()

    @property
    def notes(self) -> str:
        """The notes."""
        return self._notes.toPlainText().strip()
