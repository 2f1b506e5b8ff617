"""Asks for the server to connect to."""

from PyQt5.QtWidgets import QLineEdit, QSizePolicy, QWidget

from blitz.config import DEFAULT_PORT
from blitz.ui.dialogs.form import Form
from blitz.ui.widgets.choice import Choice


class ConnectDialog(Form):
    """An address, chosen among those known or typed, and a token where the server asks for one."""

    def __init__(self, addresses: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(
            "Connect to a server",
            "&Connect",
            f"The address as the server's log shows it, such as http://lab-pi:{DEFAULT_PORT}. "
            "Blitz keeps trying until the server answers.",
            parent,
        )
        self._address = Choice()
        self._address.setEditable(True)
        self._address.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._address.addItems(addresses or (f"http://127.0.0.1:{DEFAULT_PORT}",))
        self._address.lineEdit().selectAll()
        self._address.editTextChanged.connect(lambda text: self.accept_button.setEnabled(bool(text.strip())))
        self._token = QLineEdit()
        self._token.setEchoMode(QLineEdit.Password)
        self._token.setPlaceholderText("only where the server asks for one")
        self.add("&Address", self._address)
        self.add("&Token", self._token)

    @property
    def address(self) -> str:
        """A URL; the scheme and the port may be left out when typing."""
        return complete_address(self._address.currentText())

    @property
    def token(self) -> str | None:
        """The token, if one was typed."""
        return self._token.text().strip() or None


def complete_address(text: str) -> str:
    """Add the scheme and the port that were not typed.

    >>> complete_address("lab-pi"), complete_address("http://lab-pi:9000/")
    ('http://lab-pi:8999', 'http://lab-pi:9000')
    """
    text = text.strip().rstrip("/")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    host = rest.rpartition("]")[2] if rest.startswith("[") else rest
    if scheme == "http" and ":" not in host:
        rest = f"{rest}:{DEFAULT_PORT}"
    return f"{scheme}://{rest}"
