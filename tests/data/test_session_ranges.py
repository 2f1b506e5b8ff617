"""Parts of sessions: the same readings with an overview and without, and with it only few messages are decoded."""

import dataclasses

import numpy as np
import pytest

from blitz.data.copy_reading import CopyReading
from blitz.data.session_ranges import readings_between
from blitz.data.session_statistics import session_statistics


def test_a_part_is_the_same_with_an_overview_and_decodes_little(cache, example, monkeypatch) -> None:
    example(100_000).fill(cache)
    times = cache.series(7, "first")["first"].time_ns
    start_ns, stop_ns = int(times[20_000]), int(times[20_500])
    start, stop = np.datetime64(start_ns, "ns"), np.datetime64(stop_ns, "ns")
    whole = cache.series(7, start=start, stop=stop)
    before = session_statistics(cache, 7, start=start, stop=stop)
    parts = list(readings_between(cache, 7, start_ns, stop_ns, only={0}))
    cache.make_overview(7)
    asked = []
    read = CopyReading.session_blocks
    monkeypatch.setattr(
        CopyReading,
        "session_blocks",
        lambda self, number, first=0, stop=None, **more: (
            asked.append((first, stop)) or read(self, number, first, stop, **more)
        ),
    )
    for found in (parts, list(readings_between(cache, 7, start_ns, stop_ns, only={0}))):
        times_ns = np.concatenate([readings.time_ns[part] for readings, part in found])
        values = np.concatenate([readings.values[part, 0] for readings, part in found])
        np.testing.assert_array_equal(times_ns, whole["first"].time_ns)
        np.testing.assert_array_equal(values, whole["first"].values)
    after = session_statistics(cache, 7, start=start, stop=stop)
    for label, one in before.items():
        for field in dataclasses.fields(one):
            value, other = getattr(one, field.name), getattr(after[label], field.name)
            # Runs of readings end elsewhere: the sums differ in the last digits.
            assert other == (pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value)
    assert all(first >= 3 * 16_384 and stop <= 4 * 16_384 for first, stop in asked)
    assert len(asked) == 2


def test_where_nothing_lies_nothing_is_decoded(cache, example) -> None:
    example(20_000).fill(cache)
    cache.make_overview(7)
    assert list(readings_between(cache, 7, 0, 1000)) == []
    assert session_statistics(cache, 7, start=0.0, stop=1.0)["first"].count == 0
