"""Appending to a session that does not run yet: it is prepared, and follows the running one in a moment.

Nobody else appends to such a session, so that its messages are put at places that are known here, each once, just as
those of the spool are.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from blitz.data.blocks import Read
from blitz.data.spool_records import Batch
from blitz.errors import NoSession, SessionNotFound


class Placer(Protocol):
    """What is asked of the store."""

    def place(self, batches: Sequence[Batch]) -> int:
        """Put batches into the session's list, at their places, each once; return how many messages were lost."""


class PlacingWriter:
    """A writer as :class:`~blitz.data.store_writer.SessionWriter` is one.

    :param name: tells the writers of one session apart, and those that follow on this one.
    :param place_of_next: gives the sequence number of what comes next.
    """

    def __init__(self, store: Placer, session_id: int, name: str, place_of_next: Callable[[], int]) -> None:
        self.session_id = session_id
        self.name = name
        self._store = store
        self._place_of_next = place_of_next

    @property
    def next_seq(self) -> int:
        """Where the next message belongs."""
        return self._place_of_next()

    def append(self, reads: Sequence[Read], number: int) -> int:
        """Append, once for each number, and return the first message's sequence number.

        :raises NoSession: if the session is not there.
        :raises StoreUnavailable: if Redis does not take them; the same may be given again.
        """
        batch = Batch(self.session_id, self.next_seq, self.name, number, reads)
        try:
            return batch.first_seq - self._store.place([batch])
        except SessionNotFound as error:
            raise NoSession(f"Session {self.session_id} was prepared, and is not there any more.") from error

    def close(self) -> None:
        """Nothing to give back: the store's own connections are used."""
