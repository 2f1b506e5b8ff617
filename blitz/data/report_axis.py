"""Where a report's axes have their ticks, and what stands there. Pure."""

import math
from datetime import timedelta, tzinfo
from typing import NamedTuple

from blitz.data.report_words import moment_of

_STEPS_S = (
    *(10.0**power * step for power in range(-6, 0) for step in (1, 2, 5)),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)),
)
_DAY_S = 86400
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_MOST_DECIMALS = 17


class Tick(NamedTuple):
    """A place on an axis, in its own unit, and what stands there."""

    at: float
    words: str


class TimeTick(NamedTuple):
    """A moment of an axis, and what stands there."""

    at_ns: int
    words: str


def value_ticks(low: float, high: float, most: int = 7) -> list[Tick]:
    """Return round numbers from ``low`` to ``high``, which must be finite and not equal.

    >>> [tick.words for tick in value_ticks(-0.2, 1.1)]
    ['−0.2', '0.0', '0.2', '0.4', '0.6', '0.8', '1.0']
    >>> [tick.words for tick in value_ticks(0, 4.2e6)]
    ['0', '1000000', '2000000', '3000000', '4000000']
    >>> [tick.words for tick in value_ticks(0, 3e-9, 3)]
    ['0', '1e−9', '2e−9', '3e−9']
    """
    rough = high / most - low / most
    power = math.floor(math.log10(rough))
    step = next((size * 10.0**power for size in (1, 2, 5) if size * 10.0**power >= rough), 10.0 ** (power + 1))
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    largest = max(abs(low), abs(high))
    power = math.floor(math.log10(step) + 1e-9)
    if (largest >= 1e7 and step >= 1e3) or largest < 1e-4:
        digits = max(0, math.floor(math.log10(largest)) - power)
        return [Tick(number * step, _scientific(number * step, digits)) for number in numbers]
    decimals = min(max(0, -power), _MOST_DECIMALS)
    return [Tick(number * step, f"{number * step + 0.0:.{decimals}f}".replace("-", "−")) for number in numbers]


def _scientific(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def step_s(span_s: float, most: int) -> float:
    """Return a round length of time that goes into a span at most so often."""
    return next((step for step in _STEPS_S if span_s / step <= most), _STEPS_S[-1])


def clock_ticks(start_ns: int, stop_ns: int, zone: tzinfo | None, most: int = 8) -> list[TimeTick]:
    """Return round times of the day, or days, in a zone, between two moments.

    Where the zone's clock is set within the axis, ticks may not be round behind that, but say the time that it was.

    >>> from datetime import UTC
    >>> [tick.words for tick in clock_ticks(0, 3600 * 10**9, UTC, 4)]
    ['00:00', '00:15', '00:30', '00:45', '01:00']
    """
    length = step_s((stop_ns - start_ns) / 1e9, most)
    step_ns = round(length * 1e9)
    offset = moment_of(start_ns, zone).utcoffset() or timedelta()
    offset_ns = round(offset.total_seconds() * 1e9)
    first = -(-(start_ns + offset_ns) // step_ns)
    last = (stop_ns + offset_ns) // step_ns
    moments = [number * step_ns - offset_ns for number in range(first, last + 1)]
    return [TimeTick(moment, _clock(moment, length, zone)) for moment in moments]


def _clock(time_ns: int, length_s: float, zone: tzinfo | None) -> str:
    moment = moment_of(time_ns, zone)
    if length_s >= _DAY_S:
        return f"{moment:%Y-%m-%d}"
    if length_s >= 60:
        return f"{moment:%m-%d %H:%M}" if length_s >= 10800 else f"{moment:%H:%M}"
    if length_s >= 1:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M:%S}.{moment.microsecond:06}"[: 9 + _decimals(length_s)]


def elapsed_ticks(start_ns: int, stop_ns: int, origin_ns: int, most: int = 8) -> list[TimeTick]:
    """Return round lengths of time since ``origin_ns``.

    >>> [tick.words for tick in elapsed_ticks(0, 100 * 10**9, 0, 4)]
    ['0 s', '30 s', '60 s', '90 s']
    """
    span_s = (stop_ns - start_ns) / 1e9
    length = step_s(span_s, most)
    unit_s, unit = next(
        (
            (size, name)
            for size, name in ((86400, "d"), (3600, "h"), (60, "min"))
            if span_s >= 2 * size and length >= size
        ),
        (1, "s"),
    )
    step_ns = round(length * 1e9)
    numbers = range(-(-(start_ns - origin_ns) // step_ns), (stop_ns - origin_ns) // step_ns + 1)
    decimals = _decimals(length) if unit_s == 1 else 1 if length % unit_s else 0
    words = (f"{number * length / unit_s:.{decimals}f} {unit}".replace("-", "−") for number in numbers)
    return [TimeTick(origin_ns + number * step_ns, text) for number, text in zip(numbers, words, strict=True)]


def _decimals(length_s: float) -> int:
    return min(6, max(0, math.ceil(-math.log10(length_s) - 1e-9)))
