"""What the program tells of a session, computed once more from an exported file by pandas, numpy and scipy alone.

Knows nothing of the program but what its documents say: where five usual steps are the limit of what is known, and what
a part of a session is.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
from scipy import integrate, signal, stats

USUAL_STEPS = 5


def read(path: Path) -> pd.DataFrame:
    """Return an exported file as a table, its index nanoseconds since 1970: a row a message, NaN without a value."""
    if path.suffix == ".csv":
        frame = pd.read_csv(path).drop(columns="seconds")
        time = pd.to_datetime(frame.pop("time_utc"), format="ISO8601")
        frame.columns = pd.Index([name.partition(" [")[0] for name in frame.columns])
    else:
        frame = pyarrow.parquet.read_table(path).to_pandas()
        time = frame.pop("time")
    frame.index = pd.Index(time.astype("int64").to_numpy() * (1 if time.dt.unit == "ns" else 1000))
    return frame


def seconds(values: pd.Series) -> np.ndarray[Any, Any]:
    """Return the times of a column, counted from its first row: a float holds those of today to 0.2 µs only."""
    return (values.index - values.index[0]).to_numpy() / 1e9


def longest_gap_ns(values: pd.Series) -> float:
    """Return how far apart two values may be at most for what lies between them to be known."""
    steps = np.diff(values.dropna().index.to_numpy())
    return USUAL_STEPS * float(np.median(steps[steps > 0]))


def statistics(values: pd.Series) -> dict[str, float | int]:
    """Return the statistics of a column, by the names that the program has for them."""
    known = values.dropna()
    time_s, steps_ns = seconds(known), np.diff(known.index.to_numpy())
    areas = np.diff(integrate.cumulative_trapezoid(known.to_numpy(), time_s, initial=0))
    return {
        "count": len(known),
        "nan_count": len(values) - len(known),
        "mean": known.mean(),
        "standard_deviation": known.std(),
        "minimum": known.min(),
        "maximum": known.max(),
        "median": known.median(),
        "rms": np.sqrt(np.mean(np.square(known))),
        "first": known.iloc[0],
        "last": known.iloc[-1],
        "rate_hz": (len(known) - 1) / time_s[-1],
        "minimum_ns": int(known.index[known.argmin()]),
        "maximum_ns": int(known.index[known.argmax()]),
        "first_ns": int(known.index[0]),
        "last_ns": int(known.index[-1]),
        "slope": stats.linregress(time_s, known.to_numpy()).slope,
        "integral": areas[steps_ns <= longest_gap_ns(known)].sum(),
    }


def on_lines(values: pd.Series, times: Any, longest_ns: float) -> np.ndarray[Any, Any]:
    """Return a column at other times: on straight lines between its values, NaN across longer gaps and outside."""
    known = values.dropna()
    known.index -= known.index.duplicated("last")  # of several at one time, the first ends the line that comes to it
    known = known[~known.index.duplicated()]
    begin = int(known.index[0])
    known.index, times = known.index - begin, np.asarray(times) - begin
    union = np.union1d(known.index, times)
    line = known.reindex(union).interpolate("index", limit_area="inside")
    at = pd.Series(known.index, index=known.index).reindex(union)
    return line.where((at.bfill() - at.ffill()) <= longest_ns)[times].to_numpy()


def longest_stretch(values: pd.Series) -> pd.Series:
    """Return the longest part without a gap, by its values."""
    known = values.dropna()
    part = (np.diff(known.index.to_numpy(), prepend=known.index[0]) > longest_gap_ns(known)).cumsum()
    return known[part == np.bincount(part).argmax()]


def resampled(values: pd.Series) -> tuple[pd.Series, float]:
    """Return a part without gaps at even times, whole multiples of its usual step, and how many there are a second.

    Where no value is farther from its even time than half a step, they are even enough.
    """
    time_ns = values.index.to_numpy()
    places = np.linspace(time_ns[0], time_ns[-1], len(values))
    step_ns = (time_ns[-1] - time_ns[0]) / (len(values) - 1)
    if np.abs(time_ns - places).max() < step_ns / 2:
        return values, 1e9 / step_ns
    mean_s = (time_ns[-1] - time_ns[0]) / 1e9 / (len(values) - 1)
    usual_s = float(np.median(np.diff(time_ns))) / 1e9
    step_ns = round((usual_s if abs(usual_s - mean_s) < mean_s / 2 else mean_s) * 1e9)
    even = np.arange(-(-time_ns[0] // step_ns) * step_ns, time_ns[-1] + 1, step_ns)
    found = pd.Series(on_lines(values, even, np.inf), index=even)
    return found.dropna(), 1e9 / step_ns


def kept(values: pd.Series, even: pd.Series, frequency_hz: Any) -> np.ndarray[Any, Any]:
    """Return what straight lines between a column's values leave of waves: they are drawn, sampled and compared."""
    begin = values.index[0]
    time_s, even_s = (values.index - begin).to_numpy() / 1e9, (even.index - begin).to_numpy() / 1e9
    left = [
        np.mean(np.interp(even_s, time_s, np.exp(2j * np.pi * each * time_s)) * np.exp(-2j * np.pi * each * even_s))
        for each in frequency_hz
    ]
    return np.maximum(np.abs(left), 0.25)


