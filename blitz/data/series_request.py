"""What somebody wants of a session's channels: which, of what time or messages, and how many points. Pure."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import channel_labels
from blitz.data.records import Source
from blitz.data.series import Series
from blitz.errors import SeriesError

Moment = datetime | np.datetime64 | float
"""An aware datetime, a numpy datetime64 (UTC), or seconds since the Unix epoch."""

FEWEST_POINTS = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = (1 << 63) - 1


@dataclass(frozen=True)
class ChannelPart:
    """Where a channel stands in the readings of one row of the source table."""

    source_index: int
    column: int


@dataclass(frozen=True)
class WantedChannel:
    """One channel of a session, and the rows of the source table that it goes through, by index."""

    label: str
    source: str
    name: str
    unit: str
    parts: tuple[ChannelPart, ...]

    def series(
        self, session_id: int, time_ns: NDArray[np.int64], values: NDArray[np.float64], *, is_thinned: bool
    ) -> Series:
        """Return these readings as the channel's series."""
        return Series(session_id, self.source, self.name, self.label, self.unit, time_ns, values, is_thinned)


@dataclass(frozen=True)
class Range:
    """Which readings are wanted: ``start_ns <= time < stop_ns`` and ``first <= seq < stop``; of these the last ones."""

    start_ns: int = -_LATEST_NS
    stop_ns: int = _LATEST_NS
    first: int = 0
    stop: int | None = None
    last: int | None = None


def wanted_range(
    start: Moment | None, stop: Moment | None, first: int | None, count: int | None, last: int | None
) -> Range:
    """Check and translate what a caller asked for.

    :param stop: the end of the time, itself not included.
    :raises SeriesError: if it has no meaning; says why.

    >>> wanted_range(1.5, None, 100, 50, None)
    Range(start_ns=1500000000, stop_ns=9223372036854775807, first=100, stop=150, last=None)
    """
    wanted = Range(
        -_LATEST_NS if start is None else nanoseconds("start", start),
        _LATEST_NS if stop is None else nanoseconds("stop", stop),
        0 if first is None else _whole("first", first, 0),
        None if count is None else (first or 0) + _whole("count", count, 0),
        None if last is None else _whole("last", last, 1),
    )
    if wanted.start_ns > wanted.stop_ns:
        raise SeriesError(f"The start, {start}, is later than the stop, {stop}. Exchange them.")
    if count is not None and last is not None:
        raise SeriesError("Both count and last were given: count goes with first; last counts back from the end.")
    return wanted


def check_points(max_points: int | None) -> int | None:
    """Return the most points that a series may have.

    :raises SeriesError: if they are too few for an overview.
    """
    return None if max_points is None else _whole("max_points", max_points, FEWEST_POINTS)


def nanoseconds(name: str, moment: Moment) -> int:
    """Return a moment in nanoseconds since the Unix epoch.

    :param name: of the argument.
    :raises SeriesError: if it is none.

    >>> nanoseconds("start", np.datetime64("1970-01-01T00:00:02"))
    2000000000
    """
    if isinstance(moment, np.datetime64) and not np.isnat(moment):
        return int(moment.astype("datetime64[ns]").astype(np.int64))
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    is_number = isinstance(moment, int | float | np.integer | np.floating) and not isinstance(moment, bool)
    if is_number and math.isfinite(moment) and abs(moment) < _LATEST_NS / 1e9:  # type: ignore[arg-type]
        return round(moment * 1_000_000_000)  # type: ignore[operator]
    raise SeriesError(
        f"{name} is {moment!r}, which is no moment: an aware datetime, a numpy datetime64 (UTC), or seconds since "
        "1970 are wanted."
    )


def session_channels(sources: Sequence[Source]) -> dict[str, WantedChannel]:
    """Return what channels a session has, by label, in the order of its source table."""
    labels = channel_labels(sources)
    found: dict[str, WantedChannel] = {}
    for source in sources:
        for column, channel in enumerate(source.definition.channels if source.definition else ()):
            label = labels[source.index, channel.name]
            known = found.get(label)
            part = ChannelPart(source.index, column)
            parts = (*known.parts, part) if known else (part,)
            found[label] = WantedChannel(label, source.name, channel.name, channel.unit, parts)
    return found


def choose_channels(there: Iterable[WantedChannel], names: str | Iterable[str] | None) -> list[WantedChannel]:
    """Choose channels by label, or by plain name where only one bears it; all of them where no names are given.

    :raises SeriesError: at a name that none or several bear; names what there is.
    """
    by_label = {channel.label: channel for channel in there}
    if names is None:
        return list(by_label.values())
    by_name: dict[str, list[WantedChannel]] = {}
    for channel in by_label.values():
        by_name.setdefault(channel.name, []).append(channel)
    chosen = []
    for name in [names] if isinstance(names, str) else names:
        same = [by_label[name]] if name in by_label else by_name.get(name, [])
        if len(same) != 1:
            raise SeriesError(_unknown(name, same, list(by_label)))
        chosen.append(same[0])
    return list(dict.fromkeys(chosen))


def _unknown(name: object, same: list[WantedChannel], labels: list[str]) -> str:
    if same:
        return f"Several channels are called {name!r}: say {' or '.join(repr(channel.label) for channel in same)}."
    if not labels:
        return f"There is no channel {name!r}: the session has no channels that can be decoded."
    near = difflib.get_close_matches(str(name), labels, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no channel {name!r}.{hint} There are: {', '.join(labels)}."


def _whole(name: str, number: int, least: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
        raise SeriesError(f"{name} is {number!r}: a whole number from {least} on is wanted.")
    return int(number)
