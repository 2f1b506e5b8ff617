"""Asks for an alarm rule: what is watched, when it is an alarm, and who is told."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.alarm_records import KeptRule
from blitz.data.alarm_rule import AlarmRule, Severity
from blitz.data.hook_records import HookRecord
from blitz.ui.alarm_draft import EMPTY_WORDS, KINDS, UNITLESS, Kind, Watched, kind_of, make_rule
from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE
from blitz.ui.widgets.alarm_rest import AlarmRest, read_seconds
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.mail_fields import Mail, MailFields

_NARROW_PX, _WIDE_PX = 560, 1060
_NO_KIND = "as it was"
_EVERYBODY, _NOBODY, _MAIL = "everybody who wants alarms", "nobody", "an e-mail address…"


class AlarmRuleDialog(Form):
    """Accepted with a rule that can be; ``rule`` is it then, and ``mail`` whom to set up before.

    :param watched: what a rule can be about.
    :param kept: the rule that is to be changed; None: a new one.
    :param chosen: what a new one is about.
    :param propose: says which upper limit to propose for it, and for others that are chosen; None: none.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        hooks: Sequence[HookRecord],
        *,
        kept: KeptRule | None = None,
        chosen: Watched | None = None,
        propose: Callable[[Watched], float | None] = lambda watched: None,
        parent: QWidget | None = None,
    ) -> None:
        title = "New alarm" if kept is None else f"Alarm: {kept.rule.name}"
        self._accept_words = "&Make the alarm" if kept is None else "&Change it"
        super().__init__(title, self._accept_words, parent=parent)
        self._was = kept.rule if kept is not None else None
        self._hooks = {hook.name: hook for hook in hooks}
        self.rule: AlarmRule | None = None
        self.mail: Mail | None = None
        self._propose = propose
        self._proposed = ""
        self._is_accepting = self._is_refused = False
        self.watched = Choice()
        self.watched.setMaxVisibleItems(24)
        self._watched = list(watched)
        if self._was is not None:
            about = Watched(self._was.source, self._was.channel)
            if not any(_is_same(each, about) for each in self._watched):
                self._watched.insert(0, about)
            chosen = about
        for each in self._watched:
            self.watched.addItem(each.words)
        self.kind = Choice()
        kind = KINDS[0] if self._was is None else kind_of(self._was)
        if kind is None:
            self.kind.addItem(_NO_KIND if self._was is None else self._was.condition.words(), None)
        for each_kind in KINDS:
            self.kind.addItem(each_kind.words, each_kind)
        self.numbers: dict[str, QLineEdit] = {}
        self._number_row = QWidget()
        self._numbers = QHBoxLayout(self._number_row)
        self._numbers.setContentsMargins(0, 0, 0, 0)
        self._numbers.setSpacing(SPACE)
        self.unit = QLabel()
        self.delay = QLineEdit()
        self.delay.setPlaceholderText("0: at once")
        self.name = QLineEdit()
        self.name.setMaxLength(80)
        self.severity = Choice()
        for severity in Severity:
            self.severity.addItem(severity.value, severity)
        self.tells = Choice()
        for words, names in (
            (_EVERYBODY, None),
            (_NOBODY, ()),
            *((f"{n} ({h.target})", (n,)) for n, h in self._hooks.items()),
        ):
            self.tells.addItem(words, names)
        self.tells.addItem(_MAIL, _MAIL)
        self.more = QPushButton("More ▾")
        self.more.setCheckable(True)
        self.more.setProperty("kind", "inline")
        self.more.setAutoDefault(False)
        self.rest = AlarmRest()
        self.rest.hide()
        self.add("&Watch", self.watched)
        self.add("&Alarm when it", self.kind)
        self.add("", self._number_row)
        self.add("For at &least, s", self.delay)
        self.add("Se&verity", self.severity)
        self.add("&Name", self.name)
        self.add("&Tells", self.tells)
        labels = (self._fields.labelForField(field) for field in (self.kind, self.delay))
        self.mail_fields = MailFields(self._hooks, max(label.minimumWidth() for label in labels))
        self._lay_out_sides()
        self.watched.currentIndexChanged.connect(lambda _: self._choose_watched())
        self.watched.activated.connect(lambda _: self._propose_level())
        self.kind.currentIndexChanged.connect(lambda _: self._lay_out_numbers())
        self.tells.currentIndexChanged.connect(lambda _: self._show_mail())
        self.tells.activated.connect(lambda _: QTimer.singleShot(0, self._go_to_mail))  # its list takes the focus back
        self.mail_fields.trial_ended.connect(self._take_trial)
        self.mail_fields.changed.connect(self._begin_anew)
        self.more.toggled.connect(self._show_rest)
        self._fill(kind, chosen)
        self._fit()

    @property
    def chosen_kind(self) -> Kind | None:
        """When it is an alarm; None: as it was."""
        kind: Kind | None = self.kind.currentData()
        return kind

    def accept(self) -> None:
        """Close if the rule can be, and the e-mail was taken; else say what is wrong."""
        try:
            self.mail = self.mail_fields.mail() if self.tells.currentData() == _MAIL else None
            self.rule = self._make()
        except ValueError as error:
            self.say_wrong(str(error))
            return
        self.say_wrong("")
        if self.mail is None or self.mail == self.mail_fields.tried:
            super().accept()
        else:
            self._is_accepting = True
            self.mail_fields.try_out()

    def _take_trial(self, reason: str) -> None:
        if not reason and self._is_accepting:
            self.accept()
            return
        self._is_accepting, self._is_refused = False, bool(reason)
        self._show_accept()

    def _begin_anew(self) -> None:
        """What is typed anew is tried anew."""
        self._is_accepting = self._is_refused = False
        self._show_accept()

    def _show_accept(self) -> None:
        is_mail = self.tells.currentData() == _MAIL
        self.accept_button.setText(
            f"{self._accept_words} anyway" if is_mail and self._is_refused else self._accept_words
        )
        self._fit()

    def _make(self) -> AlarmRule:
        about = self._watched[self.watched.currentIndex()]
        kind = self.chosen_kind
        if not about.channel and (kind is None or kind.kind != "no_data") and self._was is None:
            raise ValueError("Choose a channel: of a whole source it can only be an alarm that nothing comes.")
        numbers = {name: line.text() for name, line in self.numbers.items()}
        fields: dict[str, Any] = {
            "name": self.name.text().strip(),
            "severity": self.severity.currentData(),
            "source": about.source,
            "channel": about.channel,
            "on_delay_s": read_seconds(self.delay, "for at least"),
            **self.rest.fields(self._was),
            "hooks": (self.mail.name,) if self.mail is not None else self.tells.currentData(),
        }
        return make_rule(kind, numbers, self.rest.hysteresis.text(), fields, self._was)

    def _lay_out_sides(self) -> None:
        """What is usual stands on the left, the rest beside it: below it, it would not fit on a small screen."""
        left = QVBoxLayout()
        left.setSpacing(SPACE)
        sides = QHBoxLayout()
        sides.setSpacing(3 * SPACE)
        self._column.removeItem(self._fields)
        left.addLayout(self._fields)
        left.addWidget(self.mail_fields)
        left.addWidget(self.more, 0, Qt.AlignLeft)
        left.addStretch(1)
        sides.addLayout(left, 1)
        sides.addWidget(self.rest, 1, Qt.AlignTop)
        self._column.insertLayout(0, sides)

    def _fill(self, kind: Kind | None, chosen: Watched | None) -> None:
        for row, each in enumerate(self._watched):
            if chosen is not None and _is_same(each, chosen):
                self.watched.setCurrentIndex(row)
        was = self._was
        self.severity.setCurrentIndex(self.severity.findData(was.severity if was else Severity.WARNING))
        self.kind.setCurrentIndex(max(0, self.kind.findData(kind)))
        self._lay_out_numbers()
        if was is not None:
            self._fill_from(was)
        else:
            self._propose_level()
        self._show_mail()
        first = next(iter(self.numbers.values()), self.name)
        first.setFocus()
        first.selectAll()

    def _fill_from(self, was: AlarmRule) -> None:
        condition = was.condition.model_dump()
        for name, line in self.numbers.items():
            line.setText("" if condition[name] is None else f"{condition[name]:.12g}")
        self.delay.setText(f"{was.on_delay_s:.12g}" if was.on_delay_s else "")
        self.rest.fill(was)
        self.name.setText(was.name)
        if was.hooks is not None and self._place_of(was.hooks) < 0:
            self.tells.insertItem(0, ", ".join(was.hooks), was.hooks)
        self.tells.setCurrentIndex(max(0, self._place_of(was.hooks)))

    def _place_of(self, hooks: tuple[str, ...] | None) -> int:
        """Return where those who are told stand; -1 where they do not. Qt cannot compare tuples."""
        return next((row for row in range(self.tells.count()) if self.tells.itemData(row) == hooks), -1)

    def _lay_out_numbers(self) -> None:
        texts = {name: line.text() for name, line in self.numbers.items()}
        self.numbers = {}
        while self._numbers.count():
            part = self._numbers.takeAt(0).widget()
            if part is not None:
                part.hide()
                part.deleteLater()
        kind = self.chosen_kind
        for name, label in kind.fields if kind is not None else ():
            line = self.numbers[name] = QLineEdit(texts.get(name, ""))
            line.setAccessibleName(label)
            line.setPlaceholderText(EMPTY_WORDS.get(name, ""))
            words = QLabel(label)
            words.setBuddy(line)
            self._numbers.addWidget(words)
            self._numbers.addWidget(line, 1)
        self._place_unit()
        for before, behind in pairwise((self.kind, *self.numbers.values(), self.delay)):
            QWidget.setTabOrder(before, behind)  # made anew, they would come last
        self._choose_watched()

    def _place_unit(self) -> None:
        """The channel's unit stands behind the last number that is of it: seconds are none of it."""
        self.unit = QLabel()
        of_it = [line for name, line in self.numbers.items() if name not in UNITLESS]
        self._numbers.insertWidget(self._numbers.indexOf(of_it[-1]) + 1 if of_it else -1, self.unit)

    def _propose_level(self) -> None:
        """Propose a limit for what is chosen, where nobody has typed another."""
        line = self.numbers.get("above")
        if line is None or line.text() not in ("", self._proposed):
            return
        level = self._propose(self._watched[self.watched.currentIndex()])
        self._proposed = "" if level is None else f"{level:.12g}"
        line.setText(self._proposed)

    def _choose_watched(self) -> None:
        about, kind = self._watched[self.watched.currentIndex()], self.chosen_kind
        if not about.channel and (kind is None or kind.kind != "no_data") and self._was is None:
            self.kind.setCurrentIndex(self.kind.findData(KINDS[-1]))
            return
        self.unit.setText("" if kind is None else kind.unit_words(about.unit))
        self.unit.setVisible(bool(self.unit.text()))
        self.name.setPlaceholderText("made of what is watched")

    def _show_mail(self) -> None:
        self.mail_fields.setVisible(self.tells.currentData() == _MAIL)
        self._show_accept()

    def _go_to_mail(self) -> None:
        if self.mail_fields.isVisible():
            self.mail_fields.to.setFocus()

    def _show_rest(self, is_on: bool) -> None:
        self.rest.setVisible(is_on)
        self.more.setText("Less ▴" if is_on else "More ▾")
        self._fit()

    def _fit(self) -> None:
        self.layout().activate()
        width = _WIDE_PX if self.more.isChecked() else _NARROW_PX
        self.resize(width, max(self.layout().heightForWidth(width), self.sizeHint().height()))


def _is_same(one: Watched, other: Watched) -> bool:
    return (one.source, one.channel) == (other.source, other.channel)
