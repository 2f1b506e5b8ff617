"""Asks which session is to lie under the live one, where the two are laid upon each other, and what is tolerated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from blitz.data.records import SessionRecord
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtStart
from blitz.ui.definition_draft import parse_number
from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice

_SENTENCE = (
    "The session's curves lie under the live ones, thin and dashed, with a band of what is tolerated. "
    "A value that leaves the band is marked in the legend."
)


@dataclass(frozen=True)
class ReferenceWish:
    """What was chosen."""

    session_id: int
    align: AtStart | AtMarker
    tolerance: Tolerance


class ReferenceDialog(Form):
    """Accepted with tolerances that can be: numbers or nothing; of two the larger one counts.

    :param sessions: those that can be chosen, the likeliest first; at least one.
    :param words: what a session is called.
    :param before: what was chosen the last time.
    """

    def __init__(
        self,
        sessions: Sequence[SessionRecord],
        words: Callable[[SessionRecord], str],
        before: ReferenceWish | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Reference of the live plot", "&Lay under", _SENTENCE, parent)
        self._markers = {record.id: record.markers for record in sessions}
        self.session = Choice()
        for record in sessions:
            self.session.addItem(words(record), record.id)
        self.align = Choice()
        self.align.setToolTip("The moment of both that is laid upon each other")
        self.absolute, self.relative = QLineEdit(), QLineEdit()
        self.absolute.setPlaceholderText("none")
        self.relative.setPlaceholderText("none")
        self.relative.setAccessibleName("Tolerance in percent of the reference")
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.absolute)
        row.addWidget(QLabel("or"))
        row.addWidget(self.relative)
        row.addWidget(QLabel("% of the reference"))
        self.add("&Session", self.session)
        self.add("&Align at", self.align)
        self.add("&Tolerance ±", both)
        both.setFocusProxy(self.absolute)
        if before is not None:
            self._fill(before)
        self.session.currentIndexChanged.connect(self._list_moments)
        self._list_moments()
        if before is not None:
            self.align.setCurrentIndex(max(0, self._place_of(before.align)))
        self.session.setFocus()

    @property
    def wish(self) -> ReferenceWish:
        """What was chosen; only where it can be."""
        absolute, relative = (_number(field) or 0.0 for field in (self.absolute, self.relative))
        tolerance = Tolerance(absolute, relative / 100)
        return ReferenceWish(self.session.currentData(), self.align.currentData(), tolerance)

    def accept(self) -> None:
        """Close if the tolerances can be; else say what is wrong."""
        for field in (self.absolute, self.relative):
            number = _number(field)
            if number is None or number < 0:
                self.say_wrong(f"“{field.text().strip()}” is no tolerance: it is a number, and not below zero.")
                field.setFocus()
                return
        super().accept()

    def _fill(self, before: ReferenceWish) -> None:
        self.session.setCurrentIndex(max(0, self.session.findData(before.session_id)))
        if before.tolerance.absolute:
            self.absolute.setText(f"{before.tolerance.absolute:g}")
        if before.tolerance.relative:
            self.relative.setText(f"{100 * before.tolerance.relative:g}")

    def _list_moments(self) -> None:
        self.align.clear()
        self.align.addItem("their start", AtStart())
        for text in dict.fromkeys(marker.text.strip() for marker in self._markers[self.session.currentData()]):
            self.align.addItem(f"marker “{text if len(text) <= 40 else f'{text[:39]}…'}”", AtMarker(text))

    def _place_of(self, align: AtStart | AtMarker) -> int:
        return next((place for place in range(self.align.count()) if self.align.itemData(place) == align), 0)


def _number(field: QLineEdit) -> float | None:
    text = field.text().strip()
    return parse_number(text) if text else 0.0
