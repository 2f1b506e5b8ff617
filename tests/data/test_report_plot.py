"""Drawings of reports: whatever is drawn is a drawing, within its frame, of bounded size."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.report_axis import clock_ticks, elapsed_ticks, value_ticks
from blitz.data.report_curves import COLUMNS, CurveSketch
from blitz.data.report_plot import Curve, Flag, TimeWindow, plot_svg

SVG = "{http://www.w3.org/2000/svg}"
DAY_NS = 86_400_000_000_000


def drawn(values: list[float], times: list[int], window: TimeWindow, **more: object) -> ET.Element:
    curve = Curve("a", "#123456", np.array(sorted(times), np.int64), np.array(values, np.float64))
    return ET.fromstring(plot_svg("a", "a [°C]", [curve], window, **more))  # type: ignore[arg-type]


@given(
    st.lists(st.floats(allow_infinity=False), min_size=1, max_size=30),
    st.integers(0, 2**60),
    st.integers(0, 400 * DAY_NS),
    st.data(),
)
def test_whatever_the_values_curves_are_within_the_frame(
    values: list[float], start_ns: int, span_ns: int, data: st.DataObject
) -> None:
    moments = st.integers(start_ns, start_ns + span_ns)
    times = data.draw(st.lists(moments, min_size=len(values), max_size=len(values)))
    window = TimeWindow(start_ns, start_ns + span_ns, start_ns, UTC)
    drawing = drawn(values, times, window)
    for path in drawing.iter(f"{SVG}path"):
        if path.get("class") == "curve":
            for x, y in re.findall(r"[ML](\S+) ([^hLM]+)", path.get("d", "")):
                assert -0.1 <= float(x) <= 1000
                assert -0.1 <= float(y) <= 220.1
    words = [text.text or "" for text in drawing.iter(f"{SVG}text")]
    assert len(words) <= 60
    assert not {"nan", "inf"} & {word.lower() for word in words}


@given(st.floats(-1e300, 1e300), st.floats(1e-12, 1e300))
def test_the_value_axis_has_a_few_round_numbers(low: float, span: float) -> None:
    high = low + span
    if high - low <= 1e-11 * max(abs(low), abs(high)):
        return
    ticks = value_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low - span * 1e-6 <= tick.at <= high + span * 1e-6 for tick in ticks)
    assert all(float(tick.words.replace("−", "-")) == pytest.approx(tick.at, abs=span * 1e-3) for tick in ticks)


@given(
    st.integers(0, 2**60), st.integers(1_000, 4000 * DAY_NS), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])
)
def test_the_time_axes_say_the_time(start_ns: int, span_ns: int, zone: str) -> None:
    stop_ns = start_ns + span_ns
    for ticks in (clock_ticks(start_ns, stop_ns, ZoneInfo(zone)), elapsed_ticks(start_ns, stop_ns, start_ns)):
        assert len(ticks) <= 10
        assert all(start_ns <= tick.at_ns <= stop_ns for tick in ticks)
    words = [tick.words for tick in elapsed_ticks(start_ns, stop_ns, start_ns)]
    assert len(set(words)) == len(words)


def test_ticks_of_a_day_in_a_zone_with_another_offset_are_round_there() -> None:
    midnight_ns = 1_767_205_800_000_000_000  # 2026-01-01 in Kolkata, half an hour beside a whole one
    ticks = clock_ticks(midnight_ns, midnight_ns + DAY_NS, ZoneInfo("Asia/Kolkata"), 8)
    assert [tick.words for tick in ticks][:3] == ["01-01 00:00", "01-01 03:00", "01-01 06:00"]


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_a_sketch_keeps_every_extreme_and_few_points_however_it_is_cut(lengths: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    sketch = CurveSketch()
    parts = [random.normal(size=length) for length in lengths]
    first = 0
    for part in parts:
        sketch.add(np.arange(first, first + len(part)) * 10, part)
        first += len(part)
    every = np.concatenate(parts)
    time_ns, values = sketch.curve()
    assert len(time_ns) <= 2 * COLUMNS
    assert (values.min(), values.max()) == (every.min(), every.max())
    assert (every[time_ns // 10] == values).all()
    assert (np.diff(time_ns) > 0).all()


def test_many_gaps_and_markers_make_no_large_drawing() -> None:
    window = TimeWindow(0, 10**12, 0, UTC)
    gaps = [(number * 10**6, number * 10**6 + 1000) for number in range(100_000)]
    flags = [Flag(number * 10**7, None, str(number)) for number in range(20_000)]
    curve = Curve("a", "#123456", np.arange(0, 10**12, 10**9), np.zeros(1000))
    text = plot_svg("a", "a", [curve], window, gaps, (), flags)
    assert len(text) < 400_000
    ET.fromstring(text)
