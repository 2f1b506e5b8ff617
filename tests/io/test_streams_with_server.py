"""Streams by the client library, with a real server: what scripts do with them."""

import inspect
import time
from datetime import UTC, datetime

import numpy as np
import pytest

import blitz
from blitz.data.points import Points
from blitz.errors import (
    ConfigError,
    PointsRefused,
    RemoteError,
    SeriesError,
    StreamExists,
    StreamNotFound,
)
from blitz.io import async_stream, blocking_stream, stream_calls
from blitz.io.async_stream import AsyncStream
from blitz.io.blocking_stream import Stream

CALLS = (
    *((Stream, AsyncStream, name) for name in ("record", "exists", "create", "delete", "length", "insert", "__call__")),
    *((Stream, AsyncStream, name) for name in ("insert_array", "subscribe", "unsubscribe", "send")),
    *((blitz.Client, blitz.AsyncClient, name) for name in ("__getitem__", "streams", "insert_points")),
)


@pytest.mark.parametrize(("ours", "theirs", "name"), CALLS)
def test_plain_scripts_have_the_calls_of_asynchronous_ones(ours: type, theirs: type, name: str) -> None:
    mine, other = (list(inspect.signature(getattr(kind, name)).parameters.values()) for kind in (ours, theirs))
    assert [(each.name, each.kind, each.default) for each in mine] == [
        (each.name, each.kind, each.default) for each in other
    ]


def test_first_steps(db: blitz.Client) -> None:
    stream = db["mystream"]
    assert not stream.exists()
    stream.create({"type": "string"})
    assert stream.exists()
    stream.insert("Hello World!")
    assert len(stream) == 1
    assert stream[0]["d"] == "Hello World!"
    assert stream[0]["t"] == pytest.approx(time.time(), abs=3600)


def test_a_thermometer_logs_numbers_and_nothing_else(db: blitz.Client) -> None:
    temperature = db["temperature"]
    temperature.create({"type": "number"}, nickname="Oven", description="behind the door", unit="°C")
    for value in (20, 21.5, np.float32(22.5)):
        temperature.insert(value)
    with pytest.raises(PointsRefused, match="number"):
        temperature.insert("warm")
    with pytest.raises(PointsRefused, match="None stands for a missing one"):
        temperature.insert(float("nan"))
    assert temperature[:].d() == [20, 21.5, 22.5]
    assert temperature[:].mean() == pytest.approx(21.3333333)
    assert (temperature.schema, temperature.unit) == ({"type": "number"}, "°C")
    assert (temperature.nickname, temperature.description) == ("Oven", "behind the door")
    temperature.nickname, temperature.description, temperature.unit = "Furnace", "", "K"
    record = temperature.record()
    assert (record.nickname, record.description, record.unit, record.point_count) == ("Furnace", "", "K", 3)


def test_points_are_found_by_place(db: blitz.Client) -> None:
    stream = db["count"]
    stream.create()
    assert list(stream) == stream[:] == stream[-5:] == []
    stream.insert_array({"t": 1000.0 + n, "d": n} for n in range(10))
    numbers = list(range(10))
    for place in (0, 9, -1, -10):
        assert stream[place] == {"t": 1000.0 + numbers[place], "d": numbers[place]}
    slices = (slice(-5, None), slice(2, 4), slice(None, None, 3), slice(None, None, -1), slice(8, 1, -3), slice(5, 99))
    for places in (*slices, slice(7, 2)):
        assert stream[places].d() == numbers[places]
    assert type(stream[2:4]) is Points
    for place in (10, -11):
        with pytest.raises(IndexError, match=f"Point {place} of stream count"):
            stream[place]
    assert stream(i1=2, i2=5).d() == [2, 3, 4]
    assert stream(i1=-3, limit=2).d() == [7, 8]
    assert stream(limit=0) == []


