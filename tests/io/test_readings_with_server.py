"""Decoded readings of a real server with simulated boards: the same as those of the downloaded session."""

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

import blitz
from blitz.data.database import DatabaseClient
from blitz.data.series import SeriesSet
from blitz.data.spans import Columns, Steps, gathered
from blitz.errors import SeriesError, SessionNotFound

WAIT_S = 30


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[blitz.Client]:
    with blitz.Client(server.url) as client:
        yield client


def wait_for(client: blitz.Client, session_id: int, count: int) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while client.session(session_id).message_count < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.fixture(scope="module")
def session_id(client: blitz.Client) -> int:
    session = client.start("readings")
    wait_for(client, session.id, 60)
    client.stop(session.id)
    return session.id


@pytest.fixture(scope="module")
def cache(client: blitz.Client, session_id: int) -> Iterator[DatabaseClient]:
    with DatabaseClient() as cache:
        client.download(session_id, cache)
        yield cache


@pytest.fixture
def http(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=WAIT_S) as client:
        yield client


def assert_equal(one: SeriesSet, other: SeriesSet) -> None:
    assert list(one) == list(other)
    for label in one:
        np.testing.assert_array_equal(one[label].time_ns, other[label].time_ns)
        np.testing.assert_array_equal(one[label].values, other[label].values)
        for name in ("session_id", "source", "channel", "label", "unit"):
            assert getattr(one[label], name) == getattr(other[label], name)


def test_readings_are_those_of_the_downloaded_session(client, session_id, cache):
    assert_equal(client.readings(session_id), cache.series(session_id))
    assert len(next(iter(cache.series(session_id).values())))


def test_a_range_of_times_messages_and_channels_is_that_of_the_downloaded_session(client, session_id, cache):
    whole = cache.series(session_id)
    label = list(whole)[-1]
    times = whole[label].time
    for wanted in (
        {"channels": label, "start": times[3], "stop": times[-4]},
        {"channels": [label], "first": 17, "count": 20},
        {"start": times[5], "first": 4},
        {"count": 0},
        {"stop": times[0]},
        {"start": times[-1] + np.timedelta64(1, "h")},
    ):
        assert_equal(client.readings(session_id, **wanted), cache.series(session_id, **wanted))


def test_steps_and_pictures_are_what_the_readings_give(client, session_id, cache):
    whole = cache.series(session_id)
    record = client.session(session_id)
    start_ns, stop_ns = (round(moment.timestamp() * 1e6) * 1000 for moment in (record.started_at, record.stopped_at))
    for found, division in (
        (client.aggregated(session_id, 0.25), Steps(250_000_000)),
        (client.overview(session_id, 7), Columns(start_ns, stop_ns, 7)),
    ):
        assert list(found) == list(whole)
        for label, series in whole.items():
            expected = gathered(label, "", "", series.time_ns, series.values, division)
            for name in ("time_ns", "count", "minimum", "maximum"):
                np.testing.assert_array_equal(getattr(found[label], name), getattr(expected, name))
            np.testing.assert_allclose(found[label].mean, expected.mean, rtol=1e-12)
            assert found[label].minimum.min() == np.nanmin(series.values)
            assert found[label].count.sum() == np.count_nonzero(~np.isnan(series.values))


def test_readings_come_as_arrow_csv_json_lines_or_json(http, session_id, cache):
    label, series = next(iter(cache.series(session_id).items()))
    path, query = f"/sessions/{session_id}/readings", {"channels": label, "count": 40}
    arrow = pa.ipc.open_stream(http.get(path, params=query).content).read_all()
    assert arrow.column_names == ["seq", "time", "source", "channel", "unit", "value"]
    count = arrow.num_rows
    assert count > 0
    assert arrow["time"].cast(pa.int64()).to_pylist() == series.time_ns[:count].tolist()
    rows = list(csv.DictReader(io.StringIO(http.get(path, params=query, headers={"Accept": "text/csv"}).text)))
    assert [float(row["value"]) for row in rows] == series.values[:count].tolist()
    assert np.datetime64(rows[0]["time"].rstrip("Z"), "ns").astype(int) == series.time_ns[0]
    lines = http.get(path, params=query, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    first = json.loads(lines[0])
    assert (first["time_ns"], first["channel"], first["unit"]) == (series.time_ns[0], label, series.unit)
    assert [json.loads(line)["value"] for line in lines] == series.values[:count].tolist()
    answer = http.get(f"/sessions/{session_id}/overview", params={"columns": 5}, headers={"Accept": "application/json"})
    picture = answer.json()
    assert picture["next"] is None
    assert {"time_ns", "channel", "count", "minimum", "maximum"} <= picture["columns"].keys()
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("readings", {"channels": "nothing"}, "no channel 'nothing'"),
        ("readings", {"start": "yesterday"}, "start is 'yesterday'"),
        ("readings", {"start": "2026-01-01T00:00:00"}, "with its zone"),
        ("readings", {"start": "1e400"}, "1e400"),
        ("readings", {"start": "nan"}, "nan"),
        ("readings", {"start": "20", "stop": "10"}, "later than the stop"),
        ("readings", {"first": "-1"}, "first"),
        ("readings", {"step_s": "0"}, "step_s"),
        ("readings", {"step_s": "1e-12"}, "nanosecond"),
        ("overview", {"columns": "0"}, "columns"),
        ("overview", {"start": "10", "stop": "10"}, "empty"),
    ],
)
def test_a_request_without_meaning_is_refused_with_the_reason(http, session_id, path, query, words):
    answer = http.get(f"/sessions/{session_id}/{path}", params=query)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_moments_are_unix_seconds_or_iso_8601(http, session_id, cache):
    label, series = next(iter(cache.series(session_id).items()))
    text = str(np.datetime_as_string(series.time[4], "us", timezone="UTC"))
    for start in (text, text.replace("Z", "+00:00"), f"{series.time_ns[4] // 10**9}.{series.time_ns[4] % 10**9:09d}"):
        answer = http.get(f"/sessions/{session_id}/readings", params={"channels": label, "start": start})
        times = pa.ipc.open_stream(answer.content).read_all()["time"].cast(pa.int64()).to_pylist()
        assert times == series.time_ns[4:].tolist()


def test_the_clients_errors_are_those_of_the_library(client, session_id):
    with pytest.raises(SeriesError, match="no channel 'nothing'"):
        client.readings(session_id, "nothing")
    with pytest.raises(SessionNotFound):
        client.overview(10**6)
    with pytest.raises(SeriesError, match="no moment"):
        client.readings(session_id, start="yesterday")


def test_a_running_session_is_read_as_far_as_it_is(client):
    session = client.start("goes on")
    try:
        wait_for(client, session.id, 10)
        so_far = client.readings(session.id)
        assert any(len(series) for series in so_far.values())
        assert any(len(spans) for spans in client.overview(session.id, 3).values())
    finally:
        client.stop(session.id)
    for label, series in client.readings(session.id).items():
        if label in so_far:
            np.testing.assert_array_equal(series.time_ns[: len(so_far[label])], so_far[label].time_ns)
