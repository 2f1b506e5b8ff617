"""Turns a command's value: a slider with a number, or a switch, and beside it what the board has acknowledged."""

from PyQt5.QtCore import QEvent, QObject, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QWidget,
)

from blitz.data.board_definition import Command
from blitz.data.command_parameter import Parameter
from blitz.ui.set_point import SetPoint
from blitz.ui.theme import SPACE
from blitz.ui.widgets.segments import join_segments

REST_MS = 400
"""So long after the last change the operator has stopped turning."""
_MOST_STEPS = 100_000
_TITLE_PX = 72


class ParameterControl(QWidget):
    """One command with a value; asks by a signal, once the operator has stopped turning.

    :param point: what is known of the value; it outlives this widget.
    """

    value_chosen = pyqtSignal(object, float)
    """Command and value"""

    def __init__(self, command: Command, point: SetPoint, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        assert command.parameter is not None
        self.command = command
        self.point = point
        self._parameter = command.parameter
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._stop_turning)
        self.title = QLabel(command.name)
        self.title.setMinimumWidth(_TITLE_PX)
        self.title.setToolTip(f"{self._parameter.words}; sends {command.send!r}")
        self.words = QLabel()
        self.words.setProperty("kind", "muted")
        self.again = QPushButton("Send again")
        self.again.setToolTip("Send the value that stands here once more")
        self.again.clicked.connect(self._send_again)
        self.slider: QSlider | None = None
        self.number: QDoubleSpinBox | None = None
        self.switch: tuple[QPushButton, QPushButton] | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE)
        grid.setVerticalSpacing(0)
        grid.addWidget(self.title, 0, 0)
        state = QHBoxLayout()
        state.setSpacing(SPACE)
        state.addWidget(self.words)
        state.addWidget(self.again)
        state.addStretch(1)
        if self._parameter.is_switch:
            row = self._make_switch()
            row.addSpacing(2 * SPACE)
            row.addLayout(state, 1)
            grid.addLayout(row, 0, 1)
        else:
            grid.addLayout(self._make_slider(), 0, 1)
            grid.addLayout(state, 1, 1)
        grid.setColumnStretch(1, 1)
        self.show_point()

    def show_point(self) -> None:
        """Show what is known now; moves nothing that the operator holds."""
        self.words.setText(self.point.words)
        self.words.setToolTip(self.point.trouble)
        state = "bad" if self.point.trouble else ""
        if self.words.property("state") != state:
            self.words.setProperty("state", state)
            self.words.style().unpolish(self.words)
            self.words.style().polish(self.words)
        self.again.setVisible(bool(self.point.trouble))
        held = self._rest.isActive() or (self.slider is not None and self.slider.isSliderDown())
        if not held and self.point.turned is None and not self.point.trouble:
            self._place(self.point.known)

    def take_outcome(self, *, has_failed: bool, is_answered: bool, trouble: str = "") -> None:
        """The board has answered, or has not; a value that was turned to meanwhile is sent now."""
        self.point.take(has_failed=has_failed, is_answered=is_answered, trouble=trouble)
        if not self._rest.isActive() and not (self.slider is not None and self.slider.isSliderDown()):
            self._stop_turning()
        self.show_point()

    def leave(self) -> None:
        """The operator looks at something else: what was not sent is not wanted any more."""
        if self._rest.isActive():
            self._rest.stop()
            self.point.turned = None
            self.show_point()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to the page: nothing moves because somebody scrolls."""
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _make_slider(self) -> QHBoxLayout:
        parameter = self._parameter
        steps = min(round((parameter.max - parameter.min) / parameter.step), _MOST_STEPS)
        self.slider = QSlider(Qt.Horizontal)
        self.slider.setRange(0, steps)
        self.slider.setPageStep(max(1, steps // 10))
        self.slider.setAccessibleName(f"{self.command.name}, slider")
        self.slider.setToolTip(f"{parameter.words}; sent when you stop turning")
        self.slider.valueChanged.connect(lambda step: self._turn(parameter.min + step / steps * self._way()))
        self.slider.sliderReleased.connect(self._stop_turning)
        self.number = QDoubleSpinBox()
        self.number.setDecimals(parameter.decimals)
        self.number.setRange(parameter.min - parameter.step, parameter.max)  # the lowest stands for: not known
        self.number.setSpecialValueText("–")
        self.number.setSingleStep(parameter.step)
        self.number.setValue(parameter.min - parameter.step)
        self.number.setKeyboardTracking(False)
        self.number.setButtonSymbols(QDoubleSpinBox.NoButtons)  # the slider stands beside it
        self.number.setSuffix(f" {parameter.unit}" if parameter.unit else "")
        self.number.setAccessibleName(self.command.name)
        self.number.setToolTip(f"{parameter.words}; sent when you stop turning, or on Enter")
        self.number.valueChanged.connect(self._turn)
        for turned in (self.slider, self.number):
            turned.installEventFilter(self)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for widget, stretch in (
            *((QLabel(f"{parameter.min:g}"), 0), (self.slider, 1), (QLabel(f"{parameter.max:g}"), 0)),
            (self.number, 0),
        ):
            row.addWidget(widget, stretch)
        return row

    def _make_switch(self) -> QHBoxLayout:
        group = QButtonGroup(self)
        self.switch = (QPushButton("Off"), QPushButton("On"))
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        for value, button in enumerate(self.switch):
            button.setCheckable(True)
            button.setAccessibleName(f"{self.command.name} {button.text().lower()}")
            group.addButton(button, value)
        join_segments(row, self.switch)
        group.buttonClicked.connect(lambda button: self._flip(group.id(button)))
        self._group = group
        return row

    def _way(self) -> float:
        return self._parameter.max - self._parameter.min

    def _turn(self, value: float) -> None:
        """The operator turns: both show it, and it is sent when they rest."""
        if value < self._parameter.min:
            return
        value = self._on_step(value)
        self._place(value)
        self.point.turn(value)
        self._rest.start()
        self.show_point()

    def _flip(self, value: int) -> None:
        self.point.turn(float(value))
        self._stop_turning()

    def _stop_turning(self) -> None:
        if self.slider is not None and self.slider.isSliderDown():
            return
        self._rest.stop()
        value = self.point.rest()
        if value is not None:
            self.value_chosen.emit(self.command, value)
        self.show_point()

    def _send_again(self) -> None:
        value = self._shown()
        if value is not None:
            self.point.turn(value)
            self._stop_turning()

    def _shown(self) -> float | None:
        if self.switch is not None:
            checked = self._group.checkedId()
            return None if checked < 0 else float(checked)
        assert self.number is not None
        return None if self.number.value() < self._parameter.min else self._on_step(self.number.value())

    def _on_step(self, value: float) -> float:
        steps = round((value - self._parameter.min) / self._parameter.step)
        return round(self._parameter.min + steps * self._parameter.step, 12)

    def _place(self, value: float | None) -> None:
        """Move slider and number without being heard."""
        if value is None:
            return
        parts: list[QObject] = [part for part in (self.slider, self.number) if part is not None]
        if self.switch is not None:
            _check(self.switch[round(value)])
        for part in parts:
            part.blockSignals(True)
        if self.slider is not None and not self.slider.isSliderDown():
            self.slider.setValue(round((value - self._parameter.min) / self._way() * self.slider.maximum()))
        if self.number is not None:
            self.number.setMinimum(self._parameter.min)
            self.number.setSpecialValueText("")
            self.number.setValue(value)
        for part in parts:
            part.blockSignals(False)


def _check(button: QAbstractButton) -> None:
    button.setChecked(True)


def control_key(board: str, command: Command) -> tuple[str, str, str, Parameter | None]:
    """Return under what a value is remembered: another range is another value."""
    return board, command.name, command.send, command.parameter