def amplitudes(values: np.ndarray[Any, Any], rate_hz: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return frequencies, and the amplitudes of the sines of which values are made."""
    frequency_hz, power = signal.periodogram(values, rate_hz, "hann", detrend="constant", scaling="spectrum")
    twins = np.full(len(power), 2.0)
    twins[0] = 1
    if len(values) % 2 == 0:
        twins[-1] = 1
    return frequency_hz, np.sqrt(power * twins)


def derivative(values: pd.Series) -> np.ndarray[Any, Any]:
    """Return how fast a column changes: numpy's gradient of each run; values of one time are one, their mean."""
    one = values.groupby(level=0).mean()
    found = pd.Series(np.nan, index=one.index)
    run = one.isna().cumsum()
    for _, part in one.dropna().groupby(run):
        if len(part) > 1:
            found[part.index] = np.gradient(part.to_numpy(), seconds(part))
    return found[values.index].where(values.notna().to_numpy()).to_numpy()


def windows(values: pd.Series, points: int, what: str) -> np.ndarray[Any, Any]:
    """Return mean or median of windows of readings; at the ends they shrink on both sides alike."""
    half, count = points // 2, len(values)
    found = []
    for place in range(count):
        reach = min(half, place, count - 1 - place)
        part = values.to_numpy()[place - reach : place + reach + 1]
        known = part[~np.isnan(part)]
        is_there = not np.isnan(values.iloc[place])
        found.append((np.mean(known) if what == "mean" else np.median(known)) if is_there else np.nan)
    return np.array(found)


def integral(values: pd.Series, longest_ns: float) -> np.ndarray[Any, Any]:
    """Return the area since the first value, by trapezoids; a step longer than that adds nothing."""
    known = values.dropna()
    areas = np.diff(integrate.cumulative_trapezoid(known.to_numpy(), seconds(known), initial=0))
    areas[np.diff(known.index.to_numpy()) > longest_ns] = 0
    found = np.full(len(values), np.nan)
    found[values.notna().to_numpy()] = np.concatenate([[0], np.cumsum(areas)])
    return found


def crossings(values: pd.Series, level: float, sign: int, hysteresis: float, hold_off_s: float) -> list[int]:
    """Return when a column passes a level upwards (sign 1) or downwards (-1), value by value; not within a gap."""
    known = values.dropna()
    longest_ns = longest_gap_ns(known)
    found: list[int] = []
    was_below = False
    before: tuple[int, float] | None = None
    for time_ns, value in zip(known.index.tolist(), known.to_numpy().tolist(), strict=True):
        over = (value - level) * sign
        if before is not None and time_ns - before[0] > longest_ns:
            was_below = False
        if over >= 0 and was_below:
            assert before is not None
            share = -before[1] / (over - before[1]) if before[1] < 0 else 0.0
            at_ns = before[0] + round((time_ns - before[0]) * share)
            if not found or at_ns >= found[-1] + round(hold_off_s * 1e9):
                found.append(at_ns)
        if over >= 0:
            was_below = False
        elif over <= -hysteresis and over < 0:
            was_below = True
        before = time_ns, over
    return found
