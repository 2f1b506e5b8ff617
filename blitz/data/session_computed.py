"""Computed channels of a cached session: which it has, and their values, for files, reports and scripts.

What needs only a few readings at a time is computed while the session is gone through, in flat memory; the rest of all
readings at once.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import Readings
from blitz.data.computed import ComputedChannel, ComputedStream
from blitz.data.computed_formulas import written_out
from blitz.data.range_statistics import RangeStatistics, RunningStatistics
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import Source
from blitz.data.series import Series, SeriesSet
from blitz.data.series_request import Range, WantedChannel
from blitz.errors import DownloadCancelled, SeriesError

if TYPE_CHECKING:
    from blitz.data.session_overviews import SessionOverviews

SOURCE = "computed"
"""Stands in files where the source of a channel does."""
MOST_AT_ONCE = 1 << 24
"""Readings that are held at once, where a channel needs all of them."""
IsCancelled = Callable[[], bool]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SessionChannel:
    """A computed channel as a session has it.

    :param wanted: how it stands among the session's own: its label, its unit, and the rows that give it its times.
    :param made_of: by the names in its formula, the first one first: the session's channels.
    :param kept: as it was made; what is computed has the formulas of other computed channels written out.
    """

    wanted: WantedChannel
    computed: ComputedChannel
    made_of: Mapping[str, WantedChannel]
    kept: ComputedChannel

    @property
    def label(self) -> str:
        """What it is called in this session."""
        return self.wanted.label

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows of the source table whose readings give it its times, by index."""
        return _rows(next(iter(self.made_of.values())))

    @property
    def is_of_one_device(self) -> bool:
        """Whether all that it is made of stands in the same messages."""
        return all(_rows(each) == self.rows for each in self.made_of.values())


class Piece(NamedTuple):
    """Some values of a computed channel, in order.

    :param seq: of the messages whose readings they stand with; None where the channel has times of its own.
    """

    seq: _Ints | None
    time_ns: _Ints
    values: _Floats


def fitting_channels(
    wanted: Iterable[ComputedChannel], channels: Mapping[str, WantedChannel], sources: Sequence[Source]
) -> list[SessionChannel]:
    """Return those computed channels that a session has, in the order given.

    :param channels: the session's own, by label. One of the same name as a computed one keeps it.
    """
    there = list(wanted)
    definitions = {source.index: source.definition for source in sources}
    known = {**channels, **_by_shown_labels(channels, definitions)}
    found = []
    for each in there:
        try:
            computed = written_out(each, there, known)
        except SeriesError:
            continue  # the dialog that made it tells
        if all(label in known for label in computed.channels):
            made_of = {label: known[label] for label in computed.channels}
            if _is_for(computed, made_of[computed.channels[0]], definitions):
                label = each.label if each.label not in channels else f"{each.label} (computed)"
                first = known[computed.channels[0]]
                stands_as = WantedChannel(label, SOURCE, each.label, each.shown_unit, first.parts)
                found.append(SessionChannel(stands_as, computed, made_of, each))
    return found


def _by_shown_labels(
    channels: Mapping[str, WantedChannel], definitions: Mapping[int, BoardDefinition | None]
) -> dict[str, WantedChannel]:
    """Return the channels by what the window calls them: formulas are made there."""
    found = {}
    for channel in channels.values():
        for part in channel.parts:
            definition = definitions.get(part.source_index)
            if definition is not None and definition.channels[part.column].label:
                shown = definition.channels[part.column].display_name
                found[channel.label.removesuffix(channel.name) + shown] = channel
    return found


def _rows(channel: WantedChannel) -> tuple[int, ...]:
    return tuple(part.source_index for part in channel.parts)


def _is_for(computed: ComputedChannel, first: WantedChannel, definitions: Mapping[int, BoardDefinition | None]) -> bool:
    of_first = [definitions.get(part.source_index) for part in first.parts]
    ids = {definition.id for definition in of_first if definition is not None}
    return not computed.definition or not ids or computed.definition in ids


def computed_pieces(
    cache: "SessionOverviews",
    session_id: int,
    channel: SessionChannel,
    version: int | None = None,
    is_cancelled: IsCancelled = lambda: False,
) -> Generator[Piece, None, None]:
    """Iterate over the values of a computed channel, for the whole session: those that the window's plot has.

    :raises SeriesError: if a step has no meaning, or the session is too long for a step that needs all of it.
    :raises BlockError: at a block that is damaged.
    :raises DownloadCancelled: if ``is_cancelled`` said so, which is asked once a block.
    """
    if channel.is_of_one_device and not channel.computed.live_refusal:
        return _streamed(cache, session_id, channel, version, is_cancelled)
    return _at_once(cache, session_id, channel, version, is_cancelled)


def computed_series(
    cache: "SessionOverviews", session_id: int, wanted: Iterable[ComputedChannel], version: int | None = None
) -> SeriesSet:
    """Return those computed channels that a downloaded session has, as series.

    :param wanted: such as :func:`~blitz.data.kept_computed.kept_channels` gives: those made in the window.
    :raises SessionNotFound: if the session is not downloaded, or has no such version.
    :raises SeriesError: if a step has no meaning for what the one before gives.
    """
    opened = cache.open_session(session_id, version)
    found = []
    for channel in fitting_channels(wanted, opened.channels, opened.sources):
        pieces = list(computed_pieces(cache, session_id, channel, version))
        time_ns = np.concatenate([np.empty(0, np.int64), *(piece.time_ns for piece in pieces)])
        values = np.concatenate([np.empty(0), *(piece.values for piece in pieces)])
        found.append(channel.wanted.series(session_id, time_ns, values, is_thinned=False))
    return SeriesSet(found)


