"""Serving viewers: one cursor each, blocks encoded once for all who stand at the same place.

The acquisition's threads put recent messages and events in and never wait; everything else happens on the event loop.
A viewer asks for what lies beyond its cursor, (session, next seq): from memory when it is recent, from the store when
it is not. One frame is under way a viewer: a slow one gets later, larger blocks and makes nobody's queue grow.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack

import anyio
import anyio.to_thread

from blitz.data.blocks import GRID_MESSAGES, PREVIEW_ID, MessageBlock, Read
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Event, EventKind, SessionRecord, Source, StatusRecord
from blitz.errors import ServerBusy, SessionNotFound
from blitz.io.live_feed import Feed
from blitz.io.live_frames import FRAME_BYTES, Frame, Frames, Place, within
from blitz.io.live_streams import StreamFeed, StreamFeeds

TICK_S = 0.005
"""Viewers are woken together and at most this often, so that they share blocks. The appender publishes every 15 ms at
most; with as long a tick the two would beat, and messages wait for up to a tick."""

_RECENT_EVENTS = 2_000
_LOADS = 4
_MANY_LINES = 500
_HEARD_OF_S = 3.0
"""Within that time it is known here what another program, or the server that records, has started."""


class LiveHub:
    """What viewers watch: feeds, events, and who is recorded.

    :param load: reads messages from the store, (session, first, count) -> block; called in a worker thread.
    :param read_record: reads a session's record from the store; called in a worker thread.
    :param read_status: tells the server's status from memory.
    :param store: has the streams that viewers may follow; None: there are none.
    """

    def __init__(
        self,
        store_id: str,
        load: Callable[[int, int, int], MessageBlock],
        read_record: Callable[[int], SessionRecord],
        read_status: Callable[[], StatusRecord],
        store: DatabaseServer | None = None,
    ) -> None:
        self.running: int | None = None
        """The session that viewers follow now. Set together with its ``session_started`` event."""
        self.viewer_count = 0
        self.listeners: list[Callable[[Event], None]] = []
        """Told each event in the thread that posts it, besides viewers; must be quick."""
        self.publishing: list[Callable[[int, int, Sequence[Read]], None]] = []
        """Told up to where a session's messages go now, and what is new of them, by the thread that shows them."""
        self.adopting: list[Callable[[int, int], None]] = []
        """Told how many of a session's next messages were shown in the preview before."""
        self._store_id = store_id
        self._load = load
        self._read_record = read_record
        self._read_status = read_status
        self.streams = None if store is None else StreamFeeds(store, self._schedule, self._forget_frames)
        """How far the streams go that viewers follow."""
        self._feeds: dict[int, Feed] = {PREVIEW_ID: Feed(PREVIEW_ID, store_id)}
        self._sources: dict[int, dict[int, Source]] = {PREVIEW_ID: {}}
        self._events: deque[Event] = deque(maxlen=_RECENT_EVENTS)
        self._event_count = 0
        self._lock = threading.Lock()
        self._frames = Frames(self._make_frame)
        self._loads = anyio.CapacityLimiter(_LOADS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakeup = asyncio.Event()
        self._is_scheduled = False
        self._last_tick_s = 0.0

    # ---- from the acquisition's threads ---------------------------------------------------------------------------

    def open_session(self, session_id: int, sources: Sequence[Source]) -> None:
        """Make a feed for a session that begins; the feed of the one before it is dropped."""
        self._feeds = {PREVIEW_ID: self._feeds[PREVIEW_ID], session_id: Feed(session_id, self._store_id)}
        self._sources = {
            PREVIEW_ID: self._sources[PREVIEW_ID],
            session_id: {source.index: source for source in sources},
        }

    def add_source(self, session_id: int, source: Source) -> None:
        """Add a row to a session's (or the preview's) source table and tell viewers."""
        rows = self._sources.setdefault(session_id, {})
        rows[source.index] = source
        self.post(Event(event=EventKind.SOURCES, session_id=session_id, sources=self.sources(session_id)))

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show messages that have just become durable (or belong to the preview)."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.append(first_seq, reads, count)
            self._schedule()
            for tell in self.publishing:
                tell(session_id, first_seq + count, reads)

    def advance(self, session_id: int, next_seq: int) -> None:
        """Show that the store's list is longer than what was published: other programs queue messages too."""
        feed = self._feeds.get(session_id)
        if feed is not None and feed.advance(next_seq):
            self._schedule()
            for tell in self.publishing:
                tell(session_id, next_seq, ())

    def rewind(self, session_id: int, next_seq: int) -> None:
        """Go on at an earlier message: the store has lost what came behind."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.rewind(next_seq)
            self._forget_frames()

    def _forget_frames(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._frames.clear)

    def post(self, event: Event) -> None:
        """Tell all viewers."""
        with self._lock:
            if event.event is EventKind.SESSION_STARTED:
                self.running = event.session_id
            elif event.event is EventKind.SESSION_STOPPED and self.running == event.session_id:
                self.running = None
            self._events.append(event)
            self._event_count += 1
        self._schedule()
        for listen in self.listeners:
            listen(event)

    def _schedule(self) -> None:
        if self.viewer_count and not self._is_scheduled and self._loop is not None:
            self._is_scheduled = True
            self._loop.call_soon_threadsafe(self._arm)

    # ---- on the event loop ----------------------------------------------------------------------------------------

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop on which viewers are served."""
        self._loop = loop

    def _arm(self) -> None:
        assert self._loop is not None
        self._loop.call_at(max(self._loop.time(), self._last_tick_s + TICK_S), self._tick)

    def _tick(self) -> None:
        assert self._loop is not None
        self._is_scheduled = False
        self._last_tick_s = self._loop.time()
        wakeup, self._wakeup = self._wakeup, asyncio.Event()
        wakeup.set()

    def next_seq(self, session_id: int) -> int | None:
        """Return where a session's or a stream's feed ends; None if it has none."""
        feed = self._feeds.get(session_id) or self.stream_feed(session_id)
        return None if feed is None else feed.next_seq

    def stream_feed(self, session_id: int) -> StreamFeed | None:
        """Return the feed of a stream that somebody follows."""
        return None if self.streams is None else self.streams.get(session_id)

    def preview_block(self, first: int, count: int) -> MessageBlock:
        """Return messages of the preview; those that are gone from memory are left out."""
        feed = self._feeds[PREVIEW_ID]
        while True:
            begin = min(max(first, feed.first_seq), feed.next_seq)
            block = feed.block(begin, min(begin + count, feed.next_seq))
            if block is not None:
                return block
            # Else the oldest went in this very moment.

    def preview_since(self, arrived_ns: int) -> list[Read]:
        """Return what came for the preview at that time or later, as far as it is in memory."""
        return self._feeds[PREVIEW_ID].reads_since(arrived_ns)

    def recent_block(self, session_id: int, first: int, stop: int) -> MessageBlock | None:
        """Return messages of a session that are still in memory; None if they are not all."""
        feed = self._feeds.get(session_id)
        return None if feed is None else feed.block(first, stop)

    def sources(self, session_id: int) -> tuple[Source, ...]:
        """Return the source table of the running session or the preview, as far as it is known here."""
        rows = self._sources.get(session_id, {})
        return tuple(rows[index] for index in sorted(rows))

    def _events_after(self, number: int) -> tuple[list[Event], int]:
        """Return the events behind a number, and the last one's.

        :raises ServerBusy: if some of them are gone.
        """
        with self._lock:
            if number and self._event_count - number > _RECENT_EVENTS:
                raise ServerBusy("This viewer was too slow to be told of all that happened. Connect again.")
            missed = min(self._event_count - number, len(self._events))
            events = [self._events[position] for position in range(len(self._events) - missed, len(self._events))]
            return events, self._event_count

    async def frames(
        self, session_id: int | None, first: int | None, *, as_ndjson: bool = False
    ) -> AsyncIterator[bytes | str]:
        """Yield what one viewer is sent: text for events, bytes (or NDJSON text) for blocks. Endless while following.

        :param session_id: None follows the running session, then the next.
        :param first: None from the end on, negative that many before the end, else a sequence number.
        """
        with ExitStack() as leaving:
            viewer = _Viewer(self, session_id, leaving, as_ndjson=as_ndjson)
            self.viewer_count += 1
            leaving.callback(self._lose_viewer)
            async for frame in viewer.frames(first):
                yield frame

    def _lose_viewer(self) -> None:
        self.viewer_count -= 1

    async def encoded_block(
        self, session_id: int, first: int, stop: int, *, as_ndjson: bool
    ) -> tuple[bytes | str, int]:
        """Return a block as it goes over the wire, and where it ends; made once for all viewers at this place.

        Where messages are long it ends before ``stop``.
        """
        return await self._frames.get((session_id, first, stop, as_ndjson))

    async def _make_frame(self, place: Place) -> Frame:
        session_id, first, stop, as_ndjson = place
        if session_id == PREVIEW_ID:
            block = self.preview_block(first, stop - first)
        else:
            recent = self.recent_block(session_id, first, stop)
            if recent is None:
                recent = await anyio.to_thread.run_sync(
                    self._load, session_id, first, stop - first, limiter=self._loads
                )
            block = recent
        block = within(block, FRAME_BYTES)
        if not as_ndjson:
            return block.encode(), block.next_seq
        if len(block) < _MANY_LINES:
            return as_json_lines(block), block.next_seq
        return await anyio.to_thread.run_sync(as_json_lines, block, limiter=self._loads), block.next_seq


class _Viewer:
    """The cursor of one viewer, and how it moves.

    :param leaving: what is done when it leaves.
    """

    def __init__(self, hub: LiveHub, session_id: int | None, leaving: ExitStack, *, as_ndjson: bool) -> None:
        self._hub = hub
        self._leaving = leaving
        self._named = session_id
        self._session_id = session_id
        self._cursor = 0
        self._as_ndjson = as_ndjson
        self._stream: StreamFeed | None = None

    async def frames(self, first: int | None) -> AsyncIterator[bytes | str]:
        hub = self._hub
        # The hub's state is read without waiting in between: an event is either in it or comes behind.
        _, event_number = hub._events_after(0)
        running = hub.running
        yield Event(event=EventKind.STATUS, status=hub._read_status()).to_json()
        if self._named is None:
            self._session_id = running
        session_id = self._session_id
        if session_id is not None:
            is_stream = False
            if self._named is not None and session_id not in (PREVIEW_ID, running):
                is_stream = await self._is_stream(session_id)
                if not is_stream:
                    await self._wait_for_beginning(session_id)
                running = hub.running
            end = hub.next_seq(session_id)
            is_live = end is not None and session_id in (PREVIEW_ID, running)
            if is_live:
                self._cursor = _resolve(first, int(end or 0))
                yield self._sources_event(session_id, hub.sources(session_id))
            elif is_stream:
                yield await self._begin_stream(session_id, first)
            else:
                async for frame in self._finished_session(session_id, first):
                    yield frame
                if self._named is not None:
                    return
                self._session_id = None
        while True:
            wakeup = hub._wakeup
            # The end is read before the events: a block never needs a source whose event was not sent.
            end = None if self._session_id is None else hub.next_seq(self._session_id)
            events, event_number = hub._events_after(event_number)
            for event in _without_old_status(events):
                async for frame in self._event_frames(event):
                    yield frame
                if event.event is EventKind.SESSION_STOPPED and event.session_id == self._named:
                    return
            had_more = False
            if self._stream is not None and end is not None:
                self._cursor = min(self._cursor, end)  # the store may have lost what came last
            if self._session_id is not None and end is not None and self._cursor < end:
                begin = self._cursor
                block = await self._next_block(min(end, self._cursor + GRID_MESSAGES))
                if block is not None:
                    had_more = begin < self._cursor < end
                    yield block
                elif self._named is not None:
                    return
            if self._stream is not None and self._stream.is_gone:
                return
            if not had_more:
                await wakeup.wait()

    async def _is_stream(self, session_id: int) -> bool:
        streams = self._hub.streams
        return streams is not None and await anyio.to_thread.run_sync(streams.is_stream, session_id)

    async def _wait_for_beginning(self, session_id: int) -> None:
        """Wait for a session that the store says is recorded, and that this server has yet to hear of."""
        with anyio.move_on_after(_HEARD_OF_S):
            while self._hub.running != session_id:
                wakeup = self._hub._wakeup
                record = await anyio.to_thread.run_sync(self._hub._read_record, session_id)
                if not record.is_running or self._hub.running == session_id:
                    return
                await wakeup.wait()

    async def _begin_stream(self, session_id: int, first: int | None) -> str:
        """Follow a stream, which has no end; return what its sources are."""
        assert self._hub.streams is not None
        self._stream = self._leaving.enter_context(self._hub.streams.followed(session_id))
        record = await anyio.to_thread.run_sync(self._hub._read_record, session_id)
        self._hub.streams.advance(session_id, record.message_count)
        self._cursor = _resolve(first, self._stream.next_seq)
        return self._sources_event(session_id, record.sources)

    async def _event_frames(self, event: Event) -> AsyncIterator[bytes | str]:
        hub = self._hub
        if event.event is EventKind.SOURCES and event.session_id != self._session_id:
            return
        if event.event is EventKind.SESSION_STOPPED and event.session_id == self._session_id:
            assert self._session_id is not None
            end = hub.next_seq(self._session_id)
            if event.session is not None:
                end = event.session.message_count
            while end is not None and self._cursor < end:
                frame = await self._next_block(min(end, self._cursor + GRID_MESSAGES))
                if frame is None:
                    break
                yield frame
            yield event.to_json()
            self._session_id = None
            return
        yield event.to_json()
        if event.event is EventKind.SESSION_STARTED and self._named is None and event.session_id is not None:
            self._session_id, self._cursor = event.session_id, 0
            yield self._sources_event(event.session_id, hub.sources(event.session_id))

    async def _finished_session(self, session_id: int, first: int | None) -> AsyncIterator[bytes | str]:
        record = await anyio.to_thread.run_sync(self._hub._read_record, session_id)
        yield self._sources_event(session_id, record.sources)
        self._cursor = _resolve(first, record.message_count)
        while self._cursor < record.message_count:
            frame = await self._next_block(min(record.message_count, self._cursor + GRID_MESSAGES))
            if frame is None:
                return
            yield frame
        yield Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record.brief()).to_json()

    async def _next_block(self, stop: int) -> bytes | str | None:
        """Return the block up to ``stop``; None, and no session is followed any more, if it was deleted meanwhile."""
        assert self._session_id is not None
        try:
            frame, next_seq = await self._hub.encoded_block(
                self._session_id, self._cursor, stop, as_ndjson=self._as_ndjson
            )
        except SessionNotFound:
            self._session_id = None
            return None
        # On, even where the store gave less than it said it had; but what a stream has lost comes anew at these places.
        self._cursor = max(next_seq, self._cursor + (self._stream is None))
        return frame

    @staticmethod
    def _sources_event(session_id: int, sources: Sequence[Source]) -> str:
        return Event(event=EventKind.SOURCES, session_id=session_id, sources=tuple(sources)).to_json()


