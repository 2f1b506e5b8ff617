"""The times of a file that is imported: text or numbers of many kinds to nanoseconds since the Unix epoch.

Pure, whole columns at a time.
"""

import contextlib
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from blitz.errors import ImportFileError

TimeUnit = Literal["s", "ms", "us", "ns"]

_UNITS: Final[dict[str, int]] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_SPELLINGS: Final[dict[str, TimeUnit]] = {
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "ms": "ms", "millis": "ms", "milliseconds": "ms",
    "us": "us", "µs": "us", "μs": "us", "microseconds": "us", "ns": "ns", "nanoseconds": "ns",
}  # fmt: skip
_RELATIVE_BELOW_S = 1e8
"""Seconds, 1973: smaller numbers count from the beginning of the measurement."""

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]+\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)?)?")
_ZONED = re.compile(r".*:.*(Z|[+-]\d\d(:?\d\d)?)")
_CLOCK = r"[ T,]+(\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)"
_YEAR_FIRST, _DOTTED, _SLASHED = (
    re.compile(head + f"(?:{_CLOCK})?")
    for head in (r"(\d{4})[/.](\d\d)[/.](\d\d)", r"(\d\d)\.(\d\d)\.(\d{4})", r"(\d\d)[/-](\d\d)[/-](\d{4})")
)


@dataclass(frozen=True)
class TimeRule:
    """How a column of times is read.

    :param kind: numbers, ISO 8601, or dates with the year first, the day first or the month first.
    :param unit: of numbers.
    :param zone: of text that does not say its own.
    :param start_ns: what is added to numbers that count from the beginning of the measurement; else 0.
    :param is_relative: whether the numbers count from there.
    :param decimal: the sign in numbers.
    """

    kind: Literal["number", "iso", "year", "day", "month"]
    unit: TimeUnit = "s"
    zone: str = "UTC"
    is_zoned: bool = False
    start_ns: int = 0
    is_relative: bool = False
    decimal: str = "."

    def nanoseconds(self, column: Any) -> NDArray[np.int64]:
        """Convert an Arrow array, of text, numbers or timestamps.

        :raises ImportFileError: naming the first cell that is no time, with its place in the array.
        """
        if len(column) and column.null_count:
            place = int(pc.index(pc.is_null(column), True).as_py())
            raise WrongTimeError(place, "there is no time")
        try:
            return self._converted(column)
        except (pa.ArrowException, ValueError, OverflowError) as error:
            if isinstance(error, WrongTimeError):
                raise
            raise self._located(column, error) from error

    def _converted(self, column: Any) -> NDArray[np.int64]:
        if self.kind == "number":
            return _numbers(column, self.unit, self.decimal) + self.start_ns
        moments = column if pa.types.is_timestamp(column.type) else self._moments(pc.utf8_trim_whitespace(column))
        if moments.type.tz is None:
            moments = pc.assume_timezone(
                moments.cast(pa.timestamp("ns")), self.zone, ambiguous="earliest", nonexistent="earliest"
            )
        times: NDArray[np.int64] = moments.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
        return times

    def _moments(self, text: Any) -> Any:
        """Parse text of one kind."""
        wanted = pa.timestamp("ns", "UTC") if self.is_zoned else pa.timestamp("ns")
        if self.kind == "iso":
            with contextlib.suppress(pa.ArrowInvalid):
                return text.cast(wanted)
        else:
            text = self._turned(pc.replace_substring_regex(_padded(text), r"^([\d./-]+)[ T,]+(.*)$", r"\1T\2"))
        text = pc.replace_substring_regex(text, r"[,](\d+)", r".\1")
        text = pc.replace_substring_regex(text, r"(\.\d{9})\d+", r"\1")
        text = pc.replace_substring_regex(text, r"\s+(Z|[+-]\d\d:?\d*)$", r"\1")
        return text.cast(wanted)

    def _turned(self, text: Any) -> Any:
        order = {"year": r"\1-\2-\3", "day": r"\3-\2-\1", "month": r"\3-\1-\2"}[self.kind]
        first, last = (r"\d{4}", r"\d\d") if self.kind == "year" else (r"\d\d", r"\d{4}")
        return pc.replace_substring_regex(text, rf"^({first})[./-](\d\d)[./-]({last})", order)

    def _located(self, column: Any, error: Exception) -> "WrongTimeError":
        """Find the cell that is to blame."""
        low, high = 0, len(column)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                self._converted(column.slice(low, middle - low))
                low = middle
            except (pa.ArrowException, ValueError, OverflowError):
                high = middle
        value = column[low].as_py() if len(column) else ""
        if not str(value).strip():
            return WrongTimeError(low, "there is no time")
        return WrongTimeError(low, f"{str(value)[:60]!r} is no time of the kind that the rows before it have")


class WrongTimeError(ImportFileError):
    """A cell is no time.

    :param place: which one of the column.
    """

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


