"""Alarms in the window: the bar, the page, the sound, and the dialog for rules. Asks the operator and the feed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PyQt5.QtCore import QByteArray, QObject, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QAction, QApplication, QMessageBox, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.alarm_records import AlarmChange, AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import CommandAction, Severity
from blitz.data.records import StatusRecord
from blitz.ui.alarm_draft import Watched, list_watched, propose_level, sent_words
from blitz.ui.alarm_view import (
    Acknowledge,
    AddMail,
    AddRule,
    AlarmView,
    AlarmWish,
    ChangeRule,
    ConfirmRule,
    RemoveRule,
    TryMail,
)
from blitz.ui.dialogs.alarm_rule import AlarmRuleDialog
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.jobs import while_there
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.alarms_page import AlarmsPage
from blitz.ui.preferences import Preferences
from blitz.ui.rights import Rights
from blitz.ui.source_rows import COMPUTED
from blitz.ui.theme import Appearance
from blitz.ui.widgets.alarm_bar import AlarmBar
from blitz.ui.widgets.mail_fields import Mail
from blitz.ui.widgets.notices import NoticesArea

TITLE = "Alarms"
SOUND_MS = 4_000
"""A critical alarm sounds again and again until somebody has seen it."""
_SILENT = "alarms silent"


class AlarmActions(QObject):
    """Owns bar and page, and knows what there is as the server told it last."""

    sounded = pyqtSignal()

    def __init__(
        self,
        feed: Feed,
        store: LiveStore,
        tabs: PageTabs,
        notices: NoticesArea,
        preferences: Preferences,
        appearance: Appearance,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._store = store
        self._tabs = tabs
        self._notices = notices
        self._preferences = preferences
        self._window = window
        self._status: StatusRecord | None = None
        self._waiting: list[tuple[AddMail, AlarmWish]] = []
        """What is asked for once an e-mail address was set up."""
        self._trials: list[tuple[TryMail, Callable[[str], object]]] = []
        """Who waits for what becomes of a test e-mail."""
        self.view: AlarmView | None = AlarmView()
        self.bar, self.page = AlarmBar(), AlarmsPage()
        self._sound = QTimer(self)
        self._sound.setInterval(SOUND_MS)
        self._sound.timeout.connect(self._sound_again)
        self.bar.acknowledge_requested.connect(self.acknowledge_all)
        self.bar.show_requested.connect(lambda: tabs.setCurrentWidget(self.page))
        self.bar.silence_requested.connect(self._keep_silent)
        self.bar.silence.setChecked(bytes(preferences.place(_SILENT) or b"") == b"1")
        self.page.acknowledge_requested.connect(self._acknowledge)
        self.page.rule_requested.connect(self.ask_rule)
        self.page.enable_requested.connect(lambda kept, is_on: feed.wish_alarm(ChangeRule(kept, {"is_enabled": is_on})))
        self.page.remove_requested.connect(self._ask_remove)
        self.page.confirm_requested.connect(self._ask_confirm)
        self.page.set_theme(appearance.theme)
        appearance.changed.connect(self.page.set_theme)
        feed.alarms_told.connect(self._take_view)
        feed.alarm_changed.connect(self._take_change)
        feed.alarm_answered.connect(self._take_answer)
        feed.status_received.connect(self._take_status)
        feed.identity_received.connect(self._take_identity)
        feed.connection_changed.connect(self._take_connection)
        for words, key, act in (
            ("Acknowledge all alarms", "Ctrl+J", self.acknowledge_all),
            ("Silence alarms in this window", "Ctrl+Shift+U", self.bar.silence.click),
        ):
            action = QAction(words, window)
            action.setShortcut(key)
            action.triggered.connect(lambda _=False, act=act: act())
            window.addAction(action)

    def acknowledge_all(self) -> None:
        """Say that all present alarms were seen."""
        if self.view is not None and self.view.counts.unacknowledged and self.bar.seen.isEnabled():
            self._feed.wish_alarm(Acknowledge())

    def ask_channel(self, channel: LiveChannel) -> AlarmRuleDialog | None:
        """Ask for a new rule about a channel, with a level above what was seen of it so far.

        None where it is computed here: the server, which would watch it, does not have it.
        """
        if channel.source.link == COMPUTED:
            name = channel.channel.name
            self._notices.tell(
                "warning", f"{name} is computed in this window: the server can watch the channels that it is made of."
            )
            return None
        return self.ask_rule(
            None, Watched(channel.source.name, channel.channel.name, channel.channel.unit, channel.label)
        )

    def ask_rule(self, kept: KeptRule | None, chosen: Watched | None = None) -> AlarmRuleDialog:
        """Ask for a new rule, or let one be changed."""
        watched = list(list_watched(self._status.boards if self._status is not None else ()))
        if chosen is not None and not any((w.source, w.channel) == (chosen.source, chosen.channel) for w in watched):
            watched.insert(0, chosen)
        view = self.view or AlarmView()
        dialog = AlarmRuleDialog(
            watched or [Watched("")], view.hooks, kept=kept, chosen=chosen, propose=self._propose, parent=self._window
        )
        mail_fields = dialog.mail_fields
        mail_fields.trial_requested.connect(lambda mail: self._try(mail, while_there(dialog, mail_fields.take_trial)))
        dialog.accepted.connect(lambda: self._wish_rule(dialog, kept))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def _propose(self, watched: Watched) -> float | None:
        """Return a level above what was seen so far; None where nothing was."""
        for channel in self._store.channels:
            if (channel.source.name, channel.channel.name) == (watched.source, watched.channel):
                extremes = self._store.extremes(channel.source.index)
                if extremes is not None:
                    low, high = extremes.low[channel.column], extremes.high[channel.column]
                    return propose_level(channel.channel, float(low), float(high))
        return None

    def _try(self, mail: Mail, answer: Callable[[Mail, str], object]) -> None:
        wish = TryMail(mail.name, mail.fields)
        self._trials.append((wish, partial(answer, mail)))
        self._feed.wish_alarm(wish)

    def _wish_rule(self, dialog: AlarmRuleDialog, kept: KeptRule | None) -> None:
        rule, mail = dialog.rule, dialog.mail
        assert rule is not None
        changes = rule.model_dump(mode="json", exclude={"confirmed_twice"})
        wish: AlarmWish = AddRule(rule) if kept is None else ChangeRule(kept, changes)
        if mail is None:
            self._feed.wish_alarm(wish)
            return
        first = AddMail(mail.name, mail.fields)
        self._waiting.append((first, wish))
        self._feed.wish_alarm(first)

    def _acknowledge(self, alarms: list[AlarmOccurrence]) -> None:
        for alarm in alarms:
            self._feed.wish_alarm(Acknowledge(alarm.id))

    def _ask_remove(self, kept: KeptRule) -> None:
        text = "Nothing watches for it then. What it has raised stays in the history."
        self._ask("Delete an alarm", f"Delete “{kept.rule.name}”?", text, "Delete", RemoveRule(kept))

    def _ask_confirm(self, kept: KeptRule) -> None:
        rule, is_first = kept.rule, kept.must_confirm > 1
        sends = " and ".join(sent_words(each) for each in rule.actions if isinstance(each, CommandAction))
        unit = self.page.rules.units.get((rule.source, rule.channel), "")
        text = f"It watches {rule.words(unit)}, and sends {sends} then, also while nobody is there. "
        text += (
            "It does so once it was confirmed twice: look at it again, and confirm it once more."
            if is_first
            else ("This is the second time: from now on it does so. Any change of the rule makes it ask again.")
        )
        title = "Confirm an alarm" if is_first else "Confirm an alarm once more"
        self._ask(title, f"May “{rule.name}” move or heat something?", text, "Confirm", ConfirmRule(kept))

    def _ask(self, title: str, question: str, text: str, label: str, wish: AlarmWish) -> None:
        box = QMessageBox(QMessageBox.Question, title, question, parent=self._window)
        box.setTextFormat(Qt.PlainText)
        box.setInformativeText(text)
        does = box.addButton(label, QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)

        def answer() -> None:
            if box.clickedButton() is does:
                self._feed.wish_alarm(wish)

        box.finished.connect(answer)
        box.finished.connect(box.deleteLater)
        box.open()
        cancel.setFocus()

    def _take_view(self, view: AlarmView | None) -> None:
        pending = frozenset() if self._status is None else frozenset(self._status.alarms.pending)
        self.view = None if view is None else replace(view, pending=pending)
        self._show()

    def _take_change(self, change: AlarmChange) -> None:
        if self.view is None or change.occurrence is None:
            return
        self.view = self.view.changed(change)
        self._show()
        if change.what == "raised" and not change.is_playback:
            self._beep()

    def _take_answer(self, wish: AlarmWish, reason: str) -> None:
        if isinstance(wish, TryMail):
            for trial in [trial for trial in self._trials if trial[0] is wish]:
                self._trials.remove(trial)
                trial[1](reason)
        elif reason:
            self._notices.tell("error", f"{wish.failure}: {reason}")
        elif isinstance(wish, AddRule):
            self._notices.tell("info", f"“{wish.rule.name}” is watched from now on, also while this window is closed.")
        for first, then in [pair for pair in self._waiting if pair[0] is wish]:
            self._waiting.remove((first, then))
            self._feed.wish_alarm(then)  # also where it was refused: the notice says why

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status
        self.page.rules.units = {(each.source, each.channel): each.unit for each in list_watched(status.boards)}
        pending = frozenset(status.alarms.pending)
        if self.view is not None and pending != self.view.pending:
            self.view = replace(self.view, pending=pending)
            self.page.show_alarms(self.view)

    def _take_identity(self, who: WhoRecord) -> None:
        rights = Rights.of(who)
        self.bar.show_rights(rights)
        self.page.show_rights(rights)

    def _take_connection(self, state: ConnectionState) -> None:
        if state.connection is Connection.OFFLINE:
            self._status = None
            self._take_view(AlarmView())

    def _show(self) -> None:
        view = self.view or AlarmView()
        self.bar.show_alarms(view)
        self.page.show_alarms(self.view)
        count, place = view.counts.unacknowledged, self._tabs.indexOf(self.page)
        if place >= 0:
            self._tabs.setTabText(place, f"{TITLE} ({count})" if count else TITLE)
        is_urgent = view.worst is not None and view.worst.severity is Severity.CRITICAL
        if is_urgent != self._sound.isActive():
            self._sound.start() if is_urgent else self._sound.stop()

    def _sound_again(self) -> None:
        self._beep()

    def _beep(self) -> None:
        if not self.bar.silence.isChecked():
            QApplication.beep()
            self.sounded.emit()

    def _keep_silent(self, is_silent: bool) -> None:
        self._preferences.remember_place(_SILENT, QByteArray(b"1" if is_silent else b"0"))
