"""A curve through pairs of a number that a device sent and the value that it should mean. Pure.

Lines and polynomials are fitted by least squares, each step counting the same; a table joins the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from blitz.data.board_definition import Channel
from blitz.data.calibration import on_curve
from blitz.data.calibration_facts import MOST_POINTS, CalibrationPoint, CalibrationStep
from blitz.errors import CalibrationError

HIGHEST_DEGREE = 5
_WORST_CONDITION = 1e6
"""Of the fit's matrix on [-1, 1]: even steps give about 20 for degree 5, and each digit more costs one."""
_LEAST_PRECISION = 1e-6
"""Of the range of the references: by so much coefficients may miss the curve that they stand for."""
_CHECKED = 65


@dataclass(frozen=True)
class CurveFit:
    """A curve, as fields of a channel, and how well it meets the steps.

    :param degree: None for a table.
    :param fields: ``zero``, ``scale``, ``divisor``, ``polynomial`` and ``table`` of the channel.
    :param points: the steps in their order, with their residuals.
    :param standard_error: square root of the sum of squared residuals over the degrees of freedom, in the channel's
        unit; None where no degree of freedom is left, as with a line through two points.
    :param r_squared: which part of the references' variance the curve explains.
    :param condition: condition number of the fit's matrix; 1 for a table.
    :param doubts: sentences about what an operator should know.
    """

    degree: int | None
    fields: dict[str, Any]
    points: tuple[CalibrationPoint, ...]
    standard_error: float | None
    r_squared: float
    condition: float
    doubts: tuple[str, ...] = field(default=())

    @property
    def largest_error(self) -> float:
        """The largest of the residuals, without its sign."""
        return max(abs(point.residual) for point in self.points)

    def channel(self, before: Channel) -> Channel:
        """Return a channel with this curve; the rest is as it was."""
        return Channel.model_validate({**before.model_dump(), **self.fields})

    def values(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the curve's values at numbers, shape (n,)."""
        return on_curve(Channel.model_construct(name="curve", **self.fields), np.array(raw, np.float64))


def fit_curve(steps: Sequence[CalibrationStep], degree: int = 1) -> CurveFit:
    """Fit a line (degree 1) or a polynomial by least squares.

    :raises CalibrationError: if the steps do not determine the curve, saying what is missing.

    >>> steps = [CalibrationStep(raw=0, reference=-10), CalibrationStep(raw=100, reference=40)]
    >>> fit_curve(steps).fields["scale"], fit_curve(steps).fields["zero"]
    (0.5, 20.0)
    """
    if not 1 <= degree <= HIGHEST_DEGREE:
        raise CalibrationError(f"The degree {degree} is none: 1 (a line) to {HIGHEST_DEGREE} are possible.")
    raw, reference = _columns(steps)
    what = "a line" if degree == 1 else f"a polynomial of degree {degree}"
    distinct = len(np.unique(raw))
    if len(steps) < degree + 1:
        raise CalibrationError(f"For {what} at least {degree + 1} steps are needed; there {_are(len(steps))}.")
    if distinct < degree + 1:
        raise CalibrationError(
            f"For {what} at least {degree + 1} different raw numbers are needed; there {_are(distinct)}. Did the "
            "sensor see another value?"
        )
    if len(np.unique(reference)) < 2:
        raise CalibrationError("All steps have the same reference value: they tell nothing of the values between.")
    middle, half = (raw.min() + raw.max()) / 2, (raw.max() - raw.min()) / 2
    matrix = np.vander((raw - middle) / half, degree + 1, increasing=True)
    condition = float(np.linalg.cond(matrix))
    if not condition < _WORST_CONDITION:
        raise CalibrationError(
            f"The raw numbers lie too close together for {what}. Spread the steps evenly over the range, or choose a "
            "lower degree."
        )
    if degree == 1:
        return _judged(steps, degree, _line(raw, reference), condition, [])
    scaled = np.linalg.lstsq(matrix, reference, rcond=None)[0].astype(np.float64)
    fields = _expanded(scaled, middle, half, np.ptp(reference), what)
    return _judged(steps, degree, fields, condition, _turn(scaled, degree))


def fit_table(steps: Sequence[CalibrationStep]) -> CurveFit:
    """Join the steps by straight lines.

    :raises CalibrationError: if there are fewer than two, or two have the same raw number.
    """
    raw, reference = _columns(steps)
    if len(steps) < 2:
        raise CalibrationError(f"For a table at least 2 steps are needed; there {_are(len(steps))}.")
    numbers, counts = np.unique(raw, return_counts=True)
    if (counts > 1).any():
        raise CalibrationError(
            f"Two steps have the raw number {numbers[counts > 1][0]:g}: a table needs one value for each. Remove one, "
            "or fit a line."
        )
    order = np.argsort(raw)
    steepness = np.sign(np.diff(reference[order]))
    doubts = [_TURNS] if len(set(steepness.tolist())) > 1 or not steepness.all() else []
    table = tuple((float(raw[place]), float(reference[place])) for place in order)
    return _judged(steps, None, {**_PLAIN, "table": table}, 1.0, doubts)


_PLAIN: dict[str, Any] = {"zero": 0.0, "scale": 1.0, "divisor": 1.0, "polynomial": (), "table": ()}
_TURNS = "The curve turns within the range: there are values that two raw numbers would give."


def _columns(steps: Sequence[CalibrationStep]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(steps) > MOST_POINTS:
        raise CalibrationError(f"There are {len(steps)} steps: at most {MOST_POINTS} are possible.")
    return np.array([step.raw for step in steps], np.float64), np.array([step.reference for step in steps], np.float64)


def _line(raw: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, Any]:
    """Return value = (number - zero) * scale, which keeps its digits however far from 0 the numbers lie."""
    apart = raw - raw.mean()
    scale = float(apart @ (reference - reference.mean()) / (apart @ apart))
    if scale == 0:
        raise CalibrationError("The line is level: the references do not rise or fall with the raw numbers.")
    return {**_PLAIN, "zero": float(raw.mean() - reference.mean() / scale), "scale": scale}


def _expanded(scaled: NDArray[np.float64], middle: float, half: float, span: float, what: str) -> dict[str, Any]:
    """Return the coefficients in raw numbers, and see that they mean the same."""
    coefficients = Polynomial(scaled, domain=[middle - half, middle + half]).convert().coef
    if len(coefficients) < len(scaled):  # numpy leaves out what is 0
        coefficients = np.pad(coefficients, (0, len(scaled) - len(coefficients)))
    places = np.linspace(-1, 1, _CHECKED)
    fields = {**_PLAIN, "polynomial": tuple(coefficients.tolist())}
    meant = np.polynomial.polynomial.polyval(places, scaled)
    missed = np.abs(on_curve(Channel.model_construct(name="curve", **fields), places * half + middle) - meant).max()
    if not missed <= _LEAST_PRECISION * span:
        raise CalibrationError(
            f"The raw numbers lie so far from 0, as compared with their range, that {what} would lose its digits. "
            "Choose a lower degree."
        )
    return fields


def _turn(scaled: NDArray[np.float64], degree: int) -> list[str]:
    slopes = np.polynomial.polynomial.polyval(np.linspace(-1, 1, 16 * degree + 1), Polynomial(scaled).deriv().coef)
    return [_TURNS] if (slopes > 0).any() and (slopes < 0).any() else []


def _judged(
    steps: Sequence[CalibrationStep], degree: int | None, fields: dict[str, Any], condition: float, doubts: list[str]
) -> CurveFit:
    raw, reference = _columns(steps)
    values = on_curve(Channel.model_construct(name="curve", **fields), raw.copy())
    residuals = reference - values
    freedom = 0 if degree is None else len(steps) - degree - 1
    squares, spread = float(residuals @ residuals), float(((reference - reference.mean()) ** 2).sum())
    if degree is not None and freedom == 0:
        doubts = [*doubts, "The curve meets every step whatever they are: one step more would show its error."]
    points = tuple(
        CalibrationPoint(**step.model_dump(), residual=float(residual))
        for step, residual in zip(steps, residuals, strict=True)
    )
    error = (squares / freedom) ** 0.5 if freedom else None
    r_squared = 1 - squares / spread if spread else 1.0
    return CurveFit(degree, fields, points, error, r_squared, condition, (*doubts, *_close(steps)))


def _close(steps: Sequence[CalibrationStep]) -> list[str]:
    """Doubt steps that noise could put in each other's place."""
    ordered = sorted(steps, key=lambda step: step.raw)
    for one, other in pairwise(ordered):
        if one.reference != other.reference and other.raw - one.raw <= one.deviation + other.deviation:
            return [f"The steps at {one.reference:g} and {other.reference:g} are no further apart than their noise."]
    return []


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}" if count else "are none"
