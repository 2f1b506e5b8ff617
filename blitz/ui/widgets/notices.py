"""Notices: what an operator should read stays until it is dismissed, and never stands in the way.

Three at most are shown; the page of events has all of them. Notes go by themselves.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from blitz.data.records import BoardRecord, LinkState, Notice, RoomRecord
from blitz.ui.theme import SPACE

MOST_NOTICES = 100
ROWS_SHOWN = 3
NOTE_MS = 20_000
"""How long a note stands that asks for nothing."""
WRITTEN_MS = 120_000
"""How long a note stands that says where a file was written; the page of events keeps it."""
_AWAY = (LinkState.AWAY, LinkState.SILENT, LinkState.RELEASED)
_BACK = (LinkState.READY, LinkState.RECORDING)
_ROOM = re.compile(r"(?P<what>.+?) (?:has [\d.]+ \w+ left|is full).*?\. (?P<advice>[A-Z].*)", re.DOTALL)
_NAMES = {"error": "Error", "warning": "Warning", "info": "Note"}


@dataclass(frozen=True)
class NoticeAction:
    """A button beside a notice."""

    label: str
    run: Callable[[], object]
    is_final: bool = False
    """Whether the notice has nothing more to say once it is pressed."""


class NoticesArea(QWidget):
    """The newest notice on top; the same text again only raises its count. Hidden while empty."""

    told = pyqtSignal(object)
    """Notice, each time that there is one, also where it is not shown here"""
    more_requested = pyqtSignal()
    """The operator wants to see those that have no room"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._room: tuple[str, str] | None = None
        self._fleeting: list[tuple[float, Notice]] = []
        """Until when, by the monotonic clock, notices stand that go by themselves."""
        # One timer and methods for slots: a slot without an owner outlives a window that is taken apart.
        self._withdrawal = QTimer(self)
        self._withdrawal.setSingleShot(True)
        self._withdrawal.timeout.connect(self._withdraw_due)
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.setAlignment(Qt.AlignTop)
        self._all = QPushButton()
        self._all.setProperty("kind", "quiet")
        self._all.clicked.connect(self.dismiss_all)
        self._more = QPushButton()
        self._more.setProperty("kind", "quiet")
        self._more.setToolTip("Open the page of events, which has all of them")
        self._more.clicked.connect(self.more_requested)
        side = QVBoxLayout()
        side.setSpacing(2)
        side.addWidget(self._all)
        side.addWidget(self._more)
        side.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        row.setSpacing(SPACE)
        row.addWidget(content, 1)
        row.addLayout(side)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Maximum)
        self.hide()

    @property
    def texts(self) -> list[str]:
        """What is to be read, newest first."""
        return [row.notice.text for row in self._rows]

    def add(self, notice: Notice, *actions: NoticeAction) -> None:
        """Show a notice until it is dismissed; a note that asks for nothing goes by itself."""
        self.told.emit(notice)
        if self._room is not None and _matter(notice.text) == self._room:
            return
        if notice.severity == "info" and not actions:
            self._withdraw_after(notice, NOTE_MS)
        same = next((row for row in self._rows if row.notice.text == notice.text), None)
        if same is not None:
            same.repeat(notice)
            self._rows.remove(same)
            self._rows.insert(0, same)
            self._column.removeWidget(same)
            self._column.insertWidget(0, same)
            self._fit()
            return
        row = _Row(notice, actions, self._dismiss)
        self._rows.insert(0, row)
        self._column.insertWidget(0, row)
        for old in self._rows[MOST_NOTICES:]:
            self._remove(old)
        self._fit()

    def tell(self, severity: str, text: str, *actions: NoticeAction, for_ms: int = 0) -> None:
        """Show a notice of this program's own.

        :param for_ms: after so long it goes by itself; 0: as notices of its kind do.
        """
        notice = Notice.model_validate({"severity": severity, "text": text, "time": datetime.now(UTC)})
        self.add(notice, *actions)
        if for_ms:
            self._withdraw_after(notice, for_ms)

    def show_room(self, room: RoomRecord | None) -> None:
        """Leave out what the bar of conditions says with newer figures, as long as it does."""
        self._room = _matter(room.text) if room is not None else None
        if self._room is not None:
            for row in [row for row in self._rows if _matter(row.notice.text) == self._room]:
                self._dismiss(row)

    def show_boards(self, boards: Iterable[BoardRecord]) -> None:
        """Mark the warnings of boards that were away and are back: what they say is over."""
        for board in boards:
            for row in self._rows:
                if row.notice.source == board.name:
                    row.take_state(board)

    def withdraw(self, text: str) -> None:
        """Remove the notice that says this, if it stands."""
        for row in [row for row in self._rows if row.notice.text == text]:
            self._dismiss(row)

    def dismiss_all(self) -> None:
        """Remove every notice."""
        for row in list(self._rows):
            self._remove(row)
        self._fit()

    def _withdraw_after(self, notice: Notice, for_ms: int) -> None:
        self._fleeting.append((time.monotonic() + for_ms / 1000, notice))
        self._wait_for_next()

    def _withdraw_due(self) -> None:
        """Remove what has stood for its time, and wait for the next."""
        now_s = time.monotonic()
        due = [notice for until_s, notice in self._fleeting if until_s <= now_s]
        self._fleeting = [(until_s, notice) for until_s, notice in self._fleeting if until_s > now_s]
        for row in [row for row in self._rows if any(row.notice is notice for notice in due)]:
            self._dismiss(row)
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        if self._fleeting:
            wait_s = min(until_s for until_s, _ in self._fleeting) - time.monotonic()
            self._withdrawal.start(max(round(wait_s * 1000), 1))

    def _dismiss(self, row: "_Row") -> None:
        self._remove(row)
        self._fit()

    def _remove(self, row: "_Row") -> None:
        self._rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _fit(self) -> None:
        shown = sorted(self._rows, key=lambda row: row.notice.severity == "info")[:ROWS_SHOWN]  # notes give way
        for row in self._rows:
            row.setVisible(row in shown)
        more = len(self._rows) - ROWS_SHOWN
        self._more.setVisible(more > 0)
        self._more.setText(f"{more} more")
        self._all.setVisible(len(self._rows) > 1)
        self._all.setText(f"Dismiss all {len(self._rows)}")
        self.setVisible(bool(self._rows))


