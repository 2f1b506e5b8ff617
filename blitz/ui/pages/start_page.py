"""The page without a server: a demonstration, this computer, servers on the network, recent ones, a pasted link.

Knows neither the network nor the settings: it shows what it is given, and says what was chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QFont, QKeySequence
from PyQt5.QtWidgets import (
    QApplication,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

from blitz.config import DEFAULT_PORT
from blitz.ui.formats import format_span
from blitz.ui.icons import icon
from blitz.ui.preferences import KnownServer
from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.widgets.choice_card import ChoiceCard
from blitz.ui.widgets.message_bar import MessageBar

WIDEST_PX = 960
LINK = "blitz://"
_NONE_FOUND = (
    "Looking… None yet. A server shows up here when it listens to the network, as with: blitz serve --host 0.0.0.0\n"
    "Some networks keep computers apart: then paste its link below."
)
_CANNOT_LOOK = "This network cannot be searched. Paste a link, or type an address below."


@dataclass(frozen=True)
class FoundRow:
    """A server that tells of itself, as it is shown."""

    key: str
    """What tells it from others."""
    name: str
    place: str
    """Where it is, for people: host and port."""
    is_locked: bool = False
    """Whether it wants a token."""


class StartPage(QWidget):
    """Three large choices, recent servers, a field for a link or an address; Escape goes back to the server."""

    demo_requested = pyqtSignal()
    computer_requested = pyqtSignal()
    found_chosen = pyqtSignal(str)
    """key of a found server"""
    recent_chosen = pyqtSignal(str)
    """address"""
    change_requested = pyqtSignal(str)
    """address"""
    forget_requested = pyqtSignal(str)
    """address"""
    text_entered = pyqtSignal(str)
    """a link or an address, as it was pasted or typed"""
    back_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self.message = MessageBar()
        self.back = QPushButton()
        self.back.setProperty("kind", "quiet")
        self.back.clicked.connect(self.back_requested)
        self.back.hide()
        self.demo = ChoiceCard(
            "Demo",
            "Two simulated boards to look around with. What is recorded there lies in a folder of its own.",
            "Open the &demo",
        )
        self.demo.button.clicked.connect(self.demo_requested)
        self.computer = ChoiceCard(
            "This computer",
            "Boards that are plugged in here. If no server runs yet, one is started; it ends by itself when nobody "
            "needs it.",
            "&Use this computer",
        )
        self.computer.button.clicked.connect(self.computer_requested)
        self.network = ChoiceCard("Found on the network", "Looking…")
        self.found: list[QPushButton] = []
        self.recent: list[QPushButton] = []
        self.entry = QLineEdit()
        self.entry.setPlaceholderText(f"Paste a link ({LINK}…) or type an address, such as lab-pi:{DEFAULT_PORT}")
        self.entry.setAccessibleName("Link or address")
        self.entry.setClearButtonEnabled(True)
        self.entry.textChanged.connect(self._take_text)
        self.entry.returnPressed.connect(self._enter)
        self.go = QPushButton("&Connect")
        self.go.setEnabled(False)
        self.go.clicked.connect(self._enter)
        self._typed = ""
        self._found_rows: Sequence[FoundRow] = ()
        self._recent_grid = QGridLayout()
        self._recent_title = _title("Recent servers")
        self._lay_out()
        paste = QShortcut(QKeySequence.Paste, self, self._paste)
        paste.setContext(Qt.WidgetWithChildrenShortcut)
        leave = QShortcut(QKeySequence(Qt.Key_Escape), self, self._leave)
        leave.setContext(Qt.WidgetWithChildrenShortcut)
        self.show_found(())
        self.show_recent(())

    def show_found(self, rows: Sequence[FoundRow], *, can_look: bool = True) -> None:
        """Show the servers that tell of themselves."""
        had_focus = next(
            (row.key for row, button in zip(self._found_rows, self.found, strict=False) if button.hasFocus()), None
        )
        self._found_rows = tuple(rows)
        self.found = [self._found_button(row) for row in rows]
        self.network.show_choices(self.found)
        words = "Choose one to connect to it." if rows else _NONE_FOUND
        self.network.say(words if can_look else _CANNOT_LOOK)
        for row, button in zip(rows, self.found, strict=True):
            if row.key == had_focus:
                button.setFocus()

    def show_recent(self, servers: Sequence[KnownServer], now: datetime | None = None) -> None:
        """Show the servers that the window was connected to, the last one first."""
        while self._recent_grid.count():
            cell = self._recent_grid.takeAt(0).widget()
            cell.hide()
            cell.deleteLater()
        self.recent = []
        for place, known in enumerate(servers):
            self._add_recent(place, known, now or datetime.now(UTC))
        self._recent_title.setVisible(bool(servers))

    def show_way_back(self, name: str) -> None:
        """Offer to go back to the server that the window is connected to; empty: there is none."""
        self.back.setText(f"‹ Back to {name}" if name else "")
        self.back.setVisible(bool(name))

    def set_busy(self, is_busy: bool) -> None:
        """Grey what cannot be chosen while a choice is carried out."""
        for button in (self.demo.button, self.computer.button, *self.found, *self.recent):
            button.setEnabled(not is_busy)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.demo.show_icon(icon("play-circle-outline", theme, theme.accent))
        self.computer.show_icon(icon("laptop", theme, theme.accent))
        self.network.show_icon(icon("lan", theme, theme.accent))
        self.show_found(self._found_rows)

    def take_focus(self) -> None:
        """Put the keyboard where the likeliest choice is."""
        (self.recent[0] if self.recent else self.computer.button).setFocus()

    def _found_button(self, row: FoundRow) -> QPushButton:
        button = QPushButton(f"{row.name}\n{row.place}" if row.place != row.name else row.name)
        button.setProperty("kind", "row")
        button.setAccessibleName(f"{row.name}, {'needs a token' if row.is_locked else 'open'}")
        if row.is_locked:
            button.setIcon(icon("lock-outline", self._theme, self._theme.muted))
            button.setToolTip("Encrypted, and asks for a token: the link that “blitz token create” prints there")
        else:
            button.setIcon(icon("lock-open-variant-outline", self._theme, self._theme.muted))
            button.setToolTip("Asks for no token")
        button.clicked.connect(lambda: self.found_chosen.emit(row.key))
        return button

    def _add_recent(self, place: int, known: KnownServer, now: datetime) -> None:
        chosen = QPushButton(known.name or known.address)
        chosen.setProperty("kind", "row")
        chosen.setToolTip(f"Connect to {known.address}")
        chosen.clicked.connect(lambda: self.recent_chosen.emit(known.address))
        change = QPushButton("Change…")
        change.setProperty("kind", "quiet")
        change.setToolTip("Give it another name, address or token")
        change.setAccessibleName(f"Change {known.name or known.address}")
        change.clicked.connect(lambda: self.change_requested.emit(known.address))
        forget = QPushButton("×")
        forget.setProperty("kind", "close")
        forget.setToolTip(f"Remove {known.name or known.address} from the list, and its token; asks first")
        forget.setAccessibleName(f"Remove {known.name or known.address}")
        forget.clicked.connect(lambda: self.forget_requested.emit(known.address))
        cells: tuple[QWidget, ...] = (
            chosen,
            _muted(known.address),
            _muted(_used_words(known, now)),
            change,
            forget,
        )
        for column, cell in enumerate(cells):
            self._recent_grid.addWidget(cell, place, column)
        self.recent.append(chosen)

    def _take_text(self, text: str) -> None:
        """A link that is pasted is followed at once: its token does not stay on the screen."""
        before, self._typed = self._typed, text
        self.go.setEnabled(bool(text.strip()))
        if text.strip().startswith(LINK) and len(text) > len(before) + 1:
            self._enter()

    def _enter(self) -> None:
        text = self.entry.text().strip()
        if text:
            self.entry.clear()
            self.text_entered.emit(text)

    def _paste(self) -> None:
        text = QApplication.clipboard().text().strip()
        if text.startswith(LINK):
            self.text_entered.emit(text)
        elif text:
            self.entry.setFocus()
            self.entry.setText(text)

    def _leave(self) -> None:
        if not self.back.isHidden():
            self.back_requested.emit()

    def _lay_out(self) -> None:
        title = QLabel("Where are the boards?")
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() + 8)
        title.setFont(font)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.back)
        cards = QHBoxLayout()
        cards.setSpacing(2 * SPACE)
        for card in (self.demo, self.computer, self.network):
            cards.addWidget(card, 1)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.entry, 1)
        row.addWidget(self.go)
        self._recent_grid.setHorizontalSpacing(2 * SPACE)
        self._recent_grid.setVerticalSpacing(2)
        self._recent_grid.setColumnMinimumWidth(0, 260)
        self._recent_grid.setColumnStretch(1, 1)
        content = QWidget()
        content.setMaximumWidth(WIDEST_PX)
        column = QVBoxLayout(content)
        column.setContentsMargins(3 * SPACE, 4 * SPACE, 3 * SPACE, 3 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addStretch(1)
        column.addLayout(head)
        column.addWidget(self.message)
        column.addLayout(cards)
        column.addLayout(row)
        column.addSpacing(SPACE)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent_grid)
        column.addStretch(4)
        middle = QWidget()
        sides = QHBoxLayout(middle)
        sides.setContentsMargins(0, 0, 0, 0)
        sides.addStretch(1)
        sides.addWidget(content, 100)
        sides.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(middle)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.NoFrame)
        scroll.setFocusPolicy(Qt.NoFocus)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(scroll)


def _used_words(known: KnownServer, now: datetime) -> str:
    if known.used_at is None:
        return ""
    seconds = (now - known.used_at).total_seconds()
    return "just now" if seconds < 60 else f"{format_span(seconds)} ago"


def _title(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", "title")
    return label


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", "muted")
    label.setTextFormat(Qt.PlainText)
    return label
