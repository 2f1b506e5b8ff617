"""Channels, tables, statistics and overviews of a rough session, against pandas, numpy and scipy on its export."""

from pathlib import Path

import independent
import numpy as np
import pandas as pd
import pytest
from rough_numbers import RIG, Numbers
from rough_session import CABLE_S, STARTED_S, rough_session
from scipy import signal

from blitz.data.computed import ComputedChannel, Step
from blitz.data.export import export_session
from blitz.data.expressions import Expression
from blitz.data.report import write_report
from blitz.data.session_statistics import session_statistics
from blitz.data.transforms import (
    TRANSFORMS,
    BandPass,
    Derivative,
    HighPass,
    Integral,
    LowPass,
    MedianFilter,
    MovingAverage,
    Offset,
    Resample,
    Scale,
    Transform,
    Translate,
    chain,
)
from blitz.ui.history import RUN, History

LABELS = (*RIG, "weight")


def test_readings_are_what_the_devices_measured(numbers: Numbers) -> None:
    session = rough_session(1)
    for truth in (session.rig, session.scale):
        for label, values in truth.values.items():
            found = numbers.column(label)
            np.testing.assert_array_equal(found.to_numpy(), values)
            late_ms = (found.index.to_numpy() - truth.time_ns)[~np.isnan(values)] / 1e6
            assert np.abs(late_ms - np.median(late_ms)).max() < 40
            assert np.quantile(np.abs(late_ms), 0.95) < 8
    assert numbers.everything.index.is_monotonic_increasing is False  # a row a message, in the order of arrival