def as_json_lines(block: MessageBlock) -> str:
    """Return a block as NDJSON: ``seq``, ``arrived_ns``, ``source``, ``raw`` (latin-1 text) a message.

    >>> as_json_lines(MessageBlock.from_reads(1, 5, [Read(10, 0, [b"08a0"])]))
    '{"seq": 5, "arrived_ns": 10, "source": 0, "raw": "08a0"}\\n'
    """
    rows = zip(block.arrived_ns.tolist(), block.source.tolist(), block.messages(), strict=True)
    return "".join(
        json.dumps({"seq": seq, "arrived_ns": arrived_ns, "source": source, "raw": str(raw, "latin-1")}) + "\n"
        for seq, (arrived_ns, source, raw) in enumerate(rows, block.first_seq)
    )


def _resolve(first: int | None, end: int) -> int:
    """Turn the wish of a viewer into a sequence number.

    >>> [_resolve(first, 100) for first in (None, -10, -1000, 0, 40, 500)]
    [100, 90, 0, 0, 40, 100]
    """
    if first is None:
        return end
    return max(end + first, 0) if first < 0 else min(first, end)


def _without_old_status(events: Sequence[Event]) -> list[Event]:
    last_status = max((n for n, event in enumerate(events) if event.event is EventKind.STATUS), default=-1)
    return [event for n, event in enumerate(events) if event.event is not EventKind.STATUS or n == last_status]
