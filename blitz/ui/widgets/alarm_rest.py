"""The rarer fields of an alarm rule: hysteresis, what is missing, what the server does then."""

from collections.abc import Sequence
from typing import Any

from PyQt5.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QWidget

from blitz.data.alarm_rule import AlarmRule, CommandAction, StartAction
from blitz.ui.alarm_draft import sent_words
from blitz.ui.definition_draft import parse_number
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice

_NAN = (("ignore", "nothing: all stays as it was"), ("alarm", "an alarm"), ("normal", "all is well"))
_GAP = (("hold", "nothing: the last value holds"), ("alarm", "an alarm"), ("normal", "all is well"))
_ACTIONS = (
    ("", "does nothing"),
    ("marker", "puts a marker"),
    ("start", "starts a session"),
    ("stop", "stops the session"),
)


class AlarmRest(QWidget):
    """Commands to boards are kept as they are: they are written elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hysteresis, self.off_delay, self.advice, self.before = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.hysteresis.setPlaceholderText("0")
        self.hysteresis.setToolTip("How far the value must come back behind the limit before it counts as back")
        self.off_delay.setPlaceholderText("0: at once")
        self.advice.setPlaceholderText("what is to be done; told with the alarm")
        self.advice.setMaxLength(1000)
        self.before.setPlaceholderText("0")
        self.before.setToolTip("So many seconds of what came before the alarm are kept with the session")
        self.only_recording = QCheckBox("Only while a session is &recorded")
        self.is_latched = QCheckBox("Stays in sight &until somebody acknowledges it")
        self.is_latched.setChecked(True)
        self.on_nan, self.on_gap, self.does = Choice(), Choice(), Choice()
        for box, choices in ((self.on_nan, _NAN), (self.on_gap, _GAP), (self.does, _ACTIONS)):
            for value, words in choices:
                box.addItem(words, value)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.AllNonFixedFieldsGrow)
        for label, part in (
            ("H&ysteresis", self.hysteresis),
            ("&Over after, s", self.off_delay),
            ("A message without a value is", self.on_nan),
            ("A &gap is", self.on_gap),
            ("The &server then", self.does),
            ("… with seconds before it", self.before),
            ("A&dvice", self.advice),
        ):
            form.addRow(label, part)
        form.addRow(self.only_recording)
        form.addRow(self.is_latched)
        self._before_label = form.labelForField(self.before)
        self.does.currentIndexChanged.connect(lambda _: self._show_before())
        self._show_before()

    def _show_before(self) -> None:
        for part in (self.before, self._before_label):
            part.setVisible(self.does.currentData() == "start")

    def fill(self, was: AlarmRule) -> None:
        """Show a rule's fields."""
        hysteresis = was.condition.model_dump().get("hysteresis", 0.0)
        for line, number in ((self.hysteresis, hysteresis), (self.off_delay, was.off_delay_s)):
            line.setText(f"{number:.12g}" if number else "")
        self.advice.setText(was.advice)
        self.only_recording.setChecked(was.only_recording)
        self.is_latched.setChecked(was.is_latched)
        self.on_nan.setCurrentIndex(self.on_nan.findData(was.on_nan))
        self.on_gap.setCurrentIndex(self.on_gap.findData(was.on_gap))
        self._tell_commands([action for action in was.actions if isinstance(action, CommandAction)])
        kinds = [action.kind for action in was.actions if action.kind != "command"]
        self.does.setCurrentIndex(max(0, self.does.findData(kinds[0] if kinds else "")))
        for action in was.actions:
            if isinstance(action, StartAction) and action.before_s:
                self.before.setText(f"{action.before_s:.12g}")

    def _tell_commands(self, commands: Sequence[CommandAction]) -> None:
        """Say that the rule sends what is written elsewhere, whatever is chosen here."""
        if not commands:
            return
        what = "its command" if len(commands) == 1 else "its commands"
        for place, (kind, words) in enumerate(_ACTIONS):
            self.does.setItemText(place, f"{words}, and sends {what}" if kind else f"sends {what}")
        self.does.setToolTip("\n".join(map(sent_words, commands)))

    def fields(self, was: AlarmRule | None) -> dict[str, Any]:
        """Return fields of the rule; hysteresis is the condition's.

        :raises ValueError: with a sentence for the operator.
        """
        return {
            "off_delay_s": read_seconds(self.off_delay, "over after"),
            "only_recording": self.only_recording.isChecked(),
            "is_latched": self.is_latched.isChecked(),
            "on_nan": self.on_nan.currentData(),
            "on_gap": self.on_gap.currentData(),
            "advice": self.advice.text().strip(),
            "actions": self._actions(was),
        }

    def _actions(self, was: AlarmRule | None) -> list[dict[str, Any]]:
        """What is chosen, with the words that such an action had, and all commands."""
        before = [each.model_dump() for each in was.actions] if was is not None else []
        kept = [each for each in before if each["kind"] == "command"]
        kind = self.does.currentData()
        if not kind:
            return kept
        action = next((each for each in before if each["kind"] == kind), {"kind": kind})
        if kind == "start":
            action["before_s"] = read_seconds(self.before, "seconds before it")
        others = [each for each in before if each["kind"] == "marker" and kind != "marker"]
        return [action, *others, *kept]


def read_seconds(line: QLineEdit, label: str) -> float:
    """Return a number of seconds as it was typed; 0 where nothing was.

    :raises ValueError: with a sentence for the operator.
    """
    if not line.text().strip():
        return 0.0
    number = parse_number(line.text())
    if number is None or number < 0:
        raise ValueError(f"“{line.text().strip()}” is no number of seconds ({label}).")
    return number
