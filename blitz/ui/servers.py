"""The servers that the window knows: connects to them, remembers them, and keeps their tokens in the key ring.

A token never goes into the settings file: it is kept in the key ring if the operator wants that, else until the window
is closed.
"""

from collections.abc import Callable
from dataclasses import replace

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from blitz.config import LOOPBACK_HOSTS
from blitz.io.address import ServerAddress
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.key_store import KeyStore
from blitz.ui.preferences import Preferences

KEY_RING_MS = 60_000
"""A key ring may ask for its password; who does not answer for so long goes on without the token."""


class Servers(QObject):
    """Asks the feed; everything about tokens goes through here."""

    key_awaited = pyqtSignal(str)
    """The name of a server whose token the key ring is asked for, before it is connected to."""
    key_settled = pyqtSignal()
    """The key ring has answered, or is waited for no longer."""
    keeping_offered = pyqtSignal(str)
    """The address of a server that took its token: shall it be kept?"""
    connecting = pyqtSignal(str)
    """The address of a server that is connected to from now on."""
    changed = pyqtSignal(str)
    """The address of a server whose token is another one by now, or is there under this address only now."""
    remembered = pyqtSignal()
    """The list of known servers is another one."""

    def __init__(self, feed: Feed, preferences: Preferences, keys: KeyStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = feed
        self._preferences = preferences
        self._keys = keys
        self._known: dict[str, ServerAddress] = {}
        self._current: ServerAddress | None = None
        self._fleeting: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._offered: set[str] = set()
        self._waiting: ServerAddress | None = None
        self._has_key_ring: bool | None = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(KEY_RING_MS)
        self._patience.timeout.connect(self.go_on_without_key)
        feed.connection_changed.connect(self._take_connection)

    @property
    def has_key_ring(self) -> bool | None:
        """Whether there is a key ring; None until it was asked."""
        return self._has_key_ring

    def name(self, address: str) -> str:
        """Return how a server is called: its host, or the name that it was found by."""
        if address in self._names:
            return self._names[address]
        known = self._preferences.known_server(address)
        return known.name if known is not None and known.name else address.partition("://")[2] or address

    def title(self, address: str) -> str:
        """Return what the window's title says: the name of a server of this computer's own, else host and port."""
        return self._names.get(address) or address.partition("://")[2] or address

    @property
    def connected(self) -> tuple[ServerAddress, ...]:
        """Those that were connected to, or changed, since the window was opened, with their tokens."""
        return tuple(self._known.values())

    def connected_to(self, address: str) -> ServerAddress | None:
        """Return how the server that was connected to last is reached, with its token; None if it is another one."""
        return self._current if str(self._current) == address else None

    def recall(self, server: ServerAddress, then: Callable[[ServerAddress], object]) -> None:
        """Tell a server's address with its token: from its link, from before, or from the key ring; else without one.

        At once, where the key ring need not be asked.
        """
        address = str(server)
        known, before = self._preferences.known_server(address), self._known.get(address)
        if known is not None and not server.fingerprint:
            server = replace(server, fingerprint=known.fingerprint)
        if not server.token and before is not None and before.fingerprint == server.fingerprint:
            server = before
        if server.token or known is None or not known.is_token_kept:
            then(server)
            return
        self._keys.recall(address, lambda token: then(replace(server, token=token)))

    def connect_to(self, server: ServerAddress, name: str = "") -> None:
        """Connect to a server and remember it; its token comes from its link, from before, or from the key ring."""
        address = str(server)
        known = self._preferences.known_server(address)
        if known is not None and not server.fingerprint:
            server = replace(server, fingerprint=known.fingerprint)
        before = self._known.get(address)
        if not server.token and before is not None and before.fingerprint == server.fingerprint:
            server = before
        self.stop_waiting()
        if name:
            self._names[address] = name
        self._preferences.remember_server(server, name)
        self._preferences.last_place = "computer" if server.host in LOOPBACK_HOSTS else "server"
        self.remembered.emit()
        if server.token or known is None or not known.is_token_kept:
            self._connect(server)
            return
        self._waiting = server
        self._patience.start()
        self.key_awaited.emit(self.name(address))
        self._keys.recall(address, lambda token: self._take_key(server, token))

    def connect_to_own(self, server: ServerAddress, place: str, name: str) -> None:
        """Connect to a server that runs on this computer, which is not among the known ones."""
        self._names[str(server)] = name
        self.stop_waiting()
        self._preferences.last_place = place
        self._connect(server)

    def go_on_without_key(self) -> None:
        """Wait no longer for the key ring."""
        if self._waiting is not None:
            self._take_key(self._waiting, "")

    def stop_waiting(self) -> None:
        """Give up connecting, as far as the key ring is waited for."""
        if self._waiting is not None:
            self._waiting = None
            self._settle()

    def forget(self, address: str) -> None:
        """Remember a server no longer, nor its token."""
        known = self._preferences.known_server(address)
        self._preferences.forget_server(address)
        self._known.pop(address, None)
        if known is not None and known.is_token_kept:
            self._keys.forget(address)
        self.remembered.emit()

    def change(self, address: str, server: ServerAddress, name: str) -> None:
        """Remember a server under another address or name; a connection to it goes on as it is.

        :param server: with a token where there is a new one; else the one from before goes along.
        """
        known = self._preferences.known_server(address)
        if known is None:
            return
        self._preferences.change_server(address, server, name)
        before = self._known.get(address)
        if self.connected_to(address) is None or str(server) == address:
            self._known.pop(address, None)
        self._names.pop(address, None)
        new = replace(server, token=server.token or (before.token if before is not None else ""))
        if before is not None or new.token:
            self._known[str(new)] = new
        if known.is_token_kept:
            self._move_key(address, new)
        self.changed.emit(str(new))
        self.remembered.emit()

    def _move_key(self, address: str, server: ServerAddress) -> None:
        """Let the key ring have a token under another address, or another one."""
        new = str(server)

        def take(token: str) -> None:
            if token:
                keep(token)
                self._known.setdefault(new, replace(server, token=token))
                self.changed.emit(new)
                self.remembered.emit()

        def keep(token: str) -> None:
            is_moved = new != address
            self._keys.keep(new, token, lambda is_kept: self._keys.forget(address) if is_kept and is_moved else None)

        if server.token:
            keep(server.token)
        elif new != address:
            self._keys.recall(address, take)

    def keep_token(self, address: str, is_wanted: bool) -> None:
        """Take over what the operator chose: into the key ring, or nowhere."""
        token = self._known[address].token if address in self._known else ""
        if not is_wanted or not token:
            self._preferences.remember_token_choice(address, is_kept=False)
            return
        self._keys.keep(
            address, token, lambda is_kept: self._preferences.remember_token_choice(address, is_kept=is_kept)
        )

    def _take_key(self, server: ServerAddress, token: str) -> None:
        if self._waiting is not server:
            return
        self._waiting = None
        self._settle()
        self._connect(replace(server, token=token))

    def _settle(self) -> None:
        self._patience.stop()
        self.key_settled.emit()

    def _connect(self, server: ServerAddress) -> None:
        self._known[str(server)] = self._current = server
        self.connecting.emit(str(server))
        self._feed.connect_to(server)

    def _take_connection(self, state: ConnectionState) -> None:
        """A token that was taken is worth keeping."""
        server, known = self.connected_to(state.address), self._preferences.known_server(state.address)
        if state.connection is not Connection.ONLINE or server is None or not server.token or known is None:
            return
        if known.is_token_kept is None and state.address not in self._offered:
            self._offered.add(state.address)
            self._keys.look(lambda is_there: self._offer(state.address, is_there))
        elif known.is_token_kept and self._fleeting.get(state.address) != server.token:
            self._fleeting[state.address] = server.token
            self._keys.keep(state.address, server.token, lambda _: None)  # it may be a new one

    def _offer(self, address: str, is_there: bool) -> None:
        self._has_key_ring = is_there
        self.keeping_offered.emit(address)
