"""Excel files, wide and long."""

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.csv_formulas import defused
from blitz.data.export_about import GAP_FIELDS, MARKER_FIELDS, gap_rows, marker_rows
from blitz.data.export_csv import long_rows
from blitz.data.export_file import file_sha256
from blitz.data.export_parts import Contents, Part
from blitz.data.export_spelling import Spelling, local_ns
from blitz.data.optional_packages import optional_package
from blitz.data.unfinished_file import scratch_folder
from blitz.errors import ExportError

MOST_ROWS = 1_048_576
"""Of one sheet, the header included; so many does every spreadsheet program take."""
MOST_COLUMNS = 16_384
_DAY_NS = 86_400 * 1_000_000_000
_DAYS_TO_1970 = 25_569
"""Excel counts days from the end of 1899."""
_LONG = ("source", "channel", "unit", "value")


class XlsxFile:
    """An Excel file with the sheets ``readings``, ``session``, ``markers`` and ``gaps``.

    Times are Excel's dates, shown to the millisecond; markers and gaps have them beside their nanoseconds. What is
    absent is an empty cell; infinity is text, since Excel has no such number. Text is never a formula: cells that look
    like one are marked as text.

    :param warn: told when the rows go on in a second sheet.
    """

    def __init__(
        self,
        path: Path,
        contents: Contents,
        layout: str,
        spelling: Spelling,
        warn: Callable[[str], None],
    ) -> None:
        headers = [column.header for column in contents.columns]
        self._header = [spelling.time_header, "seconds", *(_LONG if layout == "long" else headers)]
        if len(self._header) > MOST_COLUMNS:
            raise ExportError(
                f"An Excel sheet has {MOST_COLUMNS} columns, and this session needs {len(self._header)}. Choose fewer "
                "channels, the layout long, or another format."
            )
        package = optional_package("xlsxwriter", "An Excel file", "blitz[export]")
        self._is_long = layout == "long"
        self._contents = contents
        self._spelling = spelling
        self._warn = warn
        self._path = path
        # Beside the file: the system's folder for temporary files may be small.
        self._folder = scratch_folder(path)
        self._folder.mkdir()
        options = {"constant_memory": True, "tmpdir": str(self._folder)}
        self._book = package.Workbook(str(path), options)
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._plain = self._book.add_format({"quote_prefix": True})
        self._sheets = 0
        self._row = 0
        try:
            self._sheet = self._next_sheet()
        except BaseException:
            self.abandon()
            raise

    @property
    def sha256(self) -> str:
        """Of the file, when it is closed."""
        return file_sha256(self._path)

    def prepare(self, part: Part) -> list[Sequence[Any]]:
        """Return a part as columns of Python numbers; in any thread."""
        days = self._days(part.time_ns)
        seconds = (part.time_ns - self._contents.started_ns) // 1000 / 1e6
        if not self._is_long:
            return [days.tolist(), seconds.tolist(), *part.values.tolist()]
        row, column, value = long_rows(part)
        names = [(each.source, each.channel, each.unit) for each in self._contents.columns]
        texts = zip(*(names[number] for number in column.tolist()), strict=True) if len(column) else ((), (), ())
        return [days[row].tolist(), seconds[row].tolist(), *texts, value.tolist()]

    def write(self, columns: list[Sequence[Any]]) -> None:
        """Add rows, cell by cell, as the format's library wants them."""
        for cells in zip(*columns, strict=True):
            if self._row == MOST_ROWS:
                self._sheet = self._next_sheet()
            self._sheet.write_number(self._row, 0, cells[0], self._date)
            for place, cell in enumerate(cells[1:], 1):
                self._write(self._sheet, self._row, place, cell)
            self._row += 1

    def close(self) -> None:
        """Write the other sheets, and the file."""
        self._add_sheet("session", ("what", "value"), _about(self._contents, self._spelling))
        self._add_sheet("markers", MARKER_FIELDS, marker_rows(self._contents), is_dated=True)
        self._add_sheet("gaps", GAP_FIELDS, gap_rows(self._contents), is_dated=True)
        self._book.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def abandon(self) -> None:
        """Drop what was written, which lies in temporary files that the library leaves open."""
        for sheet in self._book.worksheets():
            with suppress(OSError):
                sheet.row_data_fh.close()
        self._book.fileclosed = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _next_sheet(self) -> Any:
        self._sheets += 1
        if self._sheets == 2:
            self._warn(
                f"An Excel sheet has {MOST_ROWS} rows: the readings go on in further sheets, 'readings 2' and so on."
            )
        sheet = self._book.add_worksheet("readings" if self._sheets == 1 else f"readings {self._sheets}")
        sheet.set_column(0, 0, 24)
        sheet.freeze_panes(1, 1)
        for place, text in enumerate(self._header):
            self._write(sheet, 0, place, text)
        self._row = 1
        return sheet

    def _add_sheet(
        self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]], *, is_dated: bool = False
    ) -> None:
        """Add a sheet.

        :param is_dated: whether its fields ``from_ns`` and ``to_ns`` follow once more, as dates like the readings'.
        """
        sheet = self._book.add_worksheet(name)
        dates = ["from_ns", "to_ns"] if is_dated else []
        clock = self._spelling.time_header.removeprefix("time")
        head = [*header, *(field.removesuffix("_ns") + clock for field in dates)]
        for number, cells in enumerate([head, *rows]):
            for place, cell in enumerate(cells):
                self._write(sheet, number, place, cell)
            for place, field in enumerate(dates if number else [], len(header)):
                time_ns = cells[header.index(field)]
                if time_ns is not None:
                    sheet.write_number(number, place, float(self._days(np.array([time_ns], np.int64))[0]), self._date)
        if dates:
            sheet.set_column(len(header), len(head) - 1, 24)

    def _days(self, time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return times as Excel's dates."""
        shown_ns = local_ns(time_ns, self._spelling.zone) if self._spelling.is_local else time_ns
        return shown_ns / _DAY_NS + _DAYS_TO_1970

    def _write(self, sheet: Any, row: int, place: int, cell: Any) -> None:
        if isinstance(cell, str):
            sheet.write_string(row, place, cell[:32_767], self._plain if defused(cell) != cell else None)
        elif isinstance(cell, bool):
            sheet.write_boolean(row, place, cell)
        elif cell is None or cell != cell:
            return
        elif isinstance(cell, float) and math.isinf(cell):
            sheet.write_string(row, place, "inf" if cell > 0 else "-inf", self._plain)
        elif isinstance(cell, int) and abs(cell) > 1 << 53:
            sheet.write_string(row, place, str(cell))  # nanoseconds, of which Excel would lose the last digits
        else:
            sheet.write_number(row, place, cell)


def _about(contents: Contents, spelling: Spelling) -> list[tuple[str, Any]]:
    record = contents.record
    rows: list[tuple[str, Any]] = [
        ("session", record.id),
        ("name", record.name),
        ("notes", record.notes),
        ("owner", record.owner),
        ("tags", ", ".join(record.tags)),
        ("started_at", record.started_at.isoformat()),
        ("stopped_at", record.stopped_at.isoformat() if record.stopped_at else None),
        ("messages", record.message_count),
        ("verdict", record.verdict),
        ("times", "local" if spelling.is_local else "UTC"),
        *((f"field {name}", value) for name, value in record.fields.items()),
    ]
    for column in contents.columns:
        made = "" if column.computed is None else f", formula {column.computed.formula}"
        rows.append((f"channel {column.label}", f"unit {column.unit or '(none)'}, source {column.source}{made}"))
    return rows
