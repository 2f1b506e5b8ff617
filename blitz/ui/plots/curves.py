"""What a plot is told to draw, and the value axis that fits it."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.ui.live_store import LiveChannel

DOT_PIXELS = 8
"""Where readings are at least so far apart, each gets a dot."""

MOST_SMOOTH_POINTS = 12_000
"""Up to so many points in all, lines are smoothed: beyond, it costs half as much again as painting them (measured)."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What one curve shows: times in seconds since the Unix epoch, values with NaN where the line breaks."""

    key: Hashable
    label: str
    colour_index: int
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    colour: str = ""
    """As #rrggbb, where the channel has one of its own."""
    limits: tuple[float | None, float | None] = (None, None)
    is_faint: bool = False
    """Drawn thin, dashed and without dots, to be compared with."""
    unit: str = ""
    """Curves of one unit share an axis."""
    source: int | None = None
    """Whose gaps are marked behind it; None where they are everybody's."""
    is_off: bool = False
    """Not drawn: only listed, greyed, so that it can be switched on again."""
    panel: str = ""
    """Curves of another panel stand below the others, even where the unit is the same."""
    tolerance: tuple[float, float] = (0.0, 0.0)
    """Of a band that is drawn around it: in the unit, and as a share of the value; the larger one counts."""


def channel_curve(
    channel: LiveChannel,
    colour_index: int,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    is_faint: bool = False,
    is_off: bool = False,
) -> Curve:
    """Return a channel's curve, as its definition wants it drawn.

    :param is_faint: as a reading by another version, to be compared with; it has neither limits nor the channel's key.
    """
    wanted = channel.channel
    return Curve(
        ("compared", *channel.key) if is_faint else channel.key,
        channel.label,
        colour_index,
        times,
        values,
        wanted.color,
        (None, None) if is_faint else (wanted.limit_low, wanted.limit_high),
        is_faint=is_faint,
        unit=wanted.unit,
        source=channel.source.index,
        is_off=is_off,
    )


def fitting_range(
    low: float, high: float, shown: tuple[float, float] | None, margin: float = 0.08
) -> tuple[float, float]:
    """Return a value axis for values from low to high.

    The one shown stays as long as it fits well: an axis at rest reads better.

    >>> fitting_range(0, 9, (-1.0, 11.0))
    (-1.0, 11.0)
    """
    span = high - low
    if shown is not None:
        inside = shown[0] <= low and high <= shown[1]
        if inside and span >= 0.6 * (shown[1] - shown[0]):
            return shown
    pad = span * margin if span > 0 else max(abs(high) * 0.05, 0.5)
    return low - pad, high + pad


def any_of(limits: tuple[float | None, float | None]) -> bool:
    """Whether there is a limit."""
    return limits != (None, None)


def has_value(curve: Curve) -> bool:
    """Whether there is anything to be drawn."""
    return bool(np.isfinite(curve.values).any())


def value_limits(curves: list[NDArray[np.float64]]) -> tuple[float, float] | None:
    """Return the lowest and highest value of curves; None where there is none."""
    known = [finite for finite in (values[np.isfinite(values)] for values in curves) if len(finite)]
    return (min(float(v.min()) for v in known), max(float(v.max()) for v in known)) if known else None
