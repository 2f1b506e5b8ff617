"""Two rough sessions laid upon each other, a reference under a live one, and calibrations, against numpy and pandas."""

from collections.abc import Iterator

import independent
import numpy as np
import pandas as pd
import pytest
from rough_numbers import Numbers
from rough_session import CABLE_S, DAY_S, SILENT_S, STARTED_S, rig_definition

from blitz.data.alarm_signs import ReferenceSigns
from blitz.data.calibration_draft import CURVES, CalibrationDraft
from blitz.data.calibration_draft import TABLE as JOINED
from blitz.data.calibration_facts import CalibrationStep
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtStart, AtTrigger, Moment
from blitz.ui.comparison import Comparison, align, load_comparison
from blitz.ui.comparison_differences import find_difference
from blitz.ui.history import History
from blitz.ui.live_reference import make_reference
from blitz.ui.reference_actions import alarm_condition

STARTS_NS = {1: STARTED_S * 10**9, 2: (STARTED_S + DAY_S) * 10**9}


@pytest.fixture(scope="module")
def comparison(numbers: Numbers) -> Iterator[Comparison]:
    comparison = load_comparison(numbers.path, [2, 1], lambda *_: None, lambda: False)
    yield comparison
    comparison.close()


def moment_ns(numbers: Numbers, moment: Moment, session_id: int) -> int:
    """Return the moment of a session, without asking the program."""
    if isinstance(moment, AtStart):
        return STARTS_NS[session_id]
    if isinstance(moment, AtMarker):
        return STARTS_NS[session_id] + round((9.5 + session_id) * 1e9)
    sign = 1 if moment.edge == "rising" else -1
    return independent.crossings(numbers.column(moment.label, session_id), moment.level, sign, 0, 0)[0]


