"""Sessions of the cache as arrays."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sqlalchemy import bindparam, exists, select

from blitz.data.boards import Readings
from blitz.data.models import Category, Reading
from blitz.data.overview import min_max
from blitz.data.pyramid_format import Pyramid
from blitz.data.pyramid_reading import Points, PyramidReader, RecentBlocks, in_order, thinned, wanted_part
from blitz.data.reading_blocks import decode_part
from blitz.data.series import Series, SeriesSet
from blitz.data.series_request import (
    Moment,
    Range,
    WantedChannel,
    check_points,
    choose_channels,
    wanted_range,
)
from blitz.data.session_overviews import OpenedSession, SessionOverviews
from blitz.errors import SessionNotFound

_FEW_MESSAGES = 1 << 17
"""So many are decoded without a thought, in a tenth of a second."""

_NONE: Points = (np.empty(0, np.int64), np.empty(0))


class SessionSeries(SessionOverviews):
    """The part of the cache that gives a session's channels as arrays."""

    def series(
        self,
        session_id: int,
        channels: str | Iterable[str] | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
        max_points: int | None = None,
        *,
        first: int | None = None,
        count: int | None = None,
        last: int | None = None,
        version: int | None = None,
    ) -> SeriesSet:
        """Return channels of a cached session, downloaded or added one by one, as arrays of times and values.

        Conditions that are given together all hold; without any, everything is returned.

        :param channels: labels (:func:`~blitz.data.boards.channel_labels`), or plain names where only one channel bears
            the name; all channels when absent.
        :param start: the first moment: an aware datetime, a numpy datetime64 in UTC, or seconds since the Unix epoch.
        :param stop: the end of the time, itself not included.
        :param max_points: thin each channel out to at most so many points: the smallest and largest of short spans.
        :param first: sequence number of the first message; of readings that were added one by one, the place by time.
        :param count: so many messages from ``first`` on.
        :param last: only the last so many readings of each channel.
        :param version: of the definitions, 0 for those of the recording; None for the newest.
        :raises SessionNotFound: if the cache has no readings of the session, or no such version.
        :raises SeriesError: if there is no such channel, or the arguments have no meaning.
        """
        wanted, most = wanted_range(start, stop, first, count, last), check_points(max_points)
        session_id = int(session_id)
        rows = self._row_channels(session_id)
        opened: OpenedSession | None = None
        try:
            opened = self.open_session(session_id, version)
        except SessionNotFound:
            if not rows or version:
                raise
        chosen = choose_channels({**rows, **(opened.channels if opened else {})}.values(), channels)
        downloaded = {}
        if opened is not None:
            pyramid = self._useful_overview(opened, wanted, most, version)
            asked = _Asked(opened, pyramid, wanted, most)
            groups = _groups([channel for channel in chosen if channel.parts], wanted)
            downloaded = self._decoded(asked, groups) if pyramid is None else self._looked_up(asked, groups, pyramid)
        series = []
        for channel in chosen:
            points, is_thinned = downloaded.get(channel.label, (_NONE, False))
            if channel.label in rows:
                points = _merged(self._row_points(session_id, channel.label, wanted), points)
            series.append(_series(session_id, channel, points, wanted, most, is_thinned=is_thinned))
        return SeriesSet(series)

    def _useful_overview(
        self, opened: OpenedSession, wanted: Range, most: int | None, version: int | None
    ) -> Pyramid | None:
        """Return the overview; it is made where it is missing and decoding the session each time would take long."""
        if most is None and wanted == Range():
            return None
        found = self.overviews.find(opened.key)
        if found is None and opened.key.message_count > _FEW_MESSAGES:
            found = self.make_overview(opened.key.session_id, version)
        return found

    def _decoded(self, asked: "_Asked", groups: list["_Group"]) -> "_Found":
        """Decode all that is wanted."""
        indices = {index for group in groups for index in group.indices}
        first = min((group.wanted.first for group in groups), default=0)
        blocks = self._read(asked, first, asked.wanted.stop, indices)
        return _collected(groups, blocks)

    def _looked_up(self, asked: "_Asked", groups: list["_Group"], pyramid: Pyramid) -> "_Found":
        """Thin out by the overview where there is much, decode where there is little."""
        indices = {index for group in groups for index in group.indices}
        reader = PyramidReader(pyramid, lambda first, stop, only: self._read(asked, first, stop, only))
        if len(groups) > 1:
            recent = RecentBlocks(lambda first, stop: self._read(asked, first, stop, indices))
            reader = PyramidReader(pyramid, recent.read)
        found: _Found = {}
        few: list[_Group] = []
        for group in groups:
            if group.wanted.last is not None:
                first = reader.begin_of_last(group.indices, group.wanted)
                group = replace(group, wanted=replace(group.wanted, first=first, last=None))
            spans = [reader.seqs(index, group.wanted) for index in group.indices]
            if asked.most is not None and _is_much(reader, group, spans, asked.most):
                found |= _thinned(reader, group, asked.most)
            elif any(first < stop for first, stop in spans):
                first = min(first for first, stop in spans if first < stop)
                narrowed = replace(group.wanted, first=first, stop=max(stop for _, stop in spans))
                few.append(replace(group, wanted=narrowed))
        if few:
            first, stop = min(group.wanted.first for group in few), max(group.wanted.stop or 0 for group in few)
            blocks = self._read(asked, first, stop, {index for group in few for index in group.indices})
            found |= _collected(few, blocks)
        return found

    def _read(self, asked: "_Asked", first: int, stop: int | None, only: Collection[int]) -> Iterator[list[Readings]]:
        return (decoded for _, decoded in decode_part(self, asked.opened, asked.pyramid, first, stop, only))

    def _row_channels(self, session_id: int) -> dict[str, WantedChannel]:
        """Return the channels of readings that were added one by one."""
        with self._asking() as db:
            names = db.scalars(_ROW_CHANNELS, {"session": session_id})
            return {name: WantedChannel(name, "", name, "", ()) for name in names}

    def _row_points(self, session_id: int, label: str, wanted: Range) -> Points:
        query = select(Reading.time_logged, Reading.value).join(Category)
        query = query.where(Reading.session_id == session_id, Category.variable_name == label)
        query = query.order_by(Reading.time_logged, Reading.id).offset(wanted.first)
        if wanted.stop is not None:
            query = query.limit(wanted.stop - wanted.first)
        with self._reading() as db:
            rows = db.execute(query).all()
        time_ns = np.array([row[0] for row in rows], np.int64) * 1_000_000
        begin, end = np.searchsorted(time_ns, [wanted.start_ns, wanted.stop_ns]).tolist()
        return time_ns[begin:end], np.array([row[1] for row in rows], np.float64)[begin:end]


