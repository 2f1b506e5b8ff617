"""Tokens in the system's key ring: where there is one, and never in the way.

A key ring may ask for a password, wait for another program, or hang: everything happens in threads of its own, and
answers come in the GUI thread.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from PyQt5.QtCore import QObject

from blitz.ui.courier import Courier

log = logging.getLogger(__name__)

SERVICE = "Blitz"
_RECOMMENDED = 1
"""keyring gives less to backends that keep secrets as plain text, and to those that keep none."""


class KeyRing(Protocol):
    """What `keyring` backends offer."""

    def get_password(self, service: str, username: str) -> str | None: ...  # noqa: D102
    def set_password(self, service: str, username: str, password: str) -> None: ...  # noqa: D102
    def delete_password(self, service: str, username: str) -> None: ...  # noqa: D102


def find_key_ring() -> KeyRing | None:
    """Return the system's key ring; None where there is none that keeps secrets."""
    import keyring  # reads packages' metadata, and may ask other programs

    backend = keyring.get_keyring()
    return backend if backend.priority >= _RECOMMENDED else None


class KeyStore(QObject):
    """Keeps a token by the address of its server.

    :param find: returns the key ring; called in a thread, for each request.
    """

    def __init__(self, find: Callable[[], KeyRing | None] = find_key_ring, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._find = find
        self._courier = Courier(self)

    def look(self, then: Callable[[bool], object]) -> None:
        """Tell whether there is a key ring."""
        self._run(lambda ring: ring is not None, then, otherwise=False)

    def recall(self, address: str, then: Callable[[str], object]) -> None:
        """Tell the token of a server; empty if there is none, or no key ring that gives it."""
        self._run(lambda ring: (ring and ring.get_password(SERVICE, address)) or "", then, otherwise="")

    def keep(self, address: str, token: str, then: Callable[[bool], object]) -> None:
        """Keep a token, and tell whether it is kept."""

        def write(ring: KeyRing | None) -> bool:
            if ring is not None:
                ring.set_password(SERVICE, address, token)
            return ring is not None

        self._run(write, then, otherwise=False)

    def forget(self, address: str) -> None:
        """Take a token away."""

        def delete(ring: KeyRing | None) -> None:
            if ring is not None:
                ring.delete_password(SERVICE, address)

        self._run(delete, lambda _: None, otherwise=None)

    def _run(self, ask: Callable[[KeyRing | None], Any], then: Callable[[Any], object], otherwise: object) -> None:
        find, bring = self._find, self._courier.bring

        def work() -> None:
            try:
                answer = ask(find())
            except Exception as error:  # noqa: BLE001 - backends come from anywhere and raise anything
                log.warning("The key ring did not do what was asked: %s", error)
                answer = otherwise
            bring(lambda: then(answer))

        threading.Thread(target=work, name="blitz key ring", daemon=True).start()
