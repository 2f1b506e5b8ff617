"""From numbers to readings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.board_definition import Channel
from blitz.data.calibration import calibrate

NAN = float("nan")


def readings(numbers: list[float], **channel: object) -> list[float]:
    column = np.array(numbers, np.float64)[:, np.newaxis]
    return calibrate([Channel.model_validate({"name": "any", **channel})], column).ravel().tolist()


def test_a_straight_line_is_zero_scale_and_divisor() -> None:
    assert readings([2_000_000, 1_500_000], zero=2_000_000, divisor=1_000_000, scale=2) == [0, -1]


@given(
    coefficients=st.lists(st.integers(-9, 9), min_size=1, max_size=5),
    numbers=st.lists(st.integers(-50, 50), max_size=5),
)
def test_a_polynomial_begins_with_its_constant(coefficients: list[int], numbers: list[int]) -> None:
    expected = [float(sum(c * n**power for power, c in enumerate(coefficients))) for n in numbers]
    assert readings(list(numbers), polynomial=coefficients) == expected


@given(st.lists(st.floats(-100, 300), max_size=8))
def test_a_table_is_joined_by_straight_lines_and_goes_on_beyond_its_ends(numbers: list[float]) -> None:
    at, value = [-10.0, 0.0, 100.0, 200.0], [5.0, 0.0, 50.0, 20.0]
    found = readings(numbers, table=list(zip(at, value, strict=True)))
    for number, reading in zip(numbers, found, strict=True):
        if number < at[0]:
            expected = 5 - (number + 10) * 0.5
        elif number > at[-1]:
            expected = 20 - (number - 200) * 0.3
        else:
            expected = float(np.interp(number, at, value))
        assert reading == pytest.approx(expected, abs=1e-9)


def test_a_table_comes_before_a_polynomial_and_that_before_the_line() -> None:
    assert readings([1], table=[(0, 0), (1, 7)], polynomial=[1, 1], scale=3) == [7]
    assert readings([1], polynomial=[1, 1], scale=3) == [2]


def test_a_value_outside_the_valid_range_is_no_reading() -> None:
    found = readings([-1, 0, 5, 10, 11], scale=2, valid_low=0, valid_high=20)
    assert np.array_equal(found, [NAN, 0, 10, 20, NAN], equal_nan=True)


@pytest.mark.parametrize("how", [{}, {"polynomial": [5]}, {"polynomial": [0, 0, 1]}, {"table": [(0, 0), (1, 1)]}])
def test_what_is_no_finite_number_is_no_reading(how: dict[str, object]) -> None:
    found = readings([NAN, float("inf"), -float("inf")], **how)
    assert np.isnan(found[0])
    assert not np.isinf(found).any()


def test_limits_label_colour_and_decimals_change_nothing() -> None:
    assert readings([7], limit_low=10, limit_high=20, label="Flow", color="#ff0000", decimals=1) == [7]
