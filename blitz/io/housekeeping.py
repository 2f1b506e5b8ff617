"""What is looked after once a second, in a thread of its own: each chore protected from the faults of the others."""

import logging
import threading
import time
from collections.abc import Callable

from blitz.errors import BlitzError

log = logging.getLogger(__name__)

ROUND_S = 1.0

Chore = Callable[[], None]


class Housekeeping:
    """Calls chores in the order in which they were added.

    :param name: of the thread.
    """

    def __init__(self, name: str = "housekeeping") -> None:
        self.beat_s = time.monotonic()
        """When the last chore ended, by the monotonic clock: a thread that hangs shows in it."""
        self._chores: list[tuple[Chore, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def add(self, chore: Chore, each_s: int = 1) -> None:
        """Call this, too; what it raises is logged, and nothing else suffers.

        :param each_s: every how many seconds.
        """
        self._chores.append((chore, each_s))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stopping.is_set()

    def stop(self, wait_s: float) -> None:
        """End; a chore that is under way is waited for that long, and left to itself then."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(ROUND_S):
            number += 1
            for chore, each_s in list(self._chores):
                if number % each_s == 0 and not self._stopping.is_set():
                    self._do(chore)
                self.beat_s = time.monotonic()

    @staticmethod
    def _do(chore: Chore) -> None:
        try:
            chore()
        except BlitzError as error:
            log.debug("Housekeeping: %s", error)
        except Exception:
            log.exception("Housekeeping failed once")
