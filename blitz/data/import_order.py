"""Bringing imported rows into the order of time, in flat memory.

Most files are in order, or nearly so. For others the rows are sorted in runs on disk, which are then read side by side.
"""

import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.import_table import TableRows

_HELD_BACK = 1 << 16
_RUN_CELLS = 1 << 23
"""Numbers of one run: 64 MB."""


class OutOfOrder(Exception):  # noqa: N818 - no error: it says that rows must be sorted
    """A row is older than those that were given out already."""


def nearly_ordered(rows: Iterable[TableRows], held_back: int = _HELD_BACK) -> Generator[TableRows, None, None]:
    """Give rows by time, where none is more than ``held_back`` rows too late; those of one time as they stand.

    :raises OutOfOrder: where a row is later than that.
    """
    waiting: TableRows | None = None
    last_ns: int | None = None
    for part in rows:
        if not len(part):
            continue
        joined = part if waiting is None else TableRows.join([waiting, part])
        ready = by_time(joined)
        waiting = ready.take(slice(max(len(ready) - held_back, 0), None))
        ready = ready.take(slice(0, len(ready) - len(waiting)))
        if len(ready):
            if last_ns is not None and ready.time_ns[0] < last_ns:
                raise OutOfOrder
            last_ns = int(ready.time_ns[-1])
            yield ready
    if waiting is not None:
        if last_ns is not None and waiting.time_ns[0] < last_ns:
            raise OutOfOrder
        yield waiting


def sorted_rows(rows: Iterable[TableRows], run_cells: int = _RUN_CELLS) -> Generator[TableRows, None, None]:
    """Give rows by time, those of one time as they stand, whatever order they come in. Uses a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="blitz-import-") as folder:
        runs = _write_runs(rows, Path(folder), run_cells)
        yield from _merged(runs, run_cells)
        for run in runs:
            run.close()


def by_time(rows: TableRows) -> TableRows:
    """Sort rows by time, those of one time as they stand."""
    if (np.diff(rows.time_ns) >= 0).all():
        return rows
    return rows.take(np.argsort(rows.time_ns, kind="stable"))


class _Run:
    """Rows that are sorted, in files; their columns are mapped into memory."""

    def __init__(self, folder: Path, number: int, rows: TableRows) -> None:
        self._columns: list[Any] = [
            None if column is None else _mapped(folder / f"{number}-{name}", column)
            for name, column in zip(("time", "code", "values"), rows, strict=True)
        ]

    @property
    def time_ns(self) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self._columns[0]
        return column

    def between(self, start: int, stop: int) -> TableRows:
        columns: list[Any] = [None if one is None else np.array(one[start:stop]) for one in self._columns]
        time, code, values = columns
        return TableRows(time, code, values)

    def close(self) -> None:
        """Let go of the files, which can be deleted on Windows only then."""
        self._columns.clear()


def _mapped(path: Path, column: NDArray[Any]) -> NDArray[Any]:
    np.save(path, column)
    mapped: NDArray[Any] = np.load(path.with_name(f"{path.name}.npy"), mmap_mode="r")
    return mapped


def _write_runs(rows: Iterable[TableRows], folder: Path, run_cells: int) -> list[_Run]:
    runs: list[_Run] = []
    gathered: list[TableRows] = []
    cells = 0
    for part in rows:
        gathered.append(part)
        cells += part.values.size + len(part)
        if cells >= run_cells:
            runs.append(_Run(folder, len(runs), by_time(TableRows.join(gathered))))
            gathered, cells = [], 0
    if cells:
        runs.append(_Run(folder, len(runs), by_time(TableRows.join(gathered))))
    return runs


def _merged(runs: list[_Run], run_cells: int) -> Generator[TableRows, None, None]:
    """Read the runs side by side: from each the rows up to a time, which are then sorted together."""
    if not runs:
        return
    width = max(run.between(0, 1).values.shape[1] for run in runs) + 1
    step = max(run_cells // width // (2 * len(runs)), 1)
    # Times at even distances within every run: between two of them no run has more than `step` rows of other times.
    borders = np.unique(np.concatenate([run.time_ns[step::step] for run in runs]))
    places = [0] * len(runs)
    for border in [*borders.tolist(), None]:
        ends = [
            len(run.time_ns) if border is None else int(np.searchsorted(run.time_ns, border, side="left"))
            for run in runs
        ]
        parts = [run.between(place, end) for run, place, end in zip(runs, places, ends, strict=True) if end > place]
        places = ends
        if parts:
            yield by_time(TableRows.join(parts))
