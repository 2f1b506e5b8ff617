"""A link's port that is lent to another program, to flash a sketch with, and when it is to be taken again.

It is taken again when its time is over, when the operator says so, or once a program that was seen to have it open has
closed it. Tools that flash close and open a port again within a moment: so long it is left alone.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from blitz.io.link import is_port
from blitz.io.port_faults import is_in_use_by_others

ROUND_S = 0.25
LOOK_S = 0.5
"""From one look at who has the port open to the next: all programs of the machine are gone through."""
CLOSED_S = 3.0
"""For so long nobody must have the port open before it is taken again."""

TIME_IS_OVER = "its time is over"
WAS_CLOSED = "the other program has closed it"
WAS_ASKED_FOR = "it was asked for"


class Lending:
    """Whether a port is lent. May be used from any thread; one waits for its return.

    :param find_users: lists the programs that have a port open.
    """

    def __init__(self, find_users: Callable[[str], list[str]] = is_in_use_by_others) -> None:
        self._find_users = find_users
        self._until_s: float | None = None
        self._seen_s: float | None = None
        """When another program was last seen to have it open."""
        self._changed = threading.Condition()

    @property
    def is_lent(self) -> bool:
        """Whether the port is lent, or is about to be."""
        return self._until_s is not None

    @property
    def retake_at(self) -> datetime | None:
        """When it is taken again at the latest; None if it is not lent."""
        until_s = self._until_s
        return None if until_s is None else datetime.fromtimestamp(time.time() + until_s - time.monotonic(), UTC)

    def lend(self, for_s: float) -> None:
        """Lend it, or lend it for longer or shorter than before."""
        with self._changed:
            if self._until_s is None:
                self._seen_s = None
            self._until_s = time.monotonic() + for_s
            self._changed.notify_all()

    def retake(self) -> bool:
        """Ask for it back; False if it was not lent."""
        with self._changed:
            was_lent, self._until_s = self._until_s is not None, None
            self._changed.notify_all()
        return was_lent

    def wait_for_return(self, port: str, stopping: threading.Event, each_round: Callable[[], None]) -> str:
        """Wait until the port is to be taken again; return why. When ``stopping`` is set, it stays lent.

        :param each_round: called a few times a second meanwhile.
        """
        next_look_s = 0.0
        why = WAS_ASKED_FOR
        while not stopping.is_set():
            now_s = time.monotonic()
            with self._changed:
                if self._until_s is None:
                    break
                if self._until_s <= now_s:
                    why = TIME_IS_OVER
                    break
                self._changed.wait(min(self._until_s - now_s, ROUND_S))
            each_round()
            if now_s < next_look_s or not is_port(port):
                continue
            next_look_s = now_s + LOOK_S
            if self._find_users(port):
                self._seen_s = now_s
            elif self._seen_s is not None and now_s - self._seen_s >= CLOSED_S:
                why = WAS_CLOSED
                break
        if not stopping.is_set():
            with self._changed:
                self._until_s = None
        return why
