"""Going through a session once for a report: statistics, curves, a fingerprint, and what cannot be read.

Memory stays the same however long the session is. Unlike views and exports this bears a copy that is damaged: what
follows is read all the same, and what is missing is told.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import SessionDecoder, channel_labels
from blitz.data.database_client import DatabaseClient
from blitz.data.export_parts import Part
from blitz.data.range_statistics import RangeStatistics, RunningStatistics
from blitz.data.records import Source
from blitz.data.report_curves import CurveSketch
from blitz.data.series_request import Range, WantedChannel
from blitz.data.sidecar import block_sha256
from blitz.errors import BlockError, DownloadCancelled

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Unreadable:
    """Messages that the copy should have and cannot give, ``first`` to ``stop - 1``.

    :param from_ns: arrival of the last message before; None if there is none.
    :param to_ns: arrival of the first message behind.
    """

    first: int
    stop: int
    why: str
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass
class SessionReading:
    """What was found on the way.

    :param held: how many messages, or readings that were added one by one, the copy has.
    :param fingerprint: SHA-256 of the raw messages, see :func:`read_messages`; empty where there are none.
    :param first_ns: the first reading's or message's time; None where there is none.
    """

    statistics: dict[str, RangeStatistics] = field(default_factory=dict)
    sketches: dict[str, CurveSketch] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    not_computed: list[str] = field(default_factory=list)
    held: int = 0
    fingerprint: str = ""
    first_ns: int | None = None
    last_ns: int | None = None

    def take_times(self, first_ns: int, last_ns: int) -> None:
        """Learn from when to when there is anything."""
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)


def read_messages(
    cache: DatabaseClient,
    session_id: int,
    sources: Sequence[Source],
    channels: Sequence[WantedChannel],
    wanted: Range,
    held: int,
    progress: Progress,
    is_cancelled: Callable[[], bool],
) -> SessionReading:
    """Go through a downloaded session.

    The fingerprint is that of the whole session, whatever range is wanted: the SHA-256 over the hex digits, each line
    ended by a line feed, that :func:`~blitz.data.sidecar.block_sha256` gives for each run of 16384 messages from
    message 0 on. The sidecar of an exported file has the same numbers.

    :param held: how many messages the copy has.
    :raises DownloadCancelled: if ``is_cancelled`` said so, which is asked once a block.
    """
    reading = _empty(channels, held)
    labels = channel_labels(sources)
    running = {channel.label: RunningStatistics(channel.label, channel.unit) for channel in channels}
    decoder = SessionDecoder(sources)
    digest = hashlib.sha256()
    progress(0, held)
    for block in _readable(cache, session_id, held, reading.unreadable):
        if is_cancelled():
            raise _cancelled(session_id)
        digest.update(f"{block_sha256(block)}\n".encode())
        reading.take_times(int(block.arrived_ns[0]), int(block.arrived_ns[-1]))
        for readings in decoder.decode(block):
            here = slice(*readings.time_ns.searchsorted([wanted.start_ns, wanted.stop_ns]).tolist())
            time_ns = readings.time_ns[here]
            for column, channel in enumerate(readings.channels):
                label = labels[readings.source.index, channel.name]
                if label in running and len(time_ns):
                    values = readings.values[here, column]
                    running[label].add(time_ns, values)
                    reading.sketches[label].add(time_ns, values)
        progress(block.next_seq, held)
    reading.statistics = {label: each.result() for label, each in running.items()}
    reading.fingerprint = digest.hexdigest() if held and not reading.unreadable else ""
    return reading


def read_rows(
    session_id: int,
    parts: Iterator[Part],
    channels: Sequence[WantedChannel],
    total: int,
    progress: Progress,
    is_cancelled: Callable[[], bool],
) -> SessionReading:
    """Go through readings that were added one by one; they have no raw messages, and so no fingerprint.

    :param parts: of :func:`blitz.data.export_rows.row_contents`, a column a channel.
    """
    reading = _empty(channels, total)
    running = [RunningStatistics(channel.label, channel.unit) for channel in channels]
    progress(0, total)
    for part in parts:
        if is_cancelled():
            raise _cancelled(session_id)
        if len(part.time_ns):
            reading.take_times(int(part.time_ns[0]), int(part.time_ns[-1]))
        for channel, column, statistics in zip(channels, part.values, running, strict=True):
            is_there = ~np.isnan(
                column
            )  # a row has what was added at its time; what was not is no reading without value
            statistics.add(part.time_ns[is_there], column[is_there])
            reading.sketches[channel.label].add(part.time_ns[is_there], column[is_there])
        progress(min(part.done, total), total)
    reading.statistics = {channel.label: each.result() for channel, each in zip(channels, running, strict=True)}
    return reading


def _empty(channels: Collection[WantedChannel], held: int) -> SessionReading:
    return SessionReading(sketches={channel.label: CurveSketch() for channel in channels}, held=held)


def _readable(
    cache: DatabaseClient, session_id: int, held: int, unreadable: list[Unreadable]
) -> Iterator[MessageBlock]:
    """Give what can be read of a copy, in order; add what cannot to ``unreadable``."""
    first, last_ns = 0, None
    bad: Unreadable | None = None
    while first < held:
        try:
            for block in cache.session_blocks(session_id, first, held):
                if not len(block):
                    continue
                if bad is None and block.first_seq > first:
                    bad = Unreadable(first, block.first_seq, "missing", last_ns)
                if bad is not None:
                    to_ns = int(block.arrived_ns[0])
                    unreadable.append(Unreadable(bad.first, block.first_seq, bad.why, bad.from_ns, to_ns))
                    bad = None
                yield block
                first, last_ns = block.next_seq, int(block.arrived_ns[-1])
            break
        except BlockError as error:
            stop = min((first // GRID_MESSAGES + 1) * GRID_MESSAGES, held)
            bad = bad or Unreadable(first, stop, str(error), last_ns)
            first = stop
    if bad is not None or first < held:
        begin = bad or Unreadable(first, held, "missing", last_ns)
        unreadable.append(Unreadable(begin.first, held, begin.why, begin.from_ns))


def _cancelled(session_id: int) -> DownloadCancelled:
    return DownloadCancelled(f"The report of session {session_id} was cancelled; no file was written.")
