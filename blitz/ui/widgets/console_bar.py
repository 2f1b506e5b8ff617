"""Above the console: which board, text or hex, filter and search, pause, copy and save."""

from enum import Enum

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from blitz.ui.formats import format_count
from blitz.ui.message_pattern import MessagePattern, PatternError, PatternKind
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.segments import join_segments

_EXAMPLES = {
    PatternKind.TEXT: "show only messages with these words",
    PatternKind.REGEX: "such as T=[0-9.]+",
    PatternKind.HEX: "such as 0D 0A",
}


class ShownAs(Enum):
    """What of a message is shown; the value is what the button says."""

    TEXT = "Text"
    HEX = "Hex"
    BOTH = "Both"


class ConsoleBar(QWidget):
    """Asks by signals."""

    filter_changed = pyqtSignal(object, str)
    """MessagePattern, and the board's name or nothing"""
    shown_as_changed = pyqtSignal(object)
    """ShownAs"""
    step_requested = pyqtSignal(int)
    """1: to the next match, -1: to the one before"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.board = Choice()
        self.board.setAccessibleName("Board")
        self.board.setToolTip("Whose messages are shown")
        self.board.setMinimumWidth(150)
        self.board.addItem("All boards", "")
        self.board.currentIndexChanged.connect(self._tell_filter)
        self.kind = Choice()
        self.kind.setAccessibleName("How the filter is read")
        self.kind.setToolTip("How filter and search are read")
        for kind in PatternKind:
            self.kind.addItem(kind.value, kind)
        self.kind.currentIndexChanged.connect(self._tell_filter)
        self.words = QLineEdit()
        self.words.setAccessibleName("Filter")
        self.words.setClearButtonEnabled(True)
        self.words.textChanged.connect(self._tell_filter)
        self.search = QLineEdit()
        self.search.setAccessibleName("Search")
        self.search.setPlaceholderText("search in what is shown (Ctrl+F)")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda: self._say(""))
        self.search.returnPressed.connect(lambda: self.step_requested.emit(1))
        self.found = QLabel()
        self.found.setProperty("kind", "muted")
        self.wrong = QLabel()
        self.wrong.setProperty("state", "bad")
        self.wrong.setWordWrap(True)
        self.wrong.hide()
        self.previous = _button("‹", "Go to the match before (Shift+F3)", name="Match before")
        self.previous.clicked.connect(lambda: self.step_requested.emit(-1))
        self.next = _button("›", "Go to the next match (F3)", name="Next match")
        self.next.clicked.connect(lambda: self.step_requested.emit(1))
        self.pause = _button("Pa&use", "Let the table stand still; nothing is lost meanwhile (Space in the table)")
        self.pause.setCheckable(True)
        self.clear = _button("C&lear", "Forget the messages here; sessions keep theirs (Ctrl+Shift+L)")
        self.copy = _button("Cop&y", "Copy the selected messages, or all that are shown (Ctrl+C in the table)")
        self.save = _button("S&ave…", "Write what is shown to a text file (Ctrl+S)")
        self._shown = QButtonGroup(self)
        self._buttons = {shown_as: _segment(shown_as) for shown_as in ShownAs}
        for shown_as, button in self._buttons.items():
            self._shown.addButton(button)
            button.clicked.connect(lambda _=False, shown_as=shown_as: self.shown_as_changed.emit(shown_as))
        self._lay_out()
        self._show_example()

    @property
    def shown_as(self) -> ShownAs:
        """What is chosen."""
        return next((each for each, button in self._buttons.items() if button.isChecked()), ShownAs.BOTH)

    def choose(self, shown_as: ShownAs) -> None:
        """Choose text, hex or both."""
        self._buttons[shown_as].setChecked(True)

    def show_boards(self, names: tuple[str, ...]) -> None:
        """Offer these boards; the one chosen stays."""
        offered = tuple(self.board.itemData(place) for place in range(1, self.board.count()))
        if names == offered:
            return
        chosen = self.board.currentData()
        kept = names if not chosen or chosen in names else (*names, chosen)
        self.board.blockSignals(True)
        self.board.clear()
        self.board.addItem("All boards", "")
        for name in kept:
            self.board.addItem(name, name)
        self.board.setCurrentIndex(kept.index(chosen) + 1 if chosen else 0)
        self.board.blockSignals(False)

    def show_waiting(self, count: int) -> None:
        """Say on the button how much came while the table stood still."""
        self.pause.setText(f"Go on · {format_count(count)} new" if self.pause.isChecked() else "Pa&use")

    def show_found(self, place: int, count: int) -> None:
        """Say which of how many matches is selected."""
        self._say(f"{format_count(place)} of {format_count(count)}" if count else "none found")

    def search_pattern(self) -> MessagePattern | None:
        """Return what is looked for; None, and a sentence on the screen, where it cannot be."""
        return self._pattern(self.search)

    def _tell_filter(self) -> None:
        self._show_example()
        pattern = self._pattern(self.words)
        if pattern is not None:
            self.filter_changed.emit(pattern, self.board.currentData() or "")

    def _pattern(self, field: QLineEdit) -> MessagePattern | None:
        try:
            pattern = MessagePattern(field.text(), self.kind.currentData())
        except PatternError as error:
            self.wrong.setText(str(error))
            self.wrong.show()
            return None
        self.wrong.hide()
        return pattern

    def _show_example(self) -> None:
        self.words.setPlaceholderText(_EXAMPLES[self.kind.currentData()])

    def _say(self, words: str) -> None:
        self.found.setText(words)
        self.found.setVisible(bool(words))

    def _lay_out(self) -> None:
        segments = QHBoxLayout()
        join_segments(segments, list(self._buttons.values()))
        first = QHBoxLayout()
        first.setSpacing(SPACE)
        first.addWidget(self.board)
        first.addLayout(segments)
        first.addStretch(1)
        for widget in (self.pause, self.clear, self.copy, self.save):
            first.addWidget(widget)
        second = QHBoxLayout()
        second.setSpacing(SPACE)
        second.addWidget(_caption("F&ilter", self.words))
        second.addWidget(self.kind)
        second.addWidget(self.words, 3)
        second.addSpacing(SPACE)
        second.addWidget(_caption("S&earch", self.search))
        second.addWidget(self.search, 2)
        for part in (self.found, self.previous, self.next):  # the buttons stay under the mouse
            second.addWidget(part)
        self.found.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACE)
        grid.addLayout(first, 0, 0)
        grid.addLayout(second, 1, 0)
        grid.addWidget(self.wrong, 2, 0)


def _button(label: str, words: str, name: str = "") -> QPushButton:
    button = QPushButton(label)
    button.setToolTip(words)
    if name:
        button.setAccessibleName(name)
        button.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)
        button.setStyleSheet("padding: 6px 12px;")
    return button


def _segment(shown_as: ShownAs) -> QPushButton:
    button = QPushButton(shown_as.value)
    button.setCheckable(True)
    button.setToolTip(
        "Show messages as text and as hex" if shown_as is ShownAs.BOTH else f"Show {shown_as.value.lower()}"
    )
    return button


def _caption(words: str, field: QWidget) -> QLabel:
    label = QLabel(words)
    label.setBuddy(field)
    return label
