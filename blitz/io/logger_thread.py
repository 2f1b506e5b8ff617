"""The thread of a logger, which synchronises from time to time, sooner where the last time failed."""

import logging
import threading
import time
from collections.abc import Callable

from blitz.errors import BlitzError

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
_TOLD_EVERY_S = 600.0


class LoggerThread:
    """Calls `sync` at once, and then every `period_s`, until it is stopped. It does not keep a program from ending.

    :param sync: is given a function to ask whether to stop; returns why it failed, or None.
    :param period_s: asked before each wait.
    """

    def __init__(
        self, sync: Callable[[Callable[[], bool]], BlitzError | None], period_s: Callable[[], float], what: object
    ) -> None:
        self._sync = sync
        self._period_s = period_s
        self._what = what
        self._is_over = False
        self._wake = threading.Event()
        self._failures = 0
        self._told_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="blitz logger", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at the period again."""
        self._wake.set()

    def end(self) -> None:
        """Tell it to stop; :meth:`join` waits for that."""
        self._is_over = True
        self._wake.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end, unless it is the thread itself that asks."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_over:
            began_s = time.monotonic()
            try:
                error = self._sync(lambda: self._is_over)
            except Exception as fault:  # noqa: BLE001 - told in the log, and tried again
                self._count_failure(fault)
            else:
                if error is not None:
                    self._count_failure(error)
                else:
                    self._count_success()
            while not self._is_over:
                left_s = began_s + self._wait_s() - time.monotonic()
                if left_s <= 0:
                    break
                self._wake.wait(min(left_s, threading.TIMEOUT_MAX))
                self._wake.clear()

    def _wait_s(self) -> float:
        try:
            period_s = self._period_s()
        except BlitzError:  # the file is away: the next synchronisation will say so
            period_s = FIRST_WAIT_S
        return min(period_s, FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 30)) if self._failures else period_s

    def _count_success(self) -> None:
        if self._failures and self._told_s is not None:
            log.info("The logger %s is synchronised again.", self._what)
        self._failures, self._told_s = 0, None

    def _count_failure(self, error: Exception) -> None:
        self._failures += 1
        now_s = time.monotonic()
        if self._told_s is None or now_s - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now_s
            is_ours = not isinstance(error, BlitzError)  # or that of a callback
            log.log(
                logging.ERROR if is_ours else logging.WARNING,
                "The logger %s could not be synchronised (%d times so far): %s",
                self._what,
                self._failures,
                error,
                exc_info=error if is_ours else None,
            )
