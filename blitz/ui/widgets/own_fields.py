"""The laboratory's own fields of a session, a row each; rows are added and removed."""

from collections.abc import Mapping

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from blitz.data.session_words import FIELD_LENGTH, check_required, checked_fields
from blitz.ui.theme import SPACE


class OwnFields(QWidget):
    """Fields that the server wants have a fixed name; all others a name to type and a button that removes them.

    :param asked: names that are always there, and what to propose for them.
    :param required: which of those must not be left empty.
    """

    def __init__(self, asked: Mapping[str, str], required: tuple[str, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._required = required
        self._lines: dict[str, QLineEdit] = {}
        self._own: list[_Row] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(SPACE)
        self._grid.setColumnMinimumWidth(0, 120)
        self._grid.setColumnStretch(1, 1)
        self.add_button = QPushButton("Add a field")
        self.add_button.setProperty("kind", "quiet")
        self.add_button.setToolTip("One more field of your own, such as sample or operator")
        self.add_button.setAutoDefault(False)  # Enter is for the dialog
        self.add_button.clicked.connect(lambda: self.add_row().name.setFocus())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addLayout(self._grid)
        column.addWidget(self.add_button, 0, Qt.AlignLeft)
        for name, text in asked.items():
            self._add_asked(name, text)

    @property
    def typed(self) -> dict[str, str]:
        """What was typed, without what is empty.

        :raises ValueError: if a name cannot be, stands twice, or a text has no name.
        """
        fields = {name: text for name, line in self._lines.items() if (text := line.text().strip())}
        for row in self._own:
            name, text = row.name.text().strip(), row.text.text().strip()
            if text and not name:
                raise ValueError(f"“{text}” stands in a field without a name: give it one.")
            if name in fields or (name and name in self._lines):
                raise ValueError(f"The field {name} stands there twice.")
            if name and text:
                fields[name] = text
        return checked_fields(fields)

    def check(self) -> None:
        """Check that nothing is missing.

        :raises FieldsMissing: naming what is.
        """
        check_required(self._required, self.typed)

    def line(self, name: str) -> QLineEdit | None:
        """Return where the text of a field is typed."""
        own = (row.text for row in self._own if row.name.text().strip() == name)
        return self._lines.get(name) or next(own, None)

    def set(self, name: str, text: str) -> None:
        """Fill in a field, in a row of its own where there is none."""
        line = self.line(name)
        if line is None:
            line = self.add_row(name).text
        line.setText(text)

    def focus_first_empty(self) -> bool:
        """Go to the first field that is wanted and empty; False: there is none."""
        empty = [line for name, line in self._lines.items() if name in self._required and not line.text().strip()]
        for line in empty[:1]:
            line.setFocus()
        return bool(empty)

    def add_row(self, name: str = "") -> "_Row":
        """Add a field of one's own."""
        row = _Row(name)
        row.remove.clicked.connect(lambda: self._remove(row))
        place = self._grid.rowCount()
        for column, part in enumerate((row.name, row.text, row.remove)):
            self._grid.addWidget(part, place, column)
        self._own.append(row)
        return row

    def _add_asked(self, name: str, text: str) -> None:
        is_required = name in self._required
        label = QLabel(f"{name} *" if is_required else name)
        line = self._lines[name] = QLineEdit(text)
        line.setMaxLength(FIELD_LENGTH)
        line.setPlaceholderText("needed" if is_required else "")
        line.setAccessibleName(f"{name}, needed" if is_required else name)
        label.setBuddy(line)
        place = self._grid.rowCount()
        self._grid.addWidget(label, place, 0)
        self._grid.addWidget(line, place, 1, 1, 2)

    def _remove(self, row: "_Row") -> None:
        self._own.remove(row)
        for part in (row.name, row.text, row.remove):
            self._grid.removeWidget(part)
            part.hide()
            part.deleteLater()
        self.add_button.setFocus()


class _Row:
    def __init__(self, name: str) -> None:
        self.name = QLineEdit(name)
        self.name.setMaxLength(40)
        self.name.setMaximumWidth(140)
        self.name.setPlaceholderText("field")
        self.name.setAccessibleName("Name of the field")
        self.text = QLineEdit()
        self.text.setMaxLength(FIELD_LENGTH)
        self.text.setAccessibleName("Text of the field")
        self.remove = QPushButton("×")
        self.remove.setProperty("kind", "close")
        self.remove.setAutoDefault(False)
        self.remove.setToolTip("Remove this field")
        self.remove.setAccessibleName("Remove this field")
