"""The HTTP calls about streams, at a real server."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from own_redis import running_redis


@pytest.fixture
def http(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        yield http
        for stream in http.get("/streams").json():
            http.delete(f"/streams/{quote(stream['name'], safe='')}").raise_for_status()


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith((".", "?"))
    return answer.status_code, answer.json()["code"]


def test_a_stream_is_made_filled_read_changed_and_deleted(http: httpx.Client) -> None:
    name = "50 % of ü? #1"
    wish = {"name": name, "schema": {"type": "number"}, "unit": "V", "nickname": "Half"}
    made = http.post("/streams", json=wish)
    assert made.status_code == 201
    record = made.json()
    assert {key: record[key] for key in wish} == wish
    assert (record["point_count"], record["downlink"]) == (0, False)
    path = f"/streams/{quote(name, safe='')}"
    assert http.get(path).json() == record
    assert http.get("/streams").json() == [record]
    assert code(http.post("/streams", json=wish)) == (409, "stream_exists")

    points = [{"t": 1.5, "d": 1}, {"t": 1.5, "d": 2.5}, {"t": 4, "d": -1}]
    result = http.post(f"{path}/points", json={"points": points})
    assert result.json() == {"first": 0, "count": 3, "repeated": False, "refused": [], "restamped": 0}
    found = http.get(f"{path}/range", params={"t1": 1.5, "t2": 4}).json()
    assert found == {"id": record["id"], "first": 0, "stop": 2}
    lines = http.get(
        f"/sessions/{record['id']}/messages",
        params={"first": 1, "count": 9},
        headers={"Accept": "application/x-ndjson"},
    )
    assert [json.loads(json.loads(line)["raw"]) for line in lines.text.splitlines()] == points[1:]
    changed = http.patch(path, json={"description": "a half", "downlink": True}).json()
    assert (changed["description"], changed["downlink"], changed["newest_t"]) == ("a half", True, 4.0)

    assert http.delete(path).status_code == 204
    assert code(http.get(path)) == (404, "stream_not_found")
    assert code(http.delete(path)) == (404, "stream_not_found")
    assert code(http.post(f"{path}/points", json={"points": []})) == (404, "stream_not_found")
    assert code(http.get(f"/sessions/{record['id']}/messages")) == (404, "session_not_found")


def test_what_cannot_be_is_refused_with_the_reason(http: httpx.Client) -> None:
    for wish in (
        {"name": "a/b"},
        {"name": ""},
        {"name": "a", "schema": {"type": 7}},
        {"name": "a", "schema": []},
        {"name": "a", "color": "red"},
    ):
        assert code(http.post("/streams", json=wish)) == (422, "invalid")
    bad = http.post("/streams", json={"name": "a", "schema": {"properties": {"v": {"minimum": "low"}}}})
    assert "$.properties.v.minimum" in bad.json()["detail"]
    http.post("/streams", json={"name": "a", "schema": {"type": "number"}}).raise_for_status()
    path = "/streams/a"
    assert http.post(f"{path}/points", json={"points": [{"t": 9, "d": 0}]}).json()["first"] == 0
    refused = http.post(f"{path}/points", json={"points": [{"t": 10, "d": 1}, {"t": 8, "d": 1}]})
    assert code(refused) == (422, "points_refused")
    assert "point 1, counted from 0" in refused.json()["detail"]
    not_finite = http.post(
        f"{path}/points", content=b'{"points":[{"t":NaN,"d":1}]}', headers={"Content-Type": "application/json"}
    )
    assert code(not_finite) == (422, "points_refused")
    partial = http.post(f"{path}/points", json={"points": [{"t": 8, "d": 1}, {"t": 9, "d": "x"}], "partial": True})
    assert [point["index"] for point in partial.json()["refused"]] == [0, 1]
    assert http.post(f"{path}/points", json={"points": [{"t": 8, "d": 1}], "restamp": True}).json()["restamped"] == 1
    for more in ({"batch": 1}, {"writer": "w"}, {"batch": -1, "writer": "w"}, {"more": 1}):
        assert code(http.post(f"{path}/points", json={"points": [], **more})) == (422, "invalid")
    assert code(http.get(f"{path}/range", params={"i1": 0, "t1": 0})) == (422, "invalid")
    assert http.get(path).json()["point_count"] == 2


def test_a_batch_counts_once(http: httpx.Client) -> None:
    http.post("/streams", json={"name": "a"}).raise_for_status()
    body = {"points": [{"t": time.time(), "d": "on"}], "writer": "logger", "batch": 7}
    first = http.post("/streams/a/points", json=body).json()
    assert http.post("/streams/a/points", json=body).json() == {**first, "repeated": True}
    assert http.get("/streams/a").json()["point_count"] == 1


def test_thousands_of_points_are_taken_at_once(http: httpx.Client) -> None:
    http.post("/streams", json={"name": "a", "schema": {"type": "number"}}).raise_for_status()
    points = [{"t": place, "d": place / 4} for place in range(30_000)]
    assert http.post("/streams/a/points", json={"points": points}).json()["count"] == 30_000
    assert http.get("/streams/a/range", params={"t1": 29_999}).json()["first"] == 29_999


def test_while_redis_is_away_points_are_refused_and_taken_when_it_is_back(
    run_server: Callable[..., Any],
) -> None:
    with tempfile.TemporaryDirectory() as name, httpx.Client(trust_env=False, timeout=60) as http:
        folder = Path(name)
        body = {"points": [{"t": 1, "d": 1}], "writer": "w", "batch": 1}
        with running_redis(folder) as process:
            server = run_server("--redis-url", f"unix://{folder / 'redis.sock'}")
            place = f"{server.url}/api/v1/streams"
            http.post(place, json={"name": "a"}).raise_for_status()
            process.kill()
            process.wait()
            assert code(http.post(f"{place}/a/points", json=body)) == (503, "store_unavailable")
            assert code(http.get(place)) == (503, "store_unavailable")
        with running_redis(folder):
            assert http.post(f"{place}/a/points", json=body).json()["count"] == 1
            assert http.get(f"{place}/a").json()["point_count"] == 1


def test_a_stream_is_no_session_to_be_stopped_trashed_or_renamed(http: httpx.Client) -> None:
    record = http.post("/streams", json={"name": "a"}).json()
    http.post("/streams/a/points", json={"points": [{"t": 1, "d": 1.5}]}).raise_for_status()
    assert http.get("/sessions").json() == []
    for number in (record["id"], record["downlink_id"]):
        path = f"/sessions/{number}"
        assert http.get(path).json()["name"] == "a"
        assert code(http.delete(path)) == (404, "session_not_found")
        assert code(http.delete(f"/trash/{number}")) == (404, "session_not_found")
        assert code(http.post(f"/trash/{number}/restore")) == (404, "session_not_found")
        assert code(http.post(f"{path}/stop")) == (409, "no_session")
        assert code(http.patch(path, json={"name": "b", "starred": True})) == (404, "session_not_found")
        assert code(http.post(f"{path}/markers", json={"text": "x", "from_ns": 1})) == (404, "session_not_found")
        assert code(http.patch(f"{path}/plan", json={"stop_after_s": 60}))[0] in (404, 409, 422)
        for part in ("readings", "overview", "markers"):
            assert http.get(f"{path}/{part}").status_code < 500
    assert http.get("/streams/a").json()["point_count"] == 1
