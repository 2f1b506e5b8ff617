"""What is measured just now, for whoever glances at it, such as a phone: newest values and short, thinned curves.

Nothing is done while nobody asks. Who asks has decoded what came since somebody asked last, but never more than a
bounded number of messages: where more came, the newest count. So it costs the server the same whatever devices send,
and holds up nothing else. Sessions are read from the middle on, so that times are good for a glance and not for
science: a device's clock is followed from the first message that was looked at.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from blitz.data.blocks import GRID_MESSAGES, PREVIEW_ID, MessageBlock
from blitz.data.boards import SessionDecoder
from blitz.data.latest_readings import LatestReadings, Newest, Span, extremes
from blitz.data.records import SessionRecord, Source
from blitz.data.series_request import WantedChannel, session_channels
from blitz.io.live import LiveHub

AT_ONCE_MESSAGES = 16_384
"""So many are decoded for one call."""
PAST_MESSAGES = 65_536
"""So many are decoded for one look back; where there are more in that time, samples of them."""
IDLE_S = 5.0
"""Where nobody asked for longer, and more came than is looked at, all begins anew: curves would have a hole."""
_SAMPLES = 64
_SEARCH_STEPS = 20
PAST_SPANS = 300


class Curve(NamedTuple):
    """What is new of a channel."""

    channel: WantedChannel
    source: Source
    newest: Newest | None
    spans: list[Span]
    """Empty for a channel whose curve was not asked for."""


class Look(NamedTuple):
    """What one call found.

    :param session_id: :data:`~blitz.data.blocks.PREVIEW_ID` while nothing is recorded.
    :param cursor: what to ask with the next time, for what is new.
    :param is_fresh: this is not a continuation: what was told before is of something else, or too old.
    :param skipped: messages that were not looked at, since these channels are looked at.
    """

    session_id: int
    cursor: str
    is_fresh: bool
    skipped: int
    curves: list[Curve]


class PastSpan(NamedTuple):
    """The extremes of one channel over a span of the past, which begins at ``time_ns``."""

    time_ns: int
    low: float
    high: float


class Past(NamedTuple):
    """A look back; ``is_sampled`` says that not every message was looked at."""

    spans: dict[str, list[PastSpan]]
    is_sampled: bool


class LatestView:
    """Follows what is recorded, else the preview. May be used from several threads.

    :param messages: returns messages of a session from a sequence number on, wherever they lie; perhaps fewer.
    """

    def __init__(
        self,
        hub: LiveHub,
        messages: Callable[[int, int, int], MessageBlock],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._messages = messages
        self._clock = clock
        self._asked_s = clock()
        self._lock = threading.Lock()
        self._session_id = -1
        self._begin_anew(-1)

    def look(self, cursor: str, labels: Iterable[str]) -> Look:
        """Return all channels' newest values, and what is new of some channels' curves.

        :param cursor: from the look before; empty at the first.
        :param labels: whose curves are wanted; names that no channel has are ignored.
        :raises StoreError: if messages cannot be read.
        """
        wanted = set(labels)
        with self._lock:
            session_id = self._catch_up()
            epoch, _, number = cursor.partition(".")
            is_fresh = epoch != self._epoch or not number.isdecimal()
            after = -1 if is_fresh else int(number)
            curves = [
                Curve(
                    channel,
                    source,
                    self._readings.newest(channel.parts),
                    self._readings.spans(channel.parts, after) if channel.label in wanted else [],
                )
                for channel, source in _channels(self._decoder.sources)
            ]
            return Look(session_id, f"{self._epoch}.{self._revision}", is_fresh, self._skipped, curves)

    def past(self, session: SessionRecord, span_s: float, labels: Iterable[str]) -> Past:
        """Look back from the end of a session.

        :param session: with its sources.
        :param span_s: how far.
        :returns: by label, about :data:`PAST_SPANS` spans each at most.
        :raises StoreError: if messages cannot be read.
        """
        end = self._hub.next_seq(session.id)
        end = session.message_count if end is None else end
        last = self._messages(session.id, end - 1, 1) if end else None
        wanted = set(labels)
        channels = [channel for channel, _ in _channels(session.sources) if channel.label in wanted]
        if last is None or not len(last) or not channels:
            return Past({channel.label: [] for channel in channels}, is_sampled=False)
        from_ns = int(last.arrived_ns[0]) - round(span_s * 1e9)
        width_ns = max(round(span_s * 1e9) // PAST_SPANS, 1)
        begin = self._first_since(session, from_ns, last, 2 * width_ns)
        found: dict[str, dict[int, PastSpan]] = {channel.label: {} for channel in channels}
        decoder = SessionDecoder(session.sources)
        for block in self._samples(session.id, begin, end):
            by_source = {readings.source.index: readings for readings in decoder.decode(block)}
            for channel in channels:
                for part in channel.parts:
                    readings = by_source.get(part.source_index)
                    if readings is not None:
                        column = readings.values[:, part.column : part.column + 1]
                        values = np.where(np.isfinite(column), column, np.nan)
                        _merge(found[channel.label], extremes(readings.time_ns, values, width_ns), width_ns)
        is_sampled = end - begin > PAST_MESSAGES
        return Past({label: [spans[key] for key in sorted(spans)] for label, spans in found.items()}, is_sampled)

    def _begin_anew(self, session_id: int) -> None:
        self._session_id = session_id
        self._epoch = secrets.token_hex(4)
        self._decoder = SessionDecoder()
        self._readings = LatestReadings()
        self._revision = 0
        self._skipped = 0
        self._cursor: int | None = None

    def _catch_up(self) -> int:
        """Decode what came since; return which session that is."""
        session_id = self._hub.running or PREVIEW_ID
        end = self._hub.next_seq(session_id)
        if session_id != self._session_id or not self._goes_on(end):
            self._begin_anew(session_id)
        if end is None:
            return session_id
        self._decoder.update(self._hub.sources(session_id))
        begin = max(end - AT_ONCE_MESSAGES, 0)
        if self._cursor is not None:
            self._skipped += max(begin - self._cursor, 0)
            begin = max(begin, self._cursor)
        self._revision += 1
        while begin < end:
            block = self._block(session_id, begin, end)
            if not len(block):
                break
            for readings in self._decoder.decode(block):
                self._readings.take(readings, self._revision)
            begin = self._cursor = block.next_seq
        self._cursor = max(begin, end) if session_id == PREVIEW_ID else begin  # the preview keeps no promise
        return session_id

    def _goes_on(self, end: int | None) -> bool:
        """Whether what is known is continued by what comes now."""
        before_s, self._asked_s = self._asked_s, self._clock()
        if self._cursor is None or end is None:
            return True
        has_hole = end - self._cursor > AT_ONCE_MESSAGES and self._asked_s - before_s > IDLE_S
        return end >= self._cursor and not has_hole

    def _block(self, session_id: int, first: int, stop: int) -> MessageBlock:
        if session_id == PREVIEW_ID:
            return self._hub.preview_block(first, stop - first)
        block = self._hub.recent_block(session_id, first, stop)
        return self._messages(session_id, first, stop - first) if block is None else block

    def _first_since(self, session: SessionRecord, from_ns: int, last: MessageBlock, tolerance_ns: int) -> int:
        """Return about the first message that arrived at a time or later, rather an earlier one.

        Each look at a message is a question to the store: where devices send evenly, few are enough.
        """
        low, low_ns = 0, session.started_ms * 1_000_000
        high, high_ns = last.first_seq, int(last.arrived_ns[0])
        for step in range(_SEARCH_STEPS):
            if from_ns - low_ns <= tolerance_ns or high - low <= 1:
                break
            part = (from_ns - low_ns) / max(high_ns - low_ns, 1) if step % 2 == 0 else 0.5
            middle = min(max(low + int((high - low) * part), low + 1), high - 1)
            block = self._messages(session.id, middle, 1)
            if not len(block):
                break
            arrived_ns = int(block.arrived_ns[0])
            if arrived_ns < from_ns:
                low, low_ns = middle, arrived_ns
            else:
                high, high_ns = middle, arrived_ns
        return low

    def _samples(self, session_id: int, begin: int, end: int) -> Iterator[MessageBlock]:
        """Iterate over all messages of a range, or over runs of them that lie evenly in it."""
        size = GRID_MESSAGES
        places: Sequence[int] = range(begin, end, size)
        if end - begin > PAST_MESSAGES:
            size = PAST_MESSAGES // _SAMPLES
            places = [begin + (end - begin - size) * n // (_SAMPLES - 1) for n in range(_SAMPLES)]
        for place in places:
            block = self._messages(session_id, place, min(size, end - place))
            if len(block):
                yield block


def _channels(sources: Sequence[Source]) -> list[tuple[WantedChannel, Source]]:
    """Return the channels, each with the newest row of the source table that has it."""
    rows = {source.index: source for source in sources}
    return [(channel, rows[channel.parts[-1].source_index]) for channel in session_channels(sources).values()]


def _merge(known: dict[int, PastSpan], found: Iterable[Iterable[object]], width_ns: int) -> None:
    for number, (low,), (high,) in zip(*found, strict=True):
        if low == low:
            before = known.get(int(number))
            lowest = float(low) if before is None else min(before.low, float(low))
            highest = float(high) if before is None else max(before.high, float(high))
            known[int(number)] = PastSpan(int(number) * width_ns, lowest, highest)
