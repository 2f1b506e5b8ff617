"""From the numbers in messages to readings in physical units: tables, polynomials, straight lines, valid ranges.

Pure, vectorised a channel.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import Channel


def calibrate(channels: Sequence[Channel], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn numbers into readings, in place.

    :param numbers: shape (n, n_channels).
    :returns: the same array. What is not finite, or lies outside the channel's valid range, is no reading: NaN.

    >>> flow = Channel(name="flow", table=((0, 0), (100, 5), (200, 20)))
    >>> calibrate([flow], np.array([[50.0], [150.0], [220.0]])).ravel().tolist()
    [2.5, 12.5, 23.0]
    """
    # Overflow is infinity, which is no reading either.
    with np.errstate(over="ignore", invalid="ignore"):
        for place, channel in enumerate(channels):
            column = numbers[:, place]
            on_curve(channel, column)
            if channel.valid_low is not None:
                column[column < channel.valid_low] = np.nan
            if channel.valid_high is not None:
                column[column > channel.valid_high] = np.nan
        is_finite = np.isfinite(numbers)
        if not is_finite.all():
            numbers[~is_finite] = np.nan
    return numbers


def on_curve(channel: Channel, column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the numbers of one channel into values, in place, whatever its valid range; returns the same array."""
    if channel.table:
        column[:] = _interpolated(channel.table, column)
    elif channel.polynomial:
        column[:] = _polynomial(channel.polynomial, column)
    else:
        _put_on_line(channel, column)
    return column


def _put_on_line(channel: Channel, column: NDArray[np.float64]) -> None:
    if channel.zero != 0:
        column -= channel.zero
    if channel.scale != 1:
        column *= channel.scale
    if channel.divisor != 1:
        column /= channel.divisor


def _interpolated(table: Sequence[tuple[float, float]], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join the points by straight lines; the first and the last line go on beyond the ends."""
    at, value = np.array(table, np.float64).T
    segment = np.clip(np.searchsorted(at, numbers, "right") - 1, 0, len(at) - 2)
    slope = np.diff(value) / np.diff(at)
    found: NDArray[np.float64] = value[segment] + (numbers - at[segment]) * slope[segment]
    return found


def _polynomial(coefficients: Sequence[float], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Horner's rule; coefficients from the constant one up."""
    total = np.full_like(numbers, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * numbers + coefficient
    total[~np.isfinite(numbers)] = np.nan
    return total
