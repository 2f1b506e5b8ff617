"""A calibration while an operator makes it: the steps, the chosen curve, what comes of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration import on_curve
from blitz.data.calibration_applying import calibrated_definition
from blitz.data.calibration_facts import Calibration, CalibrationStep
from blitz.data.calibration_fit import HIGHEST_DEGREE, CurveFit, fit_curve, fit_table
from blitz.errors import CalibrationError

TABLE = 0
"""Chosen in place of a degree: the steps joined by lines."""
CURVES = {
    1: "Line",
    **{degree: f"Polynomial of degree {degree}" for degree in range(2, HIGHEST_DEGREE + 1)},
    TABLE: "Table",
}


@dataclass(frozen=True)
class CalibrationFacts:
    """What people say of a calibration."""

    who: str = ""
    against: str = ""
    expires: date | None = None


class CalibrationDraft:
    """The steps of one channel.

    :param definition: in force when it was begun.
    :param column: the channel's place in it.
    """

    def __init__(self, definition: BoardDefinition, column: int) -> None:
        self.definition = definition
        self.column = column
        self.steps: list[CalibrationStep] = []
        self.curve = 1
        self.unit = self.before.unit
        """In which the known values are: the channel's from then on."""

    @property
    def before(self) -> Channel:
        """The channel as it was when this was begun."""
        return self.definition.channels[self.column]

    def fit(self) -> CurveFit:
        """Return the curve through the steps.

        :raises CalibrationError: while they determine none.
        """
        return fit_table(self.steps) if self.curve == TABLE else fit_curve(self.steps, self.curve)

    def put(self, step: CalibrationStep, place: int | None = None) -> int:
        """Add a step, or put it in the place of another; returns where it is."""
        if place is None:
            self.steps.append(step)
            return len(self.steps) - 1
        self.steps[place] = step
        return place

    def refer(self, place: int, reference: float) -> None:
        """Change the known value of a step; what was read stays."""
        self.steps[place] = self.steps[place].model_copy(update={"reference": reference})

    def remove(self, place: int) -> None:
        """Leave a step out."""
        del self.steps[place]

    def calibrated(self, facts: CalibrationFacts, now: datetime) -> Channel:
        """Return the channel as it is to be.

        :raises CalibrationError: while the steps determine no curve.
        """
        fit = self.fit()
        calibration = Calibration(
            at=now,
            who=facts.who,
            against=facts.against,
            expires=facts.expires,
            points=fit.points,
            standard_error=fit.standard_error,
            r_squared=fit.r_squared,
        )
        return fit.channel(self.before).model_copy(update={"calibration": calibration, "unit": self.unit})

    def applied_to(self, newest: BoardDefinition | None, facts: CalibrationFacts, now: datetime) -> BoardDefinition:
        """Return the definition that is in force with the channel calibrated.

        :param newest: what is in force now; it may have been changed since this was begun.
        :raises CalibrationError: if the steps determine no curve, or the channel is not there any more.
        """
        channels = list(self.definition.channels)
        channels[self.column] = self.calibrated(facts, now)
        meant = self.definition.model_copy(update={"channels": tuple(channels)})
        found = calibrated_definition(newest, meant, self.column)
        if found is None:
            raise CalibrationError(
                f"The place of {self.before.display_name} in the messages was changed meanwhile: begin anew."
            )
        return found


@dataclass(frozen=True)
class StepView:
    """One step, as people read it: what was sent, what it was read as, what it is read as now.

    :param value: None while there is no curve.
    """

    step: CalibrationStep
    before: float
    value: float | None
    residual: float | None


def step_views(draft: CalibrationDraft) -> tuple[StepView, ...]:
    """Return the steps with what the old and the new curve make of them."""
    before = values_of(draft.before, [step.raw for step in draft.steps])
    try:
        points = draft.fit().points
    except CalibrationError:
        return tuple(StepView(step, was, None, None) for step, was in zip(draft.steps, before, strict=True))
    return tuple(
        StepView(step, was, point.reference - point.residual, point.residual)
        for step, was, point in zip(draft.steps, before, points, strict=True)
    )


def values_of(channel: Channel, numbers: Sequence[float]) -> list[float]:
    """Return what a channel's curve makes of raw numbers, whatever its valid range."""
    values: list[float] = on_curve(channel, np.array(numbers, np.float64)).tolist()
    return values


def curve_words(fit: CurveFit, unit: str = "") -> str:
    """Write a curve as people do.

    >>> steps = [CalibrationStep(raw=0, reference=-10), CalibrationStep(raw=100, reference=40)]
    >>> curve_words(fit_curve(steps), "bar")
    'value = (sent − 20) × 0.5 bar'
    """
    behind = f" {unit}" if unit else ""
    if fit.degree is None:
        return f"value = on the lines that join {len(fit.points)} steps"
    if fit.degree == 1:
        zero, scale = fit.fields["zero"], fit.fields["scale"]
        sign = "−" if zero >= 0 else "+"
        return f"value = (sent {sign} {abs(zero):.6g}) × {scale:.6g}{behind}"
    parts = [f"{fit.fields['polynomial'][0]:.6g}"]
    for power, coefficient in enumerate(fit.fields["polynomial"][1:], 1):
        sign = "−" if coefficient < 0 else "+"
        parts.append(f"{sign} {abs(coefficient):.6g} × sent{_POWERS[power]}")
    return f"value = {' '.join(parts)}{behind}"


def error_words(fit: CurveFit, unit: str = "") -> str:
    """Write how well a curve meets its steps."""
    behind = f" {unit}" if unit else ""
    known = [point.reference for point in fit.points]
    is_exact = fit.largest_error <= _EXACT * (max(known) - min(known))
    words = [f"Largest error {0 if is_exact else fit.largest_error:.3g}{behind}"]
    if fit.standard_error is not None:
        words.append(f"standard error {fit.standard_error:.3g}{behind}")
    return f"{', '.join(words)}, R² {fit.r_squared:.6f}."


def short(value: float) -> str:
    """Write a number in three digits, without an exponent where that is short.

    >>> short(0.01234), short(120.4), short(6812.0)
    ('0.0123', '120', '6812')
    """
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


_EXACT = 1e-9
"""Of the range of the known values: what is smaller comes of the arithmetic."""
_POWERS = ("", "", "²", "³", "⁴", "⁵")
