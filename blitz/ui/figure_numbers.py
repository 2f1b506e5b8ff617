"""What an analysis shows, as numbers for other programs: exact, a column a quantity. Knows no widget."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.export_file import replacing
from blitz.data.range_statistics import RangeStatistics
from blitz.ui.analysis import HistogramFound, PairsFound, SpectrumFound, SweepsFound
from blitz.ui.triggered import Sweep

MOST_COPIED = 100_000
"""Rows in the clipboard; more are for a file."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """A table.

    :param columns: as many as headings, each as long as the others; NaN where there is no number.
    """

    headings: tuple[str, ...]
    columns: tuple[NDArray[Any] | list[Any], ...]

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def text(self) -> str:
        """All of it with tabs, as spreadsheets take it from the clipboard."""
        return self._written("\t", "\n")

    def save(self, path: Path) -> None:
        """Write a CSV file: UTF-8, commas, points in numbers.

        :raises ExportError: if it cannot be written; a file that was there is as it was.
        """
        with replacing(path.expanduser().absolute()) as part:
            part.write_text(self._written(",", "\r\n"), encoding="utf-8", newline="")

    def _written(self, delimiter: str, line_end: str) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
        writer.writerow(self.headings)
        writer.writerows(self._rows())
        return text.getvalue()

    def _rows(self) -> Iterator[tuple[object, ...]]:
        columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in self.columns]
        for row in zip(*columns, strict=True):
            yield tuple("" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)


def numbers_of(result: object) -> Numbers | None:
    """Return what an analysis found as a table; None where there is none.

    >>> from blitz.data.distributions import Histogram
    >>> spread = Histogram("wave", "V", np.array([0.0, 0.5, 1.0]), np.array([3, 4]))
    >>> numbers_of(HistogramFound(spread)).text
    'from [V]\\tto [V]\\treadings\\n0.0\\t0.5\\t3\\n0.5\\t1.0\\t4\\n'
    """
    if isinstance(result, SpectrumFound):
        found = result.spectrum
        what = "density" if found.is_density else "amplitude"
        return Numbers(("frequency [Hz]", _titled(what, found.unit)), (found.frequency_hz, found.values))
    if isinstance(result, HistogramFound):
        spread = result.histogram
        headings = (_titled("from", spread.unit), _titled("to", spread.unit), "readings")
        return Numbers(headings, (spread.edges[:-1], spread.edges[1:], spread.counts))
    if isinstance(result, PairsFound):
        pairs = result.pairs
        times = np.datetime_as_string(pairs.time_ns.view("datetime64[ns]"), timezone="UTC")
        headings = ("time_utc", _titled(pairs.x_label, pairs.x_unit), _titled(pairs.y_label, pairs.y_unit))
        return Numbers(headings, (times, pairs.x, pairs.y))
    if isinstance(result, SweepsFound):
        return sweep_numbers(result.sweeps, result.unit)
    if isinstance(result, list) and result and isinstance(result[0], RangeStatistics):
        return _statistics(result)
    return None


def sweep_numbers(sweeps: Sequence[Sweep], unit: str) -> Numbers | None:
    """Return what was around triggers, one after another; None without any."""
    if not sweeps:
        return None
    moments = np.array([sweep.time_ns for sweep in sweeps], np.int64).view("datetime64[ns]")
    times = np.repeat(np.datetime_as_string(moments, timezone="UTC"), [len(sweep.values) for sweep in sweeps])
    offsets = np.concatenate([sweep.offsets_s for sweep in sweeps])
    values = np.concatenate([sweep.values for sweep in sweeps])
    return Numbers(("trigger_utc", "after the trigger [s]", _titled("value", unit)), (times, offsets, values))


_STATISTICS = {
    "channel": "label",
    "unit": "unit",
    "count": "count",
    "no value": "nan_count",
    "minimum": "minimum",
    "maximum": "maximum",
    "mean": "mean",
    "standard deviation": "standard_deviation",
    "rms": "rms",
    "slope [/s]": "slope",
    "integral [·s]": "integral",
}


def _statistics(found: Sequence[RangeStatistics]) -> Numbers:
    columns = tuple([getattr(each, name) for each in found] for name in _STATISTICS.values())
    return Numbers(tuple(_STATISTICS), columns)


def _titled(title: str, unit: str) -> str:
    return f"{title} [{unit}]" if unit else title
