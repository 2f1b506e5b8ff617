"""Calibrates a channel: steps with known values, a curve through them, who and against what; and saves it."""

from collections.abc import Callable
from datetime import date

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QAbstractItemView, QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.data.calibration_draft import step_views, values_of
from blitz.data.calibration_fit import CurveFit
from blitz.errors import CalibrationError
from blitz.ui.calibration_desk import CalibrationDesk
from blitz.ui.models.calibration_steps import KNOWN, CalibrationStepsModel
from blitz.ui.theme import SPACE, Theme, number_font
from blitz.ui.widgets.calibration_facts_form import CalibrationFactsForm
from blitz.ui.widgets.calibration_head import CalibrationHead
from blitz.ui.widgets.curve_pane import CurvePane
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.states import set_state
from blitz.ui.widgets.table import Table
from blitz.ui.widgets.taking_row import TakingRow

LIVE_MS = 250
_HINT = "Let the sensor see a known value, type it above, and press Enter.\nTwo steps make a line."
_RECORDING = (
    "A session is being recorded: from Save on it reads this channel anew. What came before keeps its meaning, and can "
    "be read anew afterwards."
)


class CalibrateDialog(QDialog):
    """Shows what a desk knows, and asks it. Not modal: the plots behind it go on and can be looked at.

    :param desk: what it is about.
    :param who: who sits here.
    """

    save_requested = pyqtSignal(object)
    """BoardDefinition with the channel calibrated"""
    old_sessions_requested = pyqtSignal()

    def __init__(
        self, desk: CalibrationDesk, theme: Theme, who: str, today: Callable[[], date], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.desk = desk
        self._refusal = ""
        self._is_waiting = False
        self._is_saved = False
        self.setWindowTitle("Calibrate")
        self.head = CalibrationHead()
        self.taking = TakingRow()
        self.steps = CalibrationStepsModel(number_font(self.font()), self)
        self.table = Table(self.steps, _HINT)
        self.table.setAccessibleName("Steps")
        self.table.setEditTriggers(QAbstractItemView.EditKeyPressed | QAbstractItemView.DoubleClicked)
        self.table.fit_widths("100.5", "109478.2", "99.99", "1000", "109478", "100.005", "", stretched=(6,))
        self.redo = _button("Re&do", "Take the selected step again, with the same known value")
        self.remove = _button("&Remove", "Leave the selected step out")
        self.pane = CurvePane(theme)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.PlainText)
        self.facts = CalibrationFactsForm(who, today())
        self.save = _button("&Save", "Put it in force from now on, as a new version of the definition")
        self.save.setProperty("kind", "start")
        self.old = _button("&Old sessions…", "Read sessions that were recorded before by this calibration")
        self.close_button = _button("Close", "")
        self._lay_out()
        self._listen()
        self.head.source.addItems(list(desk.sources))
        self.refresh()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._show_live)
        self._timer.start(LIVE_MS)
        self.taking.ask_next()

    def choose(self, source: str, column: int) -> None:
        """Go to a channel."""
        self.head.source.setCurrentText(source)
        self.head.channel.setCurrentIndex(column)

    def refresh(self) -> None:
        """Show everything as the desk has it now."""
        draft = self.desk.draft
        self.head.show_unit(draft.unit if draft else "")
        self.taking.show_unit(draft.unit if draft else "")
        self.steps.show(step_views(draft) if draft else ())
        self.pane.show_draft(draft, *self._fit())
        self._show_buttons()
        self._show_live()

    def show_refusal(self, refusal: str) -> None:
        """Say why this person cannot calibrate; nothing: they can."""
        self._refusal = refusal
        self._show_buttons()

    def show_recording(self, is_recording: bool) -> None:
        """Say what saving means while a session is recorded."""
        if not self._is_saved and not self._is_waiting:
            self._say(_RECORDING if is_recording else "")

    def take_progress(self) -> None:
        """The desk has read on, or has a step."""
        taking = self.desk.taking
        if taking is not None:
            self.taking.show_taking(taking, self.desk.reference)
            return
        last = self.desk.take_result()
        self.taking.show_taking(None)
        if last is not None:
            self.refresh()
            self.table.selectRow(last.place)
            self.taking.show_taken(last.reference, last.average)

    def take_answer(self, reason: str) -> None:
        """The server has answered what was to be saved; with a reason it has refused."""
        if not self._is_waiting:
            return
        self._is_waiting = False
        if reason:
            self._say(f"Not saved. {reason}", "bad")
        else:
            self._is_saved = True
            self._say("Saved, and in force from now on. Old sessions can be read by it, too.", "good")
        self._show_buttons()

    def show_problem(self, reason: str) -> None:
        """Say that something was not done."""
        self._say(reason, "bad")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Enter press the button that has the focus: no other one is meant. Behind the last field comes Save."""
        focused = self.focusWidget()
        if event.key() not in (Qt.Key_Return, Qt.Key_Enter):
            super().keyPressEvent(event)
        elif isinstance(focused, QPushButton):
            focused.click()
        elif focused is self.facts.against:
            self.save.setFocus()

    def _fit(self) -> tuple[CurveFit | None, str]:
        try:
            return (self.desk.draft.fit(), "") if self.desk.draft else (None, "")
        except CalibrationError as error:
            return None, str(error)

    def _listen(self) -> None:
        self.head.source_chosen.connect(self._choose_source)
        self.head.channel_chosen.connect(self._choose_channel)
        self.head.unit_typed.connect(self._choose_unit)
        self.taking.taking_requested.connect(self._take)
        self.taking.taking_cancelled.connect(self._cancel)
        self.steps.referred.connect(self._refer)
        self.steps.refused.connect(lambda words: self.taking.say(words, "bad"))
        self.redo.clicked.connect(self._redo)
        self.remove.clicked.connect(self._remove)
        self.pane.curve_chosen.connect(self._choose_curve)
        self.save.clicked.connect(self._save)
        self.old.clicked.connect(self.old_sessions_requested)
        self.close_button.clicked.connect(self.close)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_buttons())

    def _choose_source(self, name: str) -> None:
        definition = self.desk.sources.get(name)
        self.head.show_channels([channel.display_name for channel in definition.channels] if definition else [])

    def _choose_channel(self, column: int) -> None:
        self.desk.choose(self.head.source.currentText(), column)
        self._is_saved = False
        self.taking.show_taking(None)
        self.taking.say("")
        self.refresh()

    def _choose_curve(self, degree: int) -> None:
        if self.desk.draft is not None and self.desk.draft.curve != degree:
            self.desk.draft.curve = degree
            self._change()

    def _choose_unit(self, unit: str) -> None:
        if self.desk.draft is not None:
            self.desk.draft.unit = unit
            self._change()

    def _take(self, reference: float) -> None:
        self.desk.begin(reference, self.taking.make_taking())
        self.take_progress()

    def _cancel(self) -> None:
        self.desk.cancel()
        self.taking.show_taking(None)
        self.taking.say("Not taken.")

    def _redo(self) -> None:
        place = self._place()
        if self.desk.draft is not None and place is not None:
            reference = self.desk.draft.steps[place].reference
            self.taking.known.setText(f"{reference:.9g}")
            self.desk.begin(reference, self.taking.make_taking(), place)
            self.take_progress()

    def _refer(self, place: int, reference: float) -> None:
        if self.desk.draft is not None:
            self.desk.draft.refer(place, reference)
            self._change()

    def _remove(self) -> None:
        place = self._place()
        if self.desk.draft is not None and place is not None:
            self.desk.draft.remove(place)
            self._change()

    def _change(self) -> None:
        self._is_saved = False
        self.refresh()

    def _save(self) -> None:
        try:
            wanted = self.desk.want(self.facts.facts)
        except CalibrationError as error:
            self._say(str(error), "bad")
            return
        self._is_waiting = True
        self._say("Saving…")
        self._show_buttons()
        self.save_requested.emit(wanted)

    def _place(self) -> int | None:
        rows = self.table.selectionModel().selectedRows(KNOWN)
        return rows[0].row() if rows else None

    def _show_live(self) -> None:
        draft, sent, current = self.desk.draft, self.desk.newest, self.desk.current
        if draft is None or current is None or sent is None:
            self.head.show_values(None, None, None)
            return
        fit, _ = self._fit()
        will_read = values_of(fit.channel(draft.before), [sent])[0] if fit else None
        self.head.show_values(sent, values_of(current, [sent])[0], will_read, current.unit, draft.unit)

    def _show_buttons(self) -> None:
        fit, _ = self._fit()
        self.taking.show_refusal(self._refusal or ("" if self.desk.draft else "There is no channel to be calibrated."))
        for button in (self.redo, self.remove):
            button.setEnabled(self._place() is not None and not self.taking.is_taking)
        permit(self.save, self._refusal, is_enabled=fit is not None and not self._is_waiting and not self._is_saved)
        self.old.setVisible(self._is_saved)

    def _say(self, words: str, state: str = "") -> None:
        self.problem.setText(words)
        set_state(self.problem, state)

    def _lay_out(self) -> None:
        under = QHBoxLayout()
        under.setSpacing(SPACE)
        for button in (self.redo, self.remove):
            under.addWidget(button)
        under.addStretch(1)
        left = QVBoxLayout()
        left.setSpacing(SPACE)
        left.addWidget(self.taking)
        left.addWidget(self.table, 1)
        left.addLayout(under)
        body = QHBoxLayout()
        body.setSpacing(3 * SPACE)
        body.addLayout(left, 6)
        body.addWidget(self.pane, 5)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        buttons.addWidget(self.problem, 1)
        for button in (self.old, self.save, self.close_button):
            buttons.addWidget(button)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        page.setSpacing(SPACE + SPACE // 2)
        page.addWidget(self.head)
        page.addLayout(body, 1)
        page.addWidget(self.facts)
        page.addLayout(buttons)
        self.resize(1080, 660)


def _button(label: str, words: str) -> QPushButton:
    button = QPushButton(label)
    button.setToolTip(words)
    button.setAutoDefault(False)
    return button
