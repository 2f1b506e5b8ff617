"""The tables of alarms and of the rules that make them."""

from datetime import datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.data.alarm_records import AlarmOccurrence, AlarmState, KeptRule
from blitz.data.alarm_rule import Severity
from blitz.ui.alarm_view import AlarmView, is_unseen
from blitz.ui.formats import MISSING
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

ALARM_COLUMNS = ("State", "Severity", "Alarm", "What", "Value", "Raised", "Over", "Seen by")
STATE, SEVERITY, ALARM, WHAT, VALUE, RAISED, OVER, SEEN = range(8)
RULE_COLUMNS = ("State", "Severity", "Alarm", "What", "Tells", "Does")
TELLS, DOES = 4, 5
STATE_WORDS = {
    AlarmState.NORMAL: "normal",
    AlarmState.PENDING: "about to be raised",
    AlarmState.ACTIVE: "ACTIVE",
    AlarmState.ACKNOWLEDGED: "active, seen",
    AlarmState.LATCHED: "over, not seen",
}
_DOES = {"marker": "marker", "start": "starts a session", "stop": "stops the session", "command": "sends a command"}
_TIMES = {1: "once more", 2: "it twice"}


class AlarmsModel(ColumnsModel):
    """One row an alarm, newest first."""

    column_names = ALARM_COLUMNS
    number_columns = (VALUE,)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.alarms: tuple[AlarmOccurrence, ...] = ()
        self.theme: Theme = LIGHT
        self.number_font: QFont | None = None

    def show(self, alarms: tuple[AlarmOccurrence, ...]) -> None:
        """Take over what there is."""
        self.beginResetModel()
        self.alarms = alarms
        self.endResetModel()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.theme = theme
        self.layoutChanged.emit()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row an alarm."""
        return 0 if parent.isValid() else len(self.alarms)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.alarms):
            return None
        alarm, column = self.alarms[index.row()], index.column()
        if role == Qt.DisplayRole:
            return _alarm_text(alarm, column)
        if role == Qt.ToolTipRole:
            seen = _alarm_text(alarm, SEEN)
            parts = (alarm.words, alarm.rule.advice, *alarm.done, f"Seen by {seen}" if seen else "")
            return "\n".join(part for part in parts if part)
        if role == Qt.ForegroundRole and column in (STATE, SEVERITY) and is_unseen(alarm):
            return QColor(severity_colour(alarm.severity, self.theme))
        if role == Qt.FontRole and is_unseen(alarm) and column in (STATE, ALARM):
            return _bold()
        if role == Qt.FontRole and column in (VALUE, RAISED, OVER):
            return self.number_font
        if role == Qt.TextAlignmentRole and column == VALUE:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return None


class RulesModel(ColumnsModel):
    """One row a rule, the sources' own ones last."""

    column_names = RULE_COLUMNS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rules: tuple[KeptRule, ...] = ()
        self.units: dict[tuple[str, str], str] = {}
        """Of channels, by source and name."""
        self._view = AlarmView()
        self.theme: Theme = LIGHT

    def show(self, view: AlarmView) -> None:
        """Take over what there is; rows stay selected where none was added or taken away."""
        rules = tuple(sorted(view.rules, key=lambda kept: (kept.is_default, kept.rule.name.lower())))
        if [kept.id for kept in rules] == [kept.id for kept in self.rules]:
            self.rules, self._view = rules, view
            if rules:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rules) - 1, len(RULE_COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rules, self._view = rules, view
        self.endResetModel()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.theme = theme
        self.layoutChanged.emit()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a rule."""
        return 0 if parent.isValid() else len(self.rules)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.rules):
            return None
        kept, column = self.rules[index.row()], index.column()
        state = self._view.state_of(kept)
        if role == Qt.DisplayRole:
            return self._text(kept, state, column)
        if role == Qt.ToolTipRole:
            return "\n".join(part for part in (kept.rule.words(), kept.rule.advice, kept.fault) if part)
        if role == Qt.ForegroundRole:
            if not kept.rule.is_enabled:
                return QColor(self.theme.muted)
            if (column == STATE and _is_broken(kept)) or (column == DOES and kept.must_confirm):
                return QColor(self.theme.warning)
            if column == STATE and state in (AlarmState.ACTIVE, AlarmState.LATCHED):
                return QColor(severity_colour(kept.rule.severity, self.theme))
        return None

    def _text(self, kept: KeptRule, state: AlarmState, column: int) -> str:
        rule = kept.rule
        if column == STATE:
            return "off" if not rule.is_enabled else "cannot be watched" if _is_broken(kept) else STATE_WORDS[state]
        if column == SEVERITY:
            return rule.severity.value
        if column == ALARM:
            return rule.name
        if column == WHAT:
            unit = self.units.get((rule.source, rule.channel), "")
            return rule.words(unit) + (", while recording" if rule.only_recording else "")
        if column == TELLS:
            if rule.hooks is not None:
                return ", ".join(rule.hooks) or "nobody"
            return "all who want alarms" if _told(self._view) else "nobody so far"
        does = ", ".join(_DOES[action.kind] for action in rule.actions)
        return f"{does}: confirm {_TIMES[kept.must_confirm]}" if kept.must_confirm else does


def _is_broken(kept: KeptRule) -> bool:
    """Whether it cannot be evaluated; one that is not confirmed is."""
    return bool(kept.fault) and not kept.must_confirm


def severity_colour(severity: Severity, theme: Theme) -> str:
    """Return the colour of words about an alarm."""
    return {Severity.CRITICAL: theme.recording, Severity.WARNING: theme.warning}.get(severity, theme.accent)


def _alarm_text(alarm: AlarmOccurrence, column: int) -> str:
    if column == STATE:
        return STATE_WORDS[alarm.state] if alarm.is_present else "over"
    if column == SEVERITY:
        return alarm.severity.value
    if column == ALARM:
        return alarm.rule.name
    if column == WHAT:
        return alarm.rule.words(alarm.unit)
    if column == VALUE:
        return MISSING if alarm.value is None else f"{alarm.value:g} {alarm.unit}".strip()
    if column == RAISED:
        return _clock(alarm.raised_at)
    if column == OVER:
        if alarm.cleared_at is None:
            return MISSING
        raised, over = alarm.raised_at.astimezone(), alarm.cleared_at.astimezone()
        return f"{over:%H:%M:%S}" if raised.date() == over.date() else _clock(over)
    if alarm.acknowledged_at is None:
        return ""
    note = f": {alarm.note}" if alarm.note else ""
    return f"{alarm.acknowledged_by or 'somebody'}{note}"


def _told(view: AlarmView) -> bool:
    return any("alarm" in hook.on for hook in view.hooks)


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M:%S")


def _bold() -> QFont:
    font = QFont()
    font.setBold(True)
    return font