def test_all_ways_to_the_readings_lead_to_the_same_ones(numbers: Numbers) -> None:
    series = numbers.cache.series(1)
    csv = independent.read(export_session(numbers.cache, 1, numbers.folder / "all.csv"))
    for label in LABELS:
        column = numbers.column(label)
        assert series[label].time_ns.tolist() == column.index.tolist()
        np.testing.assert_array_equal(series[label].values, column.to_numpy())
        known = csv[label].dropna()
        assert known.index.tolist() == (column.dropna().index // 1000 * 1000).tolist()  # cut off at the microsecond
        assert known.tolist() == column.dropna().tolist()


def test_statistics_in_the_library(numbers: Numbers) -> None:
    whole, by_block = numbers.cache.series(1).statistics(), session_statistics(numbers.cache, 1)
    for label in LABELS:
        expected = independent.statistics(numbers.column(label))
        for name, value in expected.items():
            assert getattr(whole[label], name) == pytest.approx(value, rel=1e-9), (label, name)
            if name != "median":
                assert getattr(by_block[label], name) == pytest.approx(value, rel=1e-9), (label, name)


@pytest.mark.parametrize("span", [(0.0, 1e6), (30.25, 118.5)])
def test_statistics_in_a_report(numbers: Numbers, tmp_path: Path, span: tuple[float, float]) -> None:
    template = tmp_path / "numbers.html"
    template.write_text(
        "{% for each in report.statistics %}{% for name, cell in each.values.items() %}"
        "{{ each.label }} {{ name }} {{ cell.exact }}\n{% endfor %}{% endfor %}"
    )
    edges = {"start": STARTED_S + span[0], "stop": STARTED_S + span[1]}
    path, _ = write_report(numbers.cache, 1, tmp_path / "report.html", template=template, **edges)
    found = {tuple(words[:2]): words[2] for line in path.read_text().splitlines() if len(words := line.split()) == 3}
    for label in LABELS:
        first, stop = numbers.column(label).index.searchsorted([round(edge * 1e9) for edge in edges.values()])
        for name, value in independent.statistics(numbers.column(label).iloc[first:stop]).items():
            if name.endswith("_ns"):  # a report tells times to the microsecond
                assert pd.Timestamp(found[label, name]) == pd.Timestamp(value, tz="UTC").floor("us")
            elif name != "median":
                assert float(found[label, name]) == pytest.approx(value, rel=1e-9), (label, name)


def test_queries(numbers: Numbers) -> None:
    rows = numbers.cache.query(
        "select channel, count(value) as n, avg(value) as mean, stddev(value) as deviation, min(value) as low,"
        " max(value) as high from readings where session = 1 group by channel"
    ).to_pandas()
    for row in rows.itertuples():
        known = independent.statistics(numbers.column(row.channel))
        expected = [known[name] for name in ("count", "mean", "standard_deviation", "minimum", "maximum")]
        assert [row.n, row.mean, row.deviation, row.low, row.high] == pytest.approx(expected, rel=1e-9)


def even(column: pd.Series, step_s: float) -> pd.Series:
    """Return a column on straight lines at whole multiples of a step since 1970, NaN within gaps."""
    step_ns = round(step_s * 1e9)
    times = np.arange(-(-column.index[0] // step_ns) * step_ns, column.index[-1] + 1, step_ns)
    return pd.Series(independent.on_lines(column, times, independent.longest_gap_ns(column)), index=times)


def filtered(column: pd.Series, order: int, edges_hz: float | list[float], kind: str) -> np.ndarray:
    """Return what a filter makes of a column forward and backward, NaN bridged by lines for it."""
    values = column.interpolate("index", limit_direction="both")
    b, a = signal.butter(order, edges_hz, kind, fs=1e9 / (column.index[1] - column.index[0]))
    return np.where(column.isna(), np.nan, signal.filtfilt(b, a, values.to_numpy()))


COLUMNS = {
    "scale": (Scale(2.5), lambda column: column * 2.5),
    "offset": (Offset(-3), lambda column: column - 3),
    "translate": (Translate(0.25), lambda column: column.set_axis(column.index + 250_000_000)),
    "moving_average": (MovingAverage(25), lambda column: independent.windows(column, 25, "mean")),
    "median": (MedianFilter(7), lambda column: independent.windows(column, 7, "median")),
    "derivative": (Derivative(), independent.derivative),
    "integral": (Integral(), lambda column: independent.integral(column, independent.longest_gap_ns(column))),
    "resample": (Resample(0.05), lambda column: even(column, 0.05)),
    "low_pass": (LowPass(3), lambda column: filtered(column, 4, 3, "lowpass")),
    "high_pass": (HighPass(2, order=2), lambda column: filtered(column, 2, 2, "highpass")),
    "band_pass": (BandPass(2, 5, order=2), lambda column: filtered(column, 2, [2, 5], "bandpass")),
}
"""By the name under which a transform is saved: one of them, and what computes the same."""


def test_each_transform_has_its_row() -> None:
    assert set(COLUMNS) == set(TRANSFORMS)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("label", ["pressure", "flow"])
def test_transforms(numbers: Numbers, label: str, kind: str) -> None:
    transform, expected = COLUMNS[kind]
    series, column = numbers.cache.series(1, label)[label], numbers.column(label)
    if kind.endswith("_pass"):  # which need even times
        series, column = Resample(0.05)(series), even(column, 0.05)
    found, known = transform(series), expected(column)
    if isinstance(known, pd.Series):
        assert found.time_ns.tolist() == known.index.tolist()
        known = known.to_numpy()
    np.testing.assert_allclose(found.values, known, rtol=1e-7, atol=1e-7)
    assert np.isfinite(found.values).sum() > 1000


def test_computed_channels(numbers: Numbers) -> None:
    series, pressure = numbers.cache.series(1), numbers.column("pressure")
    weight = independent.on_lines(numbers.column("weight"), pressure.index, 1e9)
    flow = numbers.column("flow").to_numpy()
    with np.errstate(invalid="ignore"):
        formula = np.where(np.isnan(weight), np.nan, pressure.to_numpy() * np.sqrt(flow) - np.abs(np.sin(weight)) / 2)
    computed = ComputedChannel("head", "pressure * sqrt(flow) - abs(sin(weight)) / 2", "m", max_gap_s=1.0)
    found = computed(series)
    np.testing.assert_allclose(found.values, formula, rtol=1e-9)
    assert 1000 < np.isfinite(found.values).sum() < pressure.count()
    steps: list[Transform] = [Scale(2), MovingAverage(9), Offset(1)]
    chained = ComputedChannel(
        "head", computed.formula, "m", 1.0, tuple(Step(each, each != Offset(1)) for each in steps)
    )
    doubled = pd.Series(formula * 2, index=pressure.index)
    np.testing.assert_allclose(chained(series).values, independent.windows(doubled, 9, "mean"), rtol=1e-9)
    np.testing.assert_array_equal(chain(found, steps[:2]).values, chained(series).values)
    # Without a longest gap: five usual steps of the channel that has other times.
    near = independent.on_lines(
        numbers.column("weight"), pressure.index, independent.longest_gap_ns(numbers.column("weight"))
    )
    np.testing.assert_allclose(Expression("pressure + weight")(series).values, pressure.to_numpy() + near, rtol=1e-9)


@pytest.mark.parametrize("how", ["nearest", "previous", "linear"])
def test_channels_at_common_times(numbers: Numbers, how: str) -> None:
    table = numbers.cache.series(1, ["pressure", "weight"]).aligned(0.1, how)
    times = pd.DataFrame({"time": table.time_ns})
    for label in ("pressure", "weight"):
        known = numbers.column(label).dropna()
        gap_ns = int(independent.longest_gap_ns(known) // 5) * 5
        if how == "linear":
            expected = independent.on_lines(known, table.time_ns, gap_ns)
        else:
            right = pd.DataFrame({"time": known.index, "value": known.to_numpy()})
            reach = gap_ns // 2 if how == "nearest" else gap_ns
            way = "nearest" if how == "nearest" else "backward"
            merged = pd.merge_asof(times, right, on="time", direction=way, tolerance=reach)
            expected = merged["value"].to_numpy()
        np.testing.assert_allclose(table[label], expected, rtol=1e-9)
    assert (np.diff(table.time_ns) == 100_000_000).all()


def test_a_row_a_second(numbers: Numbers) -> None:
    path = export_session(numbers.cache, 1, numbers.folder / "steps.csv", step_s=1, channels=["pressure", "weight"])
    frame = independent.read(path)
    for label in ("pressure", "weight"):
        known = numbers.column(label).dropna()
        right = pd.DataFrame({"time": known.index, "value": known.to_numpy()})
        left = pd.DataFrame({"time": frame.index})
        merged = pd.merge_asof(left, right, on="time", direction="nearest", tolerance=500_000_000)
        np.testing.assert_array_equal(frame[label].to_numpy(), merged["value"].to_numpy())
    assert frame.notna().any(axis=1).all()
    assert not frame.loc[
        round((STARTED_S + CABLE_S[0] + 1) * 1e9) : round((STARTED_S + CABLE_S[1] - 1) * 1e9)
    ].pressure.any()


def test_overviews_keep_the_extremes_of_each_column(numbers: Numbers, history: History) -> None:
    for label in LABELS:
        column = numbers.column(label).dropna()
        thin = numbers.cache.series(1, label, max_points=200)[label]
        assert thin.is_thinned
        found = pd.Series(thin.values, index=thin.time_ns).dropna()
        assert len(found) <= 200
        column = column.groupby(level=0).agg(list)
        assert all(value in column[at_ns] for at_ns, value in found.items())
        known = numbers.column(label).dropna()
        assert (found.min(), found.max()) == (known.min(), known.max())
    for source in history.record.sources[:2]:
        assert source.definition is not None
        for place, channel in enumerate(source.definition.channels):
            values = history.series[source.index].values[:, place]
            coarse = history.coarse[source.index].values[:, place]
            runs = pd.Series(values).groupby(np.arange(len(values)) // RUN)
            full = slice(0, len(values) // RUN)  # what is behind the last whole run is kept as it is
            expected = {*runs.min()[full].dropna(), *runs.max()[full].dropna(), *values[len(values) // RUN * RUN :]}
            assert {*coarse[~np.isnan(coarse)]} == {each for each in expected if not np.isnan(each)}
            assert channel.name in LABELS
