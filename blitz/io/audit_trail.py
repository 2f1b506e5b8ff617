"""Writing the audit trail in a thread of its own: a call never waits for it, whatever the disk does.

What is refused comes in floods: the first of a kind is written at once, those that follow within ten seconds as one
entry with their count, and the log has one line for all of them. Points of streams come without an end: of who puts
them in, the first call is written, and those that follow within an hour as one; else they would push the rest out.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from blitz.data.audit import AuditEntry, AuditStore
from blitz.errors import TablesError

log = logging.getLogger(__name__)

WAITING_LIMIT = 10_000
_TOGETHER_S = 10.0
_DATA_TOGETHER_S = 3600.0
_KINDS_LIMIT = 1_000
_LOOK_S = 1.0


class AuditTrail:
    """:meth:`note` and :meth:`note_refusal` may be called from any thread and never wait; :meth:`stop` writes the rest.

    :param clock: seconds that never fall.
    """

    def __init__(self, store: AuditStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[AuditEntry] = deque()
        self._dropped = 0
        self._alike: dict[tuple[str, str, int], AuditEntry] = {}
        """What is counted together at present: by origin, outcome and status. A count of 0: all are written."""
        self._window_s = clock()
        self._data: dict[tuple[str, str, int], AuditEntry] = {}
        """Likewise, of data that is put in: by who, origin and status."""
        self._data_window_s = clock()
        self._unlogged = 0
        self._logged_s = -_TOGETHER_S
        self._warned_s = -_TOGETHER_S
        self._wakeup = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="blitz-audit", daemon=True)
        self._thread.start()

    def note(self, entry: AuditEntry) -> None:
        """Keep an entry; if the disk has not been taking any for long, it is dropped and counted."""
        with self._lock:
            self._put(entry)
        self._wakeup.set()

    def note_data(self, entry: AuditEntry, what: str) -> None:
        """Keep an entry of data that was put in, once an hour for who puts it in.

        :param what: stands for the calls that are counted together.
        """
        key = (entry.who, entry.origin, entry.status)
        with self._lock:
            if key not in self._data and len(self._data) >= _KINDS_LIMIT:
                key = ("many", "many", entry.status)
                entry = replace(entry, who="many", origin="many")
            self._count(self._data, key, entry, what)
        self._wakeup.set()

    def note_refusal(self, entry: AuditEntry, reason: str) -> None:
        """Keep an entry of what was refused, and say so in the log, both once in ten seconds for what is alike."""
        key = (entry.origin, str(entry.outcome), entry.status)
        now_s = self._clock()
        with self._lock:
            if key not in self._alike and len(self._alike) >= _KINDS_LIMIT:
                key = ("many", str(entry.outcome), entry.status)
                entry = replace(entry, origin="many")
            self._count(self._alike, key, entry, entry.what)
            self._unlogged += 1
            is_due = now_s - self._logged_s >= _TOGETHER_S
            count = self._unlogged
            if is_due:
                self._logged_s, self._unlogged = now_s, 0
        if is_due:
            log.warning("Refused %s from %s: %s%s", entry.what, entry.origin, reason, _more(count - 1))
        self._wakeup.set()

    def stop(self) -> None:
        """Write what waits and end the thread. A second call does nothing."""
        self._is_stopping = True
        self._wakeup.set()
        self._thread.join()

    def _count(
        self,
        alike: dict[tuple[str, str, int], AuditEntry],
        key: tuple[str, str, int],
        entry: AuditEntry,
        what: str,
    ) -> None:
        held = alike.get(key)
        if held is None:
            alike[key] = replace(entry, count=0)
            self._put(entry)
        elif held.count == 0:
            alike[key] = replace(entry, what=what)
        else:
            alike[key] = replace(held, count=held.count + 1)

    def _put(self, entry: AuditEntry) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self._dropped += 1
        else:
            self._waiting.append(entry)

    def _run(self) -> None:
        while not self._is_stopping:
            self._wakeup.wait(_LOOK_S)
            self._wakeup.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            now_s = self._clock()
            if self._is_stopping or now_s - self._window_s >= _TOGETHER_S:
                self._window_s = now_s
                self._end_window(self._alike)
            if self._is_stopping or now_s - self._data_window_s >= _DATA_TOGETHER_S:
                self._data_window_s = now_s
                self._end_window(self._data)
            entries = list(self._waiting)
        if not entries:
            return
        try:
            self._store.add(entries)
        except TablesError as error:
            self._warn(error)
            return
        with self._lock:
            for _ in entries:
                self._waiting.popleft()

    def _end_window(self, alike: dict[tuple[str, str, int], AuditEntry]) -> None:
        for entry in alike.values():
            if entry.count:
                self._put(entry)
        alike.clear()

    def _warn(self, error: TablesError) -> None:
        if self._clock() - self._warned_s >= _TOGETHER_S:
            self._warned_s = self._clock()
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            log.warning("The audit trail cannot be written (%d entries were dropped): %s", dropped, error)


def _more(count: int) -> str:
    return f" ({count} more were refused in the last seconds)" if count else ""