_ROW_CHANNELS = (
    select(Category.variable_name)
    .where(exists().where(Reading.session_id == bindparam("session"), Reading.category_id == Category.id))
    .order_by(Category.id)
)


class _Asked(NamedTuple):
    opened: OpenedSession
    pyramid: Pyramid | None
    wanted: Range
    most: int | None


_Found = dict[str, tuple[Points, bool]]
"""By label: times and values, and whether they were thinned out."""


@dataclass(frozen=True)
class _Group:
    """Channels of one device: what goes through the same rows of the source table."""

    indices: tuple[int, ...]
    channels: tuple[WantedChannel, ...]
    wanted: Range


def _groups(channels: list[WantedChannel], wanted: Range) -> list[_Group]:
    by_rows: dict[tuple[int, ...], list[WantedChannel]] = {}
    for channel in channels:
        by_rows.setdefault(tuple(part.source_index for part in channel.parts), []).append(channel)
    return [_Group(indices, tuple(same), wanted) for indices, same in by_rows.items()]


def _is_much(reader: PyramidReader, group: _Group, spans: list[tuple[int, int]], most: int) -> bool:
    """Whether to look at runs rather than at every reading: there are enough, or decoding would take too long."""
    runs = sum(reader.count_runs(index, group.wanted) for index in group.indices)
    messages = sum(stop - first for first, stop in spans)
    return runs >= most // 4 or (messages > _FEW_MESSAGES and runs >= most // 16)


def _thinned(reader: PyramidReader, group: _Group, most: int) -> _Found:
    parts = []
    for place, index in enumerate(group.indices):
        columns = [channel.parts[place].column for channel in group.channels]
        parts += [runs.channels(columns) for runs in reader.runs(index, group.wanted, most)]
    curves = thinned(parts if len(group.indices) == 1 else [in_order(parts)], most)
    return {channel.label: (points, True) for channel, points in zip(group.channels, curves, strict=True)}


def _collected(groups: list[_Group], blocks: Iterator[list[Readings]]) -> _Found:
    parts: dict[str, list[Points]] = {channel.label: [] for group in groups for channel in group.channels}
    places: dict[int, list[tuple[_Group, int]]] = {}
    for group in groups:
        for place, index in enumerate(group.indices):
            places.setdefault(index, []).append((group, place))
    for decoded in blocks:
        for readings in decoded:
            for group, place in places.get(readings.source.index, ()):
                here = wanted_part(readings, group.wanted)
                for channel in group.channels if here.start < here.stop else ():
                    values = readings.values[here, channel.parts[place].column].copy()
                    parts[channel.label].append((readings.time_ns[here], values))
    return {label: (_joined(found), False) for label, found in parts.items()}


def _series(
    session_id: int, channel: WantedChannel, points: Points, wanted: Range, most: int | None, *, is_thinned: bool
) -> Series:
    time_ns, values = points
    if wanted.last is not None and not is_thinned:
        time_ns, values = time_ns[-wanted.last :], values[-wanted.last :]
    if most is not None and len(time_ns) > most:
        time_ns, values = min_max(time_ns, values, most // 2)
        is_thinned = True
    return channel.series(session_id, time_ns, values, is_thinned=is_thinned)


def _joined(parts: list[Points]) -> Points:
    """Join parts that follow each other. Two rows of one device have two clocks, which may differ by a little."""
    if not parts:
        return _NONE
    times, values = zip(*parts, strict=True)
    return np.maximum.accumulate(np.concatenate(times)), np.concatenate(values)


def _merged(one: Points, other: Points) -> Points:
    time_ns, values = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    order = np.argsort(time_ns, kind="stable")
    return time_ns[order], values[order]
