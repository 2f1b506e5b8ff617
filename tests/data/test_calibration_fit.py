"""Curves through calibration steps, compared with numpy and scipy; and what is refused."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from blitz.data.board_definition import Channel
from blitz.data.calibration import calibrate
from blitz.data.calibration_facts import CalibrationStep
from blitz.data.calibration_fit import CurveFit, fit_curve, fit_table
from blitz.errors import CalibrationError


def steps(raw: Any, reference: Any, deviation: float = 0.0) -> list[CalibrationStep]:
    pairs = zip(raw, reference, strict=True)
    return [CalibrationStep(raw=x, reference=y, deviation=deviation, count=10) for x, y in pairs]


def read(fit: CurveFit, raw: Any) -> Any:
    """As sessions are read."""
    channel = fit.channel(Channel(name="p", column=0, zero=7, scale=3, divisor=9, table=((0, 0), (1, 1))))
    return calibrate([channel], np.array(raw, np.float64).reshape(-1, 1)).ravel()


def noisy(degree: int, offset: float = 0.0) -> Any:
    random = np.random.default_rng(degree)
    raw = np.sort(random.uniform(0, 1023, 14)) + offset
    truth = np.polynomial.Polynomial(random.normal(size=degree + 1), domain=[offset, 1023 + offset])
    return raw, 40 * truth(raw) + random.normal(scale=0.02, size=14)


def test_two_points_give_the_line_through_them() -> None:
    fit = fit_curve(steps([102, 922], [0, 10]))
    assert read(fit, [102, 922, 512]) == pytest.approx([0, 10, 5], abs=1e-12)
    assert (fit.largest_error < 1e-12, fit.standard_error) == (True, None)
    assert "meets every step whatever they are" in fit.doubts[0]


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_line_is_that_of_scipy_with_its_errors(offset: float) -> None:
    raw, reference = noisy(1, offset)
    fit, known = fit_curve(steps(raw, reference)), stats.linregress(raw, reference)
    assert fit.fields["scale"] == pytest.approx(known.slope, rel=1e-9)
    assert read(fit, raw) == pytest.approx(known.intercept + known.slope * raw, rel=1e-7)
    assert fit.r_squared == pytest.approx(known.rvalue**2, rel=1e-9)
    # scipy tells the slope's error: that of the residuals over the root of the sum of squares of x.
    assert fit.standard_error == pytest.approx(known.stderr * np.sqrt(((raw - raw.mean()) ** 2).sum()), rel=1e-6)
    assert [point.residual for point in fit.points] == pytest.approx(reference - read(fit, raw), abs=1e-9)


@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_a_polynomial_is_that_of_numpy(degree: int) -> None:
    raw, reference = noisy(degree)
    fit = fit_curve(steps(raw, reference), degree)
    known = np.polynomial.Polynomial.fit(raw, reference, degree)
    assert read(fit, raw) == pytest.approx(known(raw), rel=1e-9, abs=1e-9)
    assert fit.fields["polynomial"] == pytest.approx(np.polyfit(raw, reference, degree)[::-1], rel=1e-4)
    squares = float(((reference - known(raw)) ** 2).sum())
    assert fit.standard_error == pytest.approx((squares / (len(raw) - degree - 1)) ** 0.5, rel=1e-6)
    assert fit.largest_error == pytest.approx(np.abs(reference - known(raw)).max(), rel=1e-6)


def test_a_table_joins_the_steps_in_the_order_of_the_numbers() -> None:
    fit = fit_table(steps([300, 100, 200], [9, 1, 4]))
    assert fit.fields["table"] == ((100, 1), (200, 4), (300, 9))
    assert read(fit, [100, 150, 300]).tolist() == [1, 2.5, 9]
    assert (fit.largest_error, fit.standard_error, fit.doubts) == (0, None, ())
    assert "turns" in fit_table(steps([1, 2, 3], [0, 5, 1])).doubts[0]


@pytest.mark.parametrize(
    ("raw", "reference", "degree", "reason"),
    [
        ([], [], 1, "For a line at least 2 steps are needed; there are none."),
        ([1], [1], 1, "For a line at least 2 steps are needed; there is 1."),
        ([1, 2], [1, 2], 2, "a polynomial of degree 2 at least 3 steps are needed; there are 2."),
        ([5, 5, 5], [1, 2, 3], 1, "at least 2 different raw numbers are needed; there is 1."),
        ([1, 2, 2], [1, 2, 3], 2, "at least 3 different raw numbers"),
        ([1, 2, 3], [4, 4, 4], 1, "All steps have the same reference value"),
        ([1, 2, 3], [1, 0, 1], 1, "The line is level"),
        ([1, 2], [1, 2], 6, "The degree 6 is none"),
        ([0, 1e-9, 2e-9, 1000], [0, 1, 2, 3], 3, "lie too close together"),
        ([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4, 1e9 + 5], [0, 1, 4, 9, 20, 25], 5, "lose its digits"),
    ],
)
def test_what_determines_no_curve_is_refused_with_a_sentence(
    raw: list[float], reference: list[float], degree: int, reason: str
) -> None:
    with pytest.raises(CalibrationError, match=reason.replace(".", r"\.")):
        fit_curve(steps(raw, reference), degree)


def test_a_table_needs_one_value_a_number() -> None:
    for raw, reason in (([1], "at least 2 steps"), ([3, 3], "Two steps have the raw number 3")):
        with pytest.raises(CalibrationError, match=reason):
            fit_table(steps(raw, [1, 2][: len(raw)]))


def test_steps_within_their_noise_and_curves_that_turn_are_doubted() -> None:
    near = fit_curve(steps([100, 101, 900], [0, 1, 100], deviation=2.0))
    assert near.doubts == ("The steps at 0 and 1 are no further apart than their noise.",)
    assert "turns" in fit_curve(steps([0, 1, 2, 3], [0, 4, 4.1, 0]), 2).doubts[0]