def test_points_are_found_by_time(db: blitz.Client) -> None:
    stream = db["times"]
    stream.create()
    stream.insert_array({"t": 1000.0 + n // 2, "d": n} for n in range(10))
    assert stream(t1=1001, t2=1003).d() == [2, 3, 4, 5]
    assert stream(t1=1003.5).d() == [8, 9]
    assert stream(t2=1001).d() == [0, 1]
    assert stream(1001, limit=3).d() == [2, 3, 4]
    assert stream(t1=datetime.fromtimestamp(1004, UTC)).d() == [8, 9]
    assert stream(t1=5000) == []
    with pytest.raises(SeriesError, match="not both"):
        stream(t1=1000, i2=5)
    with pytest.raises(ValueError, match="limit is -1"):
        stream(limit=-1)


def test_going_through_a_stream_reads_page_by_page(db: blitz.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (async_stream, blocking_stream, stream_calls):
        monkeypatch.setattr(module, "PAGE_POINTS", 30)
    stream = db["pages"]
    stream.create()
    stream.insert_array({"t": float(n), "d": n} for n in range(100))
    assert [point["d"] for point in stream] == list(range(100))
    assert stream[5:95].d() == list(range(5, 95))
    begun = iter(stream)
    assert [next(begun)["d"] for _ in range(3)] == [0, 1, 2]


def test_old_points_are_refused_all_or_none_or_get_the_newest_time(db: blitz.Client) -> None:
    stream = db["old"]
    stream.create()
    stream.insert("later", t=2000)
    with pytest.raises(PointsRefused, match="older"):
        stream.insert_array([{"t": 3000, "d": "new"}, {"t": 1000, "d": "old"}])
    assert len(stream) == 1
    result = stream.insert_array([{"t": 1000, "d": "old"}, {"t": 3000, "d": "new"}], restamp=True)
    assert (result.first, result.count, result.restamped) == (1, 2, 1)
    assert stream[:].t() == [2000.0, 2000.0, 3000.0]
    partly = db.insert_points("old", [{"t": 1, "d": 1}, {"t": 4000, "d": 2}], partial=True)
    assert (partly.count, [point.index for point in partly.refused]) == (1, [0])


def test_a_value_without_a_time_is_stored_also_behind_one_of_the_future(db: blitz.Client) -> None:
    stream = db["clocks"]
    stream.create()
    future_s = time.time() + 1e6
    stream.insert("fast clock", t=future_s)
    assert stream.insert("ours").restamped == 1
    assert stream[:].t() == [future_s, future_s]


def test_a_numbered_batch_is_stored_once(db: blitz.Client) -> None:
    db["batches"].create()
    first = db.insert_points("batches", [{"t": 1, "d": 1}], writer="me", batch=1)
    again = db.insert_points("batches", [{"t": 1, "d": 1}], writer="me", batch=1)
    assert (first.repeated, again.repeated, again.first) == (False, True, first.first)
    assert len(db["batches"]) == 1


def test_many_points_go_in_several_requests(db: blitz.Client) -> None:
    stream = db["many"]
    stream.create()
    count = 70_000
    result = stream.insert_array({"t": float(n), "d": n} for n in range(count))
    assert (result.first, result.count) == (0, count)
    assert len(stream) == count
    assert stream[count - 1]["d"] == count - 1
    assert sum(point["d"] for point in stream) == stream[:].sum() == sum(range(count))


def test_streams_are_listed_made_once_and_deleted(db: blitz.Client) -> None:
    db["b"].create()
    db["a name: with spaces, ü and %2F"].create()
    with pytest.raises(StreamExists):
        db["b"].create()
    assert [stream.name for stream in db.streams()] == ["a name: with spaces, ü and %2F", "b"]
    assert db["a name: with spaces, ü and %2F"].insert(1).count == 1
    db["b"].delete()
    assert not db["b"].exists()
    assert [stream.name for stream in db.streams()] == ["a name: with spaces, ü and %2F"]
    for ask in (lambda: len(db["b"]), lambda: db["b"][0], lambda: db["b"].insert(1), lambda: db["b"](t1=1)):
        with pytest.raises(StreamNotFound):
            ask()
    assert bool(db["b"])
    for wrong in ("", "a/b", "..", 5, "x" * 201):
        with pytest.raises(ConfigError):
            db[wrong]  # type: ignore[index]
    with pytest.raises(RemoteError, match="schema"):
        db["b"].create({"type": "nonsense"})
