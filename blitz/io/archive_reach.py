"""What the archive is told of the server: how far it may go in each session."""

from typing import Protocol

from blitz.data.archive_reach import Reach
from blitz.io.intake import Intake


class ReachStore(Protocol):
    """What is asked of the store. See :class:`~blitz.data.database_server.DatabaseServer`."""

    def newest_session(self) -> int:
        """Return the highest id that was given out."""

    def running_session(self) -> int | None:
        """Return the id of the running session."""

    def count_messages(self, session_id: int) -> int:
        """Return how many messages a session has."""


def archive_reach(intake: Intake, store: ReachStore) -> Reach:
    """Return how far the archive may go from now on, however late it hears of it.

    To be called while no session is being started or taken up.

    :raises StoreUnavailable: if the store does not answer.
    """
    newest, running = store.newest_session(), store.running_session()
    ends = intake.ends(store.count_messages)
    if running is not None:
        ends.setdefault(running, 0)  # another program has started it, and the server has yet to take it up
    return Reach(newest, ends)
