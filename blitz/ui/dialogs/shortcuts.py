"""The keys of the window: grouped by where they count, searched, copied as text."""

from PyQt5.QtGui import QFontMetrics
from PyQt5.QtWidgets import QApplication, QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from blitz.ui.models.shortcuts import ShortcutsModel
from blitz.ui.shortcuts import ShortcutLine, shortcuts_text
from blitz.ui.theme import SPACE
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table


class ShortcutsDialog(QDialog):
    """Stands beside the window, so that keys can be tried.

    :param lines: all there are.
    """

    def __init__(self, lines: list[ShortcutLine], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.shortcuts = ShortcutsModel(lines, self)
        self.words = QLineEdit()
        self.words.setPlaceholderText("search, such as marker or Ctrl+S")
        self.words.setAccessibleName("Search")
        self.words.setClearButtonEnabled(True)
        self.words.textChanged.connect(self.shortcuts.find)
        self.table = Table(self.shortcuts, "No key does that.\n\nThe menu has what has none.")
        self.table.setAccessibleName("Keyboard shortcuts")
        self.table.verticalHeader().setDefaultSectionSize(DENSE_ROW_HEIGHT)
        digit = QFontMetrics(self.font()).horizontalAdvance("0")
        self.table.set_widths(14 * digit, 26 * digit, stretched=2)
        buttons = QDialogButtonBox()
        self.copy = buttons.addButton("&Copy as text", QDialogButtonBox.ActionRole)
        self.copy.setAutoDefault(False)
        self.copy.setToolTip("Put the lines that are shown on the clipboard, to print them")
        self.copy.clicked.connect(self._copy)
        buttons.addButton(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        for widget in (self.words, self.table, buttons):
            column.addWidget(widget)
        self.resize(90 * SPACE, 75 * SPACE)

    def _copy(self) -> None:
        QApplication.clipboard().setText(shortcuts_text(self.shortcuts.lines))
