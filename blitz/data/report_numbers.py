"""A channel's statistics as a report's tables have them. Pure."""

import math
from dataclasses import fields
from datetime import UTC, date, tzinfo

from blitz.data.range_statistics import RangeStatistics
from blitz.data.report_facts import Cell, ChannelStatistics, StatisticsTable
from blitz.data.report_words import MISSING, count_words, moment_of, moment_words, number_words

_COUNTS = ("count", "nan_count")
_LEFT_OUT = ("label", "unit")
_HEADINGS = {
    "count": "Readings",
    "nan_count": "Without value",
    "mean": "Mean",
    "standard_deviation": "Std. dev.",
    "minimum": "Minimum",
    "maximum": "Maximum",
    "median": "Median",
    "rms": "RMS",
    "first": "First",
    "last": "Last",
    "rate_hz": "Readings/s",
    "slope": "Slope (unit/s)",
    "integral": "Integral (unit·s)",
    "minimum_ns": "Minimum at",
    "maximum_ns": "Maximum at",
    "first_ns": "First at",
    "last_ns": "Last at",
}
_FIRST = ("count", "mean", "standard_deviation", "rms", "minimum", "maximum")
_TIMES = ("minimum_ns", "maximum_ns", "first_ns", "last_ns")
_NEVER = ("median",)
"""A walk through a session in flat memory does not know it."""


def _tables() -> tuple[StatisticsTable, ...]:
    names = [each.name for each in fields(RangeStatistics) if each.name not in (*_LEFT_OUT, *_NEVER)]
    second = [name for name in names if name not in (*_FIRST, *_TIMES)]
    parts = (("Statistics", _FIRST), ("Course", second), ("When", _TIMES))
    return tuple(
        StatisticsTable(title, tuple((name, _HEADINGS.get(name, name.replace("_", " "))) for name in of))
        for title, of in parts
    )


STATISTICS_TABLES = _tables()
"""All that the statistics have, in as many tables as fit on a page."""


def channel_statistics(statistics: RangeStatistics, day: date, zone: tzinfo | None) -> ChannelStatistics:
    """Return one channel's numbers, as people and as programs read them.

    :param day: of the session's start: what was on that day is told by the time of day alone.
    :param zone: in which times are written; None is that of this computer.

    >>> facts = channel_statistics(RangeStatistics("flow", "l/min", 2, mean=0.1 + 0.2), date(2026, 11, 23), UTC)
    >>> facts.values["mean"], facts.values["minimum"]
    (Cell(words='0.3', exact='0.30000000000000004'), Cell(words='–', exact=''))
    """
    values = {
        each.name: _cell(each.name, getattr(statistics, each.name), day, zone)
        for each in fields(statistics)
        if each.name not in _LEFT_OUT
    }
    return ChannelStatistics(statistics.label, statistics.unit, values)


def _cell(name: str, value: float | None, day: date, zone: tzinfo | None) -> Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell(MISSING)
    if name in _TIMES:
        is_that_day = moment_of(int(value), zone).date() == day
        words = moment_words(int(value), zone)
        return Cell(words[11:] if is_that_day else words, moment_of(int(value), UTC).isoformat())
    if name in _COUNTS:
        return Cell(count_words(int(value)), str(int(value)))
    return Cell(number_words(float(value)), repr(float(value)))
