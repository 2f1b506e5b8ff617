"""The form that all dialogs are: a sentence, labelled fields, two buttons."""

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from blitz.ui.theme import SPACE


class Form(QDialog):
    """Fields are added with :meth:`add`; ``accepted`` comes with Enter or the first button.

    :param accept: what the first button says.
    """

    def __init__(self, title: str, accept: str, sentence: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(440)
        self._fields = QFormLayout()
        self._fields.setSpacing(SPACE)
        self._fields.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        self.buttons = QDialogButtonBox()
        self.accept_button = self.buttons.addButton(accept, QDialogButtonBox.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.wrong = QLabel()
        self.wrong.setWordWrap(True)
        self.wrong.setTextFormat(Qt.PlainText)
        self.wrong.setProperty("state", "bad")
        self.wrong.hide()
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        if sentence:
            words = QLabel(sentence)
            words.setWordWrap(True)
            words.setProperty("kind", "muted")
            column.addWidget(words)
        column.addLayout(self._fields)
        column.addWidget(self.wrong)
        column.addWidget(self.buttons)
        # Not before it is in the dialog: Qt would forget it as soon as another button has had the focus.
        self.accept_button.setDefault(True)

    def say_wrong(self, sentence: str) -> None:
        """Say above the buttons what is wrong with the fields; nothing: nothing is."""
        if sentence == self.wrong.text():
            return
        self.wrong.setText(sentence)
        self.wrong.setVisible(bool(sentence))
        self.resize(self.width(), self.layout().heightForWidth(self.width()))

    def put_below(self, part: QWidget) -> None:
        """Put something wide below the labelled fields."""
        self._column.insertWidget(self._column.indexOf(self.wrong), part)

    def add(self, label: str, field: QWidget) -> None:
        """Put a field below the others."""
        self._put(self._fields.rowCount(), label, field)

    def add_first(self, label: str, field: QWidget) -> None:
        """Put a field above the others."""
        self._put(0, label, field)
        QWidget.setTabOrder(field, self._fields.itemAt(1, QFormLayout.FieldRole).widget())

    def _put(self, row: int, label: str, field: QWidget) -> None:
        words = QLabel(label)
        words.setBuddy(field)
        # Qt measures a text without the room that its underlined letter takes.
        words.setMinimumWidth(words.sizeHint().width() + 4)
        self._fields.insertRow(row, words, field)
