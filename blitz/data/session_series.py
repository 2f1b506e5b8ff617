"""Sessions of the cache as arrays."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from blitz.data.definition_versions import DefinitionVersions
from blitz.data.models import Category, Reading
from blitz.data.overview import min_max
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.series import Series, SeriesSet
from blitz.data.series_request import (
    Moment,
    Range,
    WantedChannel,
    check_points,
    choose_channels,
    session_channels,
    wanted_range,
)
from blitz.errors import SessionNotFound

_Points = tuple[NDArray[np.int64], NDArray[np.float64]]
_NONE: _Points = (np.empty(0, np.int64), np.empty(0))


class SessionSeries(DefinitionVersions):
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
        try:
            there = session_channels(self.session_sources(session_id, version))
            is_downloaded = True
        except SessionNotFound:
            if not rows or version:
                raise
            there, is_downloaded = {}, False
        chosen = choose_channels({**rows, **there}.values(), channels)
        downloaded = self._decoded_points(session_id, chosen, wanted, version) if is_downloaded else {}
        series = []
        for channel in chosen:
            points = downloaded.get(channel.label, _NONE)
            if channel.label in rows:
                points = _merged(self._row_points(session_id, channel.label, wanted), points)
            series.append(_series(session_id, channel, points, wanted, most))
        return SeriesSet(series)

    def _decoded_points(
        self, session_id: int, chosen: list[WantedChannel], wanted: Range, version: int | None
    ) -> dict[str, _Points]:
        parts: dict[str, list[_Points]] = {channel.label: [] for channel in chosen}
        places: dict[int, list[tuple[str, int]]] = {}
        for channel in chosen:
            for part in channel.parts:
                places.setdefault(part.source_index, []).append((channel.label, part.column))
        blocks = decoded_blocks(self, session_id, version=version, first=wanted.first, stop=wanted.stop)
        for _, decoded in blocks:
            for readings in decoded:
                begin, end = np.searchsorted(readings.time_ns, [wanted.start_ns, wanted.stop_ns]).tolist()
                if begin < end:
                    for label, column in places.get(readings.source.index, ()):
                        values = readings.values[begin:end, column].copy()
                        parts[label].append((readings.time_ns[begin:end], values))
        return {label: _joined(found) for label, found in parts.items()}

    def _row_channels(self, session_id: int) -> dict[str, WantedChannel]:
        """Return the channels of readings that were added one by one."""
        has_rows = select(Reading.id).where(Reading.session_id == session_id, Reading.category_id == Category.id)
        with self._reading() as db:
            names = db.scalars(select(Category.variable_name).where(has_rows.exists()).order_by(Category.id))
            return {name: WantedChannel(name, "", name, "", ()) for name in names}

    def _row_points(self, session_id: int, label: str, wanted: Range) -> _Points:
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


def _series(session_id: int, channel: WantedChannel, points: _Points, wanted: Range, most: int | None) -> Series:
    time_ns, values = points
    if wanted.last is not None:
        time_ns, values = time_ns[-wanted.last :], values[-wanted.last :]
    is_thinned = most is not None and len(time_ns) > most
    if most is not None and is_thinned:
        time_ns, values = min_max(time_ns, values, most // 2)
    return channel.series(session_id, time_ns, values, is_thinned=is_thinned)


def _joined(parts: list[_Points]) -> _Points:
    """Join parts that follow each other. Two rows of one device have two clocks, which may differ by a little."""
    if not parts:
        return _NONE
    times, values = zip(*parts, strict=True)
    return np.maximum.accumulate(np.concatenate(times)), np.concatenate(values)


def _merged(one: _Points, other: _Points) -> _Points:
    time_ns, values = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    order = np.argsort(time_ns, kind="stable")
    return time_ns[order], values[order]
