"""Keeps this computer awake while the server on it records.

A server elsewhere records whether this computer sleeps or not. What keeps a computer awake is asked in a thread of its
own, since a system's services may take long to answer, or not be there: then it is noted in the log, and that is all.
"""

import ipaddress
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from PyQt5.QtCore import QObject

from blitz.data.records import StatusRecord
from blitz.ui.feed import Connection, ConnectionState, Feed

log = logging.getLogger(__name__)

StayAwake = Callable[[], AbstractContextManager[object]]
"""Makes what keeps the computer awake while its block runs."""

_LONGEST_END_S = 2.0
_MAY_SLEEP = "Nothing here keeps this computer awake: it may go to sleep while a session is recorded."


class SleepInhibitor(QObject):
    """Follows the feed; a connection that is lost changes nothing, since the server records on.

    :param stay_awake: tests give another one.
    """

    def __init__(self, feed: Feed, stay_awake: StayAwake | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stay_awake = stay_awake or _keep_running
        self._is_here = False
        self._is_allowed = True
        self._is_recording = False
        self._is_wanted = False
        self._wishes: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        feed.connection_changed.connect(self._take_connection)
        feed.status_received.connect(self._take_status)

    @property
    def is_wanted(self) -> bool:
        """Whether the computer is to stay awake."""
        return self._is_wanted

    def allow(self, is_allowed: bool) -> None:
        """Keep the computer awake while a server on it records, or never."""
        self._is_allowed = is_allowed
        self._want(self._is_recording)

    def close(self) -> None:
        """Let the computer sleep, and end the thread."""
        if self._thread is not None:
            self._wishes.put(None)
            self._thread.join(_LONGEST_END_S)

    def _take_connection(self, state: ConnectionState) -> None:
        if state.address:
            self._is_here = is_here(state.address)
        if state.connection is Connection.OFFLINE:
            self._want(False)

    def _take_status(self, status: StatusRecord) -> None:
        self._is_recording = self._is_here and status.session is not None
        self._want(self._is_recording)

    def _want(self, is_wanted: bool) -> None:
        is_wanted = is_wanted and self._is_allowed
        if is_wanted == self._is_wanted:
            return
        self._is_wanted = is_wanted
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="blitz sleep", daemon=True)
            self._thread.start()
        self._wishes.put(is_wanted)

    def _run(self) -> None:
        wish = self._wishes.get()
        while wish is not None:
            wish = self._stay_awake_until_told() if wish else self._wishes.get()

    def _stay_awake_until_told(self) -> bool | None:
        """Return the next wish."""
        wish: bool | None = True
        is_told = False
        try:
            with self._stay_awake():
                wish, is_told = self._wishes.get(), True
        except Exception:  # whatever a system's service raises: recording goes on without it
            log.warning(_MAY_SLEEP, exc_info=True)
        return wish if is_told else self._wishes.get()


def is_here(address: str) -> bool:
    """Tell whether a server's address is one of this computer's own.

    >>> is_here("http://127.0.0.1:8999"), is_here("http://localhost:1"), is_here("https://lab-pi:8999")
    (True, True, False)
    """
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keep_running() -> AbstractContextManager[object]:
    from wakepy import keep  # not before it is needed: a window that never records does without

    def tell(result: object) -> None:
        log.warning(_MAY_SLEEP)
        log.debug("%s", result)

    logging.getLogger("wakepy").setLevel(logging.WARNING)  # it tells of each way that it tries
    return keep.running(on_fail=tell)
