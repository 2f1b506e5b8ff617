"""A link to a stream of the server's own store: its points are read as a device's lines are.

Knows where in the stream it stands, and nothing of sessions: what is delivered moves the cursor
(:mod:`blitz.io.stream_sources`), so that what could not be delivered is read again.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blitz.data.database_server import DatabaseServer
from blitz.data.source_config import POINTS, stream_of
from blitz.data.store_faults import translated
from blitz.data.store_keys import ARRIVAL
from blitz.data.stream_records import StreamRecord
from blitz.errors import CommandRefused, LinkError, SessionNotFound, StoreError, StreamNotFound

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""A point is read so soon after it was put in, through whichever server of the store."""
POINTS_AT_ONCE = 1024


@dataclass
class PointCursor:
    """Where the source of a stream stands; it outlives links, and is moved in the thread of the link there is."""

    next: int | None = None
    """The first point that was not delivered; None before a link was open."""
    stream_id: int | None = None
    """Of the stream that it was read from; None where there was none."""
    is_rewound: bool = False
    """What was read since could not be delivered: it is to be read again."""


class PointReader:
    """Reads streams of a store. May be used from several threads."""

    def __init__(self, store: DatabaseServer) -> None:
        self._store = store

    def find(self, name: str) -> StreamRecord | None:
        """Return a stream; None if there is none of that name."""
        try:
            return self._store.streams.stream(name)
        except StreamNotFound:
            return None

    def end(self, name: str, stream_id: int) -> int | None:
        """Return where a stream ends; None if it is not the one of that name any more."""
        keys = self._store.keys
        pipeline = self._store.client.pipeline(transaction=True)
        pipeline.hget(keys.streams, name)
        pipeline.get(keys.first(stream_id))
        pipeline.llen(keys.messages(stream_id))
        with translated():
            known, first, length = pipeline.execute()
        return int(first or 0) + int(length) if known is not None and int(known) == stream_id else None

    def read(self, stream_id: int, first: int, count: int) -> list[bytes]:
        """Return points, oldest first.

        :raises SessionNotFound: if the stream was deleted.
        """
        return self._store.messages(stream_id, first, count).messages()

    def first_since(self, stream_id: int, since_ns: int) -> int:
        """Return the first point that came at a time or later, as far as Redis still has the moments; else the end."""
        with translated():
            low, high = 0, self._store.client.llen(self._store.keys.arrivals(stream_id))
        while low < high:
            middle = (low + high) // 2
            arrival = self._arrival(stream_id, middle)
            if arrival is None or arrival[1] >= since_ns:
                high = middle
            else:
                low = middle + 1
        arrival = self._arrival(stream_id, low)
        return self._store.count_messages(stream_id) if arrival is None else arrival[0]

    def _arrival(self, stream_id: int, place: int) -> tuple[int, int] | None:
        """Return the first point that came with an insert, and when."""
        with translated():
            entry: Any = self._store.client.lindex(self._store.keys.arrivals(stream_id), place)
        if entry is None:
            return None
        first, arrived_ns, _, _ = ARRIVAL.unpack(entry)
        return first, arrived_ns


class StreamLink:
    """An open link to a stream, used by one thread (:meth:`wake` may be called from any).

    :param link: ``stream:NAME``.
    :param begin: says from which point on a stream is read; sets the cursor.
    :param heard: told the stream and its points when the link is opened, and the first points that come.
    :raises LinkError: if there is no such stream, or the store is away.
    """

    reopens = True
    overruns = None

    def __init__(
        self,
        link: str,
        reader: PointReader,
        cursor: PointCursor,
        begin: Callable[[StreamRecord], None],
        heard: Callable[[StreamRecord, list[bytes]], None],
    ) -> None:
        self.name = link
        self._stream_name = stream_of(link) or ""
        self._reader = reader
        self._cursor = cursor
        self._heard = heard
        self._woken = threading.Event()
        try:
            stream = reader.find(self._stream_name)
            if stream is None:
                cursor.stream_id, cursor.next = None, 0
                raise LinkError(
                    f"There is no stream {self._stream_name!r} in the store yet: whoever sends a point makes it."
                )
            self.stream = stream
            begin(stream)
            newest = max(stream.point_count - 5, 0)
            heard(stream, reader.read(stream.id, newest, 5) if stream.point_count else [])
        except (StoreError, SessionNotFound) as error:
            raise LinkError(f"Cannot read the stream {self._stream_name!r}: {error}") from error
        self._has_heard = stream.point_count > 0
        self._at = cursor.next or 0

    def read(self, timeout_s: float) -> bytes:
        """Return points that are there, a line each, waiting up to ``timeout_s`` for a first one.

        :raises LinkError: if the stream was deleted, or the store is away.
        """
        if self._cursor.is_rewound:
            self._cursor.is_rewound = False
            self._at = self._cursor.next or 0
        deadline_s = time.monotonic() + timeout_s
        while not (points := self._look()):
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0 or self._woken.wait(min(LOOK_S, remaining_s)):
                self._woken.clear()
                break
        if points and not self._has_heard:
            self._has_heard = True
            self._heard(self.stream, points[:5])
        self._at += len(points)
        return b"".join(bounded(point) + b"\n" for point in points)

    def _look(self) -> list[bytes]:
        try:
            end = self._reader.end(self._stream_name, self.stream.id)
            if end is None:
                raise LinkError(f"The stream {self._stream_name!r} was deleted.")
            if end < self._at:
                log.warning("%s has lost points that were read: it goes on at %d, not %d", self.name, end, self._at)
                self._at = self._cursor.next = end
            return self._reader.read(self.stream.id, self._at, POINTS_AT_ONCE) if end > self._at else []
        except (StoreError, SessionNotFound) as error:
            raise LinkError(f"Lost the stream {self._stream_name!r}: {error}") from error

    def write(self, line: bytes) -> None:
        """Refuse: what a stream is told goes through its downlink.

        :raises CommandRefused: always.
        """
        raise CommandRefused(f"{self.name} is a stream: commands go to its downlink, 'blitz' or a script sends them.")

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""
        self._woken.set()

    def close(self) -> None:
        """Do nothing: the store stays."""


def bounded(point: bytes) -> bytes:
    """Return a point that can be a message: of one that is too long only the time.

    >>> bounded(b'{"t":1.5,"d":[1,2]}')
    b'{"t":1.5,"d":[1,2]}'
    """
    if len(point) <= POINTS.limit_bytes - 2:
        return point
    return json.dumps({"t": json.loads(point)["t"], "d": None}, separators=(",", ":")).encode()
