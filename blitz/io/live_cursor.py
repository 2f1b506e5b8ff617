"""Where a live view stands: (session, next seq), and what to ask for to go on from there. Pure.

The server sends what lies beyond the cursor; the cursor moves with each block that arrives. So a reconnect asks again
from the cursor, and messages come once, in order, however often the connection breaks.
"""

from typing import Literal

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind, SessionRecord
from blitz.errors import BlockError

Wanted = int | Literal["preview"] | None
"""A session's id, the preview, or None: the running session, then the next, and so on."""


class LiveCursor:
    """The cursor of one live view.

    :param session: see :data:`Wanted`.
    :param first: sequence number to begin with; negative counts from the end, None begins at the end. Where
        sessions are followed it holds for the first of them.
    """

    def __init__(self, session: Wanted = None, first: int | None = None) -> None:
        self.is_following = session is None
        self.is_preview = session == "preview"
        self.is_finished = False
        """Whether the one session that was asked for has stopped and its last message is here."""
        self.session_id = session if isinstance(session, int) else None
        self.done_id: int | None = None
        """The followed session that ended last: what the server recorded since then comes next."""
        self._first = first
        self._next_seq: int | None = None
        # The server resolves a wish such as "from the end on": until its first block, any place is right.
        self._is_exact = False
        if self.session_id is not None:
            self._begin(self.session_id)

    def query(self) -> dict[str, str]:
        """Return the parameters of the next connection."""
        session = "preview" if self.is_preview else self.session_id
        query = {} if session is None else {"session": str(session)}
        first = self._first if self._next_seq is None else self._next_seq
        return query if first is None else query | {"first": str(first)}

    def observe(self, event: Event) -> None:
        """Move with an event."""
        if self.is_preview:
            return
        if event.event is EventKind.STATUS and event.status and event.status.session:
            self._find_running(event.status.session)
        elif event.event is EventKind.SESSION_STARTED and self.session_id is None:
            self.follow(_session_id(event) or 0)
        elif event.event is EventKind.SESSION_STOPPED and _session_id(event) == self.session_id:
            self.is_finished = not self.is_following
            if self.is_following:
                self.leave()

    def advance(self, block: MessageBlock) -> MessageBlock | None:
        """Move with a block and return what is new in it, or None.

        :raises BlockError: if messages are missing before it, or if it belongs to another session.
        """
        if self.is_preview:
            # The preview is a ring without promise, and begins anew with its server.
            return block if len(block) else None
        if block.session_id != self.session_id:
            if not self.is_following or block.session_id < (self.session_id or 0):
                raise BlockError(f"A block of session {block.session_id} came instead of session {self.session_id}.")
            if self.session_id is not None:
                self.leave()
            self._begin(block.session_id)
        if self._next_seq is None or not self._is_exact:
            self._next_seq = block.first_seq
        if block.first_seq > self._next_seq:
            raise BlockError(
                f"The messages {self._next_seq} to {block.first_seq - 1} of session {block.session_id} are missing."
            )
        new = block.between(self._next_seq, block.next_seq)
        self._next_seq = max(self._next_seq, block.next_seq)
        self._is_exact = True
        return new if len(new) else None

    def follow(self, session_id: int) -> None:
        """Go on with the beginning of a session that was recorded while there was no connection."""
        self._first = 0
        self._begin(session_id)

    def leave(self) -> None:
        """The followed session is over, or gone: wait for the next."""
        self.done_id = self.session_id if self.session_id is not None else self.done_id
        self.session_id = self._next_seq = None
        self._first = 0
        self._is_exact = False

    def disconnect(self) -> None:
        """Remember that the server was reached: what comes from now on is wanted from its beginning.

        The preview goes on from its end: its sequence numbers are its server's, which may have been started anew.
        """
        if self.is_preview:
            self._first = None
        elif self.session_id is None:
            self._first = 0

    def _begin(self, session_id: int) -> None:
        self.session_id = session_id
        self._is_exact = self._first is not None and self._first >= 0
        self._next_seq = self._first if self._is_exact else None

    def _find_running(self, session: SessionRecord) -> None:
        """Note where "from the end on" is, in case that the connection breaks before the first block."""
        if not session.is_running or (self.done_id is not None and session.id <= self.done_id):
            return
        if self.session_id is None:
            self._begin(session.id)
        if session.id == self.session_id and self._next_seq is None:
            self._next_seq = max(0, session.message_count + (self._first or 0))


def _session_id(event: Event) -> int | None:
    return event.session.id if event.session is not None else event.session_id
