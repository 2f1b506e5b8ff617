"""CSV of sessions whose readings were added one by one, rather than downloaded: the same two layouts."""

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from blitz.data.csv_times import iso_times, seconds_since
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Reading

_PAGE_ROWS = 4096

Part = tuple[bytes, int]
"""Text of a CSV file, and how many readings were written when it is."""


def wide_parts(cache: DatabaseClient, session_id: int, started_ns: int, word: Callable[[str], str]) -> Iterator[Part]:
    """Give a row a time, with a column a variable; a second value of a variable at one time begins another row."""
    variables = [reading.category for reading in cache.get_session_variables(session_id)]
    places = {category.id: place for place, category in enumerate(variables)}
    yield _lines([["time_utc", "seconds", *(word(category.variable_name) for category in variables)]]), 0
    written = 0
    rows = _rows_by_time(cache.iterate_rows(session_id), places)
    while page := list(itertools.islice(rows, _PAGE_ROWS)):
        written += sum(1 for _, cells in page for cell in cells if cell is not None)
        heads = _heads([time_ms for time_ms, _ in page], started_ns)
        yield (
            _lines([*head, *(_text(cell) for cell in cells)] for head, (_, cells) in zip(heads, page, strict=True)),
            written,
        )


def long_parts(cache: DatabaseClient, session_id: int, started_ns: int, word: Callable[[str], str]) -> Iterator[Part]:
    """Give a row a reading. Source and unit are not known, and left empty."""
    yield _lines([["time_utc", "seconds", "source", "channel", "unit", "value"]]), 0
    written = 0
    readings = cache.iterate_rows(session_id)
    while page := list(itertools.islice(readings, _PAGE_ROWS)):
        written += len(page)
        heads = _heads([reading.time_logged for reading in page], started_ns)
        yield (
            _lines(
                [*head, "", word(reading.category.variable_name), "", _text(reading.value)]
                for head, reading in zip(heads, page, strict=True)
            ),
            written,
        )


def _rows_by_time(readings: Iterable[Reading], places: dict[int, int]) -> Iterator[tuple[int, list[float | None]]]:
    for time_ms, at_once in itertools.groupby(readings, key=lambda reading: reading.time_logged):
        cells: list[float | None] = [None] * len(places)
        for reading in at_once:
            place = places.get(reading.category_id)
            if place is None:  # added while the file is written
                continue
            if cells[place] is not None:
                yield time_ms, cells
                cells = [None] * len(places)
            cells[place] = reading.value
        yield time_ms, cells


def _heads(times_ms: list[int], started_ns: int) -> Iterator[tuple[str, str]]:
    time_ns = np.array(times_ms, np.int64) * 1_000_000
    return zip(iso_times(time_ns).to_pylist(), seconds_since(time_ns, started_ns).to_pylist(), strict=True)


def _text(value: float | None) -> str:
    if value is None or value != value:
        return ""
    return repr(value).removesuffix(".0")


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # which makes it quote both characters
    return text.getvalue().replace("\r\n", "\n").encode()
