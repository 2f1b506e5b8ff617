"""Commands to streams over HTTP, at real servers: seen live, over in time, whoever is killed."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_redis import running_redis
from websockets.sync.client import ClientConnection, connect

from blitz.data.blocks import MessageBlock


@pytest.fixture
def http(server: Any) -> Iterator[httpx.Client]:
    headers = {"X-Blitz-Owner": "ann%40bench"}
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60, headers=headers) as http:
        yield http
        for stream in http.get("/streams").json():
            http.delete(f"/streams/{stream['name']}").raise_for_status()


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def follow(url: str, session_id: int, first: int = 0) -> ClientConnection:
    place = f"{url.replace('http', 'ws')}/api/v1/live?session={session_id}&first={first}"
    return connect(place, proxy=None, open_timeout=30)


def next_states(viewer: ClientConnection, count: int) -> list[tuple[int, str]]:
    """Return ids and states of the next so many messages of a downlink."""
    found: list[tuple[int, str]] = []
    while len(found) < count:
        frame = viewer.recv(timeout=30)
        if isinstance(frame, bytes):
            found += [(state["id"], state["state"]) for state in map(json.loads, MessageBlock.decode(frame).messages())]
    return found


def test_a_command_is_sent_seen_by_all_viewers_and_answered(server: Any, http: httpx.Client) -> None:
    record = http.post("/streams", json={"name": "lamp", "schema": {"type": "boolean"}, "downlink": True}).json()
    with follow(server.url, record["downlink_id"]) as one, follow(server.url, record["downlink_id"]) as two:
        answer = http.post("/streams/lamp/commands", json={"d": True})
        assert answer.status_code == 201
        sent = answer.json()
        assert {key: sent[key] for key in ("id", "stream", "d", "by", "state", "timeout_s")} == {
            "id": 1, "stream": "lamp", "d": True, "by": "ann@bench", "state": "sent", "timeout_s": 10.0,
        }  # fmt: skip
        for viewer in (one, two):
            assert next_states(viewer, 1) == [(1, "sent")]
        body = {"state": "acknowledged", "points": [{"t": 7, "d": True}]}
        done = http.post("/streams/lamp/commands/1/answer", json=body)
        assert (done.json()["state"], done.json()["answered_by"]) == ("acknowledged", "ann@bench")
        for viewer in (one, two):
            assert next_states(viewer, 1) == [(1, "acknowledged")]
    assert http.get("/streams/lamp/commands").json() == [done.json()]
    assert code(http.post("/streams/lamp/commands/1/answer", json=body)) == (409, "command_over")
    assert http.get("/streams/lamp").json()["newest_t"] == 7


def test_a_command_that_nobody_answers_is_over_when_its_time_is(server: Any, http: httpx.Client) -> None:
    record = http.post("/streams", json={"name": "lamp", "downlink": True}).json()
    with follow(server.url, record["downlink_id"]) as viewer:
        http.post("/streams/lamp/commands", json={"d": 1, "timeout_s": 3600}).raise_for_status()
        http.post("/streams/lamp/commands", json={"d": 2, "timeout_s": 0.05}).raise_for_status()
        assert next_states(viewer, 3) == [(1, "sent"), (2, "sent"), (2, "timed_out")]
    assert code(http.post("/streams/lamp/commands/2/answer", json={"state": "failed"})) == (409, "command_over")
    failed = http.post("/streams/lamp/commands/1/answer", json={"state": "failed", "reason": "It is dark"}).json()
    assert (failed["state"], failed["reason"]) == ("failed", "It is dark")
    assert [entry["state"] for entry in http.get("/streams/lamp/commands?first=2").json()] == ["timed_out"]


def test_what_cannot_be_is_refused(http: httpx.Client) -> None:
    http.post("/streams", json={"name": "lamp", "schema": {"type": "boolean"}}).raise_for_status()
    path = "/streams/lamp/commands"
    assert code(http.post(path, json={"d": True})) == (409, "no_downlink")
    http.patch("/streams/lamp", json={"downlink": True}).raise_for_status()
    assert code(http.post(path, json={"d": "on"})) == (422, "points_refused")
    for body in ({}, {"d": True, "timeout_s": 0}, {"d": True, "timeout_s": 1e9}, {"d": True, "color": 1}):
        assert code(http.post(path, json=body)) == (422, "invalid")
    http.post(path, json={"d": True, "timeout_s": 3600}).raise_for_status()
    for body in (
        {"state": "sent"},
        {"state": "timed_out"},
        {"state": "failed", "points": []},
        {"state": "acknowledged", "points": {}},
    ):
        assert code(http.post(f"{path}/1/answer", json=body)) == (422, "invalid")
    wrong = {"state": "acknowledged", "points": [{"t": 1, "d": "x"}]}
    assert code(http.post(f"{path}/1/answer", json=wrong)) == (422, "points_refused")
    assert http.get(path).json()[0]["state"] == "sent"
    assert code(http.post("/streams/none/commands", json={"d": 1})) == (404, "stream_not_found")
    assert code(http.get("/streams/none/commands")) == (404, "stream_not_found")


def test_values_and_schemas_keep_what_is_null_in_them(http: httpx.Client) -> None:
    schema = {"enum": [None, {"a": None}], "default": None}
    made = http.post("/streams", json={"name": "a", "schema": schema, "downlink": True}).json()
    assert made["schema"] == schema
    assert http.post("/streams/a/commands", json={"d": {"a": None}}).json()["d"] == {"a": None}
    assert http.get("/streams/a/commands").json()[0]["d"] == {"a": None}


def test_a_command_is_never_open_again_after_its_server_was_killed(run_server: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory() as name, running_redis(Path(name)):
        server = run_server("--redis-url", f"unix://{name}/redis.sock")
        with httpx.Client(trust_env=False, timeout=60) as http:
            place = f"{server.url}/api/v1/streams"
            number = http.post(place, json={"name": "lamp", "downlink": True}).json()["downlink_id"]
            http.post(f"{place}/lamp/commands", json={"d": 1, "timeout_s": 0.2}).raise_for_status()
            server.kill()
            server.start()
            with follow(server.url, number) as viewer:
                assert next_states(viewer, 2) == [(1, "sent"), (1, "timed_out")]


def test_a_server_that_only_follows_takes_commands_and_ends_them(run_server: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory() as name, running_redis(Path(name)):
        options = ("--redis-url", f"unix://{name}/redis.sock")
        one = run_server(*options)
        two = run_server(*options, "--no-acquisition")
        with httpx.Client(trust_env=False, timeout=60) as http:
            made = http.post(f"{two.url}/api/v1/streams", json={"name": "lamp", "downlink": True}).json()
            one.stop()
            commands = f"{two.url}/api/v1/streams/lamp/commands"
            with follow(two.url, made["downlink_id"]) as viewer:
                http.post(commands, json={"d": 1, "timeout_s": 0.05}).raise_for_status()
                http.post(commands, json={"d": 2}).raise_for_status()
                http.post(f"{commands}/2/answer", json={"state": "acknowledged"}).raise_for_status()
                seen = next_states(viewer, 4)
            assert sorted(seen) == [(1, "sent"), (1, "timed_out"), (2, "acknowledged"), (2, "sent")]
            assert seen.index((1, "sent")) == 0


def test_a_command_is_in_the_audit_trail_with_who_sent_it(http: httpx.Client) -> None:
    http.post("/streams", json={"name": "lamp", "downlink": True}).raise_for_status()
    http.post("/streams/lamp/commands", json={"d": 1}).raise_for_status()
    deadline_s = time.monotonic() + 30
    while not any("POST /api/v1/streams/lamp/commands" in entry["what"] for entry in http.get("/audit").json()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
