"""What several transforms ask of their arguments and of their series, and how they make the new one. Pure."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from blitz.data.series import Series
from blitz.errors import SeriesError

_LARGEST_SPREAD = 0.4
_LONGEST_SHARE = 2.0


def renewed(
    series: Series,
    values: NDArray[np.float64],
    *,
    time_ns: NDArray[np.int64] | None = None,
    unit: str | None = None,
) -> Series:
    """Return the series with other values; times that are shared with it cannot be written to through the new one."""
    if time_ns is None:
        time_ns = series.time_ns.view()
        time_ns.flags.writeable = False
    unit = series.unit if unit is None else unit
    return dataclasses.replace(series, values=values, time_ns=time_ns, unit=unit)


def require_number(name: str, value: object) -> None:
    """Raise SeriesError unless the value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise SeriesError(f"{name} is {value!r}: give a finite number.")


def require_positive(name: str, value: object) -> None:
    """Raise SeriesError unless the value is a finite number above 0."""
    require_number(name, value)
    if not value > 0:  # type: ignore[operator]
        raise SeriesError(f"{name} is {value!r}: give a number above 0.")


def require_window(points: object, limit: int) -> None:
    """Raise SeriesError unless it is an odd number of points: a window needs a middle."""
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or not 1 <= points <= limit:
        raise SeriesError(f"A window of {points!r} points is not possible: give a whole number from 1 to {limit}.")
    if points % 2 == 0:
        raise SeriesError(f"A window of {points} points has no middle: give {points - 1} or {points + 1}.")


def require_all_points(series: Series) -> None:
    """Raise SeriesError if the series has only the extremes of short spans: they are a picture, not measurements."""
    if series.is_thinned:
        raise SeriesError(
            f"{series.label!r} holds only the smallest and largest values of short spans, and this needs all of them. "
            "Ask for the series without max_points, over a shorter time if need be."
        )


def count_words(count: int) -> str:
    """Say how many values there are.

    >>> count_words(0), count_words(1), count_words(2)
    ('no value', '1 value', '2 values')
    """
    return "no value" if not count else "1 value" if count == 1 else f"{count} values"


def seconds_since_first(time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return times in seconds, 0 at the first: only differences of nanoseconds fit into a float whole."""
    first = time_ns[0] if len(time_ns) else 0
    return (time_ns - first) / 1e9


def even_rate_hz(series: Series) -> float:
    """Return the rate of an evenly sampled series, such as filters and spectra need.

    A clock that counts whole milliseconds makes uneven steps of even ones; these pass. A hole does not.

    :raises SeriesError: if the times are uneven, or fewer than two; says what to do.
    """
    label = series.label
    if len(series) < 2:
        raise SeriesError(f"{label!r} has {count_words(len(series))} here: a rate needs at least two.")
    steps_s = np.diff(series.time_ns) / 1e9
    step_s = float(steps_s.mean())
    if step_s <= 0:
        raise SeriesError(f"All values of {label!r} have one time: they have no rate.")
    shortest, longest = float(steps_s.min()), float(steps_s.max())
    if shortest <= 0 or longest >= _LONGEST_SHARE * step_s or float(steps_s.std()) > _LARGEST_SPREAD * step_s:
        usual_s = float(np.median(steps_s)) or step_s
        raise SeriesError(
            f"{label!r} is not sampled evenly: steps of {shortest:.6g} s to {longest:.6g} s. "
            f"Put the step “Resample” with {usual_s:.6g} s before it, or take a range without a gap."
        )
    return 1 / step_s


def bridged(series: Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values with straight lines where there are none, and where that is.

    What lies before the first value and behind the last is held.

    :raises SeriesError: if there is no value at all.
    """
    is_missing = ~np.isfinite(series.values)
    if not is_missing.any():
        return series.values, is_missing
    if is_missing.all():
        raise SeriesError(f"{series.label!r} has no value here.")
    time_s = seconds_since_first(series.time_ns)
    values = series.values.copy()
    values[is_missing] = np.interp(time_s[is_missing], time_s[~is_missing], series.values[~is_missing])
    return values, is_missing
