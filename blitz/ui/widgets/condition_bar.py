"""What is not as it should be at present: shown as long as it is so, and gone by itself when it is over."""

from dataclasses import dataclass
from typing import Literal

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blitz.data.records import StatusRecord, StoreRecord
from blitz.ui.formats import format_count, room_words
from blitz.ui.theme import SPACE

_SEVERITIES: dict[str, Literal["warning", "error"]] = {"warning": "warning", "critical": "error", "full": "error"}
_HEADS = {"warning": "Little room left", "critical": "Almost full", "full": "Full"}


@dataclass(frozen=True)
class Condition:
    """Something that an operator should know as long as it lasts."""

    severity: Literal["warning", "error"]
    head: str
    text: str


class ConditionBar(QWidget):
    """A line a condition, above everything else; hidden while all is well."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.conditions: tuple[Condition, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        self._column.setSpacing(2)
        self._lines: list[_Line] = []
        self.hide()

    def show_status(self, status: StatusRecord | None) -> None:
        """Take over what the server says; None: nothing is known."""
        conditions = find_conditions(status) if status is not None else ()
        if conditions == self.conditions:
            return
        is_same = [c.head for c in conditions] == [c.head for c in self.conditions]
        self.conditions = conditions
        if is_same:
            for line, condition in zip(self._lines, conditions, strict=True):
                line.show_condition(condition)
            return
        for line in self._lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines = [_Line(condition) for condition in conditions]
        for line in self._lines:
            self._column.addWidget(line)
        self.setVisible(bool(conditions))


class _Line(QFrame):
    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.setProperty("severity", condition.severity)
        self._head = QLabel()
        self._head.setProperty("kind", "title")
        self._text = QLabel()
        self._text.setTextFormat(Qt.PlainText)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE + 4, 6, SPACE, 6)
        row.setSpacing(SPACE)
        row.addWidget(self._head)
        row.addWidget(self._text, 1)
        self.show_condition(condition)

    def show_condition(self, condition: Condition) -> None:
        """Take over newer figures."""
        self._head.setText(condition.head)
        self._text.setText(condition.text)
        if self.property("severity") != condition.severity:
            self.setProperty("severity", condition.severity)
            self.style().unpolish(self)
            self.style().polish(self)


def find_conditions(status: StatusRecord) -> tuple[Condition, ...]:
    """Return what an operator should know of a server at present, the store first."""
    conditions = []
    spooling = spool_words(status.store)
    if spooling:
        conditions.append(Condition("warning", "Spooling", spooling))
    room = status.room
    if room is not None and room.level in _SEVERITIES:
        conditions.append(Condition(_SEVERITIES[room.level], _HEADS[room.level], room.text or room_words(room)))
    return tuple(conditions)


def spool_words(store: StoreRecord) -> str:
    """Say what lies on disk because Redis is, or was, away; empty where nothing does."""
    count = format_count(store.spooled_messages)
    messages = "1 message is" if store.spooled_messages == 1 else f"{count} messages are"
    if not store.is_up and (store.spooling_since is not None or store.spooled_messages):
        since = f" since {store.spooling_since.astimezone():%H:%M:%S}" if store.spooling_since else ""
        enter = "enters" if store.spooled_messages == 1 else "enter"
        return f"Redis is away{since}: {messages} safe on disk and {enter} the session when it is back."
    if store.spooled_messages:
        return f"Redis is back: {messages} on their way from the disk into the session."
    return ""
