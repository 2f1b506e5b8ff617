"""Computed channels: over a whole session, and the same while readings come, in whatever pieces."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.computed import ComputedChannel, ComputedStream, Step
from blitz.data.series import Series
from blitz.data.transforms import Derivative, Integral, LowPass, MedianFilter, MovingAverage, Offset, Scale, Translate
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def series(label, time_ns, values) -> Series:
    return Series(1, "s", label, label, "V", np.asarray(time_ns, np.int64), np.asarray(values, np.float64))


def in_pieces(computed: ComputedChannel, sources, piece_ns: int):
    """Feed sources, each a dict of channels with common times, as time goes on."""
    stream = ComputedStream(computed)
    first = min(int(next(iter(source.values())).time_ns[0]) for source in sources)
    last = max(int(next(iter(source.values())).time_ns[-1]) for source in sources)
    times, values = [], []
    for begin in range(first, last + 1, piece_ns):
        for source in sources:
            time_ns = next(iter(source.values())).time_ns
            part = slice(*np.searchsorted(time_ns, [begin, begin + piece_ns]).tolist())
            if part.start < part.stop:
                found = stream.add(time_ns[part], {label: one.values[part] for label, one in source.items()})
                times.append(found[0])
                values.append(found[1])
    return np.concatenate(times), np.concatenate(values)


def noisy(seed: int, count: int, step_ns: int, first_ns: int = 0, nan_share: float = 0.02):
    rng = np.random.default_rng(seed)
    steps = np.rint(step_ns * rng.uniform(0.5, 1.5, count)).astype(np.int64)
    values = np.cumsum(rng.normal(size=count)) + 50
    values[rng.random(count) < nan_share] = math.nan
    return BEGIN_NS + first_ns + np.cumsum(steps), values


STEPS = [
    (),
    (Scale(2, "kV"), Offset(3)),
    (MovingAverage(25),),
    (MedianFilter(9), MovingAverage(5)),
    (Derivative(),),
    (MovingAverage(7), Derivative(), Translate(0.5)),
]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("piece_ns", [17_000_000, 130_000_000, 100_000_000_000])
def test_what_comes_live_is_what_the_whole_session_has(steps, piece_ns: int) -> None:
    time_ns, one = noisy(1, 1500, 10_000_000)
    source = {"a": series("a", time_ns, one), "b": series("b", time_ns, noisy(2, 1500, 10_000_000)[1])}
    computed = ComputedChannel("c", "a * b / 2", "W", steps=tuple(map(Step, steps)))
    whole = computed(source)
    found = in_pieces(computed, [source], piece_ns)
    assert len(found[0]) >= len(whole) - 40
    np.testing.assert_array_equal(found[0], whole.time_ns[: len(found[0])])
    np.testing.assert_allclose(found[1], whole.values[: len(found[1])], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("piece_ns", [9_000_000, 200_000_000])
def test_channels_of_several_sources_are_brought_together_as_in_the_whole_session(piece_ns: int) -> None:
    time_ns, values = noisy(3, 3000, 10_000_000)
    other_ns, other_values = noisy(4, 1000, 31_000_000, 5_000_000)
    kept = (other_ns < BEGIN_NS + 9 * 10**9) | (other_ns > BEGIN_NS + 15 * 10**9)  # silent for six seconds
    one, other = series("a", time_ns, values), series("the other", other_ns[kept], other_values[kept])
    computed = ComputedChannel("c", "a - 'the other'", max_gap_s=0.5)
    whole = computed({"a": one, "the other": other})
    found = in_pieces(computed, [{"a": one}, {"the other": other}], piece_ns)
    assert len(found[0]) > 2900
    np.testing.assert_array_equal(found[0], whole.time_ns[: len(found[0])])
    np.testing.assert_allclose(found[1], whole.values[: len(found[1])])
    assert 500 < np.isnan(found[1]).sum() < 1500


@given(
    st.lists(st.tuples(st.sampled_from([0, 0, 1_000_000, 5_000_000]), st.floats(-9, 9)), min_size=1, max_size=80),
    st.integers(1, 20),
)
def test_a_derivative_of_readings_that_come_at_one_time_is_the_same_in_pieces(points, piece) -> None:
    time_ns = BEGIN_NS + np.cumsum([step for step, _ in points])
    values = np.array([value for _, value in points])
    computed = ComputedChannel("c", "a", steps=(Step(Derivative()),))
    stream, found = ComputedStream(computed), []
    for begin in range(0, len(values), piece):
        part = slice(begin, begin + piece)
        found += stream.add(time_ns[part], {"a": values[part]})[1].tolist()
    whole = computed({"a": series("a", time_ns, values)}).values[: len(found)]
    np.testing.assert_allclose(found, whole, rtol=1e-9, atol=1e-9)


def test_a_step_that_is_switched_off_does_nothing_and_the_chain_is_saved() -> None:
    steps = (Step(Scale(10), is_on=False), Step(Offset(1)))
    computed = ComputedChannel("c", "'Supply voltage' * 2", "V", 3.0, steps, "08")
    assert ComputedChannel.from_plain(json.loads(json.dumps(computed.to_plain()))) == computed
    one = series("Supply voltage", [0, 1], [1, 2])
    assert computed({"Supply voltage": one}).values.tolist() == [3, 5]
    assert computed.channels == ("Supply voltage",)


def test_units_follow_the_steps() -> None:
    assert ComputedChannel("c", "a", "V", steps=(Step(Derivative()), Step(MovingAverage(3)))).shown_unit == "V/s"
    assert ComputedChannel("c", "a", "V", steps=(Step(Integral()),)).shown_unit == "V·s"


@pytest.mark.parametrize("transform", [LowPass(1.0), Integral()])
def test_a_step_that_needs_the_whole_session_is_refused_live_with_a_sentence(transform) -> None:
    computed = ComputedChannel("Smooth", "a", steps=(Step(transform),))
    with pytest.raises(SeriesError, match="Smooth is computed for sessions only"):
        ComputedStream(computed)
    assert ComputedChannel("Smooth", "a", steps=(Step(transform, is_on=False),)).live_refusal == ""


@pytest.mark.parametrize("wrong", [{"label": " "}, {"formula": "a +"}, {"formula": "1"}, {"max_gap_s": -1}])
def test_what_has_no_meaning_is_refused(wrong) -> None:
    with pytest.raises(SeriesError):
        ComputedChannel(**({"label": "c", "formula": "a"} | wrong))
    with pytest.raises(SeriesError):
        ComputedChannel.from_plain({"label": "c"})
