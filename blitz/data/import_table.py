"""What a table that is imported consists of: which column is the time, which ones are channels.

Pure. Says it for every kind of file; how the files are read stands in modules of their own.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.import_dialect import name_and_unit
from blitz.data.import_times import TimeRule, TimeUnit, is_zone, unit_named
from blitz.errors import ImportFileError

_TIME_NAMES = (
    "time_utc", "time", "timestamp", "datetime", "date_time", "date time", "time_ns", "time_us", "time_ms", "time_s",
    "timestamp_ns", "timestamp_us", "timestamp_ms", "timestamp_s", "time_local", "date", "zeit", "zeitstempel", "datum",
    "heure", "temps", "epoch", "unix", "unixtime", "ts", "t", "seconds", "elapsed", "elapsed time", "index",
    "column 1",
)  # fmt: skip
_CHANNEL_NAMES = ("channel", "series", "variable", "variable_name", "sensor", "quantity", "name")
_SOURCE_NAMES = ("source", "device", "board")
_UNIT_NAMES = ("unit", "units")
_VALUE_NAMES = ("value", "reading", "val")
_SUFFIX = re.compile(r".*_(ns|us|ms|s)")
OURS_TO_LEAVE = frozenset(("seconds", "session"))
"""Columns of our own exports that the times, or the session, tell already."""


@dataclass(frozen=True)
class ImportOptions:
    """What the importer is told, because a file does not say it or says it wrongly.

    :param name: the session's name; absent: the file's.
    :param time_column: heading of the column of times; absent: it is found.
    :param unit: of times that are numbers; absent: told by their size.
    :param columns: headings of the columns to take; absent: all that hold numbers.
    :param timezone: of times that are written without one, such as ``Europe/Vienna``; absent: UTC.
    :param start: when the measurement began, for times that count from there.
    :param day_first: what 01/02/2024 means; absent: told by the file.
    """

    name: str = ""
    time_column: str | None = None
    unit: TimeUnit | None = None
    columns: tuple[str, ...] | None = None
    timezone: str | None = None
    start: datetime | None = None
    day_first: bool | None = None

    def __post_init__(self) -> None:
        if self.timezone is not None and not is_zone(self.timezone):
            raise ImportFileError(f"There is no time zone {self.timezone!r}. Name one such as Europe/Vienna.")
        if self.start is not None and self.start.tzinfo is None:
            raise ImportFileError("The start has no time zone. Give one such as 2024-05-01T12:00:00+02:00.")

    @property
    def start_ns(self) -> int | None:
        """The start in nanoseconds since the Unix epoch."""
        if self.start is None:
            return None
        whole_s = int(self.start.replace(microsecond=0).timestamp())
        return whole_s * 1_000_000_000 + self.start.microsecond * 1000


class TableChannel(NamedTuple):
    """One channel that the file has."""

    source: str
    name: str
    unit: str


class TableRows(NamedTuple):
    """Consecutive rows.

    :param time_ns: int64, shape (n,).
    :param code: int32, shape (n,): which channel a row's value is of; None where a row has one of each channel.
    :param values: float64, shape (n, n_channels), or (n, 1) with codes.
    """

    time_ns: NDArray[np.int64]
    code: NDArray[np.int32] | None
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, places: NDArray[np.int64] | slice) -> "TableRows":
        """Return some of the rows."""
        return TableRows(self.time_ns[places], None if self.code is None else self.code[places], self.values[places])

    @classmethod
    def join(cls, parts: Sequence["TableRows"]) -> "TableRows":
        """Put rows behind each other."""
        codes = [part.code for part in parts if part.code is not None]
        return cls(
            np.concatenate([part.time_ns for part in parts]),
            np.concatenate(codes) if codes else None,
            np.concatenate([part.values for part in parts]),
        )


ReadRows = Callable[[Callable[[int], None]], Iterator[TableRows]]
"""Reads all rows from the beginning; it is given what is to be called with how many bytes were read."""


@dataclass(frozen=True)
class ImportTable:
    """A file that is ready to be read.

    :param channels: of which a row has a value each, or by whose place rows say what they are of.
    :param is_long: whether a row is one reading.
    :param times: how times are read, where that was found out.
    :param left_out: headings of columns that hold no numbers, or were not chosen.
    """

    channels: tuple[TableChannel, ...]
    is_long: bool
    times: TimeRule
    left_out: tuple[str, ...]
    size_bytes: int
    rows: ReadRows


class Column(NamedTuple):
    """One column of a file.

    :param kind: what its cells look like; "empty" where those looked at hold nothing.
    """

    place: int
    heading: str
    name: str
    unit: str
    kind: Literal["number", "moment", "text", "empty"]

    @classmethod
    def of(cls, place: int, heading: str, unit: str, kind: Literal["number", "moment", "text", "empty"]) -> "Column":
        """Make one of its heading; a unit that is known already wins."""
        name, in_brackets = name_and_unit(heading)
        return cls(place, heading, heading if unit else name, unit or in_brackets, kind)

    @property
    def time_unit(self) -> TimeUnit | None:
        """The unit that times have by their heading."""
        match = _SUFFIX.fullmatch(self.name.lower())
        return unit_named(self.unit) or (unit_named(match[1]) if match else None)

    def zone(self, wanted: str | None) -> str:
        """Return the time zone of times that do not say it themselves.

        :raises ImportFileError: if the heading says that the times are local, and nobody says where.
        """
        if wanted is None and self.name == "time_local":
            raise ImportFileError("its times are those of a local clock; say of which time zone, such as Europe/Vienna")
        return wanted or (self.unit if self.unit and is_zone(self.unit) else "UTC")


class Roles(NamedTuple):
    """What the columns of a file are.

    :param values: the channels' columns; of a long table the column of values.
    :param words: of a long table the columns of source, channel and unit; source and unit may be missing.
    """

    time: Column
    values: list[Column]
    words: tuple[Column | None, Column, Column | None] | None
    left_out: tuple[str, ...]


def roles_of(columns: Sequence[Column], options: ImportOptions) -> Roles:
    """Find out what the columns of a table are.

    :raises ImportFileError: if there is no time, or nothing to read.
    """
    time = _time_column(columns, options.time_column)
    others = [column for column in columns if column is not time]
    words = _words(others)
    if words is not None:
        value = _named(others, _VALUE_NAMES)
        assert value is not None
        used = {column.place for column in (time, value, *words) if column is not None}
        rest = [column for column in columns if column.place not in used and column.name not in OURS_TO_LEAVE]
        return Roles(time, [value], words, tuple(column.heading for column in rest))
    is_ours = time.name in ("time_utc", "time_local")
    chosen = _chosen(others, options.columns) if options.columns is not None else None
    values = [
        column
        for column in others
        if (
            column in chosen
            if chosen is not None
            else column.kind in ("number", "empty") and not (is_ours and column.name in OURS_TO_LEAVE)
        )
    ]
    if not values:
        raise ImportFileError("it has no column of numbers besides the time")
    used = {column.place for column in (time, *values)}
    rest = [column for column in columns if column.place not in used]
    if is_ours:
        rest = [column for column in rest if column.name not in OURS_TO_LEAVE]
    return Roles(time, values, None, tuple(column.heading for column in rest))


def _time_column(columns: Sequence[Column], wanted: str | None) -> Column:
    if wanted is not None:
        return _chosen(columns, (wanted,))[0]
    usable = [column for column in columns if column.kind in ("number", "moment")]
    named = _named(usable, _TIME_NAMES)
    found = named or next((column for column in usable if column.kind == "moment"), None)
    if found is None:
        raise ImportFileError(f"no column of times was found among {_list(columns)}; say which one it is")
    return found


def _words(columns: Sequence[Column]) -> tuple[Column | None, Column, Column | None] | None:
    """Return the columns that say what a row's one value is of; None where a row has several values."""
    texts = [column for column in columns if column.kind in ("text", "empty")]
    value = _named([column for column in columns if column.kind in ("number", "empty")], _VALUE_NAMES)
    channel = _named(texts, _CHANNEL_NAMES)
    if value is None or channel is None:
        return None
    return _named(texts, _SOURCE_NAMES), channel, _named(texts, _UNIT_NAMES)


def _named(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    known = {column.name.lower(): column for column in reversed(columns)}
    return next((known[name] for name in names if name in known), None)


def _chosen(columns: Sequence[Column], headings: Sequence[str]) -> list[Column]:
    found = []
    for heading in headings:
        column = next((one for one in columns if heading in (one.heading, one.name)), None)
        if column is None:
            raise ImportFileError(f"it has no column {heading!r}; there are {_list(columns)}")
        found.append(column)
    return found


def _list(columns: Sequence[Column]) -> str:
    shown = ", ".join(repr(column.heading) for column in columns[:20])
    return f"{shown} and {len(columns) - 20} more" if len(columns) > 20 else shown or "none"