def computed_statistics(
    cache: "SessionOverviews", session_id: int, channel: SessionChannel, wanted: Range, version: int | None = None
) -> RangeStatistics:
    """Return the statistics of a computed channel over a range, without the median.

    :raises SeriesError: if it is a range of messages, and the channel has times of its own.
    """
    running = RunningStatistics(channel.label, channel.wanted.unit)
    for piece in computed_pieces(cache, session_id, channel, version):
        if piece.seq is None and (wanted.first or wanted.stop is not None):
            raise SeriesError(f"{channel.label} has times of its own, and no messages: choose a range of time.")
        begin, end = piece.time_ns.searchsorted([wanted.start_ns, wanted.stop_ns]).tolist()
        if piece.seq is not None:
            begin = max(begin, int(piece.seq.searchsorted(wanted.first)))
            end = end if wanted.stop is None else min(end, int(piece.seq.searchsorted(wanted.stop)))
        running.add(piece.time_ns[begin:end], piece.values[begin:end])
    return running.result()


def _streamed(
    cache: "SessionOverviews",
    session_id: int,
    channel: SessionChannel,
    version: int | None,
    is_cancelled: IsCancelled,
) -> Generator[Piece, None, None]:
    stream = ComputedStream(channel.computed)
    waiting = np.empty(0, np.int64)

    def piece(time_ns: _Ints, values: _Floats) -> Piece:
        nonlocal waiting
        if channel.computed.has_own_times:
            return Piece(None, time_ns, values)
        seq, waiting = waiting[: len(time_ns)], waiting[len(time_ns) :]
        return Piece(seq, time_ns, values)

    for read in _read(cache, session_id, channel, version, is_cancelled):
        waiting = np.concatenate([waiting, read.seq])
        yield piece(*stream.add(read.time_ns, read.values))
    yield piece(*stream.finish())


def _at_once(
    cache: "SessionOverviews",
    session_id: int,
    channel: SessionChannel,
    version: int | None,
    is_cancelled: IsCancelled,
) -> Generator[Piece, None, None]:
    held: dict[str, list[tuple[_Ints, _Floats]]] = {label: [] for label in channel.made_of}
    seqs: list[_Ints] = []
    first, count = next(iter(held)), 0
    for read in _read(cache, session_id, channel, version, is_cancelled):
        count += len(read.seq) * len(read.values)
        if count > MOST_AT_ONCE * len(held):
            raise SeriesError(
                f"{channel.label} needs all readings of session {session_id} at once, and it has more than "
                f"{MOST_AT_ONCE}. Without integral, filters, resampling and other devices' channels it can be computed."
            )
        for label, values in read.values.items():
            held[label].append((read.time_ns, values))
        if first in read.values:
            seqs.append(read.seq)
    series = {label: _series(session_id, each, held[label]) for label, each in channel.made_of.items()}
    found = channel.computed(series)
    seq = None if channel.computed.has_own_times else np.concatenate([np.empty(0, np.int64), *seqs])
    yield Piece(seq, found.time_ns, found.values)


def _series(session_id: int, channel: WantedChannel, parts: list[tuple[_Ints, _Floats]]) -> Series:
    time_ns = np.maximum.accumulate(np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)]))
    values = np.concatenate([np.empty(0), *(part[1] for part in parts)])
    return channel.series(session_id, time_ns, values, is_thinned=False)


class _Read(NamedTuple):
    """Readings of one device that a channel is made of."""

    seq: _Ints
    time_ns: _Ints
    values: dict[str, _Floats]


def _read(
    cache: "SessionOverviews",
    session_id: int,
    channel: SessionChannel,
    version: int | None,
    is_cancelled: IsCancelled,
) -> Iterator[_Read]:
    columns: dict[int, dict[str, int]] = {}
    for label, each in channel.made_of.items():
        for part in each.parts:
            columns.setdefault(part.source_index, {})[label] = part.column
    latest: dict[str, int] = {}
    for _, decoded in decoded_blocks(cache, session_id, version=version, only=set(columns)):
        if is_cancelled():
            raise DownloadCancelled(f"Computing {channel.label} of session {session_id} was cancelled.")
        for readings in decoded:
            yield _Read(readings.seq, _rising(readings, latest), _columns_of(readings, columns[readings.source.index]))


def _rising(readings: Readings, latest: dict[str, int]) -> _Ints:
    """Return the times, never falling: two rows of one device have two clocks, which may differ by a little."""
    name = readings.source.name
    time_ns: _Ints = np.maximum(readings.time_ns, latest.get(name, readings.time_ns[0]))
    latest[name] = int(time_ns[-1])
    return time_ns


def _columns_of(readings: Readings, columns: Mapping[str, int]) -> dict[str, _Floats]:
    return {label: readings.values[:, column].copy() for label, column in columns.items()}
