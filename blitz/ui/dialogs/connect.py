"""Asks for the server to connect to."""

from collections.abc import Callable

from PyQt5.QtWidgets import QLineEdit, QSizePolicy, QWidget

from blitz.config import DEFAULT_PORT
from blitz.errors import ConfigError
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice


class ConnectDialog(Form):
    """A link, or an address chosen among those known or typed, with what a link would say in fields of its own.

    A link that is pasted is taken apart, so that its token does not stand on the screen.

    :param fingerprint_of: returns by which fingerprint the server at an address was known last; empty if by none.
        None: what is typed as an address leaves the fingerprint as it is.
    """

    title = "Connect to a server"
    accept_words = "&Connect"
    sentence = (
        "Paste the link that “blitz token create” printed on the server (blitz://…), or type an address such as "
        f"http://lab-pi:{DEFAULT_PORT}. Blitz keeps trying until the server answers."
    )

    def __init__(
        self,
        addresses: tuple[str, ...],
        fingerprint_of: Callable[[str], str] | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(self.title, self.accept_words, self.sentence, parent)
        self._fingerprint_of = fingerprint_of
        self._typed = ""
        self._address = Choice()
        self._address.setEditable(True)
        self._address.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._address.addItems(addresses or (f"http://127.0.0.1:{DEFAULT_PORT}",))
        self._address.lineEdit().selectAll()
        self._address.editTextChanged.connect(self._take_text)
        self._token = QLineEdit()
        self._token.setEchoMode(QLineEdit.Password)
        self._token.setPlaceholderText("only where the server asks for one; a link brings it")
        self._fingerprint = QLineEdit()
        self._fingerprint.setPlaceholderText("fingerprint of a private certificate; a link brings it")
        self.add("&Link or address", self._address)
        self.add("&Token", self._token)
        self.add("Certi&ficate", self._fingerprint)
        self.setMinimumWidth(75 * SPACE)
        self._take_text(self._address.currentText())

    def point_at_token(self) -> None:
        """Put the keyboard where the token is typed: the address is known."""
        self._token.setFocus()

    @property
    def server(self) -> ServerAddress:
        """What was chosen; the scheme and the port may be left out when typing.

        :raises ConfigError: if it is no address.
        """
        token, fingerprint = self._token.text().strip(), self._fingerprint.text().strip()
        return ServerAddress.parse(self._address.currentText(), token=token, fingerprint=fingerprint)

    def accept(self) -> None:
        """Close, unless there is something wrong, which is said."""
        try:
            _ = self.server
        except ConfigError as error:
            self.say_wrong(str(error))
            return
        super().accept()

    def _take_text(self, text: str) -> None:
        before, self._typed = self._typed, text
        self.accept_button.setEnabled(bool(text.strip()))
        self.say_wrong("")
        if "#" in text and len(text) > len(before) + 1:
            self._take_link(text)
        elif text != before and self._fingerprint_of is not None:
            self._fingerprint.setText(self._fingerprint_of(text.strip()))

    def _take_link(self, text: str) -> None:
        """Pasted, not typed: what is typed may still be half a token."""
        try:
            server = ServerAddress.parse(text)
        except ConfigError:
            return  # said when it is accepted
        self._address.setEditText(str(server))
        self._token.setText(server.token)
        self._fingerprint.setText(server.fingerprint)
