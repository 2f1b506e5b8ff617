"""What the window says of a stretch of a rough session, against pandas, numpy and scipy on what was exported of it."""

import independent
import numpy as np
import pandas as pd
import pytest
from rough_numbers import Numbers
from rough_session import LENGTH_S, STARTED_S
from scipy import signal

from blitz.data.triggers import Edge
from blitz.ui.analysis import Stretch, find_histogram, find_pairs, find_spectrum, find_triggers
from blitz.ui.history import History
from blitz.ui.live_store import LiveChannel
from blitz.ui.triggered import TriggerWish

WHOLE = (0.0, LENGTH_S + 10)
SPANS = [WHOLE, (30.0, 100.0), (33.333, 33.9)]


def stretch_of(history: History, span: tuple[float, float]) -> Stretch:
    return Stretch(history, STARTED_S + span[0], STARTED_S + span[1], channels=history.channels)


def channel_of(history: History, label: str) -> LiveChannel:
    return next(channel for channel in reversed(history.channels) if channel.label == label)


def part_of(values: pd.Series, span: tuple[float, float]) -> pd.Series:
    """Cut out a stretch; both of its edges belong to it."""
    return values.loc[round((STARTED_S + span[0]) * 1e9) : round((STARTED_S + span[1]) * 1e9)]


@pytest.mark.parametrize("span", SPANS)
def test_statistics_of_a_stretch(numbers: Numbers, history: History, span: tuple[float, float]) -> None:
    found = {one.label: one for one in stretch_of(history, span).statistics(list(history.channels))}
    assert list(found) == ["pressure", "vibration", "flow", "valve", "weight"]
    for label, one in found.items():
        values = part_of(numbers.column(label), span)
        if values.notna().sum() < 3:
            assert one.count == values.notna().sum()
            continue
        for name, expected in independent.statistics(values).items():
            if name != "median":  # the window goes through a session of any length, and does not know it
                assert getattr(one, name) == pytest.approx(expected, rel=1e-9, abs=1e-9), (label, name)


@pytest.mark.parametrize(
    ("label", "span"), [("vibration", WHOLE), ("vibration", (79.0, 95.0)), ("flow", (2.0, 38.0)), ("weight", WHOLE)]
)
def test_amplitudes_and_density(numbers: Numbers, history: History, label: str, span: tuple[float, float]) -> None:
    part = independent.longest_stretch(part_of(numbers.column(label), span))
    even, rate_hz = independent.resampled(part)
    found = find_spectrum(stretch_of(history, span), channel_of(history, label), is_averaged=False).spectrum
    assert found.rate_hz == pytest.approx(rate_hz, rel=1e-9)
    frequency_hz, amplitudes = independent.amplitudes(even.to_numpy(), rate_hz)
    np.testing.assert_allclose(found.frequency_hz, frequency_hz, rtol=1e-9)
    np.testing.assert_allclose(found.values, amplitudes / independent.kept(part, even, frequency_hz), rtol=2e-3)
    found = find_spectrum(stretch_of(history, span), channel_of(history, label), is_averaged=True).spectrum
    values = even.to_numpy() - even.mean()
    frequency_hz, density = signal.welch(values, rate_hz, nperseg=min(1024, len(even)))
    np.testing.assert_allclose(found.frequency_hz, frequency_hz, rtol=1e-9)
    np.testing.assert_allclose(found.values, density / independent.kept(part, even, frequency_hz) ** 2, rtol=4e-3)


@pytest.mark.parametrize("span", [WHOLE, (62.0, 84.0)])
def test_peaks_of_uneven_readings(numbers: Numbers, history: History, span: tuple[float, float]) -> None:
    found = find_spectrum(stretch_of(history, span), channel_of(history, "vibration"), is_averaged=False)
    assert [peak.value for peak in found.peaks[:2]] == pytest.approx([0.9, 0.25], rel=0.05)  # what the rig truly did
    part = independent.longest_stretch(part_of(numbers.column("vibration"), span))
    time_s, values = independent.seconds(part), part.to_numpy() - part.mean()
    for peak, near_hz in zip(found.peaks, (6.25, 11.0), strict=False):
        near = np.linspace(near_hz - 0.1, near_hz + 0.1, 401)
        power = signal.lombscargle(time_s, values, 2 * np.pi * near)
        assert peak.frequency_hz == pytest.approx(near[power.argmax()], abs=5e-3)
        assert peak.value == pytest.approx(np.sqrt(4 * power.max() / len(values)), rel=0.06)


