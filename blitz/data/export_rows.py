"""Sessions whose readings were added one by one, rather than downloaded, as parts of a table."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from blitz.data.database_client import DatabaseClient
from blitz.data.export_parts import Column, Contents, Part, nanoseconds
from blitz.data.models import Reading
from blitz.data.records import SessionRecord
from blitz.data.series_request import Range, WantedChannel, choose_channels

_PAGE_ROWS = 4096


def row_contents(
    cache: DatabaseClient, record: SessionRecord, channels: str | Iterable[str] | None, wanted: Range
) -> Contents:
    """Return what a session has of such readings: a row a time, with a column a variable.

    A second value of a variable at one time begins another row. Source and unit are not known.

    :raises SeriesError: if there is no such channel.
    """
    variables = [reading.category for reading in cache.get_session_variables(record.id)]
    there = [WantedChannel(each.variable_name, "", each.variable_name, "", ()) for each in variables]
    chosen = {channel.label: place for place, channel in enumerate(choose_channels(there, channels))}
    places = {each.id: chosen[each.variable_name] for each in variables if each.variable_name in chosen}
    columns = tuple(Column(label, "", "", label) for label in chosen)
    total = cache.count_rows(record.id)
    readings = itertools.islice(cache.iterate_rows(record.id), wanted.first, wanted.stop)
    parts = _parts(readings, places, len(columns), wanted)
    return Contents(record, (), columns, nanoseconds(record), parts, total)


def _parts(readings: Iterable[Reading], places: dict[int, int], columns: int, wanted: Range) -> Iterator[Part]:
    read = 0

    def counted() -> Iterator[Reading]:
        nonlocal read
        for reading in readings:
            read += 1
            if wanted.start_ns <= reading.time_logged * 1_000_000 < wanted.stop_ns:
                yield reading

    rows = _rows_by_time(counted(), places)
    while page := list(itertools.islice(rows, _PAGE_ROWS)):
        time_ns = np.array([time_ms for time_ms, _ in page], np.int64) * 1_000_000
        values = np.array([cells for _, cells in page], np.float64).reshape(-1, columns)
        yield Part(time_ns, values.T, read)


def _rows_by_time(readings: Iterable[Reading], places: dict[int, int]) -> Iterator[tuple[int, list[float | None]]]:
    for time_ms, at_once in itertools.groupby(readings, key=lambda reading: reading.time_logged):
        cells: list[float | None] = [None] * (max(places.values(), default=-1) + 1)
        is_empty = True
        for reading in at_once:
            place = places.get(reading.category_id)
            if place is None:  # not chosen, or added while the file is written
                continue
            if cells[place] is not None:
                yield time_ms, cells
                cells = [None] * len(cells)
            cells[place] = reading.value
            is_empty = False
        if not is_empty:
            yield time_ms, cells
