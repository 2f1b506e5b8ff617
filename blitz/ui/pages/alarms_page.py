"""The page of alarms: what there is, what there was, and the rules that make them."""

from PyQt5.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from blitz.data.alarm_records import AlarmOccurrence, KeptRule
from blitz.data.records import Role
from blitz.ui.alarm_view import AlarmView, is_unseen
from blitz.ui.models import alarms as columns
from blitz.ui.models.alarms import AlarmsModel, RulesModel
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Theme, number_font
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import Table

_NAME = "Above 74.5 for the log"
_NO_ALARMS = "No alarm is present. History lists those that were."
_NO_HISTORY = "No alarm was raised yet."
_NO_RULES = "New alarm… makes one, or Alarm on this channel… in the menu of a channel's row on the page Live."
_NO_PLAYED = "No alarm so far in what is played."
_PLAYED = "Would have been raised so far in what is played; silenced, and told to nobody"
_OLD = "This server has no alarms: it is older than they are, or was told to go without."


class AlarmsPage(QWidget):
    """Asks by signals."""

    acknowledge_requested = pyqtSignal(object)
    """list[AlarmOccurrence]"""
    rule_requested = pyqtSignal(object)
    """KeptRule that is to be changed; None: a new one"""
    enable_requested = pyqtSignal(object, bool)
    """KeptRule, and whether it holds from now on"""
    remove_requested = pyqtSignal(object)
    """KeptRule"""
    confirm_requested = pyqtSignal(object)
    """KeptRule that is to send what moves or heats something"""
    time_requested = pyqtSignal(float)
    """Seconds since the Unix epoch: that time is wanted in the plot"""
    played_requested = pyqtSignal(object)
    """int, nanoseconds since the Unix epoch: that place of the playback is wanted"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._view: AlarmView | None = AlarmView()
        self.alarms, self.rules = AlarmsModel(self), RulesModel(self)
        self.alarms.number_font = number_font(self.font())
        self.alarm_table = Table(self.alarms, _NO_ALARMS)
        self.alarm_table.setAccessibleName("Alarms")
        self.alarm_table.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.rule_table = Table(self.rules, _NO_RULES)
        self.rule_table.setAccessibleName("Rules")
        what, who = "adc_channel_one above 3000 count", "ada@bench: looked at it"
        texts = ("over, not seen", "warning", _NAME, what, "-109478 °C", "12-31 23:59:59", "23:59:59", who)
        self.alarm_table.fit_widths(*texts)
        self.alarm_table.share_room(columns.ALARM, columns.WHAT, columns.SEEN)
        what, does = "oven rises by more than 5 °C/s over 2 s", "sends a command: confirm it twice"
        self.rule_table.fit_widths("about to be raised", "warning", _NAME, what, "all who want alarms", does)
        self.rule_table.share_room(columns.ALARM, columns.WHAT, columns.DOES)
        self.alarm_table.activated.connect(self._show_time)
        self.rule_table.activated.connect(lambda _: self._ask_change())
        self.rule_table.doubleClicked.connect(lambda _: self._ask_change())
        self.present = self._choice("&Present", "Alarms that are active, or that nobody has seen")
        self.past = self._choice("&History", "All alarms that there were, newest first")
        self.played = self._choice("Pla&yback", _PLAYED)
        self.played.hide()
        self._played: tuple[AlarmOccurrence, ...] | None = None
        self._no_played = _NO_PLAYED
        self._silenced = QLabel("PLAYBACK, SILENCED")
        self._silenced.setProperty("kind", "badge")
        self._silenced.setToolTip(_PLAYED)
        self._silenced.hide()
        self.present.setChecked(True)
        self.seen = QPushButton("Ac&knowledge")
        self.seen.setToolTip("Say that you have seen the selected alarms, or all where none is selected (Space)")
        self.seen.clicked.connect(self.acknowledge)
        self.plot = QPushButton("Show in the p&lot")
        self.plot.setToolTip("Open the live plot at the time of the selected alarm (Enter)")
        self.plot.clicked.connect(lambda: self._show_time(self.alarm_table.currentIndex()))
        self.new = QPushButton("&New alarm…")
        self.new.setToolTip("Make a rule (Ctrl+N)")
        self.new.clicked.connect(lambda: self.rule_requested.emit(None))
        self.change = QPushButton("&Change…")
        self.change.setToolTip("Change the selected rule (Enter)")
        self.change.clicked.connect(self._ask_change)
        self.switch = QPushButton("Switch o&ff")
        self.switch.clicked.connect(self._ask_switch)
        self.confirm = QPushButton("C&onfirm…")
        self.confirm.setToolTip("Let the selected rule send what moves or heats something: needed twice")
        self.confirm.clicked.connect(self._ask_confirm)
        self.remove = QPushButton("Delete")
        self.remove.setToolTip("Delete the selected rule (Del); a source's own rule can only be switched off")
        self.remove.clicked.connect(self._ask_remove)
        self._add_keys()
        self._lay_out()
        for table, model in ((self.alarm_table, self.alarms), (self.rule_table, self.rules)):
            table.selectionModel().selectionChanged.connect(self._show_actions)
            model.modelReset.connect(self._show_actions)
        self.rules.dataChanged.connect(self._show_actions)
        self._show_actions()

    @property
    def selected_alarms(self) -> list[AlarmOccurrence]:
        """The selected alarms."""
        rows = sorted(index.row() for index in self.alarm_table.selectionModel().selectedRows())
        return [self.alarms.alarms[row] for row in rows if row < len(self.alarms.alarms)]

    @property
    def selected_rule(self) -> KeptRule | None:
        """The selected rule."""
        rows = self.rule_table.selectionModel().selectedRows()
        return self.rules.rules[rows[0].row()] if rows and rows[0].row() < len(self.rules.rules) else None

    def show_alarms(self, view: AlarmView | None) -> None:
        """Take over what there is; None: the server has no alarms."""
        self._view = view
        known = view or AlarmView()
        selected = {alarm.id for alarm in self.selected_alarms}
        is_past, played = self.past.isChecked(), self._played if self.played.isChecked() else None
        hint = (
            self._no_played if played is not None else _OLD if view is None else _NO_HISTORY if is_past else _NO_ALARMS
        )
        self.alarm_table.set_hint(hint)
        self._silenced.setVisible(played is not None)
        shown = played if played is not None else known.history if is_past else known.present
        if shown != self.alarms.alarms:
            self.alarms.show(shown)
            for row, alarm in enumerate(shown):
                if alarm.id in selected:
                    self.alarm_table.selectRow(row)
                    break
        self.rules.show(known)
        self._show_actions()

    def show_played(self, alarms: tuple[AlarmOccurrence, ...] | None, why: str = "") -> None:
        """Take over what would have been raised so far in a playback; None: nothing is played.

        :param why: there can be none at all.
        """
        self._played, self._no_played = alarms, why or _NO_PLAYED
        self.played.setVisible(alarms is not None)
        if alarms is None and self.played.isChecked():
            self.present.setChecked(True)
        self.show_alarms(self._view)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_actions()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.alarms.set_theme(theme)
        self.rules.set_theme(theme)

    def acknowledge(self) -> None:
        """Ask that the selected alarms be acknowledged; all, where none is selected."""
        chosen = [alarm for alarm in self.selected_alarms or self.alarms.alarms if alarm.acknowledged_at is None]
        if chosen and self.seen.isEnabled():
            self.acknowledge_requested.emit(chosen)

    def _choice(self, label: str, tip: str) -> QPushButton:
        button = QPushButton(label)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setProperty("kind", "switch")
        button.setToolTip(tip)
        button.clicked.connect(lambda _: self.show_alarms(self._view))
        return button

    def _show_time(self, index: QModelIndex) -> None:
        if not index.isValid() or index.row() >= len(self.alarms.alarms):
            return
        if self.played.isChecked():
            self.played_requested.emit(self.alarms.alarms[index.row()].raised_ns)
        else:
            self.time_requested.emit(self.alarms.alarms[index.row()].raised_ns / 1e9)

    def _ask_change(self) -> None:
        if self.selected_rule is not None and self.change.isEnabled():
            self.rule_requested.emit(self.selected_rule)

    def _ask_switch(self) -> None:
        kept = self.selected_rule
        if kept is not None:
            self.enable_requested.emit(kept, not kept.rule.is_enabled)

    def _ask_confirm(self) -> None:
        if self.selected_rule is not None:
            self.confirm_requested.emit(self.selected_rule)

    def _ask_remove(self) -> None:
        if self.selected_rule is not None and self.remove.isEnabled():
            self.remove_requested.emit(self.selected_rule)

    def _show_actions(self) -> None:
        kept, refusal = self.selected_rule, self._rights.refusal(Role.OPERATOR)
        is_known = self._view is not None
        is_live = not self.played.isChecked()
        permit(self.seen, refusal, is_enabled=is_live and any(is_unseen(alarm) for alarm in self.alarms.alarms))
        permit(self.new, refusal, is_enabled=is_known)
        permit(self.change, refusal, is_enabled=kept is not None)
        permit(self.switch, refusal, is_enabled=kept is not None)
        permit(self.remove, refusal, is_enabled=kept is not None and not kept.is_default)
        permit(self.confirm, refusal, is_enabled=kept is not None and kept.must_confirm > 0)
        self.confirm.setVisible(any(each.must_confirm for each in self.rules.rules))
        self.plot.setEnabled(len(self.selected_alarms) == 1)
        is_off = kept is not None and not kept.rule.is_enabled
        self.switch.setText("Switch o&n" if is_off else "Switch o&ff")
        if not refusal:
            self.switch.setToolTip("Let the selected rule hold again" if is_off else "Let the selected rule not hold")

    def _add_keys(self) -> None:
        """Actions, so that the list of shortcuts finds them."""
        for label, key, owner, act in (
            ("Acknowledge alarms", "Space", self.alarm_table, self.acknowledge),
            ("New alarm", "Ctrl+N", self, self.new.click),
            ("Delete the selected rule", "Del", self.rule_table, self._ask_remove),
        ):
            action = QAction(label, self)
            action.setShortcut(key)
            action.setShortcutContext(Qt.WidgetWithChildrenShortcut if owner is self else Qt.WidgetShortcut)
            action.triggered.connect(lambda _=False, act=act: act())
            owner.addAction(action)

    def _lay_out(self) -> None:
        halves = QSplitter(Qt.Vertical)
        halves.setChildrenCollapsible(False)
        title = QLabel("Rules")
        title.setProperty("kind", "title")
        above: list[QWidget | None] = [self.present, self.past, self.played, self._silenced, None, self.plot, self.seen]
        below: list[QWidget | None] = [title, None, self.confirm, self.new, self.change, self.switch, self.remove]
        for parts, table in ((above, self.alarm_table), (below, self.rule_table)):
            half = QWidget()
            row = QHBoxLayout()
            row.setSpacing(SPACE)
            for part in parts:
                row.addStretch(1) if part is None else row.addWidget(part)
            column = QVBoxLayout(half)
            column.setContentsMargins(0, SPACE, 0, 0)
            column.setSpacing(SPACE)
            column.addLayout(row)
            column.addWidget(table, 1)
            halves.addWidget(half)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 2 * SPACE)
        page.addWidget(halves)
