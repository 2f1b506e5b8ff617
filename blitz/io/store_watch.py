"""The server's place in the store: whether the store answers, and whether this server is the one that acquires into it.

Called by the acquisition's housekeeping, which may wait; what it finds is told once, when it changes.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from blitz.data.database_server import DatabaseServer
from blitz.errors import StoreInUse, StoreUnavailable

log = logging.getLogger(__name__)


class StoreWatch:
    """Holds the lease and knows whether the store is up.

    :param is_private: nobody else can acquire into this store: the data folder's lock is held.
    :param revive: starts a private Redis again if it has died, and says whether it did.
    :param changed: told why the store is away, or None when it is back; may be called from any thread.
    """

    def __init__(
        self,
        store: DatabaseServer,
        *,
        is_private: bool,
        revive: Callable[[], bool] | None,
        changed: Callable[[str | None], None],
    ) -> None:
        self.is_standing_by = False
        """Another server holds the lease: this one must not record."""
        self._store = store
        self._is_private = is_private
        self._revive = revive
        self._changed = changed
        self._lease: str | None = None
        self._errors: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def error(self) -> str | None:
        """Why the store is away, as it is seen now; None while it is up."""
        return self._errors.get("housekeeping") or next(iter(list(self._errors.values())), None)

    def report(self, observer: str, error: str | None) -> None:
        """Take what one observer sees: the appender may be refused where a question is still answered."""
        with self._lock:
            before = self.error
            if error is None:
                self._errors.pop(observer, None)
            else:
                self._errors[observer] = error
            after = self.error
        if (before is None) != (after is None):
            self._changed(after)

    def look(self) -> None:
        """Ask the store for a sign of life; start a private Redis again that has died.

        :raises StoreUnavailable: if it does not answer.
        """
        try:
            self._store.ping()
        except StoreUnavailable as error:
            self.report("housekeeping", str(error))
            try:
                was_revived = self._revive is not None and self._revive()
            except StoreUnavailable as why:
                self.report("housekeeping", str(why))
                raise
            if not was_revived:
                raise
            log.warning("The private Redis had died and was started again")
            self._store.ping()
        self.report("housekeeping", None)

    # ---- the lease ------------------------------------------------------------------------------------------------

    def take_lease(self) -> None:
        """Become the one server of this store. The lease of a server that crashed is waited out.

        :raises StoreInUse: if another server lives.
        """
        last_ms = self._store.lease_expires_ms()
        while True:
            try:
                self._lease = self._store.take_lease(_owner(), is_exclusive=self._is_private)
                return
            except StoreInUse:
                remaining_ms = self._store.lease_expires_ms()
                if remaining_ms > last_ms:
                    raise  # it was renewed: that server lives
                if remaining_ms > 0 and remaining_ms // 1000 != last_ms // 1000:
                    log.info("Waiting up to %.0f s for another server's lease to run out", remaining_ms / 1000)
                last_ms = remaining_ms
                time.sleep(0.2)

    def renew_lease(self) -> StoreInUse | None:
        """Keep the lease, or take it again once nobody holds it; return who took it when it has just been lost."""
        assert self._lease is not None
        if not self._store.renew_lease(self._lease):
            try:
                self._lease = self._store.take_lease(_owner())
            except StoreInUse as error:
                was_standing_by, self.is_standing_by = self.is_standing_by, True
                return None if was_standing_by else error
        if self.is_standing_by:
            log.info("The other server is gone: this one may record again")
        self.is_standing_by = False
        return None

    def release_lease(self) -> None:
        """Give the lease up."""
        if self._lease is not None:
            self._store.release_lease(self._lease)


def _owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
