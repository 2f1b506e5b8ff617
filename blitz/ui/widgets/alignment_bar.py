"""Where sessions are laid upon each other, which of them the others are compared with, and what is tolerated."""

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtStart, AtTrigger, Edge, Moment
from blitz.ui.definition_draft import parse_number
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.states import set_state

_TRIGGER = "trigger"
_EDGES: tuple[tuple[str, Edge], ...] = (("rises to", "rising"), ("falls to", "falling"))
_FIELD_WIDTH = 76
_CHOICE_WIDTH = 260


class AlignmentBar(QWidget):
    """Only tells what was chosen."""

    moment_chosen = pyqtSignal(object)
    """Moment"""
    reference_chosen = pyqtSignal(int)
    """Id of the session that the others are compared with"""
    tolerance_chosen = pyqtSignal(object)
    """Tolerance"""

    def __init__(self, texts: Sequence[str], labels: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._moment: Moment = AtStart()
        self.where = Choice()
        self.where.setAccessibleName("Align at")
        self.where.setToolTip("The moment that all sessions are laid upon; markers are those that each of them has")
        self.where.addItem("their start", AtStart())
        for text in texts:
            self.where.addItem(f"marker “{text if len(text) <= 30 else f'{text[:29]}…'}”", AtMarker(text))
        self.where.addItem("a trigger", _TRIGGER)
        self.where.activated.connect(self._choose)
        self.channel = Choice()
        self.channel.setAccessibleName("Channel of the trigger")
        self.channel.addItems(list(labels))
        self.channel.activated.connect(self._choose)
        self.edge = Choice()
        self.edge.setAccessibleName("Edge of the trigger")
        for words, edge in _EDGES:
            self.edge.addItem(words, edge)
        self.edge.activated.connect(self._choose)
        self.level = _field("Level of the trigger", "level", "Where the channel must come to, for the first time")
        self.level.editingFinished.connect(self._choose)
        self.reference = Choice()
        self.reference.setAccessibleName("Compare with")
        self.reference.setToolTip("The session that is subtracted from the others")
        self.reference.setSizeAdjustPolicy(Choice.AdjustToContents)
        self.reference.activated.connect(lambda _: self.reference_chosen.emit(self.reference.currentData()))
        tip = "How far a value may be from the reference; where both are given, the larger one counts"
        self.absolute = _field("Tolerance", "none", tip)
        self.relative = _field("Tolerance in percent", "none", tip)
        for field in (self.absolute, self.relative):
            field.editingFinished.connect(self._tolerate)
        self._unit = QLabel()
        for choice in (self.where, self.channel, self.reference):
            choice.setMaximumWidth(_CHOICE_WIDTH)
        self._trigger = (self.channel, self.edge, self.level)
        self._lay_out()
        self._show_trigger()

    def show_sessions(self, names: Sequence[str], session_ids: Sequence[int], reference_id: int) -> None:
        """List the sessions that the others can be compared with."""
        self.reference.clear()
        for name, number in zip(names, session_ids, strict=True):
            self.reference.addItem(name, number)
        self.reference.setCurrentIndex(max(0, self.reference.findData(reference_id)))

    def show_unit(self, unit: str) -> None:
        """Say in which unit the tolerance is; empty where the channels have several."""
        self._unit.setText(unit)
        self._unit.setVisible(bool(unit))

    def show_moment(self, moment: Moment) -> None:
        """Go back to the moment that is shown, where another one was not found."""
        self._moment = moment
        trigger = moment if isinstance(moment, AtTrigger) else None
        data = _TRIGGER if trigger is not None else moment
        place = next((n for n in range(self.where.count()) if self.where.itemData(n) == data), 0)
        self.where.setCurrentIndex(place)
        if trigger is not None:
            self.channel.setCurrentText(trigger.label)
            self.edge.setCurrentIndex(self.edge.findData(trigger.edge))
            self.level.setText(f"{trigger.level:g}")
        self._show_trigger()

    def _choose(self) -> None:
        self._show_trigger()
        moment = self.where.currentData()
        if moment == _TRIGGER:
            level = parse_number(self.level.text())
            set_state(self.level, "bad" if level is None and self.level.text().strip() else "")
            if level is None:
                self.level.setFocus()
                return
            moment = AtTrigger(self.channel.currentText(), level, self.edge.currentData())
        if moment != self._moment:
            self._moment = moment
            self.moment_chosen.emit(moment)

    def _tolerate(self) -> None:
        absolute, relative = (self._number(field) for field in (self.absolute, self.relative))
        if absolute is not None and relative is not None:
            self.tolerance_chosen.emit(Tolerance(absolute, relative / 100))

    def _number(self, field: QLineEdit) -> float | None:
        text = field.text().strip()
        number = parse_number(text) if text else 0.0
        is_good = number is not None and number >= 0
        set_state(field, "" if is_good else "bad")
        field.setToolTip("A number that is not below zero" if not is_good else self.absolute.toolTip())
        return number if is_good else None

    def _show_trigger(self) -> None:
        for widget in self._trigger:
            widget.setVisible(self.where.currentData() == _TRIGGER)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(_caption("&Align at", self.where))
        row.addWidget(self.where)
        for widget in self._trigger:
            row.addWidget(widget)
        row.addSpacing(SPACE)
        row.addWidget(_caption("&Compare with", self.reference))
        row.addWidget(self.reference)
        row.addSpacing(SPACE)
        row.addWidget(_caption("&Tolerance ±", self.absolute))
        row.addWidget(self.absolute)
        row.addWidget(self._unit)
        row.addWidget(QLabel("or"))
        row.addWidget(self.relative)
        row.addWidget(QLabel("%"))
        row.addStretch(1)


def _caption(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", "muted")
    label.setBuddy(buddy)
    return label


def _field(name: str, placeholder: str, tip: str) -> QLineEdit:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setPlaceholderText(placeholder)
    field.setToolTip(tip)
    field.setFixedWidth(_FIELD_WIDTH)
    return field
