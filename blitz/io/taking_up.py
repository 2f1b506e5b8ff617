"""Which session a server goes on with that takes up what an earlier one left, and the end of what that had begun."""

from collections.abc import Callable
from typing import Protocol

from blitz.data.records import FOLLOWED, SessionRecord
from blitz.data.spool import Spool


class BegunStore(Protocol):
    """What is asked of the store. See :class:`~blitz.data.database_server.DatabaseServer`."""

    def running_session(self) -> int | None:
        """Return the id of the running session."""

    def unbegun_session(self) -> int | None:
        """Return the session that was prepared last, if it has not begun to run."""

    def session_before(self, session_id: int) -> int | None:
        """Return the session that this one was prepared to follow."""

    def count_messages(self, session_id: int) -> int:
        """Return how many messages a session has."""

    def session(self, session_id: int) -> SessionRecord:
        """Return everything known of one session."""

    def follow_session(self, before_id: int, next_id: int, stopped_ms: int, reason: str = "") -> bool:
        """Stop the running session and let the one that was prepared run."""


def begun_session(store: BegunStore, spool: Spool, empty_spool: Callable[[], None]) -> int | None:
    """Return the session that was being recorded; one that has messages of its follower is over.

    :param empty_spool: puts into the store all that the spool holds.
    :raises StoreUnavailable: if the store does not answer.
    """
    if spool.has_turns:
        empty_spool()
    following = store.unbegun_session()
    if following is not None and (store.count_messages(following) or spool.first_seq(following) is not None):
        before = store.session_before(following)
        store.follow_session(before or 0, following, store.session(following).started_ms, FOLLOWED)
    return store.running_session()
