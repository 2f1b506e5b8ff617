"""The part of a definition beside its channels and commands: name, format, separator, framing, what is sent first."""

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from blitz.data.board_definition import Format
from blitz.data.checksum_names import CHECKSUM_SIZES
from blitz.data.framing_rule import FramingKind
from blitz.ui.definition_draft import parse_number
from blitz.ui.definition_text import DefinitionText, Place
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice

_SEPARATORS = (("each line tells", None), ("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("spaces", " "))
_KINDS = (
    ("lines of text", None),
    ("COBS", "cobs"),
    ("SLIP", "slip"),
    ("start pattern, fixed size", "start_fixed"),
    ("start pattern, length", "start_length"),
    ("fixed size, no mark", "fixed"),
)
_OF_KIND = {
    "delimiter": (FramingKind.LINES,),
    "start": (FramingKind.START_FIXED, FramingKind.START_LENGTH),
    "size": (FramingKind.START_FIXED, FramingKind.FIXED),
    "length_offset": (FramingKind.START_LENGTH,),
    "length_bytes": (FramingKind.START_LENGTH,),
    "length_adds": (FramingKind.START_LENGTH,),
}
_TEXTS: tuple[tuple[Place, str, str, str], ...] = (
    (("framing", "delimiter"), "Line ends with", "CR, LF or both", "Hex digits, such as 3b"),
    (("framing", "start"), "Start pattern", "aa 55", "Hex digits of the bytes that a frame begins with"),
    (("framing", "size"), "Size in bytes", "12", "Behind the start pattern, checksum included"),
    (("framing", "length_offset"), "Bytes before length", "0", "Between the start pattern and the length"),
    (("framing", "length_bytes"), "Bytes of length", "1", "1, 2 or 4"),
    (("framing", "length_adds"), "Length adds", "0", "Added to the length to get the bytes behind it"),
)
_NUMBERS = ("size", "length_offset", "length_bytes", "length_adds", "baud")


class FormatForm(QScrollArea):
    """Shows what is typed, right or wrong; a change is told by a signal."""

    edited = pyqtSignal(tuple, object)
    """place and value; None removes the field"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[Place, QLineEdit | QComboBox] = {}
        self._captions: dict[Place, QWidget] = {}
        self._inner = QWidget()
        self._form = QFormLayout(self._inner)
        self._form.setHorizontalSpacing(2 * SPACE)
        self._form.setVerticalSpacing(SPACE // 2)
        self._form.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        self._add_text(("name",), "Kind of device", "Kitchen scale", "What people read")
        self._add_text(("id",), "Id", "kitchen-scale", "A short name; of a Blitz board the two digits it begins with")
        formats = [(f"{kind.value}: {kind.summary}", kind.value) for kind in Format]
        self._add_choice(("format",), "Format", formats, "How a message's content is laid out")
        self._add_choice(("separator",), "Separator", _SEPARATORS, "What stands between two values")
        self._add_choice(("framing", "kind"), "Framing", _KINDS, "How the bytes are cut into messages")
        for place, label, example, words in _TEXTS:
            self._add_text(place, label, example, words)
        checksums = [("none", None), *((name, name) for name in CHECKSUM_SIZES)]
        self._add_choice(("framing", "checksum"), "Checksum", checksums, "By its name in the catalogue")
        self._add_text(("baud",), "Baud rate", "that of its port", "Where none is given with the port")
        self._add_text(("on_connect",), "Sent on connecting", "nothing", "Names of commands, or lines, with ; between")
        hint = QLabel("A changed framing shows in the messages below only once it is in use: the server cuts them.")
        hint.setWordWrap(True)
        hint.setProperty("kind", "muted")
        self._form.addRow(hint)
        column = QVBoxLayout()
        column.addWidget(self._inner)
        self.setWidget(self._inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.NoFrame)
        self.setFocusPolicy(Qt.NoFocus)

    def show_text(self, text: DefinitionText) -> None:
        """Take over what is typed elsewhere; a field that is being typed in stays as it is."""
        document = text.document or {}
        self._inner.setEnabled(text.document is not None)
        framing = document.get("framing")
        kind = framing.get("kind", "lines") if isinstance(framing, dict) else "lines"
        layout = document.get("format", "blitz")
        for place, field in self.fields.items():
            self._set(field, _value(document, place))
            fault = text.fault_at(place)
            field.setToolTip(fault or str(field.property("words")))
            if field.property("state") != (state := "bad" if fault else ""):
                field.setProperty("state", state)
                field.style().unpolish(field)
                field.style().polish(field)
            kinds = _OF_KIND.get(str(place[-1]))
            is_used = kinds is None or kind in [part.value for part in kinds]
            if place == ("separator",):
                is_used = layout in ("columns", "pairs")
            field.setVisible(is_used)
            self._captions[place].setVisible(is_used)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to the page: nothing changes because somebody scrolls."""
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _set(self, field: QLineEdit | QComboBox, value: Any) -> None:
        if isinstance(field, QLineEdit):
            shown = "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            if not field.hasFocus() and field.text() != shown:
                field.setText(shown)
            return
        place = next((n for n in range(field.count()) if field.itemData(n) == value), -1)
        if place < 0 and value is not None:
            field.addItem(str(value), value)
            place = field.count() - 1
        field.setCurrentIndex(max(place, 0))

    def _add_text(self, place: Place, label: str, example: str, words: str) -> None:
        field = QLineEdit()
        field.setPlaceholderText(example)
        field.textEdited.connect(lambda text: self.edited.emit(place, _typed(place, text)))
        self._add(place, label, field, words)

    def _add_choice(self, place: Place, label: str, choices: Sequence[tuple[str, Any]], words: str) -> None:
        field = Choice()
        for name, value in choices:
            field.addItem(name, value)
        field.activated.connect(lambda _: self.edited.emit(place, field.currentData()))
        field.installEventFilter(self)
        self._add(place, label, field, words)

    def _add(self, place: Place, label: str, field: QLineEdit | QComboBox, words: str) -> None:
        caption = QLabel(label)
        caption.setBuddy(field)
        field.setProperty("words", words)
        field.setToolTip(words)
        field.setAccessibleName(label)
        self._form.addRow(caption, field)
        self.fields[place], self._captions[place] = field, caption


def _value(document: Any, place: Place) -> Any:
    for key in place:
        document = document.get(key) if isinstance(document, dict) else None
    if place == ("format",) and document is None:
        return Format.BLITZ.value
    if place == ("framing", "kind") and document == FramingKind.LINES.value:
        return None
    return document or None if place == ("separator",) else document


def _typed(place: Place, text: str) -> Any:
    text = text.strip()
    if not text:
        return None
    if place == ("on_connect",):
        return [line.strip() for line in text.split(";") if line.strip()]
    number = parse_number(text) if place[-1] in _NUMBERS else None
    return int(number) if number is not None and number.is_integer() else text
