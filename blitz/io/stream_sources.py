"""Streams as sources: which of their points are in which session, each once, over lost links and restarted servers.

A session says from which point of a stream its messages come, and from which message on to count them: the next point
is that one plus the number of messages. That is written down before the first message; nothing is written with each.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from blitz.data.blocks import GRID_MESSAGES, PREVIEW_ID, MessageBlock
from blitz.data.records import Account, BoardRecord, SessionRecord
from blitz.data.source_config import STREAM
from blitz.data.store_keys import MILLISECOND_NS
from blitz.data.stream_records import StreamRecord
from blitz.errors import BlitzError, LinkError
from blitz.io.delivery import Identified, Severity, Sink
from blitz.io.stream_link import PointCursor, PointReader, StreamLink

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sessions:
    """What is asked of the sessions that streams are recorded into."""

    record: Callable[[int], SessionRecord]
    """All that is known of one."""
    field: Callable[[int, str], str | None]
    """A field of its meta hash, in the store."""
    keep: Callable[[int, dict[str, str]], object]
    """Makes such fields safe."""
    next_seq: Callable[[int], int | None]
    """Where its safe messages end; None if it is not the running one."""
    messages: Callable[[int, int, int], MessageBlock]
    is_spooling: Callable[[], bool]
    """Whether some of it is not in the store yet."""


class StreamSource:
    """One stream as a source: opens its links, and takes their messages on their way.

    Used in the thread of the link that there is. See :class:`~blitz.io.delivery.Sink`.

    :param sink: where messages go.
    """

    def __init__(self, link: str, reader: PointReader, sessions: Sessions, sink: Sink) -> None:
        self._link = link
        self._reader = reader
        self._sessions = sessions
        self._sink = sink
        self._cursor = PointCursor()
        self._is_leaving: Callable[[], bool] = lambda: False
        self._resumes: int | None = None
        self._session_id = PREVIEW_ID
        self._from_seq = 0
        self._delivered = 0
        self._kept: int | None = None
        """The point before which all of the session's messages would stand; None before it is written down."""

    def resume(self, session_id: int) -> None:
        """Go on with a session that an earlier server recorded; called before a link is opened."""
        self._resumes = session_id

    def forget(self) -> None:
        """The source was deleted: should it be added again, points count from then on."""
        self._cursor.next = None

    def open(
        self,
        active: int | None,
        heard: Callable[[StreamRecord, list[bytes]], None],
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> StreamLink:
        """Open a link.

        :param active: the session that is delivered to, the preview, or None.
        :param heard: see :class:`~blitz.io.stream_link.StreamLink`.
        :param is_leaving: asked again and again where that takes long; ends it.
        :raises LinkError: if there is no such stream, or the store is away.
        """
        self._is_leaving = is_leaving
        return StreamLink(self._link, self._reader, self._cursor, lambda stream: self._begin(stream, active), heard)

    def _begin(self, stream: StreamRecord, active: int | None) -> None:
        """Decide from which point on a stream is read."""
        cursor, active = self._cursor, PREVIEW_ID if active is None else active
        is_same = cursor.stream_id == stream.id
        if self._resumes is not None:
            self._recall(stream, self._resumes)
            self._resumes = None
        elif cursor.next is None or (active == PREVIEW_ID and is_same):
            cursor.next = stream.point_count
        elif not is_same:  # it was made, or made anew, while it was waited for
            cursor.next, self._session_id = 0, PREVIEW_ID
        elif active != self._session_id:  # which began while the stream was out of reach
            started_ns = self._sessions.record(active).started_ms * MILLISECOND_NS
            cursor.next = max(cursor.next, self._reader.first_since(stream.id, started_ns))
        cursor.stream_id = stream.id
        cursor.is_rewound = False

    def _recall(self, stream: StreamRecord, session_id: int) -> None:
        """Find out which points a session has."""
        if self._sessions.is_spooling():
            raise LinkError(f"{self._link} waits until all that was spooled is in the store.")
        record = self._sessions.record(session_id)
        text = self._sessions.field(session_id, self._field(stream.id))
        if text is None:
            self._cursor.next = self._reader.first_since(stream.id, record.started_ms * MILLISECOND_NS)
            return
        kept = json.loads(text)
        self._kept, self._from_seq, self._session_id = int(kept["point"]), int(kept["seq"]), session_id
        rows = [source.index for source in record.sources if source.link == self._link]
        self._delivered = self._count(session_id, rows)
        self._cursor.next = self._kept + self._delivered
        log.info(
            "%s goes on at point %d: session %d has %d", self._link, self._cursor.next, session_id, self._delivered
        )

    def _count(self, session_id: int, rows: Sequence[int]) -> int:
        seq, count = self._from_seq, 0
        while not self._is_leaving() and len(block := self._sessions.messages(session_id, seq, GRID_MESSAGES)):
            count += int(np.isin(block.source, rows).sum())
            seq = block.next_seq
        if self._is_leaving():
            raise LinkError(f"{self._link} was not opened: it is left.")
        return count

    def _field(self, stream_id: int | None) -> str:
        """By the id, since a stream that is made anew begins with a point 0 of its own."""
        return f"{STREAM}{stream_id}"

    # ---- what the link tells (see delivery.Sink) -----------------------------------------------------------------

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Hand points on; those that are not taken are read again."""
        cursor = self._cursor
        assert cursor.next is not None
        is_taken = False
        if session_id == PREVIEW_ID or self._is_written_down(session_id, cursor.next):
            is_taken = self._sink.deliver(session_id, source, arrived_ns, messages)
        if is_taken:
            cursor.next += len(messages)
            self._delivered += len(messages) if session_id == self._session_id else 0
        else:
            cursor.is_rewound = True
        return is_taken

    def _is_written_down(self, session_id: int, at: int) -> bool:
        """See to it that the session says where its points come from."""
        if session_id != self._session_id:
            self._session_id, self._delivered, self._kept = session_id, 0, None
            self._from_seq = self._sessions.next_seq(session_id) or 0
        first = at - self._delivered
        if first == self._kept:
            return True
        try:
            place = json.dumps({"point": first, "seq": self._from_seq})
            self._sessions.keep(session_id, {self._field(self._cursor.stream_id): place})
        except BlitzError as error:
            log.warning("Where the points of %s begin cannot be written down: %s", self._link, error)
            return False
        self._kept = first
        return True

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Report none: what a link missed is in the stream, and is delivered later."""

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Pass it on."""
        return self._sink.identify(name, link, board_id, heard)

    def close_account(self, session_id: int, account: Account) -> None:
        """Pass it on."""
        self._sink.close_account(session_id, account)

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Pass it on."""
        self._sink.notice(severity, text, source)

    def link_changed(self, board: BoardRecord) -> None:
        """Pass it on."""
        self._sink.link_changed(board)

    def now_ns(self) -> int:
        """Pass it on."""
        return self._sink.now_ns()


class StreamSources:
    """All streams that are sources, by their links; what is known of one outlives the source's changes."""

    def __init__(self, reader: PointReader, sessions: Sessions) -> None:
        self._reader = reader
        self._sessions = sessions
        self._sources: dict[str, StreamSource] = {}

    def source(self, link: str, sink: Sink) -> StreamSource:
        """Return the one for a link ``stream:NAME``; it is made where there is none yet."""
        if link not in self._sources:
            self._sources[link] = StreamSource(link, self._reader, self._sessions, sink)
        return self._sources[link]