@pytest.mark.parametrize("label", ["pressure", "flow", "weight"])
@pytest.mark.parametrize(
    "moment", [AtStart(), AtMarker("Valve open"), AtTrigger("pressure", 6.0), AtTrigger("flow", 2.0, "falling")]
)
def test_differences(numbers: Numbers, comparison: Comparison, moment: Moment, label: str) -> None:
    reference, other = align(comparison, moment, lambda: False).members
    zeros = {each: moment_ns(numbers, moment, each) for each in (1, 2)}
    assert [reference.zero_ns, other.zero_ns] == pytest.approx([zeros[1], zeros[2]], abs=1)
    assert (reference.session_id, other.session_id) == (1, 2)
    tolerance = Tolerance(0.4, 0.05)
    found = find_difference(numbers.cache, other, reference, label, tolerance)
    one, two = numbers.column(label, 1), numbers.column(label, 2)
    longest_ns = int(independent.longest_gap_ns(two) // 5) * 5
    shifted = two.set_axis(two.index + ((reference.zero_ns or 0) - (other.zero_ns or 0)))
    expected = pd.Series(independent.on_lines(shifted, one.index, longest_ns) - one.to_numpy(), index=one.index)
    known = expected.dropna()
    result = found.numbers
    assert (result.count, result.missing) == (len(known), one.count() - len(known))
    assert result.count > 100
    assert result.missing > 0
    assert result.mean == pytest.approx(known.mean(), rel=1e-6)
    assert result.rms == pytest.approx(np.sqrt((known**2).mean()), rel=1e-6)
    assert abs(result.largest) == pytest.approx(known.abs().max(), rel=1e-6)
    assert result.largest_ns in one.index
    allowed = np.maximum(0.4, 0.05 * one.abs())
    assert result.outside == int((expected.abs() > allowed).sum())
    if not found.is_thinned:
        drawn = found.values[~np.isnan(found.values)]
        np.testing.assert_allclose(np.sort(drawn), np.sort(known.to_numpy()), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("align_at", [AtStart(), AtMarker("valve open")])
def test_a_reference_is_left(numbers: Numbers, history: History, align_at: AtStart | AtMarker) -> None:
    reference = make_reference(history, align_at, Tolerance(0.5, 0.1))
    zeros = {each: moment_ns(numbers, align_at, each) for each in (1, 2)}
    for label in ("vibration", "flow"):
        # Beside a reading without a value the reference says nothing, nor within a gap.
        course, live = numbers.column(label, 1), numbers.column(label, 2).dropna()
        at = live.index - zeros[2] + zeros[1]
        expected = independent.on_lines(course, at, independent.longest_gap_ns(course))
        allowed = np.maximum(0.5, 0.1 * np.abs(expected))
        wanted = (live.to_numpy() > expected + allowed).astype(int) - (live.to_numpy() < expected - allowed)
        found = reference.outside(label, (live.index.to_numpy() - zeros[2]) / 1e9, live.to_numpy())
        low, _ = reference.lines[label].band((live.index.to_numpy() - zeros[2]) / 1e9, Tolerance(0.5))
        is_said = ~np.isnan(low)
        assert is_said.mean() > 0.6
        assert (found[~is_said] == 0).all()
        assert (found != wanted)[is_said].mean() < 2e-3  # times of the window are exact to a quarter of a microsecond
        assert set(found.tolist()) == {-1, 0, 1}


@pytest.mark.parametrize("label", ["pressure", "weight"])
def test_an_alarm_made_of_a_reference_says_what_the_band_says(numbers: Numbers, history: History, label: str) -> None:
    reference = make_reference(history, AtStart(), Tolerance(0.5))
    condition = alarm_condition(reference, reference.lines[label])
    assert condition is not None
    signs = ReferenceSigns(condition)
    signs.begin(STARTS_NS[2])
    live = numbers.column(label, 2).dropna()
    since_s = (live.index.to_numpy() - STARTS_NS[2]) / 1e9
    found = signs.signs(live.index.to_numpy(), live.to_numpy())
    low, high = reference.lines[label].band(since_s, Tolerance(0.5))
    is_outside = (live.to_numpy() < low) | (live.to_numpy() > high)
    is_said = ~np.isnan(low)
    assert ((found == 1) != is_outside)[is_said].mean() < 0.02  # it has two thousand points, the band has all
    assert (found[since_s < CABLE_S[0] - 1] != 0).all()
    silent = CABLE_S if label == "pressure" else SILENT_S
    assert (found[(since_s > silent[0] + 0.9) & (since_s < silent[1] - 0.9)] == 0).all()


RAW = np.array([103.0, 290.5, 512.0, 733.0, 951.0, 1180.0])
REFERENCES = np.array([0.1, 2.2, 4.1, 6.4, 8.3, 11.0])


@pytest.mark.parametrize("curve", CURVES)
def test_calibrations(curve: int) -> None:
    draft = CalibrationDraft(rig_definition(), 0)
    draft.curve = curve
    for raw, value in zip(RAW, REFERENCES, strict=True):
        draft.put(CalibrationStep(raw=float(raw), reference=float(value)))
    fit = draft.fit()
    at = np.linspace(RAW[0], RAW[-1], 77)
    if curve == JOINED:
        np.testing.assert_allclose(fit.values(at), np.interp(at, RAW, REFERENCES))
        residuals = np.zeros(len(RAW))
    else:
        coefficients = np.polyfit(RAW, REFERENCES, curve)
        np.testing.assert_allclose(fit.values(at), np.polyval(coefficients, at), rtol=1e-6, atol=1e-6)
        residuals = REFERENCES - np.polyval(coefficients, RAW)
        freedom = len(RAW) - curve - 1
        error = np.sqrt((residuals**2).sum() / freedom) if freedom else None
        assert fit.standard_error == (None if error is None else pytest.approx(error, rel=1e-6))
    found = [point.residual for point in fit.points]
    assert np.abs(found) == pytest.approx(np.abs(residuals), abs=1e-6)
    assert fit.largest_error == pytest.approx(np.abs(residuals).max(), abs=1e-6)
    explained = 1 - (residuals**2).sum() / ((REFERENCES - REFERENCES.mean()) ** 2).sum()
    assert fit.r_squared == pytest.approx(explained, abs=1e-9)
