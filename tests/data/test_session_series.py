"""Sessions of the cache as arrays: by time, by message, the last ones, whole or thinned out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source
from blitz.errors import SeriesError, SessionNotFound

START = 1_700_000_000


def test_a_whole_session_is_one_series_a_channel(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(50_000).fill(cache)
    found = cache.series(7)
    assert list(found) == ["first", "second", "angle, set"]
    time, values = found["first"]
    assert time.dtype == np.dtype("datetime64[ns]")
    assert time[0] == np.datetime64("2023-11-14T22:13:20")
    assert found["first"].unit == "V"
    assert found["angle, set"].source == "sim2"
    seq = np.arange(0, 50_000, 3)
    assert np.array_equal(values, seq % 4096)
    assert np.array_equal(found["first"].time_ns, START * 10**9 + seq * 10**7)
    assert not found["first"].is_thinned


def test_a_part_by_time_is_cut_at_its_edges(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(600).fill(cache)
    wanted = [
        (START + 0.3, START + 0.6),
        (datetime.fromtimestamp(START + 0.3, UTC), datetime.fromtimestamp(START + 0.6, UTC)),
        (np.datetime64("2023-11-14T22:13:20.3"), np.datetime64("2023-11-14T22:13:20.6")),
    ]
    for start, stop in wanted:
        assert cache.series(7, "first", start, stop)["first"].values.tolist() == list(range(30, 60, 3))
    assert cache.series(7, ["first"], stop=START)["first"].values.tolist() == []


def test_a_part_by_message_counts_seqs(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(40_000).fill(cache)
    assert cache.series(7, "first", first=30, count=9)["first"].values.tolist() == [30, 33, 36]
    assert len(cache.series(7, "first", first=39_990)["first"]) == 4
    assert cache.series(7, "first", last=2)["first"].values.tolist() == [39_996 % 4096, 39_999 % 4096]
    assert len(cache.series(7, "first", first=100_000)["first"]) == 0


def test_a_thinned_series_keeps_its_extremes(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(40_000).fill(cache)
    whole, thinned = cache.series(7)["first"], cache.series(7, max_points=100)["first"]
    assert thinned.is_thinned
    assert len(thinned) <= 100
    assert (thinned.values.min(), thinned.values.max()) == (whole.values.min(), whole.values.max())


def test_rows_added_one_by_one_are_series_too(cache: DatabaseClient) -> None:
    a = cache.get_or_create_category("a")
    for time_ms, value in ((300, 3.0), (100, float("nan")), (200, 2.0)):
        cache.add_reading(5, time_ms, a, value)
    found = cache.series(5)["a"]
    assert (found.time_ns // 10**6).tolist() == [100, 200, 300]
    assert np.array_equal(found.values, [np.nan, 2, 3], equal_nan=True)
    assert cache.series(5, "a", start=0.2)["a"].values.tolist() == [2, 3]
    assert cache.series(5, "a", first=1, count=1)["a"].values.tolist() == [2]
    assert cache.series(5, "a", last=1)["a"].values.tolist() == [3]


def test_a_plain_name_will_do_where_only_one_channel_bears_it(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    basic = example(0).record.sources[0]
    twin = Source(index=1, name="sim9", link="pty", board_id="08", definition=basic.definition)
    motor = example(0).record.sources[2]
    record = SessionRecord(id=3, started_at=datetime.fromtimestamp(START, UTC), sources=(basic, twin, motor))
    cache.begin_download(record)
    cache.finish_download(record)
    assert list(cache.series(3, ["sim9 first", "angle, set", "sim9 first"])) == ["sim9 first", "angle, set"]
    with pytest.raises(SeriesError, match="say 'sim1 first' or 'sim9 first'"):
        cache.series(3, "first")
    with pytest.raises(SeriesError, match="Did you mean 'sim9 first'"):
        cache.series(3, ["sim9 frist"])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"start": datetime(2023, 1, 1)},
        {"start": "yesterday"},
        {"stop": float("nan")},
        {"start": np.datetime64("NaT")},
        {"start": 2.0, "stop": 1.0},
        {"first": -1},
        {"count": 1.5},
        {"last": 0},
        {"last": 3, "count": 3},
        {"max_points": 1},
        {"channels": "fisrt"},
    ],
)
def test_nonsense_is_refused(nonsense: dict[str, Any], cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(3).fill(cache)
    with pytest.raises(SeriesError):
        cache.series(7, **nonsense)


def test_a_session_that_is_not_there_is_told(cache: DatabaseClient) -> None:
    with pytest.raises(SessionNotFound):
        cache.series(8)
