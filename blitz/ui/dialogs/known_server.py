"""Asks how a server of the list is called, and where it is."""

from collections.abc import Collection

from PyQt5.QtWidgets import QLineEdit, QWidget

from blitz.errors import ConfigError
from blitz.ui.dialogs.connect import ConnectDialog
from blitz.ui.preferences import KnownServer


class KnownServerDialog(ConnectDialog):
    """The fields of a connection, with a name; nothing is connected to.

    :param taken: addresses of the other servers of the list.
    """

    title = "Change a server"
    accept_words = "&Save"
    sentence = (
        "Where the server is by now, and what it is called here. A link can be pasted as the address. Nothing changes "
        "on the server, and what was brought here from it stays."
    )

    def __init__(self, known: KnownServer, taken: Collection[str], parent: QWidget | None = None) -> None:
        super().__init__((known.address,), None, parent)
        self._taken = frozenset(taken)
        self.name = QLineEdit(known.name)
        self.name.setPlaceholderText("its host, when nothing is given")
        self.add_first("&Name", self.name)
        self._token.setPlaceholderText("as before; a link brings another one")
        self._fingerprint.setText(known.fingerprint)
        self.name.selectAll()
        self.name.setFocus()

    def accept(self) -> None:
        """Close, unless another server of the list is there."""
        try:
            address = str(self.server)
        except ConfigError as error:
            self.say_wrong(str(error))
            return
        if address in self._taken:
            self.say_wrong(f"{address} is in the list already. Remove one of the two, or give another address.")
            return
        super().accept()
