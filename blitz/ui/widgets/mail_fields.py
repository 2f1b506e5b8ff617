"""Fields for an e-mail address that the server is to write to."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.states import set_state

_SECURITY = (("starttls", "encrypted (STARTTLS)"), ("ssl", "encrypted (SSL/TLS)"), ("none", "not encrypted"))


@dataclass(frozen=True)
class Mail:
    """Whom the server is to write to, and how: a hook's name and fields."""

    name: str
    fields: dict[str, Any] = field(hash=False, repr=False)


class MailFields(QWidget):
    """To whom, through which mail server, and whether that works.

    :param known: names of hooks that there are.
    :param label_width: of the words on the left, in pixels at least.
    """

    trial_requested = pyqtSignal(object)
    """A mail; :meth:`take_trial` is told how it went."""
    trial_ended = pyqtSignal(str)
    """Why the test was not sent; nothing: it was."""
    changed = pyqtSignal()
    """Something else is typed or chosen: what was said of it does not hold any more."""

    def __init__(self, known: Collection[str], label_width: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known = known
        self.tried: Mail | None = None
        """What was tried last, however it went."""
        self._trying: Mail | None = None
        self.to, self.server, self.from_line = QLineEdit(), QLineEdit(), QLineEdit()
        self.to.setPlaceholderText("ann@lab.example; several with commas")
        self.server.setPlaceholderText("mail.lab.example:587")
        self.from_line.setPlaceholderText("empty: the same address")
        self.security = Choice()
        for value, words in _SECURITY:
            self.security.addItem(words, value)
        self.user, self.password = QLineEdit(), QLineEdit()
        self.user.setPlaceholderText("user; empty: none")
        self.password.setEchoMode(QLineEdit.Password)
        self.password.setPlaceholderText("password")
        self.security.setAccessibleName("Encryption")
        self.password.setAccessibleName("Password")
        self.test = QPushButton("Send a t&est")
        self.test.setProperty("kind", "small")
        self.test.setToolTip("Let the server send an e-mail now, and see whether the mail server takes it")
        self.test.setAutoDefault(False)
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.PlainText)
        self.test.clicked.connect(lambda _: self.try_out())
        for line in (self.to, self.server, self.from_line, self.user, self.password):
            line.textEdited.connect(lambda _: self._change())
        self.security.currentIndexChanged.connect(lambda _: self._change())
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        rows: tuple[tuple[str, tuple[QWidget, ...]], ...] = (
            ("E-mail to", (self.to,)),
            ("Mail server", (self.server, self.security)),
            ("From", (self.from_line,)),
            ("Login", (self.user, self.password)),
            ("", (self.test,)),
        )
        for label, parts in rows:
            row = QHBoxLayout()
            row.setSpacing(SPACE)
            for part in parts:
                row.addWidget(part, 0 if part in (self.security, self.test) else 1)
            beside = QLabel(label)
            beside.setBuddy(parts[0])
            beside.setMinimumWidth(label_width)
            if self.test in parts:
                row.addStretch(1)
            form.addRow(beside, row)
        form.addRow(self.said)
        self.said.hide()

    def mail(self) -> Mail:
        """Return what was typed.

        :raises ValueError: with a sentence for the operator.
        """
        to = [each.strip() for each in self.to.text().split(",") if each.strip()]
        host, _, port = self.server.text().strip().partition(":")
        if not to or any("@" not in each for each in to):
            raise ValueError("Whom is the server to write to? Give an e-mail address.")
        if not host:
            raise ValueError("Through which mail server? Whoever runs the network knows its name.")
        if port and not (port.isdecimal() and 0 < int(port) < 1 << 16):
            raise ValueError(f"“{port}” is no port: leave it out, or give a number such as 587.")
        fields: dict[str, Any] = {"to": to, "host": host, "sender": self.from_line.text().strip() or to[0]}
        fields |= {"security": self.security.currentData(), "on": ["alarm", "alarm_over"]}
        fields |= {"port": int(port)} if port else {}
        if self.user.text().strip():
            fields |= {"user": self.user.text().strip(), "password": self.password.text()}
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", to[0].partition("@")[0]).strip("-._")[:40] or "mail"
        number = 2
        wanted = name
        while wanted in self._known:
            wanted, number = f"{name}-{number}", number + 1
        return Mail(wanted, fields)

    def try_out(self) -> None:
        """Ask for a test e-mail, once; say what is wrong with what is typed."""
        if self._trying is not None:
            return
        try:
            self._trying = self.mail()
        except ValueError as error:
            self._end(str(error))
            return
        self._say("Sending a test e-mail…")
        self.trial_requested.emit(self._trying)

    def take_trial(self, mail: Mail, reason: str) -> None:
        """A test e-mail was sent; with a reason it was not."""
        if mail is self._trying:
            self._trying, self.tried = None, mail
            self._end(reason)

    def _end(self, reason: str) -> None:
        self._say(reason or "A test e-mail was sent.", "bad" if reason else "good")
        self.trial_ended.emit(reason)

    def _change(self) -> None:
        self._trying = None
        self._say("")
        self.changed.emit()

    def _say(self, words: str, state: str = "") -> None:
        self.said.setText(words)
        self.said.setVisible(bool(words))
        set_state(self.said, state)
