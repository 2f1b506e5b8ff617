"""How a table's times and numbers are spelled: for programs, or for a person's spreadsheet."""

import bisect
import locale
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.csv_times import iso_times

_QUARTER_S = 900
"""Clocks change on the quarter of an hour, and differ by quarters."""
_QUARTERS_A_DAY = 96
_setting = threading.Lock()


@dataclass(frozen=True)
class Spelling:
    """What a spreadsheet expects differs from place to place.

    :param decimal: between whole and fraction. With a comma there, cells are separated by semicolons.
    :param is_local: times as a clock on the wall shows them, rather than UTC.
    :param zone: of that clock; None for this computer's.
    :param has_mark: begin with a byte order mark, by which Excel knows UTF-8.
    :param is_defused: names and units that a spreadsheet would take for a formula begin with an apostrophe.
    """

    decimal: Literal[".", ","] = "."
    is_local: bool = False
    zone: tzinfo | None = None
    has_mark: bool = False
    is_defused: bool = False

    @property
    def separator(self) -> str:
        """What stands between cells."""
        return ";" if self.decimal == "," else ","

    @property
    def time_header(self) -> str:
        """Name of the column of times."""
        return "time_local" if self.is_local else "time_utc"

    def times(self, time_ns: NDArray[np.int64]) -> Any:
        """Return times as text, an Arrow array of strings.

        >>> Spelling().times(np.array([1_500_000_000_123_456_789])).to_pylist()
        ['2017-07-14T02:40:00.123456Z']
        """
        if not self.is_local:
            return iso_times(time_ns)
        unit = "s" if not (time_ns % 1_000_000_000).any() else "ms"
        # Rounded: steps of a third of a second, say, have no whole milliseconds.
        moments = (local_ns(time_ns, self.zone) + 500_000).astype("datetime64[ns]").astype(f"datetime64[{unit}]")
        text = np.char.replace(np.datetime_as_string(moments), "T", " ")
        return pa.array(np.char.replace(text, ".", self.decimal).astype(object), pa.string())


def spreadsheet_spelling(decimal: Literal[".", ","] | None = None) -> Spelling:
    """Return what the spreadsheet of this user expects.

    :param decimal: between whole and fraction; found out when absent.
    """
    return Spelling(decimal=decimal or decimal_of_locale(), is_local=True, has_mark=True, is_defused=True)


def decimal_of_locale() -> Literal[".", ","]:
    """Return what stands between whole and fraction in this user's language.

    The whole program has that language for a moment, since there is no other way to ask.
    """
    with _setting:
        before = locale.setlocale(locale.LC_NUMERIC)
        try:
            locale.setlocale(locale.LC_NUMERIC, "")
            return "," if locale.localeconv()["decimal_point"] == "," else "."
        except locale.Error:  # a language that is not installed
            return "."
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)


def local_ns(time_ns: NDArray[np.int64], zone: tzinfo | None) -> NDArray[np.int64]:
    """Return times by a local clock, as nanoseconds since its 1970.

    >>> from datetime import timedelta, timezone
    >>> local_ns(np.array([0, 10**9]), timezone(timedelta(hours=1))).tolist()
    [3600000000000, 3601000000000]
    """
    quarters, which = np.unique(time_ns // (_QUARTER_S * 1_000_000_000), return_inverse=True)
    offsets = [_offset_ns(quarter * _QUARTER_S, zone) for quarter in quarters.tolist()]
    return time_ns + np.array(offsets, np.int64)[which]


def local_offsets(first_ns: int, last_ns: int, zone: tzinfo | None) -> list[tuple[int, int]]:
    """Return what local time was ahead of UTC, in seconds, each with the second since 1970 from which it held.

    The first one is told from the beginning of the span.

    >>> from zoneinfo import ZoneInfo
    >>> local_offsets(1_792_880_000_000_000_000, 1_792_900_000_000_000_000, ZoneInfo("Europe/Berlin"))
    [(1792880000, 7200), (1792890000, 3600)]
    """
    start, last = (time_ns // 1_000_000_000 // _QUARTER_S for time_ns in (first_ns, last_ns))
    found = [(first_ns // 1_000_000_000, _offset_s(start * _QUARTER_S, zone))]
    while start < last:
        stop = min(start + _QUARTERS_A_DAY, last)
        held = found[-1][1]
        if _offset_s(stop * _QUARTER_S, zone) != held:
            quarters = range(start, stop + 1)
            start += bisect.bisect_left(quarters, True, key=lambda each: _offset_s(each * _QUARTER_S, zone) != held)
            found.append((start * _QUARTER_S, _offset_s(start * _QUARTER_S, zone)))
        else:
            start = stop
    return found


def repeated_hours(offsets: Sequence[tuple[int, int]]) -> str:
    """Return in a sentence when local times occur twice, because clocks were set back; empty where they never do."""
    moments = [
        f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M} UTC"
        for (_, before), (second, after) in pairwise(offsets)
        if after < before
    ]
    if not moments:
        return ""
    return f"Clocks were set back at {', '.join(moments)}: local times occur twice there. The column seconds goes on."


def _offset_s(second: int, zone: tzinfo | None) -> int:
    return _offset_ns(second, zone) // 1_000_000_000


def _offset_ns(second: int, zone: tzinfo | None) -> int:
    # astimezone() takes the computer's zone where none is given.
    offset = datetime.fromtimestamp(second, zone).astimezone(zone).utcoffset()
    return round(offset.total_seconds() * 1_000_000_000) if offset is not None else 0
