"""Asks for a marker: what was, and when; a new one, or one there is."""

from dataclasses import dataclass

from PyQt5.QtCore import QDateTime, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import (
    QCheckBox,
    QDateTimeEdit,
    QDialogButtonBox,
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QWidget,
)

from blitz.data.markers import TEXT_LENGTH
from blitz.data.records import Marker
from blitz.ui.dialogs.form import Form
from blitz.ui.widgets.choice import Choice

_MS = 1_000_000
_WHOLE = "the whole session"
_CHOOSE = "Choose a text…"


@dataclass(frozen=True)
class MarkerWords:
    """What a marker is to say."""

    text: str
    from_ns: int
    to_ns: int | None = None
    source: str = ""
    """Name of the source that it is about; empty: the session."""


class _MarkerText(QPlainTextEdit):
    """Mostly a few words: Enter is done with them, Shift+Enter begins a new line."""

    entered = pyqtSignal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tell of Enter, and type all else."""
        if event.key() in (Qt.Key_Return, Qt.Key_Enter) and not event.modifiers() & Qt.ShiftModifier:
            self.entered.emit()
        else:
            super().keyPressEvent(event)


class MarkerDialog(Form):
    """A text, a time and perhaps an end; with a marker given, its present words and a button that deletes it.

    :param at_ns: when a new marker is, as far as is known.
    :param sources: names of the session's sources.
    :param texts: used before, to choose from.
    """

    def __init__(
        self,
        title: str,
        accept: str,
        *,
        at_ns: int,
        marker: Marker | None = None,
        sources: tuple[str, ...] = (),
        texts: tuple[str, ...] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, accept, parent=parent)
        self.is_deleted = False
        self._given = MarkerWords("", at_ns)
        if marker is not None:
            self._given = MarkerWords(marker.text, marker.from_ns, marker.to_ns, marker.source or "")
        given = self._given
        self.text = _MarkerText(given.text)
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText("What was done, or seen")
        self.text.setToolTip("Enter saves it; Shift+Enter begins a new line")
        self.text.entered.connect(self.accept)
        self.text.setFixedHeight(84)
        self.begin = _time_field(given.from_ns)
        self.lasts = QCheckBox("&until")
        self.lasts.setChecked(given.to_ns is not None)
        self.end = _time_field(given.from_ns if given.to_ns is None else given.to_ns)
        self.end.setEnabled(self.lasts.isChecked())
        self.lasts.toggled.connect(self.end.setEnabled)
        self.source = Choice()
        names = dict.fromkeys((*sources, *([given.source] if given.source else [])))
        self.source.addItems([_WHOLE, *names])
        self.source.setCurrentText(given.source or _WHOLE)
        until = QWidget()
        row = QHBoxLayout(until)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.lasts)
        row.addWidget(self.end, 1)
        until.setFocusProxy(self.lasts)
        self.add("&Text", self.text)
        self.used = Choice()
        self.used.addItems([_CHOOSE, *texts])
        self.used.setSizeAdjustPolicy(Choice.AdjustToMinimumContentsLengthWithIcon)
        self.used.setMinimumContentsLength(16)
        self.used.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.used.activated.connect(self._take_used)
        if texts:
            self.add("&Used before", self.used)
        self.add("T&ime", self.begin)
        self.add("", until)
        self.add("&About", self.source)
        if marker is not None:
            delete = self.buttons.addButton("De&lete", QDialogButtonBox.DestructiveRole)
            delete.setToolTip("Delete the marker for everybody; “blitz marker edit” brings it back")
            delete.clicked.connect(self._delete)
        self.text.selectAll()  # what is typed takes its place
        self.text.setFocus()

    @property
    def words(self) -> MarkerWords:
        """What was typed; a time that was not touched is as exact as it was given."""
        source = self.source.currentText()
        return MarkerWords(
            self.text.toPlainText().strip(),
            _time_ns(self.begin, self._given.from_ns),
            _time_ns(self.end, self._given.to_ns) if self.lasts.isChecked() else None,
            "" if source == _WHOLE else source,
        )

    def accept(self) -> None:
        """Close, unless something is wrong with what was typed."""
        words = self.words
        if not words.text:
            self.say_wrong("Say what was at that time.")
        elif len(words.text) > TEXT_LENGTH:
            self.say_wrong(f"The text has {len(words.text)} characters; {TEXT_LENGTH} is the most.")
        elif words.to_ns is not None and words.to_ns < words.from_ns:
            self.say_wrong("The end lies before the beginning.")
        else:
            super().accept()

    def _take_used(self, place: int) -> None:
        if place:
            self.text.setPlainText(self.used.itemText(place))
            self.used.setCurrentIndex(0)
            self.text.setFocus()

    def _delete(self) -> None:
        self.is_deleted = True
        super().accept()


def _time_field(time_ns: int) -> QDateTimeEdit:
    field = QDateTimeEdit(_moment(time_ns))
    field.setDisplayFormat("yyyy-MM-dd HH:mm:ss.zzz")
    field.setButtonSymbols(QDateTimeEdit.NoButtons)  # the arrow keys and the wheel turn the part at the cursor
    field.setCurrentSection(QDateTimeEdit.SecondSection)
    return field


def _moment(time_ns: int) -> QDateTime:
    return QDateTime.fromMSecsSinceEpoch(time_ns // _MS, Qt.LocalTime)


def _time_ns(field: QDateTimeEdit, given_ns: int | None) -> int:
    if given_ns is not None and field.dateTime() == _moment(given_ns):
        return given_ns
    return int(field.dateTime().toMSecsSinceEpoch()) * _MS
