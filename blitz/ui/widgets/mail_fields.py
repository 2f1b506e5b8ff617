"""Fields for an e-mail address that the server is to write to."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from blitz.ui.theme import SPACE

_SECURITY = (("starttls", "STARTTLS"), ("ssl", "SSL/TLS"), ("none", "not encrypted"))


@dataclass(frozen=True)
class Mail:
    """Whom the server is to write to, and how: a hook's name and fields."""

    name: str
    fields: dict[str, Any] = field(hash=False, repr=False)


class MailFields(QWidget):
    """To whom, through which mail server.

    :param label_width: of the words on the left, in pixels at least.
    """

    def __init__(self, label_width: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.to, self.server, self.from_line = QLineEdit(), QLineEdit(), QLineEdit()
        self.to.setPlaceholderText("ann@lab.example; several with commas")
        self.server.setPlaceholderText("mail.lab.example, or with a port :2525")
        self.from_line.setPlaceholderText("empty: the same address")
        self.security = QComboBox()
        for value, words in _SECURITY:
            self.security.addItem(words, value)
        self.user, self.password = QLineEdit(), QLineEdit()
        self.user.setPlaceholderText("user; empty: none")
        self.password.setEchoMode(QLineEdit.Password)
        self.password.setPlaceholderText("password")
        self.security.setAccessibleName("Encryption")
        self.password.setAccessibleName("Password")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        rows: tuple[tuple[str, tuple[QWidget, ...]], ...] = (
            ("E-mail to", (self.to,)),
            ("Mail server", (self.server, self.security)),
            ("From", (self.from_line,)),
            ("Login", (self.user, self.password)),
        )
        for label, parts in rows:
            row = QHBoxLayout()
            row.setSpacing(SPACE)
            for part in parts:
                row.addWidget(part, 0 if part is self.security else 1)
            beside = QLabel(label)
            beside.setBuddy(parts[0])
            beside.setMinimumWidth(label_width)
            form.addRow(beside, row)

    def mail(self, known: Collection[str]) -> Mail:
        """Return what was typed.

        :param known: names of hooks that there are.
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
        while wanted in known:
            wanted, number = f"{name}-{number}", number + 1
        return Mail(wanted, fields)