def test_histograms(numbers: Numbers, history: History) -> None:
    for label in ("pressure", "vibration", "flow", "valve", "weight"):
        for span in SPANS[:2]:
            found = find_histogram(stretch_of(history, span), channel_of(history, label))
            values = part_of(numbers.column(label), span)
            known = values.dropna().to_numpy()
            edges = [-0.5, 0.5, 1.5] if label == "valve" else np.histogram_bin_edges(known, "fd")
            counts, edges = np.histogram(known, edges)
            np.testing.assert_allclose(found.histogram.edges, edges, rtol=1e-12)
            assert found.histogram.counts.tolist() == counts.tolist(), label
            assert found.histogram.left_out == values.isna().sum()


def test_one_channel_against_another(numbers: Numbers, history: History) -> None:
    for x, y in (("pressure", "flow"), ("pressure", "weight"), ("weight", "vibration")):
        found = find_pairs(stretch_of(history, WHOLE), channel_of(history, x), channel_of(history, y)).pairs
        one, other = numbers.column(x), numbers.column(y)
        if len(one) == len(other):
            expected = other.to_numpy()
        else:
            expected = independent.on_lines(other, one.index.to_numpy(), independent.longest_gap_ns(other))
        is_pair = one.notna().to_numpy() & ~np.isnan(expected)
        assert found.time_ns.tolist() == one.index.tolist()
        np.testing.assert_array_equal(np.isfinite(found.x), is_pair)
        np.testing.assert_array_equal(found.x[is_pair], one.to_numpy()[is_pair])
        np.testing.assert_allclose(found.y[is_pair], expected[is_pair], rtol=1e-9)


@pytest.mark.parametrize(
    ("label", "level", "edge", "hysteresis", "hold_off_s"),
    [
        ("pressure", 5.0, Edge.RISING, 0.0, 0.0),
        ("pressure", 5.0, Edge.FALLING, 0.3, 0.0),
        ("vibration", 0.5, Edge.RISING, 0.4, 1.0),
        ("valve", 0.5, Edge.FALLING, 0.0, 0.0),
        ("weight", 22.0, Edge.RISING, 0.0, 0.0),
        ("weight", None, Edge.RISING, 0.05, 0.0),  # its middle is passed while it is silent: nobody knows when
    ],
)
def test_triggers(
    numbers: Numbers,
    history: History,
    label: str,
    level: float | None,
    edge: Edge,
    hysteresis: float,
    hold_off_s: float,
) -> None:
    values = numbers.column(label)
    wish = TriggerWish(level, edge, hysteresis, hold_off_s)
    found = find_triggers(stretch_of(history, WHOLE), channel_of(history, label), wish)
    level = (values.min() + values.max()) / 2 if level is None else level
    assert found.trigger.level == level
    sign = 1 if edge is Edge.RISING else -1
    expected = independent.crossings(values, level, sign, hysteresis, hold_off_s)
    assert found.count == len(expected)
    assert bool(expected) is (label != "weight" or wish.level is not None)
    assert [sweep.time_ns for sweep in found.sweeps] == pytest.approx(expected[-20:], abs=1)
    for sweep in found.sweeps:
        around = values.loc[sweep.time_ns - 200_000_000 : sweep.time_ns + 800_000_000]
        np.testing.assert_array_equal(sweep.values, around.to_numpy())
        np.testing.assert_allclose(sweep.offsets_s, (around.index - sweep.time_ns) / 1e9)
        assert sweep.is_whole == (sweep.time_ns + 800_000_000 <= values.index[-1])
