"""What becomes known in the order in which it does, for one reader: how far messages go, sessions, markers.

Filled by the threads that publish and post, which never wait; bounded however late the reader is.
"""

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from blitz.data.blocks import Read
from blitz.data.records import Event, EventKind

MOST_MARKS = 10_000
MOST_ARRIVALS = 2_000
"""Of a source, kept until the reader takes them; of more, those in the middle are left out."""


class Reach(NamedTuple):
    """A session's messages (or the preview's) go up to there."""

    session_id: int
    next_seq: int


class Known(NamedTuple):
    """So many of a session's next messages were looked at already, in the preview."""

    session_id: int
    messages: int


class Arrival(NamedTuple):
    """When a read came, and which message was its last."""

    arrived_ns: int
    seq: int


Mark = Reach | Known | Event


class AlarmMarks:
    """:meth:`publish` and :meth:`tell` may be called from any thread.

    :param wakes: whether messages wake the reader.
    """

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.wakes = False
        self._lock = threading.Lock()
        self._marks: deque[Mark] = deque()
        self._arrivals: dict[tuple[int, int], list[Arrival]] = {}
        """By session and source row."""

    def publish(self, session_id: int, next_seq: int, reads: Sequence[Read] = ()) -> None:
        """Messages were published; the last one is before that number."""
        with self._lock:
            last = self._marks[-1] if self._marks else None
            if isinstance(last, Reach) and last.session_id == session_id:
                self._marks[-1] = Reach(session_id, next_seq)
            elif len(self._marks) < MOST_MARKS:
                self._marks.append(Reach(session_id, next_seq))
            else:  # in an order that is lost
                self._marks = deque(
                    mark for mark in self._marks if not isinstance(mark, Reach) or mark[0] != session_id
                )
                self._marks.append(Reach(session_id, next_seq))
            seq = next_seq - sum(len(read.messages) for read in reads)
            for read in reads:
                seq += len(read.messages)
                arrivals = self._arrivals.setdefault((session_id, read.source), [])
                if len(arrivals) >= MOST_ARRIVALS:
                    arrivals.pop()
                arrivals.append(Arrival(read.arrived_ns, seq - 1))
        if self.wakes:
            self.woken.set()

    def adopt(self, session_id: int, count: int) -> None:
        """So many of a session's next messages were in the preview before."""
        if count:
            with self._lock:
                self._marks.append(Known(session_id, count))

    def tell(self, event: Event) -> None:
        """Take an event as viewers get it."""
        if event.event in (EventKind.SESSION_STARTED, EventKind.SESSION_STOPPED, EventKind.MARKER):
            with self._lock:
                if len(self._marks) < 2 * MOST_MARKS:
                    self._marks.append(event)
            if self.wakes:
                self.woken.set()

    def take_arrivals(self) -> dict[tuple[int, int], list[Arrival]]:
        """Return what came since the last time, by session and source row."""
        with self._lock:
            arrivals, self._arrivals = self._arrivals, {}
        return arrivals

    def take(self) -> list[Mark]:
        """Return what became known since the last time, in its order."""
        with self._lock:
            marks, self._marks = self._marks, deque()
        return list(marks)

    def put_back(self, marks: Sequence[Mark]) -> None:
        """Return what could not be looked at yet."""
        with self._lock:
            self._marks.extendleft(reversed(marks))
