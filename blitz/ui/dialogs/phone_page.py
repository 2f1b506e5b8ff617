"""The link to the page for a phone: as text, as a picture that phones read, and what whoever has it may do."""

from PyQt5.QtCore import Qt, QUrl, pyqtSignal
from PyQt5.QtGui import QDesktopServices, QGuiApplication
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.access_records import NAME_LENGTH, IssuedToken
from blitz.data.records import Role
from blitz.io.address import ServerAddress
from blitz.ui.phone_words import allowed_words, certificate_words, fingerprint_lines, page_link, reach_words
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.qr_code import QrCode
from blitz.ui.widgets.send_line import fixed_font
from blitz.ui.widgets.states import set_state

WIDTH = 760
_ROLES = {
    Role.VIEWER: "viewer: look",
    Role.OPERATOR: "operator: also start, stop, mark",
    Role.ADMIN: "admin: everything",
}
_NO_LINK = "No link yet.\n\nChoose what the phone may do, then press Make a link."
_OWN_KEPT = (
    "This window's own token is an admin's, and is not shown. Make a link with a token of its own for the phone: "
    "where the phone is lost, that one alone is revoked."
)


class PhonePageDialog(QDialog):
    """Stays open beside the window; knows one server.

    :param server: as it is connected to, with its token.
    """

    token_requested = pyqtSignal(object, str)
    """Role and name: make a token with these"""

    def __init__(self, server: ServerAddress, rights: Rights, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Phone page")
        self._server = server
        self._rights = rights
        self._issued: IssuedToken | None = None
        self.role = Choice()
        for role, words in _ROLES.items():
            self.role.addItem(words, role)
        self.name = QLineEdit()
        self.name.setPlaceholderText("Ann's phone")
        self.name.setMaxLength(NAME_LENGTH)
        self.name.returnPressed.connect(self._ask)
        self.make = _button("&Make a link")
        self.make.setToolTip("The server makes a token with this role, which stands in the link")
        self.make.clicked.connect(self._ask)
        self.maker = QWidget()
        self.code = QrCode()
        self.link = QLineEdit()
        self.link.setReadOnly(True)
        self.link.setPlaceholderText("No link yet")
        self.link.setAccessibleName("Link to the page")
        self.copy = _button("&Copy")
        self.copy.setToolTip("Copy the link")
        self.copy.clicked.connect(self._copy)
        self.browse = _button("&Open in browser")
        self.browse.setToolTip("Open the page on this computer")
        self.browse.clicked.connect(self._browse)
        self.allowed, self.reach, self.certificate = _words(), _words(), _words()
        self.fingerprint = _words()
        self.fingerprint.setFont(fixed_font(self.font()))
        self.fingerprint.setAccessibleName("Fingerprint of the certificate")
        self.told = _words()
        self._lay_out()
        self.show_rights(rights)

    @property
    def is_waiting(self) -> bool:
        """Whether a token was asked for that has not come."""
        return not self.make.isEnabled()

    def show_rights(self, rights: Rights) -> None:
        """Take over whom the server takes this window for."""
        self._rights = rights
        may_make = not rights.refusal(Role.ADMIN)
        self.maker.setVisible(may_make)
        if self._issued is None:
            self._show_link(self._own_link(may_make))

    def take_token(self, issued: IssuedToken | None, reason: str) -> None:
        """Show the link with a token that was made, or say why none was."""
        self.make.setEnabled(True)
        if issued is None:
            self._say(f"No token was made: {reason}", "bad")
            return
        self._issued = issued
        self._show_link(page_link(self._server, issued.token))
        self._say(
            f"Token {issued.record.id}, “{issued.record.name}”, was made. The link is shown this once, and is as good "
            f"as a password. On the server's machine “blitz token revoke {issued.record.id}” makes it worthless.",
            "good",
        )

    def _own_link(self, may_make: bool) -> str:
        """Return the link with what this window has; nothing where that would give more away than a phone needs."""
        return "" if may_make and self._server.token else page_link(self._server, self._server.token)

    def _show_link(self, link: str) -> None:
        self.link.setText(link)
        self.link.setCursorPosition(0)
        for button in (self.copy, self.browse):
            button.setEnabled(bool(link))
        if link:
            self.code.show_text(link, f"QR code of the page at {self._server}")
        else:
            self.code.show_hint(_NO_LINK)
        self.allowed.setText(self._allowed(link))
        has_token = bool(self._server.token or self._issued)
        _say_in(self.reach, reach_words(self._server, has_token=has_token))
        _say_in(self.certificate, certificate_words(self._server))
        _say_in(self.fingerprint, fingerprint_lines(self._server.fingerprint) if self.certificate.text() else "")
        self._fit()

    def _allowed(self, link: str) -> str:
        if not link:
            return _OWN_KEPT
        if self._issued is not None:
            return allowed_words(self._issued.record.role)
        if not self._server.token:
            return f"The link has no token, since the server asks for none here. {allowed_words(self._rights.role)}"
        name = f" “{self._rights.name}”" if self._rights.name else ""
        return (
            f"The link has this window's own token{name}; an admin can make others. {allowed_words(self._rights.role)} "
            "It is as good as a password."
        )

    def _ask(self) -> None:
        if self.make.isEnabled():
            self.make.setEnabled(False)
            self._say("The server is asked for a token…")
            self.token_requested.emit(self.role.currentData(), self.name.text().strip())

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.link.text())
        self._say("The link is in the clipboard.")

    def _browse(self) -> None:
        if not QDesktopServices.openUrl(QUrl(self.link.text())):
            self._say("No browser could be opened: copy the link instead.", "bad")

    def _say(self, words: str, state: str = "") -> None:
        set_state(self.told, state)
        _say_in(self.told, words)
        self._fit()

    def _fit(self) -> None:
        """Be as high as all words need, however they are broken into lines."""
        self.setMinimumHeight(self.layout().totalHeightForWidth(WIDTH))
        self.resize(self.width(), self.layout().totalHeightForWidth(max(self.width(), WIDTH)))

    def _lay_out(self) -> None:
        made_of = QHBoxLayout(self.maker)
        made_of.setContentsMargins(0, 0, 0, 0)
        made_of.setSpacing(SPACE)
        for label, field in (("&Role", self.role), ("&Name", self.name)):
            words = QLabel(label)
            words.setBuddy(field)
            words.setMinimumWidth(words.sizeHint().width() + 4)  # its underlined letter
            made_of.addWidget(words)
            made_of.addWidget(field, int(field is self.name))
        made_of.addWidget(self.make)
        about = QLabel(
            "The page shows on a phone what is recorded and measured, and is served by the server itself: point the "
            "phone's camera at the picture."
        )
        about.setWordWrap(True)
        about.setProperty("kind", "muted")
        beside = QVBoxLayout()
        beside.setSpacing(SPACE)
        for words in (self.allowed, self.reach, self.certificate, self.fingerprint):
            beside.addWidget(words)
        beside.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(2 * SPACE)
        middle.addWidget(self.code, 0, Qt.AlignTop)
        middle.addLayout(beside, 1)
        line = QHBoxLayout()
        line.setSpacing(SPACE)
        line.addWidget(self.link, 1)
        line.addWidget(self.copy)
        line.addWidget(self.browse)
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.Close).setAutoDefault(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addWidget(about)
        column.addWidget(self.maker)
        column.addLayout(middle, 1)
        column.addLayout(line)
        column.addWidget(self.told)
        column.addWidget(buttons)
        self.setMinimumWidth(WIDTH)
        self.told.hide()


def _words() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.PlainText)
    label.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
    return label


def _say_in(label: QLabel, words: str) -> None:
    label.setText(words)
    label.setVisible(bool(words))


def _button(label: str) -> QPushButton:
    button = QPushButton(label)
    button.setAutoDefault(False)
    return button
