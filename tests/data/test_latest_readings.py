"""Newest values and short spans, compared with what plain loops find."""

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import Readings
from blitz.data.latest_readings import KEPT_SPANS, SPAN_NS, LatestReadings, Span
from blitz.data.records import Source
from blitz.data.series_request import ChannelPart

CHANNELS = (Channel(name="a", column=0), Channel(name="b", column=1))
DEFINITION = BoardDefinition(id="x", name="X", format=Format.COLUMNS, channels=CHANNELS)


def readings(time_ns: list[int], values: list[list[float]], definition: BoardDefinition = DEFINITION) -> Readings:
    source = Source(index=0, name="x", link="x", definition=definition)
    times = np.array(time_ns, np.int64)
    columns = np.array(values, np.float64).reshape(len(times), len(definition.channels))
    return Readings(1, source, np.arange(len(times)), times, columns, np.zeros(len(times), np.int64))


def part(column: int) -> tuple[ChannelPart]:
    return (ChannelPart(0, column),)


def test_spans_are_those_of_all_readings_however_they_come() -> None:
    random = np.random.default_rng(1)
    times = np.cumsum(random.integers(0, SPAN_NS // 3, 300)) + 10**18
    values: NDArray[np.float64] = random.normal(size=(300, 2))
    values[random.random((300, 2)) < 0.3] = np.nan
    values[5, 0] = np.inf
    expected: dict[int, list[float]] = {}
    for time, value in zip(times.tolist(), values[:, 0].tolist(), strict=True):
        if np.isfinite(value):
            expected.setdefault(time // SPAN_NS, []).append(value)
    latest = LatestReadings()
    for begin in range(0, 300, 7):
        rows = slice(begin, begin + 7)
        latest.take(readings(times[rows].tolist(), values[rows].tolist()), begin)
    assert latest.spans(part(0)) == [Span(number, min(some), max(some)) for number, some in expected.items()]


def test_newest_is_the_last_finite_value_of_each_channel() -> None:
    latest = LatestReadings()
    assert latest.newest(part(0)) is None
    latest.take(readings([1, 2, 3], [[1, np.nan], [2, np.nan], [np.inf, np.nan]]), 1)
    assert latest.newest(part(0)) == (2.0, 2)
    assert latest.newest(part(1)) is None
    latest.take(readings([], []), 2)
    latest.take(readings([4], [[np.nan, 7]]), 3)
    assert latest.newest(part(0)) == (2.0, 2)
    assert latest.newest(part(1)) == (7.0, 4)


def test_only_spans_that_changed_since_a_revision_are_told() -> None:
    latest = LatestReadings()
    latest.take(readings([0, SPAN_NS], [[1, 1], [2, 2]]), 1)
    assert latest.spans(part(0), 1) == []
    latest.take(readings([SPAN_NS + 1, 2 * SPAN_NS], [[5, 5], [6, 6]]), 2)
    assert latest.spans(part(0), 1) == [(1, 2, 5), (2, 6, 6)]


def test_what_is_kept_is_bounded_and_another_definition_begins_anew() -> None:
    latest = LatestReadings()
    for second in range(0, 200, 10):
        latest.take(readings([(second + n) * 10**9 for n in range(10)], [[n, n] for n in range(10)]), second)
    many = range(KEPT_SPANS + 50)
    latest.take(readings([10**13 + n * SPAN_NS for n in many], [[n, n] for n in many]), 1000)
    assert len(latest.spans(part(0))) == KEPT_SPANS
    one = DEFINITION.model_copy(update={"channels": CHANNELS[:1]})
    latest.take(readings([10**14], [[3]], one), 1001)
    assert len(latest.spans(part(0))) == 1
    assert latest.spans(part(1)) == []
    assert latest.newest(part(1)) is None