class _Row(QFrame):
    def __init__(self, notice: Notice, actions: Iterable[NoticeAction], dismiss: Callable[["_Row"], None]) -> None:
        super().__init__()
        self.notice = notice
        self._count = 1
        self._is_away = False
        self._back_at = ""
        self.setProperty("severity", notice.severity)
        self._head = QLabel()
        self._head.setProperty("kind", "title")
        self._text = text = QLabel(notice.text)
        text.setTextFormat(Qt.PlainText)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        text.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        line = QHBoxLayout(self)
        line.setContentsMargins(SPACE + 4, 4, 4, 4)
        line.setSpacing(SPACE)
        line.addWidget(self._head)
        line.addWidget(text, 1)
        for action in actions:
            button = QPushButton(action.label)
            button.setStyleSheet("padding: 2px 10px;")
            button.clicked.connect(lambda _=False, action=action: action.run())
            if action.is_final:
                button.clicked.connect(lambda: dismiss(self))
            line.addWidget(button)
        close = QPushButton("Dismiss")
        close.setProperty("kind", "quiet")
        close.setToolTip("Remove this notice")
        close.clicked.connect(lambda: dismiss(self))
        line.addWidget(close)
        self._show()

    def repeat(self, notice: Notice) -> None:
        """The same text came again."""
        self.notice = notice
        self._count += 1
        self._is_away, self._back_at = False, ""
        self._text.setText(notice.text)
        self._show()

    def take_state(self, board: BoardRecord) -> None:
        """The board that this is about is in a state now."""
        if board.state in _AWAY:
            self._is_away = True
        elif self._is_away and board.state in _BACK and not self._back_at:
            self._back_at = datetime.now().astimezone().strftime("%H:%M:%S")
            if board.link not in self.notice.text:
                self._text.setText(f"{self.notice.text} It is back, at {board.link}.")
            self._show()

    def _show(self) -> None:
        source = f" · {self.notice.source}" if self.notice.source else ""
        times = f" (×{self._count})" if self._count > 1 else ""
        clock = self.notice.time.astimezone().strftime("%H:%M:%S")
        back = f", back {self._back_at}" if self._back_at else ""
        self._head.setText(f"{clock} {_NAMES[self.notice.severity]}{source}{times}{back}")
        severity = "info" if self._back_at else self.notice.severity
        if self.property("severity") != severity:
            self.setProperty("severity", severity)
            self.style().unpolish(self)
            self.style().polish(self)


def _matter(text: str) -> tuple[str, str] | None:
    """Return of a sentence about room what has how much, and the advice, without the figures."""
    found = _ROOM.match(text)
    return None if found is None else (found["what"], found["advice"])