def unit_named(word: str) -> TimeUnit | None:
    """Return the unit of time that a heading or an option names, None where it names none.

    >>> unit_named("µs"), unit_named("V")
    ('us', None)
    """
    return _SPELLINGS.get(word.strip().lower())


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def rule_for_text(
    sample: Sequence[str],
    *,
    unit: TimeUnit | None = None,
    zone: str = "UTC",
    start_ns: int | None = None,
    day_first: bool | None = None,
    decimal: str = ".",
) -> TimeRule | None:
    """Find out how times are written; None where these are no times.

    :param sample: cells of the column.
    :param unit: of numbers; absent: told by their size.
    :param day_first: what 01/02/2024 means; absent: told by the sample.
    :raises ImportFileError: if dates can be read in two ways.

    >>> rule_for_text(["1700000000123", "1700000000223"]).unit
    'ms'
    >>> rule_for_text(["24.12.2023 18:00"]).kind
    'day'
    """
    cells = [cell.strip() for cell in sample]
    if not cells:
        return None
    numbers = [cell.replace(decimal, ".") for cell in cells]
    if all(map(_NUMBER.fullmatch, numbers)):
        return rule_for_numbers(np.array(numbers, np.float64), unit=unit, start_ns=start_ns, decimal=decimal)
    if all(map(_ISO.fullmatch, cells)):
        return TimeRule("iso", zone=zone, is_zoned=all(map(_ZONED.fullmatch, cells)))
    padded = [re.sub(r"\b(\d)([./:-])", r"0\1\2", cell) for cell in cells]
    if all(map(_YEAR_FIRST.fullmatch, padded)):
        return TimeRule("year", zone=zone)
    if all(map(_DOTTED.fullmatch, padded)):
        return TimeRule("day", zone=zone)
    if all(map(_SLASHED.fullmatch, padded)):
        return TimeRule("day" if _is_day_first(padded, day_first) else "month", zone=zone)
    return None


def rule_for_numbers(
    sample: NDArray[np.float64], *, unit: TimeUnit | None, start_ns: int | None, decimal: str = "."
) -> TimeRule:
    """Find out what numbers mean: their unit by their size, and whether they count from the Unix epoch."""
    sizes = np.abs(sample[np.isfinite(sample)])
    largest = float(sizes.max()) if len(sizes) else 0.0
    if unit is None:
        unit = _unit_by_size(largest)
    is_relative = start_ns is not None or largest * _UNITS[unit] < _RELATIVE_BELOW_S * _UNITS["s"]
    return TimeRule("number", unit=unit, start_ns=start_ns or 0, is_relative=is_relative, decimal=decimal)


def _unit_by_size(largest: float) -> TimeUnit:
    limits: tuple[tuple[TimeUnit, float], ...] = (("s", 1e11), ("ms", 1e14), ("us", 1e17))
    return next((unit for unit, limit in limits if largest < limit), "ns")


def _is_day_first(padded: Sequence[str], day_first: bool | None) -> bool:
    firsts = any(int(cell[:2]) > 12 for cell in padded)
    seconds = any(int(cell[3:5]) > 12 for cell in padded)
    if firsts != seconds:
        return firsts
    if day_first is None:
        raise ImportFileError(
            f"dates such as {padded[0][:10]} can be read in two ways; say whether the day comes first"
        )
    return day_first


def _padded(text: Any) -> Any:
    return pc.replace_substring_regex(text, r"\b(\d)([./:-])", r"0\1\2")


def _numbers(column: Any, unit: str, decimal: str) -> NDArray[np.int64]:
    """Convert numbers in a unit, exactly where they are integers or text."""
    scale = _UNITS[unit]
    if pa.types.is_integer(column.type):
        whole: NDArray[np.int64] = pc.multiply_checked(column.cast(pa.int64()), scale).to_numpy()
        return whole
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return _from_floats(column.cast(pa.float64()).to_numpy(), scale)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if decimal != ".":
        text = pc.replace_substring(text, decimal, ".")
    try:
        return _numbers(text.cast(pa.int64()), unit, ".")
    except pa.ArrowInvalid:
        return _from_decimals(text, scale)


def _from_decimals(text: Any, scale: int) -> NDArray[np.int64]:
    """Convert decimal fractions without the rounding of a float; what is written with an exponent as floats."""
    parts = pc.extract_regex(text, r"^(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<rest>\d{0,9})\d*)?$")
    if parts.null_count:
        return _from_floats(text.cast(pa.float64()).to_numpy(), scale)
    sign, whole, rest = parts.flatten()
    billionths = pc.fill_null(pc.utf8_rpad(pc.fill_null(rest, ""), 9, "0"), "0").cast(pa.int64()).to_numpy()
    times: NDArray[np.int64] = pc.multiply_checked(whole.cast(pa.int64()), scale).to_numpy()
    fraction = (billionths // (1_000_000_000 // scale)) if scale < 1_000_000_000 else billionths
    is_negative: NDArray[np.bool_] = pc.equal(sign, "-").to_numpy(zero_copy_only=False)
    signed: NDArray[np.int64] = np.where(is_negative, -(times + fraction), times + fraction)
    return signed


def _from_floats(numbers: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
    if not np.isfinite(numbers).all() or (np.abs(numbers) * scale > 9e18).any():
        raise ValueError("beyond what times can be")
    whole = np.floor(numbers)
    return whole.astype(np.int64) * scale + np.rint((numbers - whole) * scale).astype(np.int64)
