"""Fields for an e-mail address that the server is to write to."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtWidgets import QComboBox, QFormLayout, QLineEdit, QWidget

from blitz.ui.theme import SPACE

_SECURITY = (("starttls", "STARTTLS (port 587)"), ("ssl", "SSL/TLS (port 465)"), ("none", "none (port 25)"))


@dataclass(frozen=True)
class Mail:
    """Whom the server is to write to, and how: a hook's name and fields."""

    name: str
    fields: dict[str, Any] = field(hash=False, repr=False)


class MailFields(QWidget):
    """To whom, through which mail server."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.to, self.server, self.sender = QLineEdit(), QLineEdit(), QLineEdit()
        self.to.setPlaceholderText("ann@lab.example; several with commas")
        self.server.setPlaceholderText("mail.lab.example, or with a port mail.lab.example:2525")
        self.sender.setPlaceholderText("empty: the same address")
        self.security = QComboBox()
        for value, words in _SECURITY:
            self.security.addItem(words, value)
        self.user, self.password = QLineEdit(), QLineEdit()
        self.user.setPlaceholderText("empty: no login")
        self.password.setEchoMode(QLineEdit.Password)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        for label, part in (
            ("E-mail to", self.to),
            ("Mail server", self.server),
            ("From", self.sender),
            ("Encryption", self.security),
            ("User", self.user),
            ("Password", self.password),
        ):
            form.addRow(label, part)

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
        fields: dict[str, Any] = {"to": to, "host": host, "sender": self.sender.text().strip() or to[0]}
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
