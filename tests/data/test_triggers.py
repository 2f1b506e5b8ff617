import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.series import Series
from blitz.data.triggers import Edge, Trigger, TriggerFinder, trigger_times
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def found(values, trigger: Trigger, cuts=(), step_ns: int = 1_000_000) -> list[int]:
    values = np.array(values, np.float64)
    time_ns = BEGIN_NS + step_ns * np.arange(len(values))
    finder = TriggerFinder(trigger)
    parts = np.split(np.arange(len(values)), list(cuts))
    return [int(each) - BEGIN_NS for part in parts for each in finder.add(time_ns[part], values[part])]


def one_by_one(values, trigger: Trigger, step_ns: int = 1_000_000) -> list[int]:
    """Walk through the values as one would by hand."""
    sign = 1 if trigger.edge is Edge.RISING else -1
    is_armed, last, fired, times = False, None, None, []
    for place, value in enumerate(values):
        if math.isnan(value):
            continue
        over, at = (value - trigger.level) * sign, place * step_ns
        if last is not None and trigger.max_gap_s is not None and at - last[0] > trigger.max_gap_s * 1e9:
            is_armed, last = False, None
        if over >= 0:
            if is_armed and last is not None:
                passed = last[0] + round((at - last[0]) * (-last[1] / (over - last[1])))
                if fired is None or passed >= fired + round(trigger.hold_off_s * 1e9):
                    times.append(passed)
                    fired = passed
            is_armed = False
        elif over <= -trigger.hysteresis:
            is_armed = True
        last = at, over
    return times


def test_a_sine_triggers_once_a_period_where_it_passes_the_level() -> None:
    times_s = np.arange(1000) / 1000
    values = np.sin(2 * np.pi * 10 * (times_s - 0.0123))
    for edge, first_s in ((Edge.RISING, 0.0123), (Edge.FALLING, 0.0623)):
        places = np.array(found(values, Trigger(0, edge))) / 1e9
        np.testing.assert_allclose(places, first_s + 0.1 * np.arange(10), atol=1e-5)


@given(
    st.lists(st.one_of(st.integers(-4, 4).map(float), st.just(math.nan)), max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
    st.sampled_from(list(Edge)),
    st.sampled_from([0, 1, 2.5]),
    st.sampled_from([0, 0.002, 0.0055]),
    st.sampled_from([None, 0.001, 0.003]),
)
def test_triggers_are_those_found_value_by_value_however_they_are_cut(
    values, cuts, edge, hysteresis, hold, gap
) -> None:
    trigger = Trigger(0.5, edge, hysteresis, hold, gap)
    assert found(values, trigger, sorted(cuts)) == one_by_one(values, trigger)


def test_noise_around_the_level_triggers_once_with_hysteresis() -> None:
    noise = 0.05 * np.random.default_rng(1).normal(size=2000)
    values = np.linspace(0, 2, 2000) % 1 + noise
    assert len(found(values, Trigger(0.5))) > 10
    assert len(found(values, Trigger(0.5, hysteresis=0.3))) == 2


def test_a_series_tells_its_times_and_a_thinned_one_is_refused() -> None:
    time_ns = BEGIN_NS + np.arange(4) * 1_000_000_000
    one = Series(1, "s", "a", "a", "V", time_ns, np.array([0.0, 0, 2, 0]))
    assert trigger_times(one, Trigger(1)).tolist() == [BEGIN_NS + 1_500_000_000]
    with pytest.raises(SeriesError, match="max_points"):
        trigger_times(Series(1, "s", "a", "a", "V", time_ns, one.values, is_thinned=True), Trigger(1))


@pytest.mark.parametrize("wrong", [{"level": math.nan}, {"level": 1, "hysteresis": -1}, {"level": 1, "hold_off_s": -1}])
def test_a_trigger_without_a_meaning_is_refused(wrong) -> None:
    with pytest.raises(SeriesError):
        Trigger(**wrong)
